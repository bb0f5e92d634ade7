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

import os
import signal
import subprocess
import sys
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
