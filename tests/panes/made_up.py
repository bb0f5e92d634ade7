"""A system that exists only in tests: a list with everything that a resource may offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from backends import session
from backends.cancel import CancelToken
from backends.errors import AppError, UsageError
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators import Locator
from backends.resources import ROWS, Action, Chart, Document, Entry, Link, Page, Question, Resource, Row
from tests.frame_rows import frame_from_rows

SCHEMA = Schema(
    (
        Column("name", Kind.TEXT, "Name"),
        Column("state", Kind.STATE, "State"),
        Column("when", Kind.TIME, "When"),
        Column("size", Kind.COUNT, "Size"),
        Column("series", Kind.TEXT, "Series"),
    ),
    key="name",
)


@dataclass(frozen=True)
class Place(Locator):
    system: ClassVar[str] = "taskcluster"  # its pane exists
    name: str = "start"

    def text(self) -> str:
        return f"made-up:{self.name}"


class Things(Resource):
    """Thirty rows; what the tests want to know of it is in the class, since the shell makes the instances."""

    schema = SCHEMA
    noun = ("thing", "things")
    chart = Chart("when", "size", by="series", joined=True)
    poll_seconds = 0.01
    preferred: ClassVar[list[list[str]]] = []
    done: ClassVar[list[str]] = []
    asked: ClassVar[int] = 0
    hold: ClassVar[Any] = None  # an Event: `pages` waits for it before its last page

    @property
    def title(self) -> str:
        return f"things of {self.locator.text()}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        yield Page(rows(range(30)), Freshness())
        if Things.hold is not None:
            while not Things.hold.wait(0.01):
                cancel.check()

    def prefer(self, keys: Sequence[str]) -> None:
        Things.preferred.append(list(keys))

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        Things.asked += 1
        if Things.asked == 1:
            return Page(rows([3], state="failed"), Freshness())
        if Things.asked == 2:
            raise AppError("The server is away.", "Wait.")
        return None

    def document(self, row: Row) -> Document | None:
        if row["name"] == "thing 01":
            return None
        return Document(f"definition of {row['name']}", self.locator, lambda cancel: DOCUMENT)

    def compare(self, marked: pl.DataFrame) -> Locator | None:
        if len(marked) != 2:
            raise UsageError("Two marked things can be compared.", "Mark two with Space.")
        return Place("+".join(marked["name"]))

    def menu(self, row: Row | None, rows_: pl.DataFrame) -> list[Entry]:
        def search(text: str) -> Locator:
            if not text:
                raise UsageError("There is nothing to search for.")
            return Place(f"search-{text}-{len(rows_)}")

        def work(cancel: CancelToken, progress: Any) -> str:
            progress("half done")
            Things.done.append(row["name"] if row else "")
            return "It is done."

        return [
            Link("Another list", Place("other"), letter="o"),
            Question("Search in these", "What for?", search, letter="s", group=ROWS),
            Action("Destroy it", work, confirm="Really?", letter="D"),
        ]


DOCUMENT = {
    "payload": {"env": {"MOZ_LOG": "all:5", "empty": ""}, "command": ["run", "line one\nline two \x1b[31mred"]},
    "routes": [f"index.route.{number}" for number in range(1200)],
    "odd name": None,
}


def rows(numbers: Any, state: str = "running") -> pl.DataFrame:
    return frame_from_rows(
        SCHEMA,
        ((f"thing {n:02}", state, 1_764_000_000_000 + n * 3_600_000, n * n, f"series {n % 2}") for n in numbers),
    )


def install(monkeypatch: Any) -> None:
    """The system as one that the app opens, with nothing remembered of earlier tests."""
    Things.preferred, Things.done, Things.asked, Things.hold = [], [], 0, None
    monkeypatch.setattr(session, "open_resource", lambda locator, *_: Things(locator))
