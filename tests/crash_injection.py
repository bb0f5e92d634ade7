"""A writer killed before each of its steps on the disk, one step after the other, as a power cut or kill -9 would.

Python tells an audit hook before it opens a file for writing, makes, renames, links or removes one. A child process
counts these and kills itself before the N-th; the test then looks at what is there and runs the writer again.

>>> for step in count(1):
...     prepare(directory)
...     killed = run_killed(CODE, str(directory), step=step)
...     check_what_is_there(directory)     # nothing partial under a final name
...     run_killed(CODE, str(directory))   # the same again, to its end
...     check_complete(directory)
...     if not killed:
...         break
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PRELUDE = """
import os, signal, sys
_step, _seen = int(sys.argv.pop(1)), 0
_NAMED = {"os.rename", "os.mkdir", "os.link", "os.remove", "os.rmdir", "os.symlink", "os.truncate", "sqlite3.connect"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
def _hook(event, arguments):
    global _seen
    if event == "open":
        if not isinstance(arguments[2], int) or not arguments[2] & _WRITES or arguments[0] == os.devnull:
            return
    elif event not in _NAMED:
        return
    _seen += 1
    if _seen == _step:
        os.kill(os.getpid(), signal.SIGKILL)
def start_counting():
    if _step:
        sys.addaudithook(_hook)
"""


def run_killed(code: str, *arguments: str, step: int = 0, timeout: float = 100) -> bool:
    """Runs `code` in a fresh interpreter, killed before its `step`-th write on the disk; 0 lets it end.

    The code calls `start_counting()` once it is set up, and reads `arguments` as sys.argv[1:]. Gives whether it was
    killed; fails if it ended otherwise than with 0.
    """
    command = [sys.executable, "-c", f"{_PRELUDE}\n{code}", str(step), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
    if ended.returncode == -signal.SIGKILL and step:
        return True
    assert ended.returncode == 0, ended.stderr
    return False


_SERVE = """
import json, traceback
for line in sys.stdin:
    _step, *arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        try:
            start_counting()
            run(*arguments)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    print(os.waitpid(child, 0)[1], flush=True)
"""


class KilledRuns:
    """The same as `run_killed` for many steps: one interpreter imports what is needed once, and each run is a fork.

    `code` defines `run(*arguments)`; use it in a `with`. The interpreter must not have begun any thread by then.
    """

    def __init__(self, code: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with this object
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{_PRELUDE}\n{code}\n{_SERVE}", "0"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment,
        )  # fmt: skip

    def __call__(self, *arguments: str, step: int = 0) -> bool:
        """Whether it was killed before its `step`-th write on the disk; fails if it ended otherwise than well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([step, *arguments]) + "\n")
        self._process.stdin.flush()
        status = self._process.stdout.readline()
        if status and os.WIFSIGNALED(int(status)) and os.WTERMSIG(int(status)) == signal.SIGKILL and step:
            return True
        self._errors.seek(0)
        assert status.strip() == "0", self._errors.read()
        return False

    def __enter__(self) -> KilledRuns:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._errors.close()
