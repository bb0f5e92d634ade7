"""What a broker's refusals and silences mean, in words; the library's own are empty, or about frames."""

from __future__ import annotations

import ssl
from typing import Any

from backends.http.errors import sanitize
from backends.submit.publishing import RouteBroken, RouteProblem
from backends.submit.pulse_address import Broker

NOT_CONFIRMED = (
    "has not confirmed in time: it is overloaded, frozen, or blocks publishers because of a memory or disk alarm. "
    "What was under way may still arrive."
)
_TLS_HINT = "Port 5671 speaks TLS (amqps), 5672 plain amqp; for a certificate of your own set SSL_CERT_FILE."


def setup_problem(error: Exception, broker: Broker, user: str, exchange: str = "") -> RouteProblem:
    """Why there is no connection, or no exchange. `RouteBroken` where waiting may help."""
    from aiormq import exceptions as amqp

    where = broker.shown
    if isinstance(error, TimeoutError):
        return RouteBroken(f"{where} does not answer.", "See whether the broker is well and the port is right.")
    if words := refused_words(error, exchange, user):
        return RouteProblem(*words)
    if isinstance(error, (amqp.ProbableAuthenticationError, amqp.AuthenticationError)):
        return RouteProblem(
            f"{where} does not let user {sanitize(user, 60)} in.",
            "Check the user's name and the password (PulseGuardian).",
        )
    if isinstance(error, amqp.ConnectionNotAllowed) or "OpenOk" in repr(error):
        return RouteProblem(
            f"{where} has no virtual host {sanitize(broker.vhost, 60)} for user {sanitize(user, 60)}.",
            "Pulse has only /: write the address without a path.",
        )
    if tls := _tls_words(error, broker):
        return RouteProblem(tls, _TLS_HINT)
    return broken(error, broker)


def refused_words(error: Exception, exchange: str, user: str) -> tuple[str, str] | None:
    """Sentence and hint of what the broker refuses by rule; None for anything else."""
    from aiormq import exceptions as amqp

    name = sanitize(exchange, 120)
    if isinstance(error, amqp.ChannelAccessRefused):
        return (
            f"User {sanitize(user, 60)} may not publish to the exchange {name} (403 ACCESS_REFUSED).",
            f"On Pulse everyone owns exchange/<user>/...: exchange/{sanitize(user, 60)}/v1/jobs",
        )
    if isinstance(error, amqp.ChannelNotFoundEntity):
        return (
            f"There is no exchange {name} (404 NOT_FOUND).",
            "Check its name; one that belongs to another user only that user can make.",
        )
    if isinstance(error, amqp.ChannelPreconditionFailed):
        return (
            f"The exchange {name} is there, but is no durable topic exchange (406 PRECONDITION_FAILED).",
            "Use another name, or have it deleted.",
        )
    return None


def broken(error: Exception, broker: Broker) -> RouteBroken:
    """The connection is not there, or no longer."""
    for cause in _causes(error):
        if isinstance(cause, ConnectionRefusedError) or getattr(cause, "errno", None) == 111:
            return RouteBroken(f"Nothing listens at {broker.shown}.", "Check the address, or start the broker.")
    if "Errno 111" in str(error) or "Connect call failed" in str(error):
        return RouteBroken(f"Nothing listens at {broker.shown}.", "Check the address, or start the broker.")
    if any(word in str(error) for word in ("Name or service", "getaddrinfo", "nodename", "Temporary failure in name")):
        return RouteBroken(f"The name {sanitize(broker.host, 100)} is not known.", "Check the address and the network.")
    return RouteBroken(f"The connection to {broker.shown} broke.", "What was under way is sent again.")


def _tls_words(error: Exception, broker: Broker) -> str:
    text = " ".join(f"{type(cause).__name__} {cause}" for cause in _causes(error))
    certificate = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))
    if certificate or "CERTIFICATE_VERIFY_FAILED" in text:
        return f"The certificate of {broker.shown} is not trusted."
    if broker.tls and ("SSL" in text or "TLS" in text):
        return f"{broker.shown} does not speak TLS."
    return ""


def _causes(error: BaseException) -> list[Any]:
    found: list[Any] = []
    next_one: Any = error
    while next_one is not None and next_one not in found and len(found) < 10:
        found.append(next_one)
        told = [one for one in getattr(next_one, "args", ()) if isinstance(one, BaseException)]
        next_one = next_one.__cause__ or next_one.__context__ or (told[0] if told else None)
    return found
