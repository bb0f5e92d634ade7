"""A text or a regular expression looked for in the logs (or any files) of several builds, as a list of lines.

Files stream by, sixteen at a time, and nothing of them is kept but the lines that match. Each file gives at most
`MOST_A_FILE` of them; once the newest builds together have given `MOST`, the others are left out, which is said.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.schema import Column, Kind, Schema
from backends.http.response import Freshness
from backends.locators.prow import ProwPath, ProwView
from backends.logs.patterns import TextPattern, parse_pattern
from backends.prow.archive import BUILD_LOG, Archive
from backends.prow.build_files import tree_of
from backends.prow.build_reading import BuildPlace
from backends.prow.file_openings import is_text
from backends.prow.log_windows import windows
from backends.prow.parallel import Turns
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.prow.view_builds import counted, followed, places
from backends.resources import Detail, LogAddress, Page, Resource, Row
from backends.transfers.files import matches_globs

MOST, MOST_A_FILE, MOST_FILES_A_BUILD = 20_000, 500, 500
_SHOWN = 1000  # characters of a line
_LARGEST = 8 << 30  # bytes of a file, decoded

HITS = Schema(
    (
        Column("build", Kind.ID, "Build", width=19),
        Column("file", Kind.TEXT, "File", keeps_end=True, width=14),
        Column("line", Kind.COUNT, "Line"),
        Column("text", Kind.TEXT, "Text", width=100),
        Column("before", Kind.TEXT, "Before", hidden=True, searched=False),
        Column("after", Kind.TEXT, "After", hidden=True, searched=False),
        Column("job", Kind.TEXT, "Job", hidden=True),
        Column("path", Kind.TEXT, "Path", hidden=True, searched=False),
        Column("order", Kind.ID, "Order", hidden=True, searched=False),
    ),
    key="key",
)


@dataclass
class _Tally:
    """What all readers have done so far; builds by rank, 0 is the newest. `failed`, `cut`: by rank and name."""

    files: int = 0
    bytes: int = 0
    hits: dict[int, int] = field(default_factory=dict)
    cut: set[tuple[int, str]] = field(default_factory=set)
    failed: dict[tuple[int, str], AppError] = field(default_factory=dict)
    left_out: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, rank: int, name: str, problem: AppError) -> None:
        with self.lock:
            self.failed[rank, name] = problem

    def last_rank(self, most: int) -> int | None:
        """The build with which, from the newest on, enough lines are found; None if there never are."""
        with self.lock:
            count = 0
            for rank in sorted(self.hits):
                count += self.hits[rank]
                if count >= most:
                    return rank
        return None

    def wanted(self, rank: int) -> bool:
        """Whether lines of this build are still of use: what newer ones have found is never taken away again."""
        last = self.last_rank(MOST)
        return last is None or rank <= last


Cells = tuple[object, ...]
_Hit = tuple[int, str, str | None, str | None]  # line, text, the lines before and after


class LogSearch(Resource):
    """Columns are those of `HITS`. Options: text, match (globs with newlines between them), lines (of context)."""

    schema = HITS
    noun = ("line", "lines")
    default_sort = ("order", False)
    empty_text = "Nothing matches in the files that were searched."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive
        self.globs = tuple(one for one in locator.option("match").split("\n") if one)
        wanted = locator.option("lines", "2")
        self.around = min(int(wanted), 20) if wanted.isdecimal() and len(wanted) < 4 else 2
        self._tally = _Tally()

    @property
    def title(self) -> str:
        return f"“{self.view.option('text')}” in {counted(self.view)}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """A page whenever builds have been searched. Raises `UsageError` for what is no regular expression."""
        wanted = parse_pattern(self.view.option("text"))
        tally = self._tally = _Tally()
        found = places(self.archive, self.view, cancel)
        ranks = {place.key: rank for rank, place in enumerate(found)}

        def look(place: BuildPlace, own: CancelToken) -> tuple[int, list[Cells]]:
            return self._build(place, ranks[place.key], wanted, tally, own)

        done: set[int] = set()
        frames: dict[int, pl.DataFrame] = {}
        with Turns(look, cancel, name="search") as turns:
            turns.add((place.key, place) for place in found)
            for batch in turns.rest():
                done |= {rank for rank, _ in batch}
                new = {rank: HITS.frame(rows) for rank, rows in batch if tally.wanted(rank)}
                frames |= new
                last = tally.last_rank(MOST)
                if last is None:
                    if new:
                        yield Page(pl.concat(new.values()), Freshness())
                    continue
                frames = {rank: frame for rank, frame in frames.items() if rank <= last}
                if done >= set(range(last + 1)):  # all that are newer have been searched, too
                    break
        last = tally.last_rank(MOST)
        notes = _notes(tally, last)
        partial = bool(tally.failed or tally.left_out)
        if last is None:
            yield Page(HITS.empty(), Freshness(), note=" ".join(notes), partial=partial)
        else:
            every = pl.concat(frames[rank] for rank in sorted(frames) if rank <= last)
            if (left := len(found) - last - 1) > 0:
                notes.append(f"Stopped at {len(every):,} lines; the {left:,} older builds are left out.")
            yield Page(every, Freshness(), replace=True, note=" ".join(notes), partial=partial or left > 0)
        if tally.failed and not tally.files:
            raise tally.failed[min(tally.failed)]

    def _build(
        self, place: BuildPlace, rank: int, wanted: TextPattern, tally: _Tally, cancel: CancelToken
    ) -> tuple[int, list[Cells]]:
        found: list[Cells] = []
        try:
            folder, entries = self._files(place, rank, tally, cancel)
        except OperationCancelledError:
            raise
        except AppError as problem:
            tally.fail(rank, place.build, problem)
            return rank, found
        for entry in entries:
            if len(found) >= MOST or not tally.wanted(rank):
                break
            cancel.check()
            name = entry.name.removeprefix(folder)
            try:
                hits = self._file(entry, rank, wanted, tally, cancel)
            except OperationCancelledError:
                raise
            except AppError as problem:
                tally.fail(rank, name, problem)
                continue
            found += [
                (
                    f"{entry.name}:{line}",
                    place.build,
                    name,
                    line,
                    text,
                    before,
                    after,
                    place.job,
                    entry.name,
                    f"{rank:05d}{name}:{line:011d}",
                )
                for line, text, before, after in hits
            ]
        return rank, found

    def _files(self, place: BuildPlace, rank: int, tally: _Tally, cancel: CancelToken) -> tuple[str, list[Entry]]:
        """The build's log or logs; with globs whatever they match, however deep."""
        folder = followed(self.archive, place, cancel)
        if self.globs:
            tree = tree_of(self.archive, BuildPlace(place.key, place.job, place.build, folder), cancel)
            if tree.problem is not None:
                raise tree.problem
            fitting = [one for one in tree.files if matches_globs(one.name.removeprefix(folder), self.globs)]
            texts = [one for one in fitting if is_text(one.name, one.content_type)]
            if len(texts) > MOST_FILES_A_BUILD:
                with tally.lock:
                    tally.left_out[rank] = len(texts) - MOST_FILES_A_BUILD
            return folder, texts[:MOST_FILES_A_BUILD]
        listing = self.archive.source.list(self.archive.bucket, folder, cancel=cancel, hold=-1)
        return folder, [one for one in listing.files if one.name.endswith((f"/{BUILD_LOG}", f"-{BUILD_LOG}"))]

    def _file(self, entry: Entry, rank: int, wanted: TextPattern, tally: _Tally, cancel: CancelToken) -> list[_Hit]:
        hits: list[_Hit] = []
        last: deque[str] = deque(maxlen=self.around)
        owed: list[tuple[int, int]] = []  # hits at the end of a window, and how many lines after them are in the next
        with self.archive.source.open(self.archive.bucket, entry, cancel=cancel) as body:
            for window in windows(_counted(body, tally, cancel)):
                if owed:
                    following = window.text[0].split("\n", self.around)[: self.around]
                    for place, count in owed:
                        hits[place] = _followed_by(hits[place], self.around - count, following[:count])
                    owed.clear()
                if wanted.may_match(window.text):
                    lines = window.lines()
                    for at in wanted.lines(lines).arg_true().to_list():
                        hits.append((window.first + at, _shown(lines[at]), *self._context(lines, at, last)))
                        if (missing := self.around - (len(lines) - at - 1)) > 0:
                            owed.append((len(hits) - 1, missing))
                        if len(hits) >= MOST_A_FILE:
                            with tally.lock:
                                tally.cut.add((rank, entry.name))
                            break
                    last.extend(lines.tail(self.around).to_list())
                elif self.around:
                    last.clear()
                    last.extend(window.text[0][-4096:].split("\n")[-self.around :])
                if len(hits) >= MOST_A_FILE:
                    break
        with tally.lock:
            tally.files += 1
            tally.hits[rank] = tally.hits.get(rank, 0) + len(hits)
        return hits

    def _context(self, lines: pl.Series, at: int, last: deque[str]) -> tuple[str | None, str | None]:
        if not self.around:
            return None, None
        before = lines.slice(max(at - self.around, 0), min(at, self.around)).to_list()
        missing = self.around - len(before)
        if missing:
            before = [*list(last)[-missing:], *before]
        after = lines.slice(at + 1, self.around).to_list()
        return "\n".join(map(_shown, before)) or None, "\n".join(map(_shown, after)) or None

    def detail(self, row: Row) -> Detail:
        return row_detail(HITS, row, "Line", texts=("before", "text", "after"), without=("path", "order"))

    def open(self, row: Row) -> ProwPath:
        return self.archive.at(str(row["path"]), int(row["line"]))

    def log(self, row: Row) -> LogAddress | None:
        return self.archive.log(str(row["path"]), f"{row['file']} of {row['build']}", int(row["line"]))

    def shows(self, row: Row) -> LogAddress | ProwPath | None:
        return self.log(row) or self.open(row)

    def summary(self, frame: pl.DataFrame) -> str:
        builds = frame["build"].n_unique()
        return f"{builds:,} build{'' if builds == 1 else 's'} · {self._tally.files:,} files searched"


