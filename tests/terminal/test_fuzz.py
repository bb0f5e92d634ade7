"""A short run of random events; benchmarks/fuzz_terminal.py makes long ones."""

from __future__ import annotations

from pathlib import Path

from tests.terminal.fuzz import Fuzz


def test_random_keys_clicks_pastes_and_resizes_leave_it_alive_and_write_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "fuzz"
    directory.mkdir()
    assert Fuzz(directory, seed=15).run(400).events == 400
