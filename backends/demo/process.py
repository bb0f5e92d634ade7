"""The embedded CI in a child process, so that it does not share the interpreter lock with the app."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
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


class DemoProcess:
    """Starts `python -m backends.demo` and reads its settings; it ends with this process, even if that is killed.

    `warm` has the child make the finished group's pages before `start()` returns.
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

    def command(self) -> list[str]:
        options = self.options
        command = [
            sys.executable, "-m", "backends.demo", "--serve", "--until-eof", "--port", str(options.port),
            "--tasks", str(options.tasks), "--latency", str(options.latency_ms), "--fault", str(options.fault),
            "--seed", str(options.seed),
        ]  # fmt: skip
        return [*command, "--warm"] if self._warm else command

    def start(self) -> None:
        """Returns when the child listens. Raises DemoStartError with the child's output if it cannot."""
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        # A file for stderr: a pipe that nobody reads would block the child when full; the terminal belongs to the app.
        with tempfile.TemporaryFile("w+") as errors:
            # The kernel closes its standard input when this process dies: then it ends, too.
            self._child = subprocess.Popen(  # noqa: S603 - our own module
                self.command(),
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
