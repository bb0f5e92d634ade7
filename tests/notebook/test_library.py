"""`ciexplore.open(...)`: logs, queries, plots and reports of a list, from several threads, with progress and errors."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import ciexplore
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.http.waits import Waits
from backends.locators import Locator
from backends.logs.sources import from_bytes
from backends.resources import Page, Resource
from ciexplore import _progress
from ciexplore._log import Log, LogLine
from tests.commands.calling import ROOT, environment


def make_log(*chunks: bytes) -> Log:
    return Log("a log", "https://ci.example/log", from_bytes(*chunks), _progress.NoProgress())


# ---- logs --------------------------------------------------------------------------------------------------------


def test_a_log_is_a_sequence_of_lines_without_escape_sequences() -> None:
    with make_log(b"one\n\x1b[31mtwo\x1b", b"[0m\r\nbar 1\rbar 2\nERROR four") as log:
        assert list(log) == ["one", "two", "bar 2", "ERROR four"] == list(log)
        assert len(log) == 4 and log[1] == "two" and log[-1] == "ERROR four"
        assert log[1:3] == ["two", "bar 2"] and log[::2] == ["one", "bar 2"] and "two" in log
        assert log.text() == "one\ntwo\nbar 2\nERROR four\n"
        assert log.search("t[w]o|error") == [LogLine(2, "two"), LogLine(4, "ERROR four")]
        assert log.search("Two") == [] and "4 lines" in repr(log)
        with pytest.raises(IndexError):
            log[4]
        with pytest.raises(AppError, match="regular expression"):
            log.search("(")


def test_a_line_of_megabytes_is_whole() -> None:
    with make_log(b"x" * 200_000, b"y\nend\n") as log:
        assert len(log[0]) == 200_001 and log[1] == "end"


def test_lines_come_before_the_end_and_what_went_wrong_comes_behind_them() -> None:
    go = threading.Event()

    def source(cancel: CancelToken) -> Iterator[bytes]:
        yield b"first\nsecond"
        assert go.wait(30)
        yield b"\nthird\n"
        raise AppError("The server is gone.", "Try again.")

    log = Log("a log", "https://ci.example/log", source, _progress.NoProgress())
    lines = iter(log)
    assert next(lines) == "first"
    go.set()
    assert next(lines) == "second" and next(lines) == "third"
    with pytest.raises(AppError, match="The server is gone"):
        next(lines)
    with pytest.raises(AppError, match="The server is gone"):
        len(log)


def test_a_row_a_task_a_build_and_a_file_have_a_log(demo: dict[str, str]) -> None:
    with ciexplore.open(demo["taskcluster.finished-group"]) as tasks:
        failed = tasks.frame("state:failed")
        by_row, by_dict = tasks.log(failed[0]), tasks.log(failed.row(0, named=True))
        assert by_row.text() == by_dict.text() and by_row.errors()
        with pytest.raises(AppError, match="of one row"):
            tasks.log(failed)
        with pytest.raises(AppError, match="no column"):
            tasks.log({"name": "x"})
        with pytest.raises(AppError, match="logs of their own"):
            tasks.log()
    for name in (
        "taskcluster.failed-task",
        "taskcluster.run",
        "taskcluster.log",
        "prow.build-failed",
        "prow.build-log",
    ):
        with ciexplore.open(demo[name]) as listing, listing.log() as log:
            assert len(log) > 100, name
    with ciexplore.open(demo["taskcluster.unscheduled-task"]) as listing, pytest.raises(AppError, match="has no log"):
        listing.log()


def test_a_log_that_grows_ends_where_it_is_now(demo: dict[str, str]) -> None:
    with ciexplore.open(demo["taskcluster.running-group"]) as tasks:
        running = tasks.frame("state:running")
        log = tasks.log(running[0])
        assert len(log) > 0


# ---- rows --------------------------------------------------------------------------------------------------------


def test_rows_can_be_asked_with_sql_joined_and_lazily(demo: dict[str, str]) -> None:
    with ciexplore.open(demo["taskcluster.finished-group"]) as tasks, ciexplore.open(demo["perf.push"]) as jobs:
        counts = tasks.sql("SELECT state, count(*) AS n FROM rows GROUP BY state ORDER BY n DESC")
        assert counts.columns == ["state", "n"] and counts["n"].sum() == 150
        joined = tasks.sql("SELECT j.result FROM rows JOIN j ON rows.task_id = j.task_id", j=jobs)
        assert joined.height > 0
        states = pl.DataFrame({"state": ["failed"], "note": ["look"]})
        assert tasks.sql("SELECT note FROM rows JOIN s ON rows.state = s.state", s=states).height == 8
        lazy = tasks.lazy("state:failed").group_by("suite").len().collect()
        assert lazy["len"].sum() == 8
        with pytest.raises(AppError, match="no column 'nosuch'"):
            tasks.sql("SELECT nosuch FROM rows")


def test_what_is_read_can_be_drawn_and_reported(demo: dict[str, str], tmp_path: Path) -> None:
    with ciexplore.open(demo["perf.series"]) as series:
        figure = series.plot(file=tmp_path / "chart.svg")
        assert figure._repr_svg_() == (tmp_path / "chart.svg").read_text("utf-8")
        series.report(tmp_path / "series.html")
        assert "<svg " in (tmp_path / "series.html").read_text("utf-8")
        with pytest.raises(AppError, match="exists"):
            series.report(tmp_path / "series.html")


def test_settings_can_be_given_as_a_mapping(demo: dict[str, str], tmp_path: Path) -> None:
    with ciexplore.open(demo["taskcluster.task"], settings={"jobs": 2}) as task:
        assert task.download(tmp_path / "out", match=["live_backing.log"])
    with pytest.raises(AppError):
        ciexplore.open(demo["taskcluster.task"], settings={"nosuch": 2})


def test_many_threads_share_a_list(demo: dict[str, str]) -> None:
    with ciexplore.open(demo["prow.completeness-job"]) as builds:
        expected = builds.frame("state:failure")

        def work(number: int) -> bool:
            if number % 3 == 0:
                return builds.frame("state:failure").equals(expected)
            if number % 3 == 1:
                return builds.sql("SELECT build FROM rows WHERE state = 'failure'")["build"].equals(expected["build"])
            return len(builds.log(expected[number % expected.height])) > 0

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(18)))


class PartList(Resource):
    """A list of which something is missing."""

    schema = Schema((Column("name", Kind.TEXT, "Name"),), key="name")
    noun = ("thing", "things")

    @property
    def title(self) -> str:
        return "things"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        yield Page(pl.DataFrame({"name": ["one"]}), Freshness(), note="Page 2 could not be read.", partial=True)


class Somewhere(Locator):
    system = "nowhere"

    def text(self) -> str:
        return "nowhere:things"


def open_part_list() -> ciexplore.Listing:
    found = PartList(Somewhere())
    session: Any = SimpleNamespace(resource=lambda locator, cancel: found, waits=Waits())
    return ciexplore.Listing(found, session)


def test_what_is_missing_is_a_warning_at_the_line_that_asked() -> None:
    listing = open_part_list()
    with pytest.warns(UserWarning, match=r"Page 2 could not be read\.") as warned:
        assert listing.frame().height == 1
    assert warned[0].filename == __file__ and listing.notes == ("Page 2 could not be read.",)


def test_failures_are_those_of_the_rows(demo: dict[str, str]) -> None:
    with ciexplore.open(demo["taskcluster.finished-group"]) as tasks:
        failures, some = tasks.failures(), tasks.failures("suite:mochitest")
        assert 0 < some.height < failures.height and {"test", "message", "cluster", "log_line"} <= set(some.columns)
        assert set(some["task"]) <= set(tasks.frame("suite:mochitest")["task_id"])
        with pytest.raises(AppError, match="None of these tasks failed"):
            tasks.failures("state:completed")
    with ciexplore.open(demo["prow.build-failed"]) as build:
        assert build.failures().height


def test_rows_that_do_not_fail_have_no_failures(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(AppError, match="failed"):
        open_part_list().failures()


# ---- progress and interrupts ---------------------------------------------------------------------------------------


def test_a_notebook_shows_one_line_that_is_empty_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, content: dict[str, str], raw: bool) -> None:
            shown.append(content["text/plain"])

    def display(content: dict[str, str], raw: bool, display_id: bool) -> Handle:
        shown.append(content["text/plain"])
        return Handle()

    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))  # type: ignore[arg-type]
    monkeypatch.setattr(_progress, "_PATIENCE", 60)
    _progress.make_progress(True).show("passed over: it has only begun")
    monkeypatch.setattr(_progress, "_PATIENCE", -60)
    progress = _progress.make_progress(True)
    progress.show("1 of 2")
    progress.show("passed over: too soon")
    progress.clear()
    assert shown == ["1 of 2", ""]
    assert isinstance(_progress.make_progress(False), _progress.NoProgress)


def test_a_script_in_a_pipe_writes_nothing_and_a_terminal_gets_a_line_that_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, demo: dict[str, str]
) -> None:
    ciexplore.open(demo["taskcluster.finished-group"]).frame()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ciexplore.open(demo["taskcluster.finished-group"], progress=False).frame()
    assert capsys.readouterr().err == ""
    ciexplore.open(demo["taskcluster.finished-group"]).frame()
    err = capsys.readouterr().err
    assert "tasks so far" in err and err.endswith("\r")


def test_an_interrupt_stops_what_waits_for_a_server() -> None:
    code = (
        "import os, socket, sys, threading, ciexplore\n"
        "server, held = socket.create_server(('127.0.0.1', 0)), []\n"
        "def accept():\n"  # and never answer
        "    held.append(server.accept())\n    os.write(1, b'asked\\n')\n"  # print would hold its lock at the end
        "threading.Thread(target=accept, daemon=True).start()\n"
        "url = f'http://127.0.0.1:{server.getsockname()[1]}'\n"
        "listing = ciexplore.open('treeherder:pushes/autoland', settings={'treeherder.url': url})\n"
        "try:\n    listing.frame()\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment({"PYTHONPATH": str(ROOT)}),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "interrupted\n" and process.returncode == 0, err


# ---- types -------------------------------------------------------------------------------------------------------

SCRIPT = """
from pathlib import Path
from typing import assert_type

