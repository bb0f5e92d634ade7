"""Python's garbage collector, paused while a great many objects are made of which none refers to itself."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0  # that are under way, in any thread
_was_enabled = False  # before the first of them


@contextmanager
def paused_collection() -> Iterator[None]:
    """No collection in any thread until this ends: each would walk all that was made so far, to free nothing."""
    global _pauses, _was_enabled
    with _lock:
        if _pauses == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if _pauses == 0 and _was_enabled:
                gc.enable()
