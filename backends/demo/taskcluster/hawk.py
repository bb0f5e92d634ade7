"""Who asks: Hawk credentials in a header or a bewit, checked as Taskcluster does; and the one client that there is.

The demo's root URL needs no credentials for anything public; these exist so that private artifacts can be tried.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import time
from base64 import b64encode, urlsafe_b64decode

from backends.demo.replies import Request

CLIENT_ID = "demo/reader"
ACCESS_TOKEN = "synthetic-access-token-of-the-embedded-ci"  # noqa: S105 - grants access to synthetic data only
_FIELD = re.compile(r'(\w+)="([^"\\]*)"')
_SKEW = 15 * 60


class AuthenticationFailed(Exception):
    """The credentials are not right; the message is what the server says about it."""


def authenticated(request: Request, now: float | None = None) -> bool:
    """True for the demo's client, False for nobody in particular.

    Raises AuthenticationFailed for credentials that are there and wrong: an unknown client is not an anonymous one.
    """
    seconds = time.time() if now is None else now
    if "bewit" in request.query:
        _check_bewit(request, seconds)
        return True
    header = request.headers.get("authorization")
    if header is None:
        return False
    _check_header(request, header, seconds)
    return True


def _mac(*lines: str) -> str:
    text = "\n".join(lines) + "\n"
    return b64encode(hmac.new(ACCESS_TOKEN.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _where(request: Request) -> tuple[str, str]:
    host, _, port = request.headers.get("host", "").partition(":")
    return host.lower(), port or "80"


def _check_header(request: Request, header: str, now: float) -> None:
    if not header.lower().startswith("hawk "):
        raise AuthenticationFailed("Bad scheme: only Hawk is supported")
    fields = dict(_FIELD.findall(header))
    if not {"id", "ts", "nonce", "mac"} <= fields.keys():
        raise AuthenticationFailed("Missing attributes")
    if fields["id"] != CLIENT_ID:
        raise AuthenticationFailed(f"Unknown clientId {fields['id'][:100]}")
    if not fields["ts"].isdigit() or abs(int(fields["ts"]) - now) > _SKEW:
        raise AuthenticationFailed("Stale timestamp")
    expected = _mac(
        "hawk.1.header", fields["ts"], fields["nonce"], request.method, _resource(request), *_where(request),
        fields.get("hash", ""), fields.get("ext", ""),
    )  # fmt: skip
    if not hmac.compare_digest(expected, fields["mac"]):
        raise AuthenticationFailed("Bad mac")


def _check_bewit(request: Request, now: float) -> None:
    bewit = request.query["bewit"]
    try:
        parts = urlsafe_b64decode(bewit + "=" * (-len(bewit) % 4)).decode().split("\\")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AuthenticationFailed("Invalid bewit encoding") from error
    if len(parts) != 4 or not parts[1].isdigit():
        raise AuthenticationFailed("Missing bewit attributes")
    client, expiry, mac, ext = parts
    if client != CLIENT_ID:
        raise AuthenticationFailed(f"Unknown clientId {client[:100]}")
    if int(expiry) <= now:
        raise AuthenticationFailed("Access expired")
    resource = re.sub(r"[?&]bewit=[^&]*", "", _resource(request))
    expected = _mac("hawk.1.bewit", expiry, "", "GET", resource, *_where(request), "", ext)
    if not hmac.compare_digest(expected, mac):
        raise AuthenticationFailed("Bad mac")


def _resource(request: Request) -> str:
    return request.raw_path + (f"?{request.raw_query}" if request.raw_query else "")
