"""Hawk as the receiving side checks it: the mac, the body's hash, the clock and the nonce; written from the protocol.

Independent of the library that signs on the other side, so that each proves the other.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping

from backends.demo.replies import Request

CLIENT_ID = "demo/submitter"
KEY = "synthetic-key-of-the-embedded-submission-server"
SKEW = 60  # seconds
_MOST_NONCES = 100_000
_FIELD = re.compile(r'(\w+)="([^"\\]*)"')


class Refused(Exception):
    """`words` for the body, `header` for WWW-Authenticate."""

    def __init__(self, words: str, header: str = "Hawk") -> None:
        super().__init__(words)
        self.words, self.header = words, header


def checked(request: Request, nonces: dict[str, float], now: float) -> Mapping[str, str]:
    """The header's fields. Raises `Refused`; a stale time is answered with ours, signed."""
    header = request.headers.get("authorization", "")
    if not header:
        raise Refused("Authentication credentials were not provided.")
    fields = dict(_FIELD.findall(header))
    if not header.lower().startswith("hawk ") or not {"id", "ts", "nonce", "mac"} <= fields.keys():
        raise Refused("No Hawk header")
    if fields["id"] != CLIENT_ID:
        raise Refused("Unknown client id")
    if not hmac.compare_digest(_request_mac("header", request, fields, fields.get("hash", "")), fields["mac"]):
        raise Refused("Bad mac")
    if fields.get("hash") != body_hash(request.body, request.headers.get("content-type", "")):
        raise Refused("Bad payload hash")
    if not fields["ts"].isdigit() or abs(int(fields["ts"]) - now) > SKEW:
        stamp = str(int(now))
        proof = _mac(f"hawk.1.ts\n{stamp}\n")
        raise Refused("Stale timestamp", f'Hawk ts="{stamp}", tsm="{proof}", error="Stale timestamp"')
    if fields["nonce"] in nonces:
        raise Refused("Nonce was used before")
    if len(nonces) >= _MOST_NONCES:
        nonces.clear()
    nonces[fields["nonce"]] = now
    return fields


def signature(request: Request, fields: Mapping[str, str], body: bytes, content_type: str) -> str:
    """The Server-Authorization header of the answer with that body."""
    digest = body_hash(body, content_type)
    return f'Hawk mac="{_request_mac("response", request, {**fields, "ext": ""}, digest)}", hash="{digest}"'


def body_hash(body: bytes, content_type: str) -> str:
    plain = content_type.partition(";")[0].strip().lower()
    return b64encode(hashlib.sha256(b"hawk.1.payload\n" + plain.encode() + b"\n" + body + b"\n").digest()).decode()


def _request_mac(kind: str, request: Request, fields: Mapping[str, str], digest: str) -> str:
    host, _, port = request.headers.get("host", "").partition(":")
    resource = request.raw_path + (f"?{request.raw_query}" if request.raw_query else "")
    lines = (
        f"hawk.1.{kind}",
        fields["ts"],
        fields["nonce"],
        request.method,
        resource,
        host.lower(),
        port or "80",
        digest,
        fields.get("ext", ""),
    )
    return _mac("\n".join(lines) + "\n")


def _mac(text: str) -> str:
    return b64encode(hmac.new(KEY.encode(), text.encode(), hashlib.sha256).digest()).decode()
