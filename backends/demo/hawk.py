"""Hawk on the server's side. mohawk is an optional dependency: without it every signed request is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backends.demo.asgi import DemoRequest


class HawkRefusedError(Exception):
    """`challenge` is the value of WWW-Authenticate; for a wrong clock it contains the server's signed time."""

    def __init__(self, message: str, challenge: str = "Hawk") -> None:
        super().__init__(message)
        self.challenge = challenge


def verify_request(
    request: DemoRequest,
    client_id: str,
    key: str,
    *,
    with_body: bool = False,
    skew: int = 60,
    seen_nonce: Callable[[str, str, str], bool] | None = None,
) -> Any:
    """The mohawk.Receiver that has verified the request; it can sign the response. Raises `HawkRefusedError`.

    `with_body`: the signature must include the body. `skew`: tolerated seconds between the two clocks.
    """
    if "authorization" not in request.headers:
        raise HawkRefusedError("Authentication credentials were not provided.")
    try:
        import mohawk
    except ImportError:
        raise HawkRefusedError("The demo cannot verify signatures: mohawk is not installed.") from None

    def credentials(sender: str) -> dict[str, str]:
        if sender != client_id:
            raise LookupError(sender)
        return {"id": client_id, "key": key, "algorithm": "sha256"}

    content = {"content": request.body, "content_type": request.headers.get("content-type", "")} if with_body else {}
    try:
        return mohawk.Receiver(
            credentials,
            request.headers["authorization"],
            request.url,
            request.method,
            seen_nonce=seen_nonce or (lambda *_: False),
            accept_untrusted_content=not with_body,
            timestamp_skew_in_seconds=skew,
            **content,
        )
    except mohawk.exc.TokenExpired as error:
        raise HawkRefusedError("Stale timestamp", error.www_authenticate) from error
    except mohawk.exc.CredentialsLookupError as error:
        raise HawkRefusedError("Unknown client id") from error
    except mohawk.exc.HawkFail as error:
        raise HawkRefusedError(f"Bad signature ({type(error).__name__})") from error
