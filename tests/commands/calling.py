"""How tests call the command line, and what must hold for every call: no traceback, a known exit code, no secrets."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 60.0  # seconds until a call counts as hung
EXIT_CODES = {0, 1, 2, 3, 130}
_SIGNATURE = re.compile(rb"X-Amz-Signature|X-Amz-Credential|[?&]Signature=", re.IGNORECASE)


@dataclass(frozen=True)
class Ended:
    """How a call ended: exit code, stdout as bytes, stderr as text."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def rows(self) -> list[dict[str, str]]:
        """stdout read as CSV."""
        return list(csv.DictReader(io.StringIO(self.text)))

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **(extra or {})}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tui", *arguments]


def checked(ended: Ended, codes: set[int] = EXIT_CODES) -> Ended:
    """What every call owes its user, however it ended."""
    assert "Traceback" not in ended.err and "ciexplore itself failed" not in ended.err, ended.err
    assert ended.code in codes, (ended.code, ended.err)
    assert not has_signature(ended.out) and not has_signature(ended.err.encode())
    return ended


def has_signature(content: bytes) -> bool:
    """Whether the query of a signed address is in there."""
    return _SIGNATURE.search(content) is not None


def as_process(
    *arguments: str, cwd: Path | None = None, extra: Mapping[str, str] | None = None, **streams: Any
) -> Ended:
    """A process of its own, as from a shell; stdin is empty, stdout and stderr are pipes unless `streams` says else."""
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    done = subprocess.run(command(*arguments), cwd=cwd, env=environment(extra), timeout=LONGEST, check=False, **given)
    return checked(Ended(done.returncode, done.stdout or b"", (done.stderr or b"").decode()))


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """A process that the test will interrupt."""
    return subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
        # A shell starts its background jobs with SIGINT ignored, and the tests may be one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def ended(running: subprocess.Popen[bytes]) -> Ended:
    out, err = running.communicate(timeout=LONGEST)
    return checked(Ended(running.returncode, out, err.decode()), {*EXIT_CODES, -signal.SIGKILL})


class Caller:
    """Calls the command line within this process: what a call costs then is its work, not half a second of imports."""

    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Ended:
        from tui.cli import run

        self._capture.readouterr()
        code = run(arguments)
        out, err = self._capture.readouterr()
        return checked(Ended(code, out, err.decode()))
