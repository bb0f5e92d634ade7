"""Repositories, frameworks and signatures as lists: the way to what Perfherder measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from backends.cancel import CancelToken
from backends.frames.getters import optional, yes_if
from backends.frames.schema import Column, FromRows, Kind, Schema, StructRows, cells_of
from backends.garbage import paused_collection
from backends.listings import refine
from backends.resources import LIST, ROWS, Entry, Link, Page, Question, Row
from backends.treeherder.base import (
    Context,
    TreeherderList,
    as_number,
    count_values,
    format_days,
    id_column,
    join_words,
    parse_seconds,
    require_marked,
    row_words,
    with_layout,
    with_sections,
)
from backends.treeherder.datasets.lists import dataset_question, last_dataset
from backends.treeherder.locators import (
    INTERVAL,
    AlertSummaries,
    ComparedValues,
    Frameworks,
    Pushes,
    Repositories,
    Series,
    SeriesRef,
    Side,
    Signatures,
    TreeherderLocator,
)
from backends.treeherder.models import NamedId, PerformanceSignature, TreeherderRepository
from backends.treeherder.web_urls import (
    alerts_url,
    framework_name,
    graph_url,
    pushes_url,
    reference_url,
    signatures_url,
)

AT_ONCE = 5000  # rows that become columns together: as many as the processor's cache holds
MOST_SERIES = 6  # as many colours as tell series apart

# Those columns come first by which rows are judged and told apart: of most lists 80 cells show five or six.
REPOSITORIES = Schema(
    (
        Column("name", Kind.TEXT, "Repository", width=20, get="name"),
        Column("group", Kind.TEXT, "Group", get=lambda row: row.repository_group and row.repository_group.name),
        Column("codebase", Kind.TEXT, "Codebase", get=optional("codebase")),
        Column("alerts", Kind.TEXT, "Perf alerts", get=yes_if("performance_alerts_enabled")),
        Column("try", Kind.TEXT, "Try", get=yes_if("is_try_repo")),
        Column("dvcs", Kind.TEXT, "VCS", get="dvcs_type"),
        Column("url", Kind.TEXT, "URL", get="url"),
        Column("status", Kind.STATE, "Status", hidden=True, get="active_status"),
        id_column("repository_id", "Id", hidden=True, get="id"),
        Column("tc_root_url", Kind.TEXT, "Taskcluster", hidden=True, get=optional("tc_root_url")),
    ),
    key="name",
)
REPOSITORIES = with_sections(REPOSITORIES, {"Repository": REPOSITORIES.names[1:]})

FRAMEWORKS = Schema(
    (
        id_column("framework_id", "Id", section="Framework", get="id"),
        Column("name", Kind.TEXT, "Framework", width=24, section="Framework", get="name"),
    ),
    key="name",
)


@dataclass(frozen=True)
class _Names:
    """What signatures do not say themselves: their repository, the names of build options and frameworks."""

    repository: str
    options: Mapping[str, str]
    frameworks: Mapping[int, str]


def _joined_words(name: str) -> FromRows:
    """A tuple of texts on one line, `join_words` of each."""

    def join(rows: Sequence[Any], _: Any) -> pl.Series:
        cells = cells_of(rows, name)
        joined = pl.Series(name, list(map(" ".join, cells)), dtype=pl.String)
        odd = joined.str.starts_with(" ") | joined.str.ends_with(" ") | joined.str.contains("  ", literal=True)
        if places := odd.arg_true().to_list():  # an empty text may be among them
            joined = joined.scatter(places, [join_words(cells[place]) for place in places])
        return joined.set(joined == "", None)

    return FromRows(join)


def _word_for(name: str, words: Mapping[bool | None, str]) -> FromRows:
    return FromRows(lambda rows, _: list(map(words.get, cells_of(rows, name))))


def _name_by(name: str, names: Callable[[_Names], Mapping[Any, str]]) -> FromRows:
    """What a number or a hash stands for."""
    return FromRows(lambda rows, context: list(map(names(context).get, cells_of(rows, name))))


_BETTER: Mapping[bool | None, str] = {True: "lower", False: "higher"}
# No preference is null: then a suite alerts, and a subtest only if its suite has no value of its own.
_ALERTS: Mapping[bool | None, str] = {True: "yes", False: "no"}


SIGNATURES = Schema(
    (
        Column("suite", Kind.TEXT, "Suite", width=19, get="suite"),
        Column("test", Kind.TEXT, "Test", width=8, get=optional("test")),
        Column("platform", Kind.TEXT, "Platform", width=19, keeps_end=True, get="machine_platform"),
        Column("options", Kind.TEXT, "Options", width=15, get=_joined_words("extra_options")),
        Column("application", Kind.TEXT, "Application", get=optional("application")),
        Column("option", Kind.TEXT, "Build", get=_name_by("option_collection_hash", lambda names: names.options)),
        Column("unit", Kind.TEXT, "Unit", get=optional("measurement_unit")),
        Column("better", Kind.TEXT, "Better", get=_word_for("lower_is_better", _BETTER)),
        Column("should_alert", Kind.TEXT, "Alerts", get=_word_for("should_alert", _ALERTS)),
        Column("tags", Kind.TEXT, "Tags", get=_joined_words("tags")),
        Column("subtests", Kind.TEXT, "Subtests", get=yes_if("has_subtests")),
        Column("framework", Kind.TEXT, "Framework", get=_name_by("framework_id", lambda names: names.frameworks)),
        id_column("signature_id", "Id", get="id"),
        Column("signature_hash", Kind.ID, "Hash", hidden=True, get="signature_hash"),
        Column("parent_hash", Kind.ID, "Parent hash", hidden=True, searched=False, get="parent_signature"),
        id_column("framework_id", "Framework id", hidden=True, get="framework_id"),
        Column("option_hash", Kind.ID, "Option hash", hidden=True, searched=False, get="option_collection_hash"),
        Column(
            "repository", Kind.TEXT, "Repository", hidden=True, searched=False,
            get=FromRows(lambda rows, names: pl.repeat(names.repository, len(rows), dtype=pl.String, eager=True)),
        ),
    ),
    key="key",
    key_get="id",
)  # fmt: skip
SIGNATURES = with_sections(SIGNATURES, {"Signature": SIGNATURES.names[2:-1]})
SUBTESTS = with_layout(SIGNATURES, hidden=("suite",), test=26)  # of one suite, which the title names


def repository_frame(repositories: Sequence[TreeherderRepository]) -> pl.DataFrame:
    """Those that raise performance alerts first, then by name."""
    frame = REPOSITORIES.build([row for row in repositories if row.name])
    return frame.sort(pl.col("alerts").is_null(), "name")


def framework_frame(frameworks: Sequence[NamedId]) -> pl.DataFrame:
    """By id."""
    return FRAMEWORKS.build([row for row in frameworks if row.name and row.id is not None]).sort(
        as_number("framework_id")
    )


def signature_frame(
    signatures: Sequence[PerformanceSignature], repository: str, options: Mapping[str, str],
    frameworks: Mapping[int, str],
) -> pl.DataFrame:  # fmt: skip
    """By suite, test and platform. `options`: names of build options by hash.

    Reading 100,000 signatures (45 MB) costs 0.45 s of CPU (benchmarks/perfherder.py), 0.2 of them to decode; with lists
    for tags and options, which unlike tuples of texts the garbage collector goes on walking, it was 0.3 s more.
    """
    names = _Names(repository, options, frameworks)
    rows = [row for row in signatures if row.id is not None]
    with paused_collection():
        parts = [
            SIGNATURES.build(StructRows(rows[start : start + AT_ONCE]), names)
            for start in range(0, max(1, len(rows)), AT_ONCE)
        ]
        frame = pl.concat(parts, rechunk=True)
    if frame["key"].n_unique() < len(frame):
        frame = frame.unique("key", keep="last", maintain_order=True)
    # Few different texts: to sort one number a row that stands for all three takes a third as long as to sort them.
    rank = pl.lit(0, pl.Int64)
    for name in ("suite", "test", "platform"):
        different = frame[name].unique().drop_nulls().sort()
        places = pl.int_range(1, len(different) + 1, dtype=pl.Int64, eager=True)
        own = pl.col(name).replace_strict(different, places, default=0, return_dtype=pl.Int64)  # null: first
        rank = rank * (len(different) + 1) + own
    ranks = frame.select(rank.alias("rank"), as_number("signature_id").alias("id")).with_row_index("place")
    return frame[ranks.sort("rank", "id", nulls_last=False)["place"]]


class RepositoryList(TreeherderList):
    """Active repositories, those with performance alerts first. Enter: the frameworks that measure it."""

    schema = REPOSITORIES
    noun = ("repository", "repositories")
    locator: Repositories

    def __init__(self, locator: Repositories, context: Context) -> None:
        super().__init__(locator, context)
        self._last_dataset = last_dataset(context.state_path)

    @property
    def title(self) -> str:
        return "Perfherder: repositories"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        found = self.client.fetch_repositories(cancel)
        frame = repository_frame(found.items)
        yield Page(frame, found.freshness, total=len(frame), note=found.note)

    def open(self, row: Row) -> Frameworks:
        return Frameworks(str(row["name"]), self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        general: list[Entry] = [
            Link("All alerts, newest first", AlertSummaries(server=self.server), letter="n", group=LIST)
        ]
        if row is None:
            return [*general, dataset_question("", self._last_dataset)]
        name = str(row["name"])
        return [
            Link(f"Pushes of {name}", Pushes(name, server=self.server), letter="p"),
            Link(f"Alerts on {name}", AlertSummaries(name, server=self.server), letter="a"),
            Link(f"Signatures of {name}, all frameworks", Signatures(name, server=self.server), letter="s"),
            *general,
            dataset_question(name, self._last_dataset),
        ]

    def web_url(self, row: Row | None = None) -> str:
        base = self.client.base
        return reference_url(base, self.locator) if row is None else pushes_url(base, Pushes(str(row["name"])))


class FrameworkList(TreeherderList):
    """Enabled frameworks. Enter: the signatures of the repository, or the alerts where none is named."""

    schema = FRAMEWORKS
    noun = ("framework", "frameworks")
    locator: Frameworks

    def __init__(self, locator: Frameworks, context: Context) -> None:
        super().__init__(locator, context)
        self._last_dataset = last_dataset(context.state_path)

    @property
    def title(self) -> str:
        return f"{self.locator.repository or 'Perfherder'}: frameworks"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        if self.locator.repository:
            self.client.check_repository(self.locator.repository, cancel)
        found = self.client.fetch_frameworks(cancel)
        frame = framework_frame(found.items)
        yield Page(frame, found.freshness, total=len(frame), note=found.note)

    def open(self, row: Row) -> Signatures | AlertSummaries:
        name = str(row["name"])
        if self.locator.repository:
            return Signatures(self.locator.repository, name, server=self.server)
        return AlertSummaries(framework=name, server=self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        repository = self.locator.repository
        entries: list[Entry] = []
        if row is not None:
            name = str(row["name"])
            if repository:
                signatures = Signatures(repository, name, subtests=True, server=self.server)
                entries.append(Link(f"Signatures of {name} with subtests", signatures, letter="s"))
            alerts = AlertSummaries(repository, name, server=self.server)
            entries.append(Link(f"Alerts of {name}", alerts, letter="a"))
        if repository:
            signatures = Signatures(repository, server=self.server)
            entries.append(Link("Signatures of all frameworks", signatures, letter="S", group=LIST))
            subtests = replace(signatures, subtests=True)
            entries.append(Link("Signatures of all frameworks with subtests", subtests, letter="b", group=LIST))
            pushes = Pushes(repository, server=self.server)
            entries.append(Link(f"Pushes of {repository}", pushes, letter="p", group=LIST))
        return [*entries, dataset_question(repository, self._last_dataset)]

    def row_title(self, row: Row) -> str:
        return str(row["name"])

    def web_url(self, row: Row | None = None) -> str:
        if row is None:
            return reference_url(self.client.base, self.locator)
        return alerts_url(self.client.base, AlertSummaries(framework=str(row["framework_id"])))


class SignatureList(TreeherderList):
    """Signatures of a repository. Enter: the subtests of a suite, else its series. A: the series of those marked."""

    schema = SIGNATURES
    noun = ("signature", "signatures")
    empty_text = "Nothing was measured here in this interval; x offers longer ones."
    locator: Signatures

    def __init__(self, locator: Signatures, context: Context) -> None:
        super().__init__(locator, context)
        self.interval = locator.interval or INTERVAL
        self._suite = ""  # known with the first rows
        self._framework: int | None = None  # its number; known once read

    @property
    def title(self) -> str:
        at = self.locator
        framework = framework_name(at.framework) or "all frameworks"
        if at.parent:
            what = f"subtests of {self._suite}" if self._suite else "subtests"
        else:
            what = "suites and subtests" if at.subtests else "suites"
        return f"{what}: {', '.join(filter(None, [at.repository, framework, at.platform]))}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """All of them in one response: the server does not page them."""
        at, client = self.locator, self.client
        self._framework = client.find_framework_id(at.framework, cancel)
        found = client.fetch_signatures(
            at.repository,
            frameworks=() if self._framework is None else (self._framework,),
            interval=None if at.parent else self.interval,
            subtests=None if at.subtests or at.parent else False,
            parent=at.parent,
            platform=at.platform,
            cancel=cancel,
        )
        options, frameworks = client.fetch_option_names(cancel), client.fetch_framework_names(cancel)
        frame = signature_frame(found.items, at.repository, options, frameworks)
        suites = frame["suite"].drop_nulls().unique()
        self._suite = str(suites[0]) if len(suites) == 1 else ""
        unknown = client.describe_unknown_framework(self._framework, cancel) if frame.is_empty() else ""
        yield Page(frame, found.freshness, total=len(frame), note=f"{found.note} {unknown}".strip())

    def open(self, row: Row) -> Series:
        return Series((self._ref(row),), self.locator.interval, server=self.server)

    def shows(self, row: Row) -> TreeherderLocator:
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
        """The list of points notes where it is more than it reads."""
        refs = tuple(self._ref(row) for row in rows.iter_rows(named=True))
        return Series(refs, self.locator.interval, server=self.server)

    def compare(self, rows: pl.DataFrame) -> ComparedValues:
        """The values of two signatures over the interval, e.g. those of two platforms."""
        require_marked(rows, 2, "signatures")
        start = int(time.time()) - self.interval
        base, new = (Side(self._ref(row), start=start) for row in rows.iter_rows(named=True))
        return ComparedValues(base, new, server=self.server)

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        at = self.locator
        entries: list[Entry] = []
        if row is not None:
            entries.append(Link("Its series", self.open(row), letter="e"))
            subtests = self._subtests(row)
            if subtests is not None:
                entries.append(Link("Its subtests", subtests, letter="s"))
            signature = int(row["signature_id"])
            alerts = AlertSummaries(at.repository, signature=signature, server=self.server)
            entries.append(Link("Alerts on it", alerts, letter="a"))
        if 1 < len(rows) <= MOST_SERIES:
            series = self.open_marked(rows)
            entries.append(Link(f"The series of these {len(rows)}", series, letter="E", group=ROWS))
        if at.parent:
            return entries
        return [
            *entries,
            Link(
                "Suites only" if at.subtests else "With subtests", replace(at, subtests=not at.subtests),
                letter="b", group=LIST,
            ),
            refine(at, "framework", "Another framework", "Framework, by name or id (blank for all)", letter="f"),
            Question(
                "Change time range", "How far back, e.g. 2d or 12w",
                lambda text: replace(at, interval=parse_seconds(text)), format_days(self.interval),
                letter="r", group=LIST,
            ),
            refine(at, "platform", "Filter by platform", "The platform's full name (blank for all)", letter="p"),
        ]  # fmt: skip

    def row_title(self, row: Row) -> str:
        return row_words(row, "suite", "test")

    def web_url(self, row: Row | None = None) -> str:
        if row is not None:
            return graph_url(self.client.base, self.open(row))
        frameworks = {} if self._framework is None else {self.locator.framework.lower(): self._framework}
        return signatures_url(self.client.base, self.locator, frameworks)

    def summary(self, frame: pl.DataFrame) -> str:
        suites, platforms = frame["suite"].n_unique(), frame["platform"].n_unique()
        return " · ".join([f"{suites:,} suites", f"{platforms:,} platforms", *count_values(frame, "framework", 3)])


class SubtestList(SignatureList):
    """The subtests of one suite. Enter: the series of one."""

    schema = SUBTESTS