def _counted(body: Iterator[bytes], tally: _Tally, cancel: CancelToken) -> Iterator[bytes]:
    size = 0
    for piece in body:
        cancel.check()
        size += len(piece)
        with tally.lock:
            tally.bytes += len(piece)
        yield piece
        if size > _LARGEST:
            return


def _followed_by(hit: _Hit, known: int, lines: list[str]) -> _Hit:
    line, text, before, after = hit
    every = [*((after or "").split("\n") if known else ()), *map(_shown, lines)]
    return line, text, before, "\n".join(every) or None


def _shown(line: str) -> str:
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _notes(tally: _Tally, last: int | None) -> list[str]:
    """What is missing from the lines of the builds that count, each kind said once with its number."""
    notes = []
    cut = [key for key in tally.cut if last is None or key[0] <= last]
    failed = sorted(key for key in tally.failed if last is None or key[0] <= last)
    left_out = sum(count for rank, count in tally.left_out.items() if last is None or rank <= last)
    if cut:
        words = "1 file has" if len(cut) == 1 else f"{len(cut):,} files have"
        notes.append(f"{words} more than {MOST_A_FILE:,} matching lines; only the first are shown.")
    if left_out:
        notes.append(f"Only {MOST_FILES_A_BUILD:,} files of a build are searched; {left_out:,} are left out.")
    if failed:
        words = "1 file" if len(failed) == 1 else f"{len(failed):,} files"
        notes.append(f"{words} could not be searched: {tally.failed[failed[0]].sentence}")
    return notes
