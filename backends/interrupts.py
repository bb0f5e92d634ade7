"""Ctrl+C as a cancelled token."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backends.cancel import CancelToken


@contextmanager
def cancel_on_sigint(cancel: CancelToken) -> Iterator[None]:
    """Ctrl+C pulls the token, whatever the main thread waits for.

    polars takes SIGINT over with a handler after which a waiting thread goes on waiting, and even without it Python
    itself looks at signals only between two of its instructions. What it does at once is to write to this pipe.
    """
    import polars

    assert polars
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.siginterrupt(signal.SIGINT, True)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reading, cancel), name="ctrl-c", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)  # ends the watcher
        watcher.join()
        os.close(reading)


def _watch(reading: int, cancel: CancelToken) -> None:
    while number := os.read(reading, 1):
        if number[0] == signal.SIGINT:
            cancel.cancel()
