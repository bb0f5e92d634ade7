"""Earlier runs of what failed, the newest first, and what each tells about one test, cluster or job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from backends.cancel import CancelToken
from backends.failures.boundary import FAILED, PASSED, SILENT, RunCounts
from backends.failures.clustering import cluster
from backends.failures.find_subjects import noun_for
from backends.failures.lists import FAILURES, FailureRow, cause_text
from backends.failures.records import Failure
from backends.failures.subjects import TROUBLES, Outcome
from backends.frames.schema import Column, Kind, Schema

RUNS = 100  # earlier pushes or builds that are considered
FLAKED = RunCounts(2, 1)  # a failure and a pass of the same run

SINCE = Schema(
    (
        Column("state", Kind.STATE, "State", width=12, section="Runs"),
        Column("time", Kind.TIME, "Time", section="Change"),
        Column("name", Kind.ID, "Push or build", width=13, section="Change"),
        Column("author", Kind.TEXT, "Author", width=20, section="Change"),
        Column("message", Kind.TEXT, "Message", width=40, is_name=True, section="Change"),
        Column("commits", Kind.COUNT, "Commits", section="Change"),
        Column("runs", Kind.COUNT, "Runs", section="Runs"),
        Column("failures", Kind.COUNT, "Failures", section="Runs"),
        Column("rate", Kind.NUMBER, "Failed", "%", section="Runs"),
        Column("revision", Kind.ID, "Revision", hidden=True, section="Change"),
        Column("url", Kind.TEXT, "Changes in the browser", hidden=True, section="Change"),
        Column("page", Kind.TEXT, "Page", hidden=True, searched=False, section="Change"),
        Column("opens", Kind.TEXT, "Opens", hidden=True, searched=False),
    ),
    key="key",
)


@dataclass(frozen=True)
class Place:
    """A push or a build at which something ran. `time`: epoch ms. `known`: what it tells without a request.

    `look` asks servers and raises only `OperationCancelledError`s; what cannot be read tells nothing.
    """

    name: str
    look: Callable[[CancelToken], RunCounts] = field(compare=False, repr=False)
    known: RunCounts | None = None
    time: int | None = None


@dataclass(frozen=True)
class Suspect:
    """A push or build that may have begun it, a row of `SINCE`. `key`: the name of its `Place`. `time`: epoch ms."""

    key: str
    name: str
    time: int | None = None
    author: str = ""
    message: str = ""
    commits: int | None = None
    revision: str = ""
    url: str = ""  # of its changes
    opens: str = ""  # a locator's text
    page: str = ""  # its own in the browser


class History:
    """The earlier runs of one job. `places`: the newest first; the first is the one that failed. `notes`:
    sentences about where they come from and what is missing."""

    noun = ("push", "pushes")

    def __init__(self, places: Sequence[Place], job: str, notes: Sequence[str] = ()) -> None:
        self.places, self.job, self.notes = list(places), job, list(notes)

    def suspects(self, first_failure: int, last_pass: int, cancel: CancelToken) -> list[Suspect]:
        """What came after the last pass, up to the first failure, the newest first. Raises `AppError`s."""
        raise NotImplementedError

    def describe(self, place: int, cancel: CancelToken) -> Suspect:
        """One place, as far as that costs no more than a request."""
        one = self.places[place]
        return Suspect(one.name, one.name, one.time)


@dataclass(frozen=True)
class Target:
    """What is followed back: a test, a cluster (`texts`: causes of its failures), or (neither) the job itself."""

    test: str = ""
    texts: tuple[str, ...] = ()

    @property
    def is_job(self) -> bool:
        return not self.test and not self.texts

    def judge(self, outcome: Outcome) -> RunCounts:
        """What the failures of a failed run tell. A test or cluster that is not among them counts as passed where the
        run's files list failed tests; where only its log or its end tells of errors it may not have run."""
        if self.is_job:
            return FAILED
        failures = [one for one in outcome.failures if one.status not in TROUBLES]
        found = [one for one, is_same in zip(failures, self._matches(failures), strict=True) if is_same]
        if found:
            return FLAKED if all(one.retried == "passed" for one in found) else FAILED
        lists_tests = any(one.test for one in failures) and len(failures) == len(outcome.failures)
        return PASSED if lists_tests else SILENT

    def _matches(self, failures: Sequence[Failure]) -> list[bool]:
        if self.test:
            return [one.test == self.test for one in failures]
        if not failures:
            return []
        rows = [FailureRow(one, "", None, "", "", None, number) for number, one in enumerate(failures)]
        texts = FAILURES.build(rows).select(text=cause_text())["text"]
        ids = cluster(pl.concat([pl.Series("text", self.texts, dtype=pl.String), texts]))["cluster"].to_list()
        own = set(ids[: len(self.texts)])
        return [one in own for one in ids[len(self.texts) :]]


def rate_rows(history: History, counts: Mapping[int, RunCounts]) -> pl.DataFrame:
    """One row (`SINCE`) for each day (UTC) or, where all is of two days, for each eight places, the newest first."""
    seen = [(number, one) for number, one in sorted(counts.items()) if one.runs]
    times = [history.places[number].time for number, _ in seen]
    known = [time for time in times if time is not None]
    by_day = len(known) == len(times) and bool(known) and max(known) - min(known) > 2 * 86_400_000
    groups: dict[str, list[tuple[int, RunCounts]]] = {}
    for order, (number, one) in enumerate(seen):
        time = history.places[number].time
        day = "" if time is None else datetime.fromtimestamp(time / 1000, UTC).date().isoformat()
        groups.setdefault(day if by_day else str(order // 8), []).append((number, one))
    rows = []
    for key, members in groups.items():
        runs, failures = (sum(getattr(one, name) for _, one in members) for name in ("runs", "failures"))
        newest, oldest = (history.places[members[at][0]] for at in (0, -1))
        state = "failed" if failures == runs else "flaky" if failures else "passed"
        name = key if by_day else newest.name if len(members) == 1 else f"{oldest.name}..{newest.name}"
        what = noun_for(len(members), history.noun)
        rows.append(
            {"key": key, "state": state, "time": newest.time, "name": name, "message": what, "runs": runs,
             "failures": failures, "rate": 100 * failures / runs}
        )  # fmt: skip
    return _frame(rows)


def suspect_rows(suspects: Sequence[Suspect], counts: Mapping[str, RunCounts], first_failure: str) -> pl.DataFrame:
    """One row (`SINCE`) a suspect. `counts`: by name, what was seen there."""
    rows = []
    for one in suspects:
        seen = counts.get(one.key, SILENT)
        state = "failed" if one.key == first_failure else "unknown" if one.key in counts else "not run"
        rows.append(
            {"key": one.key, "state": state, "time": one.time, "name": one.name, "author": one.author or None,
             "message": one.message or None, "commits": one.commits, "runs": seen.runs or None,
             "failures": seen.failures if seen.runs else None,
             "rate": 100 * seen.failures / seen.runs if seen.runs else None, "revision": one.revision or None,
             "url": one.url or None, "page": one.page or None, "opens": one.opens or None}
        )  # fmt: skip
    return _frame(rows)


def _frame(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    types = SINCE.polars()
    columns = {
        name: pl.Series(name, [row.get(name) for row in rows], pl.Int64 if name == "time" else dtype).cast(dtype)
        for name, dtype in types.items()
    }
    return pl.DataFrame(columns)
