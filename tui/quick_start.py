"""How the app starts: what is put off until the first screen is painted (garbage collection, ssl in asyncio), and how
often Textual draws."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any


def begin() -> None:
    """Before Textual is imported. Nothing of what the start makes is garbage: without collection it is 7 % shorter."""
    gc.disable()
    os.environ.setdefault("TEXTUAL_FPS", "120")  # a key waits 8 ms at most for its picture; Textual's 60 make that 17
    if "ssl" in sys.modules or "asyncio" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment] # 6 ms that no screen needs: asyncio then does without
    try:
        importlib.import_module("asyncio")
    finally:
        del sys.modules["ssl"]


def finish() -> None:
    """Once all is imported that is used again and again. Call it in a worker thread: it takes a while."""
    _complete_asyncio()
    # What is imported by now stays. Without this each full collection walks all of it: 50 ms quiet, 300 ms on a busy
    # machine, in which no key is handled.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 25, 50)  # and rarely: a plan of 2,000 files is reason enough for five at the defaults
    gc.enable()


def _complete_asyncio() -> None:
    """Gives asyncio the ssl module that it was imported without: a system of another package may use both."""
    ssl: Any = importlib.import_module("ssl")
    sslproto: Any = importlib.import_module("asyncio.sslproto")
    if sslproto.ssl is None:
        sslproto.SSLAgainErrors = (ssl.SSLWantReadError, ssl.SSLSyscallError)
        for name in ("asyncio.sslproto", "asyncio.selector_events", "asyncio.base_events"):
            sys.modules[name].ssl = ssl  # type: ignore[attr-defined]
