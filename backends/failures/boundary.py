"""Where a history of runs turns from passes to failures, found by few looks.

A history is a sequence of places, the newest first; place 0 has failed. Looking at one costs requests, so it is done
where that decides most: first ever farther back (1, 2, 4, 16, 256, ...) until something passed, then halfway between
the last pass and the oldest failure. That takes log2(n) looks and a few. Two places that are next to each other prove
nothing about a test that fails now and then; so both sides are looked at some more, until what was seen would be
unlikely (`UNLIKELY`) of a test that fails with one rate all the time, whatever that rate is. As soon as a pass is newer
than a failure there is no boundary.

What was not looked at can still hide a pass among failures, with at most that chance. `every` looks at all places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

WITNESSES = 4  # failures besides the first that are looked at, where there are as many
MOST_PASSES = 12  # that are looked at before the first failure, where few failures are known
UNLIKELY = 0.005
MOST_SILENT = 12  # places that tell nothing before the search is given up


@dataclass(frozen=True)
class RunCounts:
    """What a place tells: how often the thing ran there, and how often it failed. Nothing ran: it tells nothing."""

    runs: int = 0
    failures: int = 0

    @property
    def passed(self) -> bool:
        return self.runs > 0 and not self.failures

    @property
    def failed(self) -> bool:
        return self.runs > 0 and self.failures == self.runs

    @property
    def is_mixed(self) -> bool:
        return 0 < self.failures < self.runs


PASSED, FAILED, SILENT = RunCounts(1), RunCounts(1, 1), RunCounts()


class Finding(StrEnum):
    """`NO_PASS`: all that was looked at failed, or gave no result. `NOT_FAILING`: the newest place did not fail."""

    REGRESSION = "regression"
    INTERMITTENT = "intermittent"
    NO_PASS = "no pass"  # noqa: S105 - a finding
    NOT_FAILING = "not failing"


@dataclass(frozen=True)
class Boundary:
    """`last_pass`, `first_failure`: places (0 is the newest), None where there is none. `counts`: what was seen, by
    place; `looks`: how many of these were looked at for it."""

    finding: Finding
    first_failure: int | None
    last_pass: int | None
    counts: Mapping[int, RunCounts]
    looks: int

    @property
    def unseen(self) -> int:
        """Places between the two that tell nothing, or were not looked at."""
        if self.first_failure is None or self.last_pass is None:
            return 0
        return self.last_pass - self.first_failure - 1


def find_boundary(
    count: int, look: Callable[[int], RunCounts], known: Mapping[int, RunCounts] | None = None, *, every: bool = False
) -> Boundary:
    """The boundary in `count` places. `known`: what is known without a look. Raises what `look` raises."""
    return _Search(count, look, dict(known or {})).run(every=every)


class _Search:
    def __init__(self, count: int, look: Callable[[int], RunCounts], counts: dict[int, RunCounts]) -> None:
        self.count, self.look, self.counts = count, look, counts
        self.looks = self.silent = 0

    def look_at(self, place: int) -> RunCounts:
        if place not in self.counts:
            self.counts[place] = self.look(place)
            self.looks += 1
            self.silent += not self.counts[place].runs
        return self.counts[place]

    @property
    def is_given_up(self) -> bool:
        return self.silent >= MOST_SILENT

    def newest_pass(self) -> int | None:
        """The newest place where something passed."""
        return min((place for place, seen in self.counts.items() if seen.failures < seen.runs), default=None)

    def oldest_failure(self, before: int) -> int:
        return max((place for place, seen in self.counts.items() if seen.failures and place < before), default=0)

    def run(self, *, every: bool) -> Boundary:
        if not self.count or not self.look_at(0).failures:
            return self.end(Finding.NOT_FAILING)
        if every:
            for place in range(self.count):
                self.look_at(place)
        if self.counts[0].is_mixed:
            return self.end(Finding.INTERMITTENT)
        self.find_a_pass()
        while (last_pass := self.newest_pass()) is not None:
            if self.counts[last_pass].is_mixed:
                return self.end(Finding.INTERMITTENT)
            failure = self.oldest_failure(last_pass)
            between = [place for place in range(failure + 1, last_pass) if place not in self.counts]
            if not between or self.is_given_up:
                return self.confirm(failure, last_pass, every=every)
            middle = (failure + last_pass) / 2
            self.look_at(min(between, key=lambda place: (abs(place - middle), place)))
        return self.end(Finding.NO_PASS)

    def find_a_pass(self) -> None:
        for place in _farther_back(self.count):
            for other in range(place, min(place + 3, self.count)):  # where one tells nothing, its neighbour
                if self.newest_pass() is not None or self.is_given_up:
                    return
                if self.look_at(other).runs:
                    break

    def confirm(self, failure: int, last_pass: int, *, every: bool) -> Boundary:
        """Looks at both sides until enough agree, or one disagrees."""
        is_monotone = self.has_witnesses(_spread(failure), lambda seen: seen.failed)
        failures = sum(seen.failed for place, seen in self.counts.items() if place <= failure)
        older = range(last_pass + 1, self.count)
        wanted = passes_before(failures) - 1
        is_monotone = is_monotone and self.has_witnesses(iter(older), lambda seen: seen.passed, wanted)
        if every:
            is_monotone = is_monotone and not any(
                seen.failures for place, seen in self.counts.items() if place > last_pass
            )
        if not is_monotone:
            return self.end(Finding.INTERMITTENT)
        return self.end(Finding.REGRESSION, failure, last_pass)

    def has_witnesses(
        self, places: Iterator[int], agrees: Callable[[RunCounts], bool], wanted: int = WITNESSES
    ) -> bool:
        """Whether none of the places that tell something disagrees before `wanted` have agreed."""
        agreed = silent = 0
        for place in places:
            seen = self.look_at(place)
            if seen.runs and not agrees(seen):
                return False
            agreed += bool(seen.runs)
            silent += not seen.runs
            if agreed >= wanted or silent >= MOST_SILENT:
                break
        return True

    def end(self, finding: Finding, first_failure: int | None = None, last_pass: int | None = None) -> Boundary:
        return Boundary(finding, first_failure, last_pass, self.counts, self.looks)


def passes_before(failures: int) -> int:
    """How many passes before so many failures a history needs: until the rate that explains both best explains them
    with a chance of `UNLIKELY`, at most `MOST_PASSES`. The newest failure is where the search begins and proves
    nothing."""
    more = failures - 1

    def chance(passes: int) -> float:
        rate = more / (more + passes)
        return float(rate**more * (1 - rate) ** passes)

    return next((passes for passes in range(1, MOST_PASSES) if chance(passes) <= UNLIKELY), MOST_PASSES)


def _farther_back(count: int) -> Iterator[int]:
    place = 1
    while place < count - 1:
        yield place
        place = 2 if place == 1 else place * place
    if count > 1:
        yield count - 1


def _spread(end: int) -> Iterator[int]:
    """The places from 0 to `end`, first those that divide them into equal parts."""
    seen = set[int]()
    parts = 1
    while len(seen) <= end:
        for part in range(parts + 1):
            place = end * part // parts
            if place not in seen:
                seen.add(place)
                yield place
        parts *= 2
