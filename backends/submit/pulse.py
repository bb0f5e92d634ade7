"""Publishing to a Pulse exchange: persistent, mandatory and confirmed, so that "sent" means that a queue has it.

Without confirms a missing exchange swallows everything in silence; without mandatory a message that nobody is bound to
is confirmed and gone. aio-pika runs in an event loop of this thread; robust connections are not used, for their
publishes hang until the broker is back (mosquito/aio-pika #636).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError, UsageError
from backends.http.errors import sanitize
from backends.submit.credentials import Credentials
from backends.submit.outbox import Claimed, Outcome, State
from backends.submit.publishing import Desk, Route, RouteBroken, RouteProblem
from backends.submit.pulse_address import Broker
from backends.submit.pulse_errors import NOT_CONFIRMED, broken, refused_words, setup_problem

CHUNK = 64  # letters taken from the outbox at a time: what is taken when the broker dies is in doubt
IN_FLIGHT = 64  # unconfirmed at a time
CONNECT_SECONDS = 15.0
CONFIRM_SECONDS = 30.0
_CLOSE_SECONDS = 2.0
LONGEST_ID = 255  # bytes of an AMQP short string


@dataclass(frozen=True)
class Patience:
    """Seconds: for the connection, for a confirm."""

    connect: float = CONNECT_SECONDS
    confirm: float = CONFIRM_SECONDS


class PulseMissing(AppError):
    """The optional part that speaks AMQP is not installed."""

    exit_code = 2


class PulseRoute(Route):
    """One exchange of one broker."""

    name = "pulse"

    def __init__(
        self, broker: Broker, exchange: str, credentials: Credentials, *, patience: Patience | None = None
    ) -> None:
        self.broker, self.exchange, self._credentials = broker, exchange, credentials
        self.destination = f"{broker.shown} {exchange}"
        self._patience = patience or Patience()
        library()

    def __repr__(self) -> str:
        return f"PulseRoute({self.destination!r})"

    def deliver(self, desk: Desk, cancel: CancelToken) -> None:
        asyncio.run(self._heeding(desk, cancel))

    async def _heeding(self, desk: Desk, cancel: CancelToken) -> None:
        """Sends until done or until the token is pulled."""
        loop = asyncio.get_running_loop()
        # The library's own tasks die with the connection; what they say then is no news and would paint over the app.
        loop.set_exception_handler(lambda loop, context: None)
        work = asyncio.ensure_future(self._send_all(desk))

        def stop() -> None:
            loop.call_soon_threadsafe(work.cancel)

        forget = cancel.on_cancel(stop)
        try:
            await work
        except asyncio.CancelledError:
            raise OperationCancelledError from None
        finally:
            forget()

    async def _send_all(self, desk: Desk) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connection = await self._connected()
            stack.push_async_callback(_closed, connection)
            exchange = await self._exchange(connection)
            while letters := desk.take(CHUNK):
                for wave in _waves(letters):
                    await self._send(exchange, wave, desk)

    async def _connected(self) -> Any:
        who = self._credentials
        try:
            async with asyncio.timeout(self._patience.connect):
                return await library().connect(
                    host=self.broker.host,
                    port=self.broker.port,
                    login=who.who,
                    password=who.secret.reveal(),
                    virtualhost=self.broker.vhost,
                    ssl=self.broker.tls,
                    ssl_context=ssl.create_default_context() if self.broker.tls else None,
                    client_properties={"connection_name": "ciexplore"},
                )
        except Exception as error:
            # From None: the error's own account of the connection holds the password.
            raise setup_problem(error, self.broker, who.who) from None

    async def _exchange(self, connection: Any) -> Any:
        """The exchange: one of ours is declared, which makes it, or refuses one that is there and of another kind (a
        fanout would ignore every routing key); one of others, or that we may not make, is only looked for."""
        pika = library()
        from aiormq.exceptions import ChannelAccessRefused

        try:
            async with asyncio.timeout(self._patience.connect):
                if self.exchange.startswith(f"exchange/{self._credentials.who}/"):
                    with contextlib.suppress(ChannelAccessRefused):
                        channel = await _channel(connection)
                        return await channel.declare_exchange(self.exchange, pika.ExchangeType.TOPIC, durable=True)
                return await (await _channel(connection)).get_exchange(self.exchange, ensure=True)
        except Exception as error:
            raise setup_problem(error, self.broker, self._credentials.who, self.exchange) from None

    async def _send(self, exchange: Any, letters: list[Claimed], desk: Desk) -> None:
        results = await asyncio.gather(*(self._one(exchange, letter) for letter in letters), return_exceptions=True)
        problem: BaseException | None = None
        for letter, result in zip(letters, results, strict=True):
            if isinstance(result, Outcome):
                desk.settle(result)
            elif isinstance(result, RouteBroken):
                problem = problem or result  # of unknown fate: not settled
            elif isinstance(result, RouteProblem):
                desk.settle(Outcome(letter.number, State.FAILED, result.sentence))
                problem = result
            elif problem is None:
                problem = result
        if problem is not None:
            raise problem

    async def _one(self, exchange: Any, letter: Claimed) -> Outcome:
        pika = library()
        if len(letter.job.encode()) > LONGEST_ID or len(letter.routing_key.encode()) > LONGEST_ID:
            return Outcome(letter.number, State.FAILED, "its id or routing key is longer than 255 bytes")
        message = pika.Message(
            letter.content,
            content_type="application/json",
            delivery_mode=pika.DeliveryMode.PERSISTENT,
            message_id=letter.job,
        )
        try:
            await exchange.publish(message, letter.routing_key, mandatory=True, timeout=self._patience.confirm)
        except pika.exceptions.PublishError:
            return Outcome(
                letter.number, State.RETURNED, f"NO_ROUTE: nobody is bound for {sanitize(letter.routing_key, 120)}"
            )
        except pika.exceptions.DeliveryError:
            return Outcome(letter.number, State.FAILED, "the broker refused to store it (nack)")
        except TimeoutError:
            raise RouteBroken(f"{self.broker.shown} {NOT_CONFIRMED}", "See whether the broker is well.") from None
        except Exception as error:
            if words := refused_words(error, self.exchange, self._credentials.who):
                raise RouteProblem(*words) from None
            raise broken(error, self.broker) from None
        return Outcome(letter.number, State.ACKNOWLEDGED)


def pulse_route(
    broker: Broker, exchange: str, credentials: Credentials, patience: Patience | None = None
) -> PulseRoute:
    """`exchange` "" is the one that Pulse gives everybody: exchange/<user>/v1/jobs."""
    name = exchange or f"exchange/{credentials.who}/v1/jobs"
    if len(name.encode()) > LONGEST_ID or not name.isprintable():
        raise UsageError("This is no name of an exchange.", "Pulse: exchange/<user>/v1/jobs")
    return PulseRoute(broker, name, credentials, patience=patience)


def _waves(letters: list[Claimed]) -> Iterator[list[Claimed]]:
    """At most IN_FLIGHT at a time and no job twice: aiormq tells returned messages apart by their message id, so that
    of two with one id the first would count as acknowledged."""
    wave: list[Claimed] = []
    jobs: set[str] = set()
    for letter in letters:
        if len(wave) >= IN_FLIGHT or letter.job in jobs:
            yield wave
            wave, jobs = [], set()
        wave.append(letter)
        jobs.add(letter.job)
    if wave:
        yield wave


async def _channel(connection: Any) -> Any:
    return await connection.channel(publisher_confirms=True, on_return_raises=True)


async def _closed(connection: Any) -> None:
    """Says goodbye if the broker still listens; a frozen one must not keep us."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()


def library() -> Any:
    """aio-pika, kept from writing to the terminal. Raises `PulseMissing` with the command that installs it."""
    try:
        import aio_pika
    except ImportError:
        raise PulseMissing(
            "Publishing to Pulse needs an optional part.", "Install it: pip install 'ciexplore[pulse]'"
        ) from None
    for name in ("aio_pika", "aiormq", "pamqp"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        logger.propagate = False  # they log tracebacks, and addresses with passwords at debug level
    return aio_pika
