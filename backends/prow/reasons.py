"""Why builds failed: what Prow said; where that is nothing, what the pod met with, else ci-operator's own reason in the
log and the steps or tests that failed, else the containers' exit codes, else the last error in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import sanitize
from backends.http.response import Freshness
from backends.locators.prow import ProwView
from backends.logs import ansi
from backends.logs.rules import Severity, matching_rules
from backends.prow.archive import BUILD_LOG, Archive, log_names
from backends.prow.build_columns import SEPARATOR
from backends.prow.build_reading import BuildPlace, Row
from backends.prow.build_state import FAILED, INCOMPLETE, Json, decoded
from backends.prow.builds import build_frame
from backends.prow.file_openings import PODINFO, is_junit
from backends.prow.junit_reading import read_junit
from backends.prow.junit_rows import JUnitFile, junit_rows
from backends.prow.pod_hints import exit_codes, hint
from backends.prow.row_detail import row_detail
from backends.prow.source import Entry
from backends.prow.view_builds import builds_view, counted, places, read_each, unread
from backends.resources import Detail, Page, Resource
from backends.resources import Row as Cells

REASONS = Schema(
    (
        Column("state", Kind.STATE, "State", width=10),
        Column("builds", Kind.COUNT, "Builds"),
        Column("share", Kind.NUMBER, "Share", "%"),
        Column("reason", Kind.TEXT, "Reason", width=60),
        Column("first", Kind.TIME, "First"),
        Column("last", Kind.TIME, "Last"),
        Column("build_ids", Kind.TEXT, "Build ids", hidden=True, searched=False),
    ),
    key="key",
)
_GENERIC = re.compile(r"job (failed|succeeded|aborted|triggered)\.?", re.IGNORECASE)
_CI_OPERATOR = re.compile(rb"Reporting job state '\w+' with reason '([^']{1,300})'")
_MULTI_STAGE = re.compile(r"Run multi-stage test (.+) - (.+) container test")
# A build's numbers and ids; not its exit code, for 1 is not 137.
_CHANGING = re.compile(
    r"exit code [0-9]+"
    r"|\b(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,64}|[0-9]+(?:\.[0-9]+)?)(?=\b|[a-z]{1,2}\b)"
)
_LONGEST = 10_000  # bytes of a line that rules look at
_MOST_REPORTS = 30  # JUnit files of a build that are read
_READ = 256 << 20  # bytes of a log that are read for its last words
_KEPT = 64 << 10


def reasons(builds: pl.DataFrame) -> pl.DataFrame:
    """One row a state and reason of the failed builds among these (schema `BUILDS`), the commonest first.

    Numbers and ids within a reason count as the same. `share`: of the failed ones, in percent.
    """
    failed = builds.filter(pl.col("state").is_in(list(FAILED)))
    given = pl.coalesce("reason", "note")
    general = given.map_elements(_general, return_dtype=pl.String, skip_nulls=True)
    # The words about builds that never ended are our own, and their number of hours is always the same.
    told = failed.with_columns(reason=pl.when(pl.col("state") == INCOMPLETE).then(given).otherwise(general))
    found = (
        told.sort("order", descending=True)
        .group_by("state", "reason", maintain_order=True)
        .agg(
            pl.len().alias("builds"),
            pl.col("started").min().alias("first"),
            pl.col("started").max().alias("last"),
            pl.col("build").str.join(",").alias("build_ids"),
        )
        .with_columns(
            share=100 * pl.col("builds") / max(len(failed), 1),
            key=pl.concat_str("state", pl.lit("|"), pl.col("reason").fill_null("")),
        )
        .sort("builds", "last", descending=True, maintain_order=True)
    )
    return found.select(pl.col(name).cast(dtype) for name, dtype in REASONS.polars().items())


def _general(reason: str) -> str:
    return _CHANGING.sub(lambda match: match[0] if match[0].startswith("exit code") else "N", reason)


class FailureReasons(Resource):
    """Columns are those of `REASONS`. Enter lists the builds of a reason."""

    schema = REASONS
    noun = ("reason", "reasons")
    empty_text = "None of these builds failed."

    def __init__(self, locator: ProwView, archive: Archive) -> None:
        super().__init__(locator)
        self.view = locator
        self.archive = archive
        self._gaps: dict[tuple[str, str], tuple[str, AppError]] = {}  # by order and path: a build, and why not

    @property
    def title(self) -> str:
        return f"failures of {counted(self.view)}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._gaps = {}
        wanted, found = places(self.archive, self.view, cancel), list[Row]()
        for batch in read_each(wanted, self._read, cancel):
            found += batch
            note = unread(found) if len(found) == len(wanted) else ""
            yield Page(reasons(build_frame(found)), Freshness(), replace=True, note=note, partial=bool(note))
        if self._gaps:
            build, problem = self._gaps[max(self._gaps)]
            count = len({order for order, _ in self._gaps})
            what = "1 build" if count == 1 else f"{count:,} builds"
            note = f"Not all files of {what} could be read, so the reason may be another one, e.g. of {build}: "
            note += problem.sentence
            yield Page(REASONS.empty(), Freshness(), note=note, partial=True)

    def _leave_out(self, row: Row, path: str, problem: AppError) -> None:
        self._gaps[str(row["order"]), path] = str(row["build"]), problem

    def _read(self, place: BuildPlace, cancel: CancelToken) -> Row:
        row = self.archive.reader.row(place, cancel)
        vague = row["reason"] is None or _GENERIC.fullmatch(row["reason"]) is not None
        if row["state"] in FAILED and vague and row["folder"]:
            try:
                row["reason"] = self._told(row, cancel) or row["reason"]
            except OperationCancelledError:
                raise
            except AppError as problem:  # then what Prow said has to do
                self._leave_out(row, "", problem)
        return row

    def _told(self, row: Row, cancel: CancelToken) -> str | None:
        """What the build's own files say."""
        names = str(row["names"] or "").split(SEPARATOR)
        pod = self._pod(row, cancel) if PODINFO in names else {}
        if words := hint(pod):
            return words
        tails = [self._tail(f"{row['folder']}{name}", row, cancel) for name in log_names(row["names"])]
        said = [found[-1].decode("utf-8", "replace") for found in map(_CI_OPERATOR.findall, tails) if found]
        reported = sanitize(said[0], 300) if said else ""
        failed = self._failed_tests(row, cancel) if "artifacts/" in names else ""
        if reported or failed:  # which step or test is the more telling: a narrow column cuts what comes later
            return f"{failed} ({reported})" if reported and failed else reported or failed
        return exit_codes(pod) or next(filter(None, map(_last_error, tails)), None)

    def _pod(self, row: Row, cancel: CancelToken) -> Json:
        try:
            entry = Entry(f"{row['folder']}{PODINFO}")
            return decoded(self.archive.source.read(self.archive.bucket, entry, cancel=cancel))
        except OperationCancelledError:
            raise
        except AppError as problem:  # then the other files have to do
            self._leave_out(row, PODINFO, problem)
            return {}

    def _failed_tests(self, row: Row, cancel: CancelToken) -> str:
        """The failed steps of ci-operator's junit_operator.xml, else the failed tests of the JUnit files beside it."""
        archive = self.archive
        try:
            listing = archive.source.list(archive.bucket, f"{row['folder']}artifacts/", cancel=cancel)
            reports = [one for one in listing.files if is_junit(one.name)]
            operator = [one for one in reports if one.name.endswith("/junit_operator.xml")]
            found: dict[str, None] = {}
            for entry in (operator or reports)[:_MOST_REPORTS]:
                with archive.source.open(archive.bucket, entry, cancel=cancel) as body:
                    files = [JUnitFile("", entry.name, read_junit(body))]
                rows = junit_rows(files)
                found |= dict.fromkeys(rows.filter(pl.col("state") == "failed")["test"].to_list())
        except OperationCancelledError:
            raise
        except AppError as problem:
            self._leave_out(row, "artifacts/", problem)
            return ""
        steps = {f"{match[1]}/{match[2]}" for one in found if (match := _MULTI_STAGE.fullmatch(one))}
        if steps:  # the phases that they are in fail with them
            return f"step{'' if len(steps) == 1 else 's'} {', '.join(sorted(steps))[:300]} failed"
        if not found:
            return ""
        first = sanitize(next(iter(found)), 200)
        return f"test failed: {first}" if len(found) == 1 else f"{len(found):,} tests failed, the first: {first}"

    def _tail(self, path: str, row: Row, cancel: CancelToken) -> bytes:
        """The end of a log. Only of a plain one is it asked for by itself: it would take a request to learn that
        another one cannot be had so."""
        plain = path.endswith(f"/{BUILD_LOG}") and row["log_compressed"] == "no"
        try:
            tail = self.archive.source.tail(self.archive.bucket, path, _KEPT, cancel=cancel) if plain else None
            return self._end(path, cancel) if tail is None else tail
        except OperationCancelledError:
            raise
        except AppError as problem:
            self._leave_out(row, path, problem)
            return b""

    def _end(self, path: str, cancel: CancelToken) -> bytes:
        tail, count = b"", 0
        with self.archive.source.open(self.archive.bucket, Entry(path), cancel=cancel) as body:
            for piece in body:
                tail = (tail + piece)[-_KEPT:]
                count += len(piece)
                if count > _READ:
                    break
        return tail

    def detail(self, row: Cells) -> Detail:
        return row_detail(REASONS, row, "Reason", without=("build_ids",))

    def open(self, row: Cells) -> ProwView | None:
        return builds_view(self.view, row.get("build_ids"))


def _last_error(tail: bytes) -> str:
    """The last line that the rules for logs call an error, "" if none is."""
    for line in reversed(tail.splitlines()):
        text = ansi.strip(ansi.decode_line(line[:_LONGEST]))
        if any(rule.severity is Severity.ERROR for rule in matching_rules(text)):
            return f"in the log: {sanitize(text, 300)}"
    return ""
