"""The logs of builds: a text or regular expression searched in them (or in any files), and how large they are.

Files stream by, sixteen at a time, and nothing of them is kept but the lines that match. Each file gives at most
`MAX_FILE_MATCHES` of them; once the newest builds together have given `MAX_MATCHES`, the others are left out, which is
reported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.formats import format_bytes
from backends.frames.getters import optional
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.logs.matching import LineMatcher, line_text
from backends.logs.patterns import TextPattern, parse_pattern
from backends.pool import PriorityPool
from backends.prow.bucket import BucketReader
from backends.prow.build_listing import BuildView, ErrorHandler
from backends.prow.build_reader import BUILD_LOG, UNREAD, BuildPlace, BuildRow, list_logs, log_flags
from backends.prow.files import is_text, list_tree
from backends.prow.locators import LogSearchView, ProwPath
from backends.prow.store import BlobInfo
from backends.resources import LogAddress, Page, Row
from backends.transfers.files import matches_globs

MAX_MATCHES, MAX_FILE_MATCHES, MAX_BUILD_FILES = 20_000, 500, 500
WINDOW_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 20  # of a line that is looked at; the rest of a longer one is looked at as lines of its own
_LAST_BYTES = 64 << 10  # kept of what stands before a window
_MAX_LINE_CHARACTERS = 1000  # of a line in the table
_MAX_FILE_BYTES = 8 << 30  # of a file, decoded
_MAX_CONTEXT, _DEFAULT_CONTEXT = 20, 2


# ---- search --------------------------------------------------------------------------------------------------------


class MatchRow(msgspec.Struct, gc=False):
    """A row of `MATCHES`: a line (from 1) with the lines before and after it."""

    line: int
    text: str
    before: str | None
    after: str | None
    build: str = ""
    file: str = ""
    job: str = ""
    path: str = ""
    order: str = ""


MATCHES = Schema(
    (
        Column("build", Kind.ID, "Build", width=19, get="build"),
        Column("file", Kind.TEXT, "File", keeps_end=True, width=14, get="file"),
        Column("line", Kind.COUNT, "Line", get="line"),
        Column("text", Kind.TEXT, "Text", width=100, get="text"),
        Column("before", Kind.TEXT, "Before", hidden=True, searched=False, get="before"),
        Column("after", Kind.TEXT, "After", hidden=True, searched=False, get="after"),
        Column("job", Kind.TEXT, "Job", hidden=True, get="job"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False, get="path"),
        Column("order", Kind.ID, "Order", hidden=True, searched=False, get="order"),
    ),
    key="key",
    key_get=lambda row: f"{row.path}:{row.line}",
)


@dataclass
class _Progress:
    """What all readers have done so far; builds by rank, 0 is the newest. `failed`, `cut`: by rank and name."""

    files: int = 0
    matches: dict[int, int] = field(default_factory=dict)
    cut: set[tuple[int, str]] = field(default_factory=set)
    failed: dict[tuple[int, str], AppError] = field(default_factory=dict)
    left_out: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_error(self, rank: int, name: str) -> ErrorHandler:
        """The error of a build or a file is kept, and the others are searched."""
        return ErrorHandler(lambda error: self.failed.update({(rank, name): error}))

    def last_rank(self) -> int | None:
        """The build with which, from the newest on, enough lines are found; None if there never are."""
        with self.lock:
            count = 0
            for rank in sorted(self.matches):
                count += self.matches[rank]
                if count >= MAX_MATCHES:
                    return rank
        return None

    def needs(self, rank: int) -> bool:
        """Whether lines of this build are still of use: what newer ones have found is never taken away again."""
        last = self.last_rank()
        return last is None or rank <= last

    def notes(self, last: int | None) -> list[str]:
        """What is missing from the lines of the builds up to `last`, each kind once with its number."""
        notes = []
        cut = [key for key in self.cut if last is None or key[0] <= last]
        failed = sorted(key for key in self.failed if last is None or key[0] <= last)
        left_out = sum(count for rank, count in self.left_out.items() if last is None or rank <= last)
        if cut:
            words = "1 file has" if len(cut) == 1 else f"{len(cut):,} files have"
            notes.append(f"{words} more than {MAX_FILE_MATCHES:,} matching lines; only the first are shown.")
        if left_out:
            notes.append(f"Only {MAX_BUILD_FILES:,} files of a build are searched; {left_out:,} are left out.")
        if failed:
            words = "1 file" if len(failed) == 1 else f"{len(failed):,} files"
            notes.append(f"{words} could not be searched: {self.failed[failed[0]].sentence}")
        return notes


class LogSearch(BuildView):
    """Columns are those of `MATCHES`."""

    locator: LogSearchView
    schema = MATCHES
    noun = ("line", "lines")
    default_sort = (("order", False),)
    empty_text = "Nothing matches in the files that were searched."
    detail_title = "Line"
    long_texts = ("before", "text", "after")
    not_in_detail = ("path", "order")

    def __init__(self, locator: LogSearchView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self.globs = tuple(glob for glob in locator.match.split("\n") if glob)
        self.context = _DEFAULT_CONTEXT if locator.context is None else min(locator.context, _MAX_CONTEXT)
        self._progress = _Progress()

    @property
    def title(self) -> str:
        return f"“{self.locator.pattern}” in {self.builds_title}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page whenever builds have been searched. Raises `UsageError` for an invalid regular expression."""
        pattern = parse_pattern(self.locator.pattern)
        progress = self._progress = _Progress()
        places = self.find_places(cancel)
        ranks = {place.key: rank for rank, place in enumerate(places)}

        def search(place: BuildPlace, own: CancelToken) -> tuple[int, list[MatchRow]]:
            return ranks[place.key], self._search_build(place, ranks[place.key], pattern, progress, own)

        done: set[int] = set()
        frames: dict[int, pl.DataFrame] = {}
        with PriorityPool(search, cancel, name="search") as pool:
            pool.submit((place.key, place) for place in places)
            for batch in pool.batches():
                done |= {rank for rank, _ in batch}
                new = {rank: MATCHES.build(rows) for rank, rows in batch if progress.needs(rank)}
                frames |= new
                last = progress.last_rank()
                if last is None:
                    if new:
                        yield Page(pl.concat(new.values()), Freshness())
                    continue
                frames = {rank: frame for rank, frame in frames.items() if rank <= last}
                if done >= set(range(last + 1)):  # all that are newer have been searched, too
                    break
        last = progress.last_rank()
        notes = progress.notes(last)
        partial = bool(progress.failed or progress.left_out)
        if last is None:
            yield Page(MATCHES.empty(), Freshness(), note=" ".join(notes), partial=partial)
        else:
            complete = pl.concat(frames[rank] for rank in sorted(frames) if rank <= last)
            if (left := len(places) - last - 1) > 0:
                notes.append(f"Stopped at {len(complete):,} lines; the {left:,} older builds are left out.")
            yield Page(complete, Freshness(), replace=True, note=" ".join(notes), partial=partial or left > 0)
        if progress.failed and not progress.files:
            raise progress.failed[min(progress.failed)]

    def _search_build(
        self, place: BuildPlace, rank: int, pattern: TextPattern, progress: _Progress, cancel: CancelToken
    ) -> list[MatchRow]:
        rows: list[MatchRow] = []
        folder, files = "", list[BlobInfo]()
        with progress.note_error(rank, place.build):
            folder, files = self._list_files(place, rank, progress, cancel)
        for info in files:
            if len(rows) >= MAX_MATCHES or not progress.needs(rank):
                break
            cancel.check()
            name = info.name.removeprefix(folder)
            with progress.note_error(rank, name):
                found = self._search_file(info, rank, pattern, progress, cancel)
                for row in found:
                    row.build, row.file, row.job, row.path = place.build, name, place.job, info.name
                    row.order = f"{rank:05d}{name}:{row.line:011d}"
                rows += found
        return rows

    def _list_files(
        self, place: BuildPlace, rank: int, progress: _Progress, cancel: CancelToken
    ) -> tuple[str, list[BlobInfo]]:
        """The build's log or logs; with globs whatever they match, however deep."""
        if self.globs:
            tree = list_tree(self.bucket, place, cancel)
            if tree.error is not None:
                raise tree.error
            fitting = [info for info in tree.files if matches_globs(info.name.removeprefix(tree.folder), self.globs)]
            texts = [info for info in fitting if is_text(info.name, info.content_type)]
            if len(texts) > MAX_BUILD_FILES:
                with progress.lock:
                    progress.left_out[rank] = len(texts) - MAX_BUILD_FILES
            return tree.folder, texts[:MAX_BUILD_FILES]
        folder = self.reader.folder_of(place, cancel)
        page = self.bucket.list_page(folder, cancel, max_age=-1)
        return folder, [info for info in page.files if info.name.endswith((f"/{BUILD_LOG}", f"-{BUILD_LOG}"))]

    def _search_file(
        self, info: BlobInfo, rank: int, pattern: TextPattern, progress: _Progress, cancel: CancelToken
    ) -> list[MatchRow]:
        rows: list[MatchRow] = []
        owed: list[tuple[MatchRow, int]] = []  # at the end of a window, and how many lines after them are in the next
        matcher, last = LineMatcher(pattern), b""
        with self.bucket.open(info, cancel) as body:
            for window in split_windows(_bounded(body, cancel)):
                if owed:
                    following = window.raw.removesuffix(b"\n").split(b"\n", self.context)[: self.context]
                    for row, count in owed:
                        after = [row.after or ""] if count < self.context else []
                        row.after = "\n".join([*after, *map(_shorten, following[:count])]) or None
                    owed.clear()
                if numbers := matcher.numbers(window.raw).head(MAX_FILE_MATCHES - len(rows)).to_list():
                    before_window = last.removesuffix(b"\n").split(b"\n") if last else []
                    lines = [*before_window, *window.raw.removesuffix(b"\n").split(b"\n")]
                    for number in numbers:
                        at = len(before_window) + number
                        before, after_lines = self._context(lines, at)
                        row = MatchRow(window.first + number, _shorten(lines[at]), before, after_lines)
                        rows.append(row)
                        if (missing := self.context - (len(lines) - at - 1)) > 0:
                            owed.append((row, missing))
                if len(rows) >= MAX_FILE_MATCHES:
                    with progress.lock:
                        progress.cut.add((rank, info.name))
                    break
                last = (window.raw if len(window.raw) >= _LAST_BYTES else last + window.raw)[-_LAST_BYTES:]
        with progress.lock:
            progress.files += 1
            progress.matches[rank] = progress.matches.get(rank, 0) + len(rows)
        return rows

    def _context(self, lines: list[bytes], at: int) -> tuple[str | None, str | None]:
        before, after = lines[max(at - self.context, 0) : at], lines[at + 1 : at + 1 + self.context]
        return "\n".join(map(_shorten, before)) or None, "\n".join(map(_shorten, after)) or None

    def open(self, row: Row) -> ProwPath:
        return self.bucket.locator(str(row["path"]), (int(row["line"]),))

    def log(self, row: Row) -> LogAddress | None:
        return self.bucket.log(str(row["path"]), f"{row['file']} of {row['build']}", lines=(int(row["line"]),))

    def shows(self, row: Row) -> LogAddress | ProwPath | None:
        return self.log(row) or self.open(row)

    def summary(self, frame: pl.DataFrame) -> str:
        builds = frame["build"].n_unique()
        return f"{builds:,} build{'' if builds == 1 else 's'} · {self._progress.files:,} files searched"


