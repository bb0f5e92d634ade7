"""Publishing to a Pulse exchange: persistent, mandatory and confirmed, so that "sent" means that a queue has it.

Without confirms a missing exchange silently drops everything; without mandatory a message that nobody is bound to is
confirmed and gone. aio-pika runs in an event loop of this thread; robust connections are not used, for their publishes
hang until the broker is back (mosquito/aio-pika #636).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError, UsageError
from backends.http.errors import sanitize
from backends.net import is_loopback
from backends.submit.credentials import Credentials
from backends.submit.outbox import (
    ClaimedMessage,
    ConnectionLostError,
    DeliverySession,
    MessageState,
    Publisher,
    PublisherError,
    split_batches,
)

CHUNK = 64  # messages in flight at a time: what is unconfirmed when the broker dies is in doubt
CONNECT_SECONDS = 15.0
CONFIRM_SECONDS = 30.0
_CLOSE_SECONDS = 2.0
LONGEST_ID = 255  # bytes of an AMQP short string

Delivery = tuple[MessageState, str]


class PulseNotInstalledError(AppError):
    """The optional dependency that speaks AMQP is not installed."""

    exit_code = 2


@dataclass(frozen=True)
class PulseBroker:
    """`tls`: encrypted; plain connections are only for this machine, because the password travels in them."""

    host: str
    port: int
    tls: bool
    vhost: str = "/"

    @property
    def label(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + ("" if self.vhost == "/" else f"/{sanitize(self.vhost, 60)}")


def parse_broker(url: str) -> PulseBroker:
    """The broker of an amqp:// or amqps:// URL. `?ssl=1` is encrypted, too; the virtual hosts "", "/", "//" and "/%2F"
    are all "/": libraries read them in different ways.

    Raises `UsageError` for other URLs, for one with a password, and for plain amqp to another machine.
    """
    hint = "Use amqps://HOST:5671; user and password are set separately."
    try:
        split = urlsplit(url if "://" in url else f"amqps://{url}")
        host, port, query = split.hostname or "", split.port, parse_qs(split.query)
    except ValueError:
        raise UsageError("The URL of the Pulse broker is malformed.", hint) from None
    if split.username is not None or split.password is not None:
        raise UsageError(
            "The URL of the Pulse broker has a user or a password in it.",
            "Leave them out; set CIEXPLORE_PULSE_USER and CIEXPLORE_PULSE_PASSWORD.",
        )
    if split.scheme not in ("amqp", "amqps") or not host:
        raise UsageError("This is not the URL of a Pulse broker.", hint)
    tls = split.scheme == "amqps" or query.get("ssl", ["0"])[0].lower() in ("1", "true")
    if not tls and not is_loopback(host):
        raise UsageError(
            f"Plain amqp to {sanitize(host, 100)} would show the password to anyone on the network path.",
            "Use amqps; plain amqp is for brokers on this machine.",
        )
    return PulseBroker(host, port or (5671 if tls else 5672), tls, unquote(split.path[1:]) or "/")


class PulsePublisher(Publisher):
    """One exchange of one broker. `exchange` "" is the one that Pulse gives everybody: exchange/<user>/v1/jobs."""

    name = "pulse"

    def __init__(
        self,
        broker: PulseBroker,
        exchange: str,
        credentials: Credentials,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        confirm_seconds: float = CONFIRM_SECONDS,
    ) -> None:
        """Connects to nothing yet. Raises `PulseNotInstalledError`, `UsageError` for a name that cannot be an
        exchange's."""
        self.broker, self._credentials = broker, credentials
        self.exchange = exchange or f"exchange/{credentials.who}/v1/jobs"
        if len(self.exchange.encode()) > LONGEST_ID or not self.exchange.isprintable():
            raise UsageError("Invalid name of an exchange.", "Pulse: exchange/<user>/v1/jobs")
        self.destination = f"{broker.label} {self.exchange}"
        self._connect_seconds, self._confirm_seconds = connect_seconds, confirm_seconds
        import_aio_pika()

    def deliver(self, session: DeliverySession, cancel: CancelToken) -> None:
        asyncio.run(self._deliver(session, cancel))

    async def _deliver(self, session: DeliverySession, cancel: CancelToken) -> None:
        """Sends until all is sent or the token is cancelled."""
        loop = asyncio.get_running_loop()
        # The library's own tasks die with the connection; what they report then would paint over the app.
        loop.set_exception_handler(lambda loop, context: None)
        work = asyncio.ensure_future(self._send_all(session))

        def stop() -> None:
            loop.call_soon_threadsafe(work.cancel)

        unsubscribe = cancel.on_cancel(stop)
        try:
            await work
        except asyncio.CancelledError:
            raise OperationCancelledError from None
        finally:
            unsubscribe()

    async def _send_all(self, session: DeliverySession) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connection = await self._connect()
            stack.push_async_callback(_close, connection)
            exchange = await self._open_exchange(connection)
            while messages := session.take(CHUNK):
                for batch in split_batches(messages):  # aiormq tells returned messages apart by their id
                    await self._send_batch(exchange, batch, session)

    async def _connect(self) -> Any:
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await import_aio_pika().connect(
                    host=self.broker.host,
                    port=self.broker.port,
                    login=self._credentials.who,
                    password=self._credentials.secret.reveal(),
                    virtualhost=self.broker.vhost,
                    ssl=self.broker.tls,
                    ssl_context=ssl.create_default_context() if self.broker.tls else None,
                    client_properties={"connection_name": "ciexplore"},
                )
        except Exception as error:
            # From None: the error's own description of the connection holds the password.
            raise self._describe(error) from None

    async def _open_exchange(self, connection: Any) -> Any:
        """The exchange: one of the user's is declared, which creates it, or refuses an existing one of another kind (a
        fanout would ignore every routing key); one of others, or that we may not create, is only looked up."""
        pika = import_aio_pika()
        from aiormq.exceptions import ChannelAccessRefused

        try:
            async with asyncio.timeout(self._connect_seconds):
                if self.exchange.startswith(f"exchange/{self._credentials.who}/"):
                    with contextlib.suppress(ChannelAccessRefused):
                        channel = await _open_channel(connection)
                        return await channel.declare_exchange(self.exchange, pika.ExchangeType.TOPIC, durable=True)
                return await (await _open_channel(connection)).get_exchange(self.exchange, ensure=True)
        except Exception as error:
            raise self._describe(error) from None

    async def _send_batch(self, exchange: Any, messages: list[ClaimedMessage], session: DeliverySession) -> None:
        results = await asyncio.gather(*(self._send(exchange, one) for one in messages), return_exceptions=True)
        failure: BaseException | None = None
        for message, result in zip(messages, results, strict=True):
            if not isinstance(result, BaseException):
                session.report(message, *result)
            elif isinstance(result, ConnectionLostError):
                failure = failure or result  # whether it arrived is unknown: not reported
            elif isinstance(result, PublisherError):
                session.report(message, MessageState.FAILED, result.sentence)
                failure = result
            else:
                failure = failure or result
        if failure is not None:
            raise failure

    async def _send(self, exchange: Any, message: ClaimedMessage) -> Delivery:
        pika = import_aio_pika()
        if len(message.job.encode()) > LONGEST_ID or len(message.routing_key.encode()) > LONGEST_ID:
            return MessageState.FAILED, f"its id or routing key is longer than {LONGEST_ID} bytes"
        amqp_message = pika.Message(
            message.content,
            content_type="application/json",
            delivery_mode=pika.DeliveryMode.PERSISTENT,
            message_id=message.job,
        )
        try:
            await exchange.publish(amqp_message, message.routing_key, mandatory=True, timeout=self._confirm_seconds)
        except pika.exceptions.PublishError:
            return MessageState.RETURNED, f"NO_ROUTE: nobody is bound for {sanitize(message.routing_key, 120)}"
        except pika.exceptions.DeliveryError:
            return MessageState.FAILED, "the broker refused to store it (nack)"
        except TimeoutError:
            raise ConnectionLostError(
                f"{self.broker.label} has not confirmed in time: it is overloaded, frozen, or blocks publishers "
                "because of a memory or disk alarm. What was being sent may still arrive.",
                "Check the state of the broker.",
            ) from None
        except Exception as error:
            raise self._describe(error) from None
        return MessageState.ACKNOWLEDGED, ""

    def _describe(self, error: Exception) -> PublisherError:
        """What a broker's refusal or silence means: the library's own messages are empty, or about frames."""
        text = " ".join(
            f"{' '.join(cls.__name__ for cls in type(cause).__mro__)} {cause!r} {cause}" for cause in _causes(error)
        )
        values = {
            "broker": self.broker.label,
            "host": sanitize(self.broker.host, 100),
            "vhost": sanitize(self.broker.vhost, 60),
            "exchange": sanitize(self.exchange, 120),
            "user": sanitize(self._credentials.who, 60),
        }
        for words, kind, sentence, hint in _ERRORS:
            if any(word in text for word in words) and (self.broker.tls or words is not _TLS_WORDS):
                return kind(sentence.format(**values), hint.format(**values))
        return ConnectionLostError(
            f"The connection to {self.broker.label} broke.", "What was being sent is sent again."
        )


