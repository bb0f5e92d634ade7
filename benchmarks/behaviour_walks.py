"""The walks through the app that `record_behaviour.py` will record: none yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def jobs(command: Path, base: Path, out: Path, only: str) -> list[tuple[str, Callable[[], list[tuple[float, str]]]]]:
    return []