def _bounded(body: Iterator[bytes], cancel: CancelToken) -> Iterator[bytes]:
    size = 0
    for piece in body:
        cancel.check()
        size += len(piece)
        yield piece
        if size > _MAX_FILE_BYTES:
            return


def _shorten(line: bytes) -> str:
    """As it is shown in the table."""
    text = line_text(line)
    return text if len(text) <= _MAX_LINE_CHARACTERS else f"{text[:_MAX_LINE_CHARACTERS]}…"


@dataclass(frozen=True)
class LogWindow:
    """Complete lines of a log from number `first` (from 1) on."""

    first: int
    raw: bytes


def split_windows(pieces: Iterable[bytes]) -> Iterator[LogWindow]:
    """A log that streams by in windows of complete lines.

    Holds at most `WINDOW_BYTES` + one piece + one line at a time.
    """
    waiting: list[bytes] = []
    size, first = 0, 1
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size < WINDOW_BYTES:
            continue
        if cut := piece.rfind(b"\n") + 1:  # so that the window is copied once
            waiting[-1], rest = piece[:cut], piece[cut:]
            raw = b"".join(waiting)
        else:
            content = b"".join(waiting)
            cut = content.rfind(b"\n") + 1
            if not cut and size < MAX_LINE_BYTES + WINDOW_BYTES:
                waiting = [content]
                continue
            cut = cut or len(content)
            raw, rest = content[:cut], content[cut:]
        yield LogWindow(first, raw)
        first += raw.count(b"\n")
        waiting, size = [rest], len(rest)
    if raw := b"".join(waiting):
        yield LogWindow(first, raw)


