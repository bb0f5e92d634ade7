"""How requests are signed with Hawk credentials, for one origin: a fresh time and nonce each, the key never shown."""

from __future__ import annotations

import json
import logging
import re
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from backends.errors import AppError, UsageError
from backends.http.policies import Identity

# What a Hawk header may hold (hueniverse/hawk, "Hawk header attributes"), less the quote and the backslash.
_ATTRIBUTE = re.compile(r"[ !#-\[\]-~]+")


class HawkMissingError(AppError):
    """The optional part that signs is not installed."""

    exit_code = 2


def mohawk() -> Any:
    """The library that signs. Raises `HawkMissingError` with the command that installs it."""
    try:
        import mohawk as library
    except ImportError:
        raise HawkMissingError(
            "Signing requests needs the optional part for Hawk.", "Install it: pip install 'ciexplore[hawk]'"
        ) from None
    logger = logging.getLogger("mohawk")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.propagate = (
        False  # it warns on the terminal that answers have no nonce, and tells whole bodies at debug level
    )
    return library


class HawkSigner:
    """Signs what one client sends. `offset`: seconds to add to our clock to have the server's.

    Raises `UsageError` for credentials that are empty or cannot be credentials, `HawkMissingError`.
    """

    def __init__(self, client_id: str, key: str, *, ext: str | None = None) -> None:
        self.client_id = _check_credentials(client_id, "client id")
        self._key = _check_credentials(key, "key").encode("ascii")
        self._ext = ext
        self.offset = 0
        mohawk()

    def __repr__(self) -> str:
        return f"HawkSigner({self.client_id!r})"

    @property
    def credentials(self) -> dict[str, Any]:
        """As mohawk wants them; made anew because it writes into them."""
        return {"id": self.client_id, "key": self._key, "algorithm": "sha256"}

    def sender(self, method: str, url: str, content: bytes | None = None, content_type: str = "") -> Any:
        """A mohawk Sender: `request_header` to send, `accept_response` to check the answer with.

        With `content` the body's hash is signed, too.
        """
        hashed: dict[str, Any] = {"content": content, "content_type": content_type} if content is not None else {}
        return mohawk().Sender(
            self.credentials,
            url,
            method,
            always_hash_content=content is not None,
            ext=self._ext,
            _timestamp=int(time.time()) + self.offset,
            **hashed,
        )

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        """The header of a request without a body (or whose body is not signed)."""
        return {"authorization": self.sender(method, url).request_header}


def hawk_identity(origin: str, client_id: str, key: str, *, certificate: str | None = None) -> Identity:
    """Who we are to `origin` with Hawk credentials.

    `certificate`: JSON of temporary Taskcluster credentials; it travels as `ext`, base64 of {"certificate": ...}
    (taskcluster client, makeHawkExt). Raises `UsageError` for empty or impossible credentials, `HawkMissingError`.
    """
    signer = HawkSigner(client_id, key, ext=_certificate_ext(certificate) if certificate else None)
    return Identity(origin, signer.client_id, signer.headers)


def _certificate_ext(certificate: str) -> str:
    try:
        document = json.loads(certificate)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):  # "from None" and no quotation: the certificate is a secret, too
        raise UsageError(
            "The certificate of the credentials is not a JSON object.", "Copy it completely, or sign in again."
        )
    return b64encode(json.dumps({"certificate": document}).encode()).decode("ascii")


def _check_credentials(value: str, what: str) -> str:
    if not value:
        raise UsageError(f"The {what} of the Hawk credentials is empty.", "Set both the client id and the key.")
    if not _ATTRIBUTE.fullmatch(value):
        raise UsageError(
            f"The {what} of the Hawk credentials holds characters that none has.", "Check for a line break or a quote."
        )
    return value
