"""`ciexplore watch`: follows what still runs until it has ended, on one line or as events for scripts."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from backends.errors import AppError, UsageError
from tui.commands.common import open_session
from tui.commands.options import connection_options
from tui.commands.output import Progress as ProgressLine
from tui.commands.output import say

if TYPE_CHECKING:
    import polars as pl

    from backends.cancel import CancelToken
    from backends.resources import Resource, Row
    from backends.time_left import Durations
    from backends.watching import GivenUpError, Progress

_MOST_TOLD = 20  # failures named one by one at a time; a group that is red already has hundreds


@click.command()
@click.argument("locator", metavar="LOCATOR")
@click.option(
    "--until", type=click.Choice(["end", "first-failure"]), default="end", help="When to stop [default: end]."
)
@click.option(
    "--format", "fmt", type=click.Choice(["lines", "jsonl"]), default="lines",
    help="lines: sentences, on a terminal one that is written over; jsonl: one event a line.",
)  # fmt: skip
@click.option("--notify", is_flag=True, help="Ring, and show a notification, at the first failure and at the end.")
@click.option(
    "--patience",
    metavar="TIME",
    default="10m",
    help="How long the server may fail, or there may be nothing to watch, before it gives up.",
)
@click.option("--root-url", metavar="URL", help="Taskcluster deployment: a root URL, or firefox, or community.")
@connection_options
def watch(
    locator: str, until: str, fmt: str, notify: bool, patience: str, root_url: str | None, mode: str | None
) -> int:
    """Follow a task group, task, push, Prow job or build until it ends.

    Says how many failed, run and are done, names each failure once, and estimates the time left from the durations of
    the same labels in earlier pushes or builds.

    What is empty, e.g. a new group or a task that waits for others, is waited for, too, and what it waits for is said.

    Ends with 0 if nothing failed, 1 if something did, 3 if the server was lost or nothing came within --patience.
    """
    from backends.frames.formats import parse_quantity
    from backends.frames.schema import Kind
    from backends.watching import GivenUpError, open_watched, watch_list

    seconds = parse_quantity(patience, Kind.DURATION)
    if seconds < 0:
        raise UsageError(f"--patience {patience} is in the past.", "For example: --patience 10m")
    if mode == "offline":
        raise UsageError("Nothing changes offline.", "Leave --offline out, or list what is stored.")
    report: _Report = _JsonLines() if fmt == "jsonl" else _Sentences()
    with open_session(root_url, mode) as (session, cancel):
        if session.capsule is not None:
            raise UsageError("Nothing changes in a capsule.", "Leave --capsule out, or list what it holds.")
        resource = open_watched(session, locator, cancel)
        known = EarlierDurations(resource, cancel)
        failed = False
        try:
            for progress in watch_list(resource, cancel, patience=seconds, known_durations=known.find):
                report.show(resource, progress)
                if progress.total_failed and not failed:
                    failed = True
                    if notify:
                        _notify(f"{resource.title}: {progress.total_failed:,} failed")
                if failed and until == "first-failure":
                    break
        except GivenUpError as error:
            report.lose(error)
            if notify:
                _notify(error.sentence)
            raise
        finally:
            report.end()
        if notify and progress.ended:
            _notify(f"{resource.title} has ended: {progress.text}")
    return int(failed)


class EarlierDurations:
    """Reads what earlier groups took in a thread, from the first time that it is asked for: watching does not wait for
    it."""

    def __init__(self, resource: Resource, cancel: CancelToken) -> None:
        self._resource, self._cancel = resource, cancel
        self._found: Durations | None = None
        self._thread: threading.Thread | None = None

    def find(self, rows: pl.DataFrame) -> Durations | None:
        """What is known by now, for rows like these."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.read, args=(rows,), name="earlier durations", daemon=True)
            self._thread.start()
        return self._found

    def read(self, rows: pl.DataFrame) -> Durations | None:
        """All there is; what cannot be had is left out."""
        if self._found is None:
            with contextlib.suppress(AppError):  # without an estimate, the rest is as good
                self._found = self._resource.find_durations(rows, self._cancel)
        return self._found


class _Report:
    def show(self, resource: Resource, progress: Progress) -> None:
        raise NotImplementedError

    def lose(self, error: GivenUpError) -> None:
        """It is given up, because the server is lost or nothing came: the command will say so."""

    def end(self) -> None:
        """Nothing more will come."""


class _Sentences(_Report):
    """On a terminal one line that is written over, and a line of its own for each failure; in a pipe, lines."""

    def __init__(self) -> None:
        self._line = ProgressLine()

    def show(self, resource: Resource, progress: Progress) -> None:
        for words in _failures(resource, progress):
            self._line.clear()
            click.echo(words)
        words = f"note: {progress.problem} (trying again)" if progress.problem else progress.text
        if sys.stderr.isatty() and not progress.ended:
            self._line.clear()
            self._line.show(f"◌ {words}")
            return
        self._line.clear()
        if progress.problem:
            say(words)
        else:
            click.echo(words)

    def end(self) -> None:
        self._line.clear()


class _JsonLines(_Report):
    """Events: "failed" (one a row), "progress", "waiting", "problem", "ended", "lost", "empty"."""

    def show(self, resource: Resource, progress: Progress) -> None:
        for row in progress.failures:
            locator = resource.open(row)
            self._write("failed", key=row[resource.schema.key], name=_name(resource, row),
                        locator=locator.text() if locator is not None else None)  # fmt: skip
        if progress.problem:
            self._write("problem", sentence=progress.problem)
            return
        if not progress.total:
            self._write("waiting", sentence=progress.waiting)
            return
        left = progress.time_left
        self._write(
            "ended" if progress.ended else "progress", counts=dict(progress.counts), total=progress.total,
            failed=progress.total_failed, unfinished=progress.unfinished,
            seconds_left=None if left is None else {
                "low": round(left.low, 1), "middle": round(left.middle, 1), "high": round(left.high, 1),
                "earlier_groups": left.groups,
            },
        )  # fmt: skip

    def lose(self, error: GivenUpError) -> None:
        self._write(error.event, sentence=error.sentence)

    @staticmethod
    def _write(event: str, **members: Any) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        click.echo(json.dumps({"event": event, "at": at, **members}))


def _failures(resource: Resource, progress: Progress) -> list[str]:
    from backends.frames.formats import safe_text

    column = resource.schema.state_column or ""
    told = [
        f"{safe_text(str(row[column]))}: {safe_text(_name(resource, row))}" for row in progress.failures[:_MOST_TOLD]
    ]
    more = len(progress.failures) - len(told)
    return [*told, *([f"and {more:,} more that have failed"] if more else [])]


def _name(resource: Resource, row: Row) -> str:
    detail = resource.detail(row)
    return detail.title if detail is not None else str(row[resource.schema.key])


def _notify(text: str, run: Callable[..., Any] = subprocess.run) -> None:
    """The bell, what terminals make a notification of (OSC 9 and 777), and the desktop's own where it is."""
    from backends.frames.formats import safe_text

    words = safe_text(text, 200).replace(";", ",")
    if sys.stderr.isatty():
        sys.stderr.write(f"\a\x1b]9;{words}\x1b\\\x1b]777;notify;ciexplore;{words}\x1b\\")
        sys.stderr.flush()
    if program := shutil.which("notify-send"):
        run([program, "--app-name=ciexplore", "--", "ciexplore", words], check=False, capture_output=True, timeout=5)