# ---- statistics ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TextSize:
    """Of a text: bytes, lines (a last one without its end counts), words between white space, longest line in bytes."""

    bytes: int = 0
    lines: int = 0
    words: int = 0
    longest: int = 0


def measure_text(pieces: Iterable[bytes]) -> TextSize:
    """Counts a text of any size in pieces; what `wc -lwc` and `wc -L` (in bytes) say, but for that last line."""
    size = lines = words = longest = current = 0
    in_word = False
    for piece in pieces:
        if not piece:
            continue
        size += len(piece)
        words += len(piece.split()) - (in_word and not piece[:1].isspace())
        in_word = not piece[-1:].isspace()
        parts = piece.split(b"\n")
        lines += len(parts) - 1
        longest = max(longest, current + len(parts[0]), *map(len, parts[1:-1])) if len(parts) > 1 else longest
        current = len(parts[-1]) if len(parts) > 1 else current + len(parts[0])
    return TextSize(size, lines + (current > 0), words, max(longest, current))


class LogRow(msgspec.Struct, gc=False):
    """A row of `LOG_SIZES`: a log of a build, or (`log` is "") a build without one. `size`: None if it is not read."""

    build: BuildRow
    log: str = ""
    size: TextSize | None = None
    note: str | None = None

    @property
    def path(self) -> str | None:
        return f"{self.build.folder}{self.log}" if self.log else None

    @property
    def stored_bytes(self) -> int | None:
        return self.build.log_size if self.log == BUILD_LOG else None


