"""Repositories, frameworks and signatures as lists: the way to what Perfherder measures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.locators.perfherder import (
    AlertSummaries,
    ComparedValues,
    Frameworks,
    PerfherderLocator,
    Pushes,
    Repositories,
    Series,
    SeriesRef,
    Side,
    Signatures,
)
from backends.locators.perfherder_pages import alerts_url, graph_url, pushes_url, reference_url, signatures_url
from backends.resources import Detail, Entry, Link, Page, Row
from backends.treeherder.client import Treeherder
from backends.treeherder.columns import FRAMEWORKS, REPOSITORIES, SIGNATURES, SUBTESTS
from backends.treeherder.datasets.lists import dataset_question
from backends.treeherder.listed import INTERVAL, TreeherderList, Where, counts, need, told
from backends.treeherder.narrowing import other_signatures

MOST_SERIES = 6  # as many colours as tell series apart
DAYS = (1, 7, 14, 30, 60, 90, 365)


def framework_id(treeherder: Treeherder, framework: str, cancel: CancelToken | None = None) -> int | None:
    """The number of a framework that is given by name or number; None for "". Raises `UsageError`."""
    if not framework:
        return None
    names = treeherder.framework_names(cancel)
    by_name = {name.lower(): number for number, name in names.items()}
    if framework.lower() in by_name:
        return by_name[framework.lower()]
    if framework.isascii() and framework.isdigit():  # one that is disabled is not listed and still has signatures
        return int(framework)
    raise UsageError(f"There is no framework {framework[:60]!r}.", f"Known: {', '.join(sorted(by_name))}.")


def unlisted(treeherder: Treeherder, number: int | None, frame: pl.DataFrame, cancel: CancelToken | None = None) -> str:
    """What is to be said of an empty list of a framework that the server does not know by this number; "" else."""
    if number is None or len(frame) or number in treeherder.framework_names(cancel):
        return ""
    return f"Treeherder has no framework {number}, or has switched it off."


class RepositoryList(TreeherderList):
    """Active repositories, those with performance alerts first. Enter: the frameworks that measure it."""

    schema = REPOSITORIES
    noun = ("repository", "repositories")
    locator: Repositories

    @property
    def title(self) -> str:
        return "Perfherder"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        rows = self.treeherder.repositories(cancel)
        yield Page(rows.frame, rows.origin, total=len(rows.frame), note=rows.note)

    def open(self, row: Row) -> Frameworks:
        return Frameworks(str(row["name"]), self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        general: list[Entry] = [Link("All alerts, newest first", AlertSummaries(server=self.server))]
        if row is None:
            return [*general, dataset_question("", self.last_dataset)]
        name = str(row["name"])
        return [
            Link(f"Pushes of {name}", Pushes(name, server=self.server)),
            Link(f"Alerts on {name}", AlertSummaries(name, server=self.server)),
            Link(f"Signatures of {name}, all frameworks", Signatures(name, server=self.server)),
            *general,
            dataset_question(name, self.last_dataset),
        ]

    def detail(self, row: Row) -> Detail:
        return Detail(str(row["name"]), (("Repository", told(row, REPOSITORIES, REPOSITORIES.names[1:])),))

    def web_url(self, row: Row | None = None) -> str:
        base = self.treeherder.base
        return reference_url(base, self.locator) if row is None else pushes_url(base, Pushes(str(row["name"])))


class FrameworkList(TreeherderList):
    """Enabled frameworks. Enter: the signatures of the repository, or the alerts where none is named."""

    schema = FRAMEWORKS
    noun = ("framework", "frameworks")
    locator: Frameworks

    @property
    def title(self) -> str:
        return self.locator.repository or "frameworks"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        if self.locator.repository:
            self.treeherder.check_repository(self.locator.repository, cancel)
        rows = self.treeherder.frameworks(cancel)
        yield Page(rows.frame, rows.origin, total=len(rows.frame), note=rows.note)

    def open(self, row: Row) -> Signatures | AlertSummaries:
        name = str(row["name"])
        if self.locator.repository:
            return Signatures(self.locator.repository, name, server=self.server)
        return AlertSummaries(framework=name, server=self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        repository = self.locator.repository
        found: list[Entry] = []
        if row is not None:
            name = str(row["name"])
            if repository:
                several = Signatures(repository, name, subtests=True, server=self.server)
                found.append(Link(f"Signatures of {name} with subtests", several))
            found.append(Link(f"Alerts of {name}", AlertSummaries(repository, name, server=self.server)))
        if repository:
            every = Signatures(repository, server=self.server)
            found.append(Link("Signatures of all frameworks", every))
            found.append(Link("Signatures of all frameworks with subtests", replace(every, subtests=True)))
            found.append(Link(f"Pushes of {repository}", Pushes(repository, server=self.server)))
        return [*found, dataset_question(repository, self.last_dataset)]

    def detail(self, row: Row) -> Detail:
        return Detail(str(row["name"]), (("Framework", told(row, FRAMEWORKS, FRAMEWORKS.names)),))

    def web_url(self, row: Row | None = None) -> str:
        if row is None:
            return reference_url(self.treeherder.base, self.locator)
        return alerts_url(self.treeherder.base, AlertSummaries(framework=str(row["framework_id"])))


class SignatureList(TreeherderList):
    """Signatures of a repository. Enter: the subtests of a suite, else its series. A: the series of those marked."""

    schema = SIGNATURES
    noun = ("signature", "signatures")
    empty_text = "Nothing was measured here in this interval; x offers longer ones."
    locator: Signatures

    def __init__(self, locator: Signatures, where: Where) -> None:
        super().__init__(locator, where)
        self.interval = locator.interval or INTERVAL
        self._suite = ""  # known with the first rows
        self._framework: int | None = None  # its number; known once read

    @property
    def title(self) -> str:
        framework = self.locator.framework or "all frameworks"
        parent = f" {self._suite or 'subtests'}" if self.locator.parent else ""
        if self.locator.subtests and not parent:
            parent = " with subtests"
        return f"{self.locator.repository} {framework}{parent}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """All of them in one answer: the server does not page them."""
        self._framework = number = framework_id(self.treeherder, self.locator.framework, cancel)
        rows = self.treeherder.signatures(
            self.locator.repository,
            frameworks=() if number is None else (number,),
            interval=None if self.locator.parent else self.interval,
            subtests=None if self.locator.subtests or self.locator.parent else False,
            parent=self.locator.parent,
            platform=self.locator.platform,
            cancel=cancel,
        )
        suites = rows.frame["suite"].drop_nulls().unique()
        self._suite = str(suites[0]) if len(suites) == 1 else ""
        note = " ".join(part for part in (rows.note, unlisted(self.treeherder, number, rows.frame, cancel)) if part)
        yield Page(rows.frame, rows.origin, total=len(rows.frame), note=note)

    def open(self, row: Row) -> Series:
        return Series((self._ref(row),), self.locator.interval, server=self.server)

    def shows(self, row: Row) -> PerfherderLocator:
        return self._subtests(row) or self.open(row)

    def _ref(self, row: Row) -> SeriesRef:
        return SeriesRef(self.locator.repository, str(row["signature_id"]), str(row.get("framework_id") or ""))

    def _subtests(self, row: Row) -> Signatures | None:
        if row.get("subtests") != "yes" or not row.get("signature_hash"):
            return None
        framework = str(row.get("framework") or self.locator.framework)
        return Signatures(
            self.locator.repository, framework, self.locator.interval, parent=str(row["signature_hash"]),
            server=self.server,
        )  # fmt: skip

    def open_marked(self, rows: pl.DataFrame) -> Series:
        """The list of points says so where it is more than it reads."""
        refs = tuple(self._ref(row) for row in rows.iter_rows(named=True))
        return Series(refs, self.locator.interval, server=self.server)

    def compare(self, rows: pl.DataFrame) -> ComparedValues:
        """The values of two signatures over the interval, such as those of two platforms."""
        need(rows, 2, "signatures")
        start = int(time.time()) - self.interval
        base, new = (Side(self._ref(row), start=start) for row in rows.iter_rows(named=True))
        return ComparedValues(base, new, server=self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        found: list[Entry] = []
        if row is not None:
            found.append(Link("Its series", self.open(row)))
            subtests = self._subtests(row)
            if subtests is not None:
                found.append(Link("Its subtests", subtests))
            signature = int(row["signature_id"])
            found.append(
                Link("Alerts on it", AlertSummaries(self.locator.repository, signature=signature, server=self.server))
            )
        if 0 < len(rows) <= MOST_SERIES:
            found.append(Link(f"The series of these {len(rows)}", self.open_marked(rows)))
        return found if self.locator.parent else [*found, *other_signatures(self.locator, self.interval)]

    def detail(self, row: Row) -> Detail:
        names = [name for name in SIGNATURES.names if name not in ("suite", "test", "repository")]
        title = " ".join(str(row[name]) for name in ("suite", "test") if row.get(name))
        alerts = {"yes": "yes", "no": "no"}.get(str(row.get("should_alert")), "no preference: if nothing above it does")
        lines = tuple((label, alerts if label == "Alerts" else text) for label, text in told(row, SIGNATURES, names))
        return Detail(title, (("Signature", lines),))

    def web_url(self, row: Row | None = None) -> str:
        if row is not None:
            return graph_url(self.treeherder.base, self.open(row))
        frameworks = {} if self._framework is None else {self.locator.framework.lower(): self._framework}
        return signatures_url(self.treeherder.base, self.locator, frameworks)

    def summary(self, frame: pl.DataFrame) -> str:
        suites, platforms = frame["suite"].n_unique(), frame["platform"].n_unique()
        return " · ".join([f"{suites:,} suites", f"{platforms:,} platforms", *counts(frame, "framework", 3)])


class SubtestList(SignatureList):
    """The subtests of one suite. Enter: the series of one."""

    schema = SUBTESTS