import polars as pl

import ciexplore


def study(url: str, directory: Path) -> list[str]:
    with ciexplore.open(url, mode="offline", settings={"jobs": 4}, progress=False) as tasks:
        frame = assert_type(tasks.frame("state:failed"), pl.DataFrame)
        assert_type(tasks.lazy(), pl.LazyFrame)
        assert_type(tasks.sql("SELECT 1 FROM rows", other=tasks, more=frame), pl.DataFrame)
        assert_type(tasks.failures(), pl.DataFrame)
        assert_type(tasks.download(directory, match=["*.log"]), list[Path])
        tasks.plot("duration", file=directory / "a.svg")
        tasks.report(directory / "a.html")
        for page in tasks.pages():
            assert_type(page.frame, pl.DataFrame)
        with ciexplore.open(capsule=directory / "a.capsule") as saved, ciexplore.open(url, capsule="a.capsule"):
            assert_type(saved.frame(), pl.DataFrame)
        try:
            log = assert_type(tasks.log(frame[0]), ciexplore.Log)
        except ciexplore.AppError as error:
            return [error.sentence, error.hint]
        assert_type(log[0], str)
        assert_type(log.search("x"), list[ciexplore.LogLine])
        return [line.text for line in log.errors()] + list(log)
"""


@pytest.mark.timeout(300)
def test_a_user_s_script_passes_strict_mypy(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "study.py"],
        cwd=tmp_path, env=environment({"MYPYPATH": str(ROOT)}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
