"""Since when something fails, as a list: the pushes or builds that may have begun it, or how often it fails over time.

The rows of a test that always passed and now always fails are what came after the last pass, up to the first failure.
Where passes and failures mix there is no such range, and none is named: the rows are its failure rate over time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.failures.boundary import Boundary, Finding, RunCounts, find_boundary
from backends.failures.build_history import build_history, newest_ended_build
from backends.failures.find_subjects import find_subjects, noun_for, source_locator
from backends.failures.lists import FAILURES, MAX_SAMPLES, FailureContext, FailureReader, cause_text, with_clusters
from backends.failures.locators import FailuresOf, SinceOf
from backends.failures.run_history import SINCE, History, Suspect, Target, rate_rows, suspect_rows
from backends.failures.subjects import Subject
from backends.failures.task_history import task_history
from backends.http.counting import CountingHttp
from backends.http.response import Freshness
from backends.listings import Listing
from backends.loading import LoadingWork
from backends.locators import Locator
from backends.pool import map_pairs
from backends.prow.locators import ProwPath
from backends.resources import LIST, Entry, Link, Page, Row
from backends.systems import parse_locator
from backends.taskcluster.locators import Task

RATED = 80  # places, the newest, that a failure rate is counted over


class SinceList(Listing):
    """Columns are those of `SINCE`. Enter lists the jobs of a push, or the files of a build."""

    schema = SINCE
    noun = ("push or build", "pushes or builds")
    empty_text = "Nothing fails here."
    locator: SinceOf

    def __init__(self, locator: SinceOf, context: FailureContext) -> None:
        super().__init__(locator)
        self.context = context
        self._what = locator.test or (f"cluster {locator.cluster[:8]}" if locator.cluster else locator.of)
        self._words = ""  # what was found; known with the rows
        self._summary = ""
        self._looked: set[int] = set()  # places
        self._reader: FailureReader | None = None

    @property
    def work(self) -> LoadingWork | None:
        """First what failed is read, then earlier runs are, of which nobody knows how many it takes."""
        reading = self._reader.work if self._reader is not None else None
        return reading or (LoadingWork(len(self._looked), None, "earlier runs looked at") if self._looked else None)

    @property
    def title(self) -> str:
        return self._words or f"since when {self._what} fails"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        http = CountingHttp(self.context.http)
        self._summary, self._looked = "", set()
        start = self._find_start(FailureContext(http, self.context.settings), cancel)
        if start is None:
            yield Page(SINCE.empty(), Freshness(), 0)
            return
        subject, target = start
        if not self.locator.test and not self.locator.cluster:
            self._what = subject.job or subject.id
        history = self._history(subject, target, http, cancel)
        boundary = self._search(history, cancel)
        frame, words, note = self._describe(history, boundary, cancel)
        self._words = f"{words}: {self._what}"
        known = sum(place.known is not None for place in history.places)
        looks = len(self._looked)
        seen = (
            f"{noun_for(len(history.places), history.noun)} of {history.job}: {known:,} known by their result, "
            f"{looks:,} looked at, {len(history.places) - known - looks:,} not"
        )
        requests = noun_for(http.requests, ("request", "requests"))
        notes = [note, *history.notes, f"{seen}; {requests}."]
        self._summary = " · ".join(filter(None, (self._summary, f"{looks:,} looked at", requests)))
        yield Page(frame, Freshness(), len(frame), replace=True, note=" ".join(filter(None, notes)))

    # ---- what is followed back

    def _find_start(self, context: FailureContext, cancel: CancelToken) -> tuple[Subject, Target] | None:
        """The run that failed, and what to look for in earlier ones; None where nothing failed."""
        at = self.locator
        if not at.test and not at.cluster:
            of, source = at.of, source_locator(at.of, context.settings)
            if isinstance(source, ProwPath) and source.route.place.is_job and not source.route.base:
                build = newest_ended_build(source, context.http, context.settings, cancel)
                if build is None:
                    return None
                of = build.text()
            found = find_subjects(of, context.http, context.settings, cancel)
            jobs = {subject.job for subject in found.subjects}
            if len(jobs) > 1:
                raise UsageError(
                    f"{len(jobs):,} jobs failed there.", "Name one of them, or a test or cluster of their failures."
                )
            return (found.subjects[0], Target()) if found.subjects else None
        reader = self._reader = FailureReader(at.of, context)
        frames = [FAILURES.empty(), *(frame for frame, _ in reader.frames(cancel))]
        rows = with_clusters(pl.concat(frames)).with_columns(text=cause_text())
        same = pl.lit(True)
        if at.test:
            same &= pl.col("test") == at.test
        if at.cluster:
            same &= pl.col("cluster") == at.cluster
        rows = rows.filter(same)
        if rows.is_empty():
            what = "this test" if at.test else "this cluster"
            raise UsageError(
                f"There is no failure of {what} there.",
                "`ciexplore failures` with the same locator lists what there is (--by test, --by cluster).",
            )
        counts = rows.group_by("job").len().sort("len", "job", descending=[True, False])
        rows = rows.filter(pl.col("job").eq_missing(counts["job"][0])).sort("time", descending=True, nulls_last=True)
        subject = reader.subjects[str(rows["key"][0]).rpartition("#")[0]]
        texts = () if at.test else tuple(rows["text"].unique(maintain_order=True).head(MAX_SAMPLES).to_list())
        if at.cluster and not at.test:
            self._what = f"cluster {at.cluster[:8]} ({' '.join(str(rows['text'][0]).split())[:60]})"
        return subject, Target(at.test, texts)

    def _history(self, subject: Subject, target: Target, http: CountingHttp, cancel: CancelToken) -> History:
        opens, settings = subject.opens, self.context.settings
        if isinstance(opens, Task):
            return task_history(opens, target, http, settings, cancel)
        if isinstance(opens, ProwPath):
            return build_history(opens, target, http, settings, cancel)
        raise UsageError(f"The folder of {subject.id} is not known, so its earlier builds are not either.")

    # ---- the search

    def _search(self, history: History, cancel: CancelToken) -> Boundary:
        known = {number: place.known for number, place in enumerate(history.places) if place.known is not None}
        every = self.locator.every
        if every:
            known |= self._look_at(history, range(len(history.places)), known, cancel)

        def look(number: int) -> RunCounts:
            cancel.check()
            self._looked.add(number)
            return history.places[number].look(cancel)

        return find_boundary(len(history.places), look, known, every=every)

    def _look_at(
        self, history: History, numbers: range, known: dict[int, RunCounts], cancel: CancelToken
    ) -> dict[int, RunCounts]:
        """What the places tell that are not known, looked at in parallel."""

        def look(number: int, own: CancelToken) -> RunCounts:
            return history.places[number].look(own)

        missing = [number for number in numbers if number not in known]
        self._looked.update(missing)
        return dict(map_pairs(look, missing, cancel))

    def _describe(self, history: History, boundary: Boundary, cancel: CancelToken) -> tuple[pl.DataFrame, str, str]:
        """The rows, the finding for the title, and what the note says of it."""
        if boundary.finding is Finding.NOT_FAILING:
            newest = boundary.counts.get(0)
            if newest is None or not newest.runs:
                return SINCE.empty(), "no result", "The run has none: it was cancelled, lost, or is not over."
            if self.locator.test or self.locator.cluster:
                return SINCE.empty(), "no failed run", "It failed in a run that passed as a whole, e.g. when run again."
            return SINCE.empty(), "not failing", "The run did not fail."
        if boundary.first_failure is not None and boundary.last_pass is not None:
            return self._describe_range(history, boundary, boundary.first_failure, boundary.last_pass, cancel)
        counts = dict(boundary.counts)
        if boundary.finding is Finding.INTERMITTENT:
            counts |= self._look_at(history, range(min(len(history.places), RATED)), counts, cancel)
            counts = {number: one for number, one in counts.items() if number < RATED}
        runs, failures = (sum(getattr(one, name) for one in counts.values()) for name in ("runs", "failures"))
        silent = sum(not one.runs for one in counts.values())
        note = f"{noun_for(silent, history.noun)} gave no result (no run, expired, or unreadable)." if silent else ""
        frame = rate_rows(history, counts)
        if boundary.finding is Finding.INTERMITTENT:
            words = f"intermittent: {failures:,} of {noun_for(runs, ('run', 'runs'))}"
            return frame, words, f"Passes and failures mix, so no {history.noun[0]} is blamed. {note}".strip()
        if len(history.places) == 1:
            return frame, "no earlier runs", "No earlier run is known."
        words = f"no pass found in {noun_for(runs, ('run', 'runs'))}"
        return (
            frame,
            words,
            f"All that was looked at failed, back to {_name(history.describe(max(counts), cancel))}. {note}".strip(),
        )

    def _describe_range(
        self, history: History, boundary: Boundary, first: int, last: int, cancel: CancelToken
    ) -> tuple[pl.DataFrame, str, str]:
        suspects = history.suspects(first, last, cancel)
        passed = history.describe(last, cancel)
        seen = {history.places[number].name: one for number, one in boundary.counts.items()}
        frame = suspect_rows(suspects, seen, history.places[first].name)
        self._summary = f"last passed in {passed.name}"
        failed = next(one for one in suspects if one.key == history.places[first].name)
        unseen, idle = boundary.unseen, len(suspects) - 1 - boundary.unseen
        between = [
            f"{noun_for(count, history.noun)} between {words}"
            for count, words in ((unseen, "gave no result"), (idle, "did not run it"))
            if count
        ]
        note = f"{', '.join([f'Last passed in {_name(passed)}, first failed in {_name(failed)}', *between])}."
        if sum(one.failures > 0 for one in boundary.counts.values()) == 1:
            return frame, f"failed once, in {failed.name}", f"{note} It may be intermittent."
        return frame, f"fails since {failed.name}", note

    # ---- rows

    def open(self, row: Row) -> Locator | None:
        return parse_locator(str(row["opens"]), self.context.settings) if row.get("opens") else None

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        entries: list[Entry] = []
        if row is not None and (opens := self.open(row)) is not None:
            entries.append(Link("Its jobs or files", opens, letter="t"))
        if row is not None and row.get("url"):
            entries.append(Link("Its changes in the browser", str(row["url"]), letter="c"))
        source = source_locator(self.locator.of, self.context.settings)
        entries.append(Link("What failed", source, letter="w", group=LIST))
        entries.append(Link("All its failures", FailuresOf(source.text()), letter="Y", group=LIST))
        if not self.locator.every:
            at = self.locator
            every = SinceOf(at.of, at.test, at.cluster, every=True)
            entries.append(Link("Look at every earlier run", every, letter="e", group=LIST))
        return entries

    def web_url(self, row: Row | None = None) -> str | None:
        return str(row["page"]) if row is not None and row.get("page") else None

    def row_title(self, row: Row) -> str:
        return str(row.get("message") or row["name"])

    def summary(self, frame: pl.DataFrame) -> str:
        """ "last passed in bb528af5211d · 4 looked at · 18 requests"."""
        return self._summary


def _name(suspect: Suspect) -> str:
    if suspect.time is None:
        return suspect.name
    return f"{suspect.name} ({datetime.fromtimestamp(suspect.time / 1000, UTC):%Y-%m-%d %H:%M})"
