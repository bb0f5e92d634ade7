"""The log that shows only what no passing run has: marks, folds, jumps, what is said while it is not all there."""

from __future__ import annotations

import threading
from collections.abc import Callable

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.failures.new_line_search import NewLineSearch, read_passing_runs
from backends.failures.new_lines import LogIndex, index_log, split_pieces
from backends.failures.passing_runs import IndexReader, PassingRun, PassingRuns
from backends.logs import sources
from backends.logs.reader import start_daemon
from backends.resources import LogAddress
from backends.taskcluster.locators import Task
from tests.driving import until
from tests.widgets.test_log_view import Gate, number_lines, rows, show_log
from tui.widgets.log_view import LogView

PASSED = number_lines(200)
FAILED = b"".join(
    line
    + b"\n"
    + (b"the phone went away for good 17\n" if n in (60, 65, 150) else b"a lock was lost here\n" * (n == 120))
    for n, line in enumerate(number_lines(200).splitlines(), 1)
)  # the phone in lines 61, 67 and 154, the lock in 123


class GivenRuns(IndexReader):
    """Passing runs whose logs are given."""

    def __init__(self, *logs: bytes | AppError) -> None:
        self.read = self.kept = 0
        self.logs = logs

    def index(self, run: PassingRun, cancel: CancelToken) -> LogIndex:
        log = self.logs[int(run.name)]
        if isinstance(log, AppError):
            raise log
        return index_log(split_pieces([log]))

    def find(self, cancel: CancelToken) -> PassingRuns:
        address = LogAddress("", "", Task("A" * 22))
        return PassingRuns("a job", [PassingRun(str(n), address) for n in range(len(self.logs))])


def search(
    view: LogView, *logs: bytes | AppError, find: Callable[[CancelToken], PassingRuns] | None = None
) -> NewLineSearch:
    given = GivenRuns(*logs)
    found = NewLineSearch(view.reading.spool, find or given.find, given)
    start_daemon(found.run, "new lines")
    view.show_new_lines(found)
    return found


async def test_only_new_lines_show_with_marks_numbers_and_counts() -> None:
    async with show_log(sources.from_bytes(FAILED)) as (view, pilot):
        found = search(view, PASSED)
        await until(pilot, lambda: found.complete and view.cursor == 60)
        assert rows(view)[:8] == [
            " ┈ 58 lines folded",
            "     59 line 59",
            "     60 line 60",
            "▌    61+×3 the phone went away for good 17",
            "     62 line 61",
            "     63 line 62",
            " ┈ 57 lines folded",
            "    121 line 119",
        ]
        assert view.status_text.startswith("2 new lines against 1 run · line 61 of 204")
        assert found.count == 4
        await pilot.press("right_curly_bracket")
        assert view.cursor == 122
        await pilot.press("right_curly_bracket")
        assert view.cursor == 60  # from the top again
        await pilot.press("left_curly_bracket")
        assert view.cursor == 122
        await pilot.press("number_sign")
        assert any(row.startswith("▌ +a lock was lost here") for row in rows(view))
        view.show_new_lines(None)
        assert view.cursor == 122 and view.row_count == 204
        assert not any("+" in row for row in rows(view))
        await pilot.press("z")
        folded = view.row_count
        view.show_new_lines(found)
        assert view.row_count not in (folded, 204)
        view.show_new_lines(None)
        assert view.row_count == folded


async def test_first_results_show_while_the_log_still_comes_in() -> None:
    gate = Gate()
    async with show_log(gate, wait=False) as (view, pilot):
        found = search(view, PASSED)
        gate.give(FAILED[: FAILED.index(b"line 70\n")])
        await until(pilot, lambda: view.cursor == 60)
        assert not found.complete and "1 new line against 1 run so far (" in view.status_text
        gate.give(FAILED[FAILED.index(b"line 70\n") :])
        gate.give(b"")
        await until(pilot, lambda: found.complete and "2 new lines against 1 run" in view.status_text)
        assert view.cursor == 60


async def test_nothing_new_and_nothing_to_compare_with_are_said() -> None:
    async with show_log(sources.from_bytes(FAILED)) as (view, pilot):
        found = search(view, FAILED)
        await until(pilot, lambda: found.complete and "no new line" in view.status_text)
        assert "0 new lines against 1 run" in view.status_text and view.row_count == 204
        none = search(view)
        await until(pilot, lambda: none.complete and "no run that passed to compare with" in view.status_text)
        assert none.against_text() == "No run of a job that passed was found."
        gone = search(view, AppError("The log is gone."))
        await until(pilot, lambda: gone.complete)
        assert "The log of 0 could not be read: The log is gone." in gone.against_text()


async def test_reading_the_passing_logs_says_which_of_how_many_and_how_much() -> None:
    """Two are read at once; the first has been read, the others wait."""
    reads, go_on = threading.Semaphore(0), threading.Event()

    class Slow(GivenRuns):
        def index(self, run: PassingRun, cancel: CancelToken) -> LogIndex:
            if run.name != "0":
                reads.release()
                assert go_on.wait(30)
            self.read += 6_000_000
            return super().index(run, cancel)

    async with show_log(sources.from_bytes(FAILED)) as (view, pilot):
        given = Slow(PASSED, PASSED, PASSED)
        found = NewLineSearch(view.reading.spool, given.find, given)
        start_daemon(found.run, "new lines")
        view.show_new_lines(found)
        await until(pilot, lambda: "◌ reading passing log 2 of 3, 6.0 MB" in view.status_text)
        go_on.set()
        await until(pilot, lambda: found.complete and "2 new lines against 3 runs" in view.status_text)
        assert given.describe() == "reading passing log 3 of 3, 18.0 MB"


def test_a_spare_run_takes_the_place_of_one_whose_log_is_gone() -> None:
    given = GivenRuns(AppError("The log is gone."), PASSED, FAILED)
    found = given.find(CancelToken())
    found.spare = found.runs[2:]
    del found.runs[2:]
    assert read_passing_runs(found, given, CancelToken()) is not None
    assert [run.name for run in found.runs] == ["1", "2"]
    assert found.spare == [] and found.notes == ["The log of 0 could not be read: The log is gone."]


async def test_what_goes_wrong_is_said_and_what_takes_long_can_be_left() -> None:
    def fail(cancel: CancelToken) -> PassingRuns:
        raise AppError("The server said no.", "Ask it again.")

    waiting = threading.Event()

    def wait(cancel: CancelToken) -> PassingRuns:
        waiting.set()
        cancel.sleep(600)
        raise AssertionError

    async with show_log(sources.from_bytes(FAILED)) as (view, pilot):
        failed = search(view, find=fail)
        await until(pilot, lambda: failed.complete and "✖ The server said no." in view.status_text)
        assert failed.against_text() == "The server said no. Ask it again."
        slow = search(view, find=wait)
        await until(pilot, waiting.is_set)
        assert "◌ looking for runs that passed" in view.status_text
        slow.cancel.cancel()
        view.show_new_lines(None)
        assert "passed" not in view.status_text