def _size(name: str) -> Callable[[LogRow], int | None]:
    return lambda row: getattr(row.size, name) if row.size is not None else None


LOG_SIZES = Schema(
    (
        Column("build", Kind.ID, "Build", width=19, get="build.build"),
        Column("state", Kind.STATE, "State", width=10, get="build.state"),
        Column("log", Kind.TEXT, "Log", get=optional("log")),
        Column("bytes", Kind.BYTES, "Size", "B", get=_size("bytes")),
        Column("lines", Kind.COUNT, "Lines", get=_size("lines")),
        Column("words", Kind.COUNT, "Words", get=_size("words")),
        Column("longest", Kind.BYTES, "Longest line", "B", get=_size("longest")),
        Column("duration", Kind.DURATION, "Duration", "s", get="build.duration"),
        Column("started", Kind.TIME, "Started", cell=pl.Int64(), get="build.started"),
        Column("stored", Kind.BYTES, "Stored", "B", get="stored_bytes"),
        Column("note", Kind.TEXT, "Note", get="note"),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False, get="path"),
        Column("order", Kind.ID, "Order", hidden=True, searched=False, get="build.order"),
    ),
    key="key",
    key_get=lambda row: f"{row.build.key}/{row.log}",
)  # fmt: skip


class LogStatistics(BuildView):
    """Columns are those of `LOG_SIZES`, one row a log, read once; builds without one have a row that says so."""

    schema = LOG_SIZES
    noun = ("log", "logs")
    default_sort = (("order", True),)
    empty_text = "There are no builds to look at."
    title_pattern = "logs of {}"
    detail_title = "Log"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        unread: list[LogRow] = []
        for batch in self.read_each(self.find_places(cancel), self._read, cancel):
            rows = [row for logs in batch for row in logs]
            unread += (row for row in rows if row.note is not None and row.note.startswith(UNREAD))
            yield Page(LOG_SIZES.build(rows), Freshness())
        if unread:
            first = max(unread, key=lambda row: (str(row.build.order), row.log))
            words = "1 log" if len(unread) == 1 else f"{len(unread):,} logs"
            reason = str(first.note).removeprefix(UNREAD)
            note = f"{words} cannot be read, e.g. of build {first.build.build}: {reason}"
            yield Page(LOG_SIZES.empty(), Freshness(), note=note, partial=True)

    def _read(self, place: BuildPlace, cancel: CancelToken) -> list[LogRow]:
        build = self.reader.read_row(place, cancel)
        names = list_logs(build.names)
        if not names:
            return [LogRow(build, note=build.note or "has no log")]
        return [self._measure(build, name, cancel) for name in names]

    def _measure(self, build: BuildRow, name: str, cancel: CancelToken) -> LogRow:
        errors: list[AppError] = []
        with ErrorHandler(errors.append), self.bucket.open(f"{build.folder}{name}", cancel) as body:
            return LogRow(build, name, measure_text(body))
        return LogRow(build, name, note=f"{UNREAD}{errors[0].sentence}")

    def log(self, row: Row) -> LogAddress | None:
        path = row.get("path")
        if not path:
            return None
        began, lasted = row["started"], row["duration"]
        ended = began + timedelta(seconds=lasted) if began is not None and lasted is not None else None
        return self.bucket.log(str(path), f"{row['log']} of {row['build']}", **log_flags(row["state"], ended))

    def shows(self, row: Row) -> LogAddress | None:
        return self.log(row)

    def summary(self, frame: pl.DataFrame) -> str:
        """ "1.2 GB in 12,345,678 lines"."""
        return f"{format_bytes(float(frame['bytes'].sum() or 0))} in {frame['lines'].sum() or 0:,} lines"
