"""Which addresses may be asked and which redirects may be followed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from backends.errors import UsageError
from backends.http.errors import UnsafeRedirectError, sanitize, short_url
from backends.net import is_inside, is_loopback

if TYPE_CHECKING:
    import httpx

_HOST = re.compile(rb"[A-Za-z0-9._:\-]+")  # after IDNA; httpx escapes what else it finds and goes on


def origin_of(url: httpx.URL) -> str:
    """`scheme://host[:port]`, the port only when it is not the scheme's own."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}" if url.port is None else f"{url.scheme}://{host}:{url.port}"


def parse_url(url: str, params: Mapping[str, str | int] | None = None) -> httpx.URL:
    """The address of a request that a user or a setting asks for.

    Raises `UsageError` for what is no address, is neither https nor http to this machine, or holds a password.
    """
    from backends.http.httpx_loader import httpx

    try:
        if params and "?" not in url and "#" not in url:  # httpx takes 0.13 ms of CPU to put them in
            url, params = f"{url}?{urlencode(params)}", None
        parsed = httpx.URL(url)
        if params:
            parsed = parsed.copy_merge_params({name: str(value) for name, value in params.items()})
    except (httpx.InvalidURL, ValueError, TypeError):
        raise UsageError(
            f"{sanitize(short_url(url), 120)} is not a URL.", "It should look like https://host/."
        ) from None
    if reason := refuse_url(parsed):
        raise UsageError(
            f"{sanitize(short_url(url), 120)} {reason}.", "Use https; plain http works to this machine only."
        )
    return parsed


def refuse_url(url: httpx.URL) -> str:
    """Why no request may go to that address, or an empty string."""
    if url.scheme not in ("http", "https") or not url.host:
        return "is neither an https nor an http URL"
    if not _HOST.fullmatch(url.raw_host):
        return "has a host name that cannot be"
    if url.port is not None and not 0 < url.port < 65536:
        return "has a port that cannot be"
    if url.userinfo:
        return "has a user name or a password in it"
    if url.scheme == "http" and not is_loopback(url.host):
        return "is plain http to another machine"
    return ""


def redirect_target(first: httpx.URL, current: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads; raises `UnsafeRedirectError` where it must not lead.

    Nothing but http(s), no step down from https to http (but within this machine), and from a public host
    neither into this machine nor into its network. `first` is the address that was asked for to begin with.
    """
    from backends.http.httpx_loader import httpx

    try:
        target = current.join(location)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise UnsafeRedirectError(f"{short_url(str(current))} redirects to something that is not a URL.") from None
    reason = refuse_url(target)
    if not reason and current.scheme == "https" and target.scheme == "http" and not is_loopback(current.host):
        reason = "is plain http"
    if not reason and not is_inside(first.host) and is_inside(target.host):
        reason = "is inside this machine or its network"
    if reason:
        raise UnsafeRedirectError(
            f"{short_url(str(current))} redirects to {short_url(str(target))}, which {reason}.",
            "It was not followed. Check the URL of the system in the settings.",
        )
    return target
