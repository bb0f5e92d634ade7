"""A resource: a list one can look at, page by page, whichever system it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from backends.cancel import CancelToken
from backends.frames.charts import Chart as Chart
from backends.frames.schema import Schema
from backends.http.response import Freshness
from backends.loading import LoadingWork
from backends.locators import Locator
from backends.time_left import Durations, TimeLeft
from backends.transfers.files import RemoteFile

if TYPE_CHECKING:
    from backends.frames.reports import ReportHeading

Row = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Some rows of a resource, as they arrived.

    `frame` has the resource's schema; a row whose key came before replaces the earlier one. `freshness` says where the
    answer came from and how old it is. `total`: how many rows there will be, if known. `replace`: this page is the
    whole list so far (a cached listing shown first), what was shown before goes. `note`: a sentence about what is
    missing or odd, shown in the status line until the next load. `partial`: rows that belong here could not be had; a
    command that lists them ends with 1.
    """

    frame: pl.DataFrame
    freshness: Freshness
    total: int | None = None
    replace: bool = False
    note: str = ""
    partial: bool = False


@dataclass(frozen=True)
class Detail:
    """What the panel beside the table says about one row: titled sections of (label, text)."""

    title: str
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = field(default=())


@dataclass(frozen=True)
class LogAddress:
    """A text to read line by line. `live`: it may still grow. `locator`: what leads to it again.

    `final`: what stands at `url` is never another text once it is whole (the log of one run, not of the latest).
    `line`: the one to show first, from 1. `failed`: what it tells of went wrong, so where no line is named it is shown
    from its first error on, or its end where none is found. `elsewhere`: asked where `url` has nothing, it says where
    the text is instead, or raises a `AppError` that says why there is none. `last`: the end of a range from `line` on.
    `find`: where no line is named, the first line with this text is shown first.
    """

    url: str
    title: str
    locator: Locator
    live: bool = False
    final: bool = False
    line: int | None = None
    failed: bool = False
    last: int | None = None
    find: str = ""
    elsewhere: Callable[[CancelToken], LogAddress] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Document:
    """Something structured to look through as a tree: a task's definition, a JSON artifact.

    `read` may ask servers and runs in a worker thread; it gives what JSON can hold (dict, list, str, numbers, None) and
    raises `AppError`s. `locator`: what leads to it again.
    """

    title: str
    locator: Locator | None
    read: Callable[[CancelToken], Any] = field(compare=False)


@dataclass(frozen=True)
class ImageFile:
    """An image to look at, e.g. the screenshot of a failed test.

    `read` fetches it in a worker thread, at most `backends.images.MAX_BYTES`, and raises `AppError`s. `content_type`
    and `size` (bytes): as the server lists them, "" and None if it does not. `files`: what `d` downloads. `web_url`:
    where a browser shows it. `locator`: what leads to it again.
    """

    title: str
    locator: Locator | None
    read: Callable[[CancelToken], bytes] = field(compare=False)
    content_type: str = ""
    size: int | None = None
    files: Callable[[CancelToken], Iterator[list[RemoteFile]]] | None = field(default=None, compare=False)
    web_url: str | None = None


ViewTarget = Locator | LogAddress | Document | ImageFile  # what is shown on top of a list
ROW, ROWS, LIST = "row", "rows", "list"  # what an entry of a menu is about
PUSH = "Its push"


@dataclass(frozen=True)
class MenuEntry:
    """What a menu shows of an entry. `letter`: the key that runs it (not j, k, q), unique in the menu of a list and
    never given to another entry of it; "" where there are more entries of a kind than keys. `group`: what it is about,
    `ROW` (under the cursor), `ROWS` (marked, or else shown), `LIST`, or a heading in words, e.g. `PUSH`."""

    label: str
    letter: str = field(kw_only=True)
    group: str = field(default=ROW, kw_only=True)


def digit_key(index: int) -> str:
    """The letter of the entry at that index (from 0) of several of a kind: a digit, "" after the tenth."""
    return "1234567890"[index : index + 1]


@dataclass(frozen=True)
class Link(MenuEntry):
    """A menu's entry that opens something: a locator, or (a text) an address in the web browser."""

    opens: ViewTarget | str


@dataclass(frozen=True)
class Question(MenuEntry):
    """A menu's entry that opens what an answer makes of it, such as a search. `opens` raises `UsageError`s."""

    asks: str
    opens: Callable[[str], Locator]
    value: str = ""  # what stands in the box at first


Progress = Callable[[str], None]


@dataclass(frozen=True)
class Action(MenuEntry):
    """A menu's entry that does something and then has the list loaded again.

    `run(cancel, progress)` works in a worker thread, tells `progress` short sentences, gives the sentence to show at
    the end and raises `AppError`s. `confirm`: the question to ask first, "" asks none.
    """

    run: Callable[[CancelToken, Progress], str]
    confirm: str = ""


