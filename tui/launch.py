"""Opens the app in this terminal, or says why this terminal cannot show it. Imports only what it needs."""

from __future__ import annotations

import asyncio
import os
import selectors
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import UsageError
from backends.foreground import Foreground
from tui import quick_start

if TYPE_CHECKING:
    from backends.session import Session
    from tui.app import Explorer

_WRITER = "textual-output"  # the thread that writes to the terminal
_SWITCH_INTERVAL = 0.001  # seconds that a key waits for a thread that works in Python; the default of 5 ms is seen
_EXIT_TIMEOUT = 10.0  # seconds to leave in after the terminal has gone


def open_app(session: Session, locator: str | None = None, *, fresh: bool = False) -> int:
    """Runs the app until the user leaves it; returns the exit code, 1 after a crash. Raises `UsageError` where it could
    not be seen or would hang.

    Without a locator it opens where it was left, unless `fresh`.
    """
    # Textual draws on stderr: all three have to be the terminal, or it would hang or fill a file with escapes.
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "The app needs a terminal.",
            "Without one use a command, e.g. ciexplore taskcluster tasks LOCATOR --format csv",
        )
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("TERM is not set to a terminal that can draw.", "Set it, e.g. TERM=xterm-256color.")
    if isinstance(sys.__stderr__, TextIOWrapper):  # Textual's: "\u2502" for one cell would shift the rest of its line
        sys.__stderr__.reconfigure(errors="replace")
    sys.setswitchinterval(_SWITCH_INTERVAL)
    quick_start.begin()
    from tui.app import Explorer

    _guard_stops()
    app = Explorer(session, locator, reopen=not fresh)
    with _leave_on_signals(app) as signals, asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(app.run_async())
    if signals:
        if signal.SIGHUP in signals:
            _drop_output()
        sys.exit(128 + signals[0])
    return app.return_code or 0


@contextmanager
def temporary_home(prefix: str) -> Iterator[Path]:
    """A directory for what an app remembers that forgets everything; it stays if it has the record of a crash, which
    the user was asked to send.
    """
    home = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield home
    finally:
        if not any(home.rglob("faults.log")):
            shutil.rmtree(home, ignore_errors=True)


def _guard_stops() -> None:
    """Lets the app go on after SIGSTOP as after Ctrl+Z.

    Textual sets the terminal up as at the beginning, although nothing has set it back: it would have two threads that
    take keys from one another, leave a terminal that does not show what is typed, and not draw what others drew over.
    """
    from textual.drivers.linux_driver import LinuxDriver

    def go_on(driver: LinuxDriver, *_: object) -> None:
        if not driver._auto_restart:  # another program has the terminal
            return
        if not driver._must_signal_resume:  # else Ctrl+Z has set it back
            if _is_in_background(driver.fileno):  # that waits for the shell's fg
                os.kill(os.getpid(), signal.SIGSTOP)
                return
            driver.suspend_application_mode()
            driver._must_signal_resume = True
        driver.resume_application_mode()

    LinuxDriver._sigcont_application = go_on  # type: ignore[method-assign, assignment]


def _is_in_background(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # of a terminal that controls nothing, or has gone
        return False


class _Selector(selectors.DefaultSelector):
    """Tells working threads when the loop has something to do: whenever it does not wait here."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        Foreground.is_busy = False
        found = super().select(timeout)
        Foreground.is_busy = True
        return found

    def close(self) -> None:
        super().close()
        Foreground.is_busy = False


def make_loop() -> asyncio.AbstractEventLoop:
    """The loop that the app runs in; threads that call `give_way` leave the processor to it."""
    return asyncio.SelectorEventLoop(_Selector())


def _drop_output() -> None:
    """Discards what is still to be flushed: on a terminal that is gone, Python's last flush would exit with 120."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)


@contextmanager
def _leave_on_signals(app: Explorer) -> Iterator[list[int]]:
    """Lets SIGTERM, SIGHUP and SIGINT end the app as `q` does: the terminal is given back, parts are kept."""
    signals: list[int] = []

    def leave(number: int, frame: object) -> None:
        signals.append(number)
        if number == signal.SIGHUP:
            _exit_later(128 + number)
        import asyncio

        try:
            asyncio.get_running_loop().call_soon_threadsafe(app.leave)
        except RuntimeError:  # not drawing yet, or no longer
            sys.exit(128 + number)

    def leave_without_terminal(failure: threading.ExceptHookArgs) -> None:
        """In the thread that failed. Textual's writer ends with the terminal, and its queue, which nobody empties any
        more, would block the app for ever: it is emptied here until the app has ended."""
        if failure.thread is None or failure.thread.name != _WRITER or not isinstance(failure.exc_value, OSError):
            threading.__excepthook__(failure)
            return
        signals.append(signal.SIGHUP)
        _exit_later(128 + signal.SIGHUP)
        app.call_later(app.leave)
        take: Callable[[], object] = failure.thread._queue.get  # type: ignore[attr-defined]
        while take() is not None:
            pass

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    threading.excepthook = leave_without_terminal
    try:
        yield signals
    finally:
        threading.excepthook = threading.__excepthook__
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_later(code: int) -> None:
    """Ends the process if leaving in order takes too long; downloads survive that, as any kill."""
    timer = threading.Timer(_EXIT_TIMEOUT, os._exit, [code])
    timer.daemon = True
    timer.start()
