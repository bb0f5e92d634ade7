"""`ciexplore prow log` on the embedded CI: the end of a log, and a log that is read a second time."""

from __future__ import annotations

from pathlib import Path

from tests.commands.calling import Caller


def test_the_command_prints_the_same_lines_either_way(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    for name in ("prow.build-big-plain-log", "prow.build-big-log"):
        whole = tmp_path / name
        assert ciexplore("prow", "log", demo[name], "-o", str(whole)).code == 0
        done = ciexplore("prow", "log", demo[name], "--tail", "25", "--no-cache", "-o", str(tmp_path / f"{name}-end"))
        assert done.code == 0
        assert (tmp_path / f"{name}-end").read_bytes() == b"".join(whole.read_bytes().splitlines(keepends=True)[-25:])


def test_a_log_that_was_read_is_there_offline(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "log", demo["prow.build-failed"])
    assert done.code == 0 and done.out
    again = ciexplore("prow", "log", demo["prow.build-failed"], "--offline")
    assert (again.code, again.out) == (0, done.out)
    end = ciexplore("prow", "log", demo["prow.build-failed"], "--offline", "--tail", "2")
    assert (end.code, end.out.splitlines()) == (0, done.out.splitlines()[-2:])


def test_a_container_that_is_not_there_is_told_from_those_that_are(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "log", demo["prow.build-multi-container"], "--container", "tset")
    assert done.code == 2 and "test-build-log.txt" in done.err and "http" not in done.err
