"""Serving the embedded CI: in this process for a shell, or in a child process beside the app.

A child does not share the interpreter lock with the app.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from backends.demo.options import DemoOptions
from backends.errors import AppError

_ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 10.0


class DemoStartError(AppError):
    """The child process did not come up."""

    exit_code = 3


def serve(options: DemoOptions, *, until_eof: bool = False, warm: bool = False) -> int:
    """Prints the settings as `export NAME=VALUE` lines and serves until interrupted; returns the exit code.

    `until_eof`: also until standard input is closed; an empty line tells the parent that all settings are printed.
    """
    from backends.demo.server import DemoServer

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = DemoServer(options)
    try:
        server.start()
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 3
    if warm:
        server.warm()
    if until_eof:
        threading.Thread(target=_set_on_eof, args=(ended,), daemon=True).start()
    lines = [f"export {name}={shlex.quote(value)}" for name, value in server.settings.items()]
    print("\n".join([*lines, *([""] if until_eof else [])]), flush=True)
    ended.wait()
    server.stop()
    return 0


def _set_on_eof(ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    ended.set()


class DemoProcess:
    """Starts `python -m backends.demo` and reads its settings; it ends with this process, even if that is killed.

    `warm` has the child make what it would make for the first request before `start()` returns.
    """

    def __init__(self, options: DemoOptions | None = None, *, warm: bool = False) -> None:
        self.options = options or DemoOptions()
        self.settings: dict[str, str] = {}
        self._warm = warm
        self._child: subprocess.Popen[str] | None = None

    @property
    def root_url(self) -> str:
        return self.settings["TASKCLUSTER_ROOT_URL"]

    @property
    def pid(self) -> int:
        """The child's process id, for benchmarks."""
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        """Returns when the child listens. Raises DemoStartError with the child's output if it cannot."""
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        # A file for stderr: a pipe that nobody reads would block the child when full; the terminal belongs to the app.
        with tempfile.TemporaryFile("w+") as errors:
            # The kernel closes its standard input when this process dies: then it ends, too.
            self._child = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "backends.demo", json.dumps({**asdict(self.options), "warm": self._warm})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                start_new_session=True,
            )
            assert self._child.stdout is not None
            for line in self._child.stdout:
                if not line.strip():
                    return
                name, _, value = line.strip().removeprefix("export ").partition("=")
                self.settings[name] = shlex.split(value)[0]
            self.stop()
            errors.seek(0)
            raise DemoStartError("The demo could not be started.", errors.read().strip()[-500:])

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
