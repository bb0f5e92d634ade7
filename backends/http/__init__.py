"""The one way to talk to servers: identity, retries, limits, cache, and errors in words a user can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backends.http.cache import BlobCache, CachedBlob
    from backends.http.client import Http
    from backends.http.downloads import Downloader
    from backends.http.policies import CachePolicy, Identity, Mode

__all__ = ["BlobCache", "CachePolicy", "CachedBlob", "Downloader", "Http", "Identity", "Mode"]

_WHERE = {"Http": "client", "Downloader": "downloads", "BlobCache": "cache", "CachedBlob": "cache"}
_WHERE |= {"CachePolicy": "policies", "Identity": "policies", "Mode": "policies"}


def __getattr__(name: str) -> Any:
    """Brings in what needs httpx (40 ms) or diskcache (9 ms) only when it is named."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"backends.http.{_WHERE[name]}"), name)
