"""Content codings as the real services choose and make them: what the client prefers, then br before gzip.

Taskcluster's services sit behind express' `compression`, which answers `br` to "gzip, br, zstd".
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from importlib import import_module

OFFERED = ("br", "gzip", "zstd")
# The cheapest levels: a page of a thousand tasks takes longer to send than to compress, and is kept once made.
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: bytes(import_module("brotli").compress(body, quality=1)),
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "zstd": lambda body: bytes(import_module("zstandard").ZstdCompressor(level=1).compress(body)),
}


def preferred_coding(accept_encoding: str, offered: Sequence[str] = OFFERED) -> str:
    """The offered coding that an Accept-Encoding header likes best, "" for none; equals in the order of the offer."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            weights[name] = float(quality)
        except ValueError:
            weights[name] = 0.0
    liked = {name: weights.get(name, weights.get("*", 0.0)) for name in offered}
    best = max(offered, key=lambda name: liked[name], default="")
    return best if best and liked[best] > 0 else ""


def compress(body: bytes, coding: str) -> bytes:
    return _ENCODERS[coding](body)