@dataclass(frozen=True)
class Field:
    """One thing to choose before a download of a special kind: a text, or (`tick`) yes or no."""

    name: str
    label: str
    hint: str = ""
    value: str = ""
    tick: bool = False


@dataclass(frozen=True)
class Finished:
    """How the work after a download went: a sentence, and (what, why) of what could not be done."""

    words: str
    problems: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A download whose choices have been made. `files` lists what is to be fetched, in batches; `finish(cancel,
    progress)` is done when that has ended. Both work in worker threads and raise `AppError`s."""

    output: Path
    files: Callable[[CancelToken], Iterator[list[RemoteFile]]] = field(compare=False)
    finish: Callable[[CancelToken, Progress], Finished] = field(compare=False)


@dataclass(frozen=True)
class DownloadWay(MenuEntry):
    """A menu's entry that downloads in a way of its own. `prepare(values, output)` raises `UsageError`s; values are
    texts, "yes" or "" for ticks."""

    fields: tuple[Field, ...]
    prepare: Callable[[Mapping[str, str], Path], Prepared] = field(compare=False)


Entry = Link | Question | Action | DownloadWay


class Resource(ABC):
    """One list. Constructing it does no I/O; `pages`, `files` do and run in worker threads.

    Subclasses set `schema`, `noun` ("task", "tasks") and, if the order of arrival is not the one to show,
    `default_sort`: (column, descending) of each key, the first key first.

    A list whose rows cost requests of their own sets `quick_columns`, the cheap ones. Who needs no more than some
    columns of every row sets `asked` before `pages`; rows on the screen (`prefer`) get all of their cells nevertheless.
    """

    schema: ClassVar[Schema]
    noun: ClassVar[tuple[str, str]]
    default_sort: ClassVar[tuple[tuple[str, bool], ...]] = ()
    empty_text: ClassVar[str] = "The server lists nothing here."
    chart: ClassVar[Chart | None] = None
    poll_seconds: ClassVar[float] = 0  # how often `updates` is asked while the list is looked at; 0: never
    resting_seconds: float = 0  # how often instead, while nothing goes on that is known of
    quick_columns: ClassVar[tuple[str, ...]] = ()
    asked: frozenset[str] | None = None  # None: all columns
    first_log: LogAddress | None = None  # to be read as soon as the list is shown: the locator meant it
    first_image: ImageFile | None = None  # likewise
    first_filter: str = ""  # the filter that the locator meant, until the user writes another
    made_by: str = ""  # who made what is listed, where a page's header says so
    made_at: float | None = None  # when, in seconds since the epoch
    _work: LoadingWork | None = None
    first_key: str = ""  # the row that the locator meant: the cursor begins there

    def __init__(self, locator: Locator) -> None:
        self.locator = locator

    @property
    @abstractmethod
    def title(self) -> str:
        """Short, for the breadcrumb."""

    @property
    def heading(self) -> str:
        """The title beside `made_by` and `made_at`, which it need not repeat."""
        return self.title

    @abstractmethod
    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """The list, page by page. Raises `AppError`s; `OperationCancelledError` when the token is pulled."""

    @property
    def work(self) -> LoadingWork | None:
        """How far `pages` is, where its rows do not tell; asked from other threads while it runs."""
        return self._work

    @property
    def result_ages(self) -> Sequence[float]:
        """Seconds from the newest result to each one of a matrix's columns of results; empty where nobody knows."""
        return ()

    def find_message(self, cancel: CancelToken) -> str:
        """What whoever made it says of it, in a line, for the page's header: a push's message; "" if it is not known.

        Asked once the list has a maker. In a worker thread; raises no error that a user could do anything about.
        """
        return ""

    def prefer(self, keys: Sequence[str]) -> None:  # noqa: B027 - most lists have all they need from the start
        """The keys of the rows that are on the screen now: a list that completes its rows later begins with these.

        Called from the interface's thread while `pages` runs in another; it must not wait.
        """

    def complete(self, keys: Sequence[str], cancel: CancelToken) -> Iterator[Page]:
        """After `pages`: the rows that lack cells, those of `keys` (on the screen) all, others those that are `asked`.

        In a worker thread. What cannot be had stands in a row or a note.
        """
        return iter(())

    def updates(self, frame: pl.DataFrame, cancel: CancelToken) -> Page | None:
        """What has changed since `frame` (all rows that are shown): a page of the changed rows, empty if none have.

        None: nothing can change any more. In a worker thread; raises `AppError`s.
        """
        return None

    def watched_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows whose states tell how far the list is."""
        return frame

    def describe_wait(self, cancel: CancelToken) -> str:
        """What a list without rows waits for, in words that stand behind a colon. May ask servers, in a worker thread;
        raises `AppError`s."""
        return f"there are no {self.noun[1]} yet"

    def find_durations(self, frame: pl.DataFrame, cancel: CancelToken) -> Durations | None:
        """How long rows like these took before, for `estimate_end`; None where nobody knows. Asks servers, in a thread
        of its own; what cannot be had is left out."""
        return None

    def estimate_end(self, frame: pl.DataFrame, known: Durations) -> TimeLeft | None:
        """When the last of these rows will have ended. No I/O."""
        return None

    def open(self, row: Row) -> Locator | None:
        """The locator of what this row stands for; None if it has none. `y` copies it."""
        return None

    def shows(self, row: Row) -> ViewTarget | None:
        """What Enter shows: by default what `open` gives; None: the detail panel."""
        return self.open(row)

    def open_cell(self, row: Row, column: str) -> Locator | None:
        """What Enter opens with the cursor in that column, where the cell stands for something of its own."""
        return None

    def open_marked(self, rows: pl.DataFrame) -> Locator | None:
        """What Enter opens when rows are marked; None means: as if nothing was marked."""
        return None

    def log(self, row: Row) -> LogAddress | None:
        """What `l` reads; None if this row has no text to read."""
        return None

    def document(self, row: Row) -> Document | None:
        """What `t` shows as a tree; None if this row has nothing of that kind."""
        return None

    def compare(self, rows: pl.DataFrame) -> Locator | None:
        """What `=` opens on the marked rows. Raises `UsageError` where the wrong number of rows is marked."""
        return None

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        """What else can be opened or done from here, for `x`: with the row under the cursor, or with `rows` (the
        marked ones, or else all that are shown) as a whole. Entries that cannot act are left out. No I/O."""
        return []

    def measurements(self, rows: pl.DataFrame) -> Locator | None:
        """What lists the values that these rows measured; None if rows of this kind measure nothing."""
        return None

    def failures(self, rows: pl.DataFrame) -> Locator | None:
        """What names the tasks or builds among these rows (the marked ones, or else all that are shown) whose failures
        can be listed; None if rows of this kind do not fail, or none of these did."""
        return None

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        """What these rows can download, in batches as they become known."""
        return iter(())

    def download(self, rows: pl.DataFrame) -> Action | None:
        """What `d` does with these rows where that is no plan of files; None: it fetches what `files` lists."""
        return None

    @property
    def downloadable(self) -> bool:
        return type(self).files is not Resource.files

    def detail(self, row: Row) -> Detail | None:
        """For the panel beside the table; from the row alone, no I/O."""
        return None

    def web_url(self, row: Row | None = None) -> str | None:
        """Where a browser shows this row (or the list itself)."""
        return None

    def summary(self, frame: pl.DataFrame) -> str:
        """A few words about the whole list for the status line, such as counts by state."""
        return ""


def describe_list(
    resource: Resource, *, filter: str = "", notes: tuple[str, ...] = (), column: str | None = None
) -> ReportHeading:
    """What a report or a plot of rows of this list says of them; without secrets. No I/O."""
    from backends.frames.reports import ReportHeading
    from backends.http.errors import redact_url

    title, locator, url = map(redact_url, (resource.title, resource.locator.text(), resource.web_url() or ""))

    def row_url(row: Mapping[str, Any]) -> str:
        return redact_url(resource.web_url(dict(row)) or "")

    return ReportHeading(title, locator, url, redact_url(filter), notes, resource.chart, column, row_url)


@dataclass(frozen=True)
class ListContents:
    """A whole listing: the rows, the least fresh freshness of any part of it, and what was odd, in sentences.

    `partial`: something that belongs to it could not be had.
    """

    frame: pl.DataFrame
    freshness: Freshness
    notes: tuple[str, ...]
    partial: bool = False


def read_list(
    resource: Resource, cancel: CancelToken, progress: Callable[[int, int | None], None] | None = None
) -> ListContents:
    """The list as one frame, for callers that have no use for parts of it.

    The rows are in the order in which they came first, each as it came last. `progress` is called with the different
    rows so far and how many there will be. Raises what `pages` raises.
    """
    frame, freshness, notes = resource.schema.empty(), Freshness(), list[str]()
    parts: list[pl.DataFrame] = []
    keys, partial = set[str](), False
    for page in resource.pages(cancel):
        if page.replace:  # what was said about the rows before goes with them
            parts, keys, notes, partial = [], set(), [], False
        partial = partial or page.partial
        freshness = page.freshness if not parts else freshness.worse(page.freshness)
        parts.append(page.frame)
        keys.update(page.frame[resource.schema.key].to_list())
        if page.note and page.note not in notes:
            notes.append(page.note)
        if progress is not None:
            progress(len(keys), page.total)
    if parts:
        frame = pl.concat(parts)
        if len(keys) < len(frame):  # a row that was completed later stays where it came first
            rows = frame.group_by(resource.schema.key, maintain_order=True).last()
            frame = rows.select(frame.columns)
    return ListContents(frame, freshness, tuple(notes), partial)
