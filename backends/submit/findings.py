"""What the lint has to say about one place of one entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from backends.frames.schema import Column, Kind, Schema
from backends.submit.forms import Entry


class Level(StrEnum):
    """`error`: a server refuses or loses it. `warning`: it is taken, but not as meant. `info`: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """`path`: JSON path ("$" the whole entry). `rule`: the schema's keyword, or a word of ours. `instead`: what to
    write there."""

    level: Level
    path: str
    rule: str
    message: str
    instead: str = ""


@dataclass(frozen=True)
class Report:
    """One entry and all that was found in it, errors first."""

    entry: Entry
    findings: tuple[Finding, ...] = field(default=())

    @property
    def verdict(self) -> str:
        """ "failed" with any error, "warning" with any warning, else "ok"; infos do not count."""
        levels = {finding.level for finding in self.findings}
        return "failed" if Level.ERROR in levels else "warning" if Level.WARNING in levels else "ok"

    def count(self, level: Level) -> int:
        return sum(finding.level is level for finding in self.findings)


FINDINGS = Schema(
    (
        Column("level", Kind.STATE, "Level", width=9),
        Column("place", Kind.TEXT, "Place"),
        Column("path", Kind.TEXT, "JSON path", width=26, keeps_end=True),
        Column("message", Kind.TEXT, "What is wrong", width=44),
        Column("instead", Kind.TEXT, "Write instead"),
        Column("rule", Kind.TEXT, "Rule"),
        Column("job", Kind.ID, "Job"),
        Column("file", Kind.TEXT, "File", keeps_end=True),
    ),
    key="finding",
)


def findings_frame(reports: Iterable[Report]) -> pl.DataFrame:
    """One row a finding (schema `FINDINGS`), in the order of the entries, errors before warnings before infos."""
    rows: list[tuple[object, ...]] = []
    for report in reports:
        entry = report.entry
        for number, one in enumerate(report.findings):
            rows.append(
                (
                    f"{entry.key}/{number}",
                    str(one.level),
                    entry.place,
                    one.path,
                    one.message,
                    one.instead,
                    one.rule,
                    entry.job_id,
                    entry.file,
                )
            )
    return FINDINGS.frame(rows)


_ORDER = {Level.ERROR: 0, Level.WARNING: 1, Level.INFO: 2}


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: _ORDER[one.level]))