_TLS_WORDS = ("SSL", "TLS")
_TLS_HINT = "Port 5671 speaks TLS (amqps), 5672 plain amqp; for a certificate of your own set SSL_CERT_FILE."
# Words in the names or texts of an exception and its causes -> what it means. A ConnectionLostError is tried again.
_ERRORS: tuple[tuple[tuple[str, ...], type[PublisherError], str, str], ...] = (
    (
        ("TimeoutError",),
        ConnectionLostError,
        "{broker} does not respond.",
        "Check the state of the broker and the port.",
    ),
    (
        ("ChannelAccessRefused",),
        PublisherError,
        "User {user} may not publish to the exchange {exchange} (403 ACCESS_REFUSED).",
        "On Pulse everyone owns exchange/<user>/...: exchange/{user}/v1/jobs",
    ),
    (
        ("ChannelNotFoundEntity",),
        PublisherError,
        "There is no exchange {exchange} (404 NOT_FOUND).",
        "Check its name; only its owner can create it.",
    ),
    (
        ("ChannelPreconditionFailed",),
        PublisherError,
        "The exchange {exchange} exists, but is not a durable topic exchange (406 PRECONDITION_FAILED).",
        "Use another name, or have it deleted.",
    ),
    (
        ("AuthenticationError",),
        PublisherError,
        "{broker} does not let user {user} in.",
        "Check the user's name and the password (PulseGuardian).",
    ),
    (
        ("ConnectionNotAllowed", "OpenOk"),
        PublisherError,
        "{broker} has no virtual host {vhost} for user {user}.",
        "Pulse has only /: write the URL without a path.",
    ),
    (
        ("SSLCertVerificationError", "CERTIFICATE_VERIFY_FAILED"),
        PublisherError,
        "The certificate of {broker} is not trusted.",
        _TLS_HINT,
    ),
    (_TLS_WORDS, PublisherError, "{broker} does not speak TLS.", _TLS_HINT),
    (
        ("ConnectionRefusedError", "Errno 111", "Connect call failed"),
        ConnectionLostError,
        "Nothing listens at {broker}.",
        "Check host and port, or start the broker.",
    ),
    (
        ("Name or service", "getaddrinfo", "nodename", "Temporary failure in name"),
        ConnectionLostError,
        "Unknown host {host}.",
        "Check the name and the network.",
    ),
)


async def _open_channel(connection: Any) -> Any:
    return await connection.channel(publisher_confirms=True, on_return_raises=True)


async def _close(connection: Any) -> None:
    """Closes properly if the broker still listens; a frozen one must not hold us up."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()


def _causes(error: BaseException) -> list[Any]:
    """The exception, what caused it, and exceptions among its arguments, at most ten."""
    causes: list[Any] = []
    current: Any = error
    while current is not None and current not in causes and len(causes) < 10:
        causes.append(current)
        arguments = [one for one in getattr(current, "args", ()) if isinstance(one, BaseException)]
        current = current.__cause__ or current.__context__ or (arguments[0] if arguments else None)
    return causes


def import_aio_pika() -> Any:
    """aio-pika, kept from writing to the terminal. Raises `PulseNotInstalledError`."""
    try:
        import aio_pika
    except ImportError:
        raise PulseNotInstalledError(
            "Publishing to Pulse needs an optional dependency.", "Install it: pip install 'ciexplore[pulse]'"
        ) from None
    for name in ("aio_pika", "aiormq", "pamqp"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        logger.propagate = False  # they log tracebacks, and URLs with passwords at debug level
    return aio_pika
