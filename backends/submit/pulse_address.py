"""Where a broker is: the address that people write, taken apart, because libraries read it in different ways."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from backends.errors import UsageError
from backends.http.errors import sanitize
from backends.net import is_loopback

PORTS = {True: 5671, False: 5672}


@dataclass(frozen=True)
class Broker:
    """`tls`: encrypted; plain connections are for this machine only, for the password travels in them."""

    host: str
    port: int
    tls: bool
    vhost: str = "/"

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + ("" if self.vhost == "/" else f"/{sanitize(self.vhost, 60)}")


def broker(text: str) -> Broker:
    """The broker that an amqp:// or amqps:// address means. `?ssl=1` is encrypted, too; the virtual hosts "", "/",
    "//" and "/%2F" are all "/".

    Raises `UsageError` for other addresses, for one with a password, and for plain amqp to another machine.
    """
    hint = "It looks like amqps://HOST:5671; user and password are set apart from it."
    try:
        split = urlsplit(text if "://" in text else f"amqps://{text}")
        host, port, query = split.hostname or "", split.port, parse_qs(split.query)
    except ValueError:
        raise UsageError("The address of the Pulse broker is malformed.", hint) from None
    if split.username is not None or split.password is not None:
        raise UsageError(
            "The address of the Pulse broker has a user or a password in it.",
            "Leave them out; set CIEXPLORE_PULSE_USER and CIEXPLORE_PULSE_PASSWORD.",
        )
    if split.scheme not in ("amqp", "amqps") or not host:
        raise UsageError("This is no address of a Pulse broker.", hint)
    tls = split.scheme == "amqps" or query.get("ssl", ["0"])[0].lower() in ("1", "true")
    if not tls and not is_loopback(host):
        raise UsageError(
            f"{sanitize(host, 100)} is to be reached over plain amqp, which shows the password to anyone on the way.",
            "Use amqps; plain amqp is for brokers on this machine.",
        )
    vhost = unquote(split.path[1:]) or "/"
    return Broker(host, port or PORTS[tls], tls, vhost)
