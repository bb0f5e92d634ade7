"""Menu entries that list the same thing otherwise: another framework, status, time, author or words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from backends.errors import UsageError
from backends.frames.formats import parse_quantity
from backends.frames.schema import Kind
from backends.locators.perfherder import AlertSummaries, Pushes, Signatures
from backends.resources import Entry, Link, Question
from backends.treeherder.columns import SUMMARY_STATUSES

FLAG_WORDS = {
    "untriaged-regressions": "Only untriaged regressions",
    "untriaged-improvements": "Only untriaged improvements",
    "hide-improvements": "Without improvements",
    "hide-related": "Without downstream, reassigned and invalid ones",
    "sheriffed": "Only of sheriffed frameworks",
    "monitored": "Monitored ones instead of sheriffed ones",
}


def seconds(text: str) -> int:
    """How far back a person means. Raises `UsageError`."""
    found = int(parse_quantity(text, Kind.DURATION))
    if found <= 0:
        raise UsageError(f"{text[:40]} is no time to look back.", "Write how far back, such as 14d.")
    return found


def other_signatures(at: Signatures, interval: int) -> list[Entry]:
    """Other frameworks, platforms and times; suites with or without subtests."""
    days = f"{interval / 86400:g}d"
    return [
        Link("Suites only" if at.subtests else "With subtests", replace(at, subtests=not at.subtests)),
        Question(
            "Another framework", "Framework, by name or id (empty: all)",
            lambda text: replace(at, framework=text.strip()), at.framework,
        ),
        Question(
            "Measured in another time", "How far back, such as 2d or 12w",
            lambda text: replace(at, interval=seconds(text)), days,
        ),
        Question(
            "On one platform", "The platform's whole name (empty: all)",
            lambda text: replace(at, platform=text.strip()), at.platform,
        ),
    ]  # fmt: skip


def other_summaries(at: AlertSummaries) -> list[Entry]:
    """The server's own filters, one an entry; those that are set can be taken off."""
    found: list[Entry] = [
        Link(
            f"Not: {words.lower()}" if flag in at.flags else words,
            replace(at, flags=tuple(sorted(set(at.flags) ^ {flag}))),
        )
        for flag, words in FLAG_WORDS.items()
    ]
    return [
        *found,
        Question("Of one status", f"One of {', '.join(SUMMARY_STATUSES)} (empty: all)", _status(at), at.status),
        Question(
            "With words", "All of them in suite, test, platform, options, bug or revision (case counts)",
            lambda text: replace(at, words=text.strip()), at.words,
        ),
        Question(
            "Of one framework", "Framework, by name or id (empty: all)",
            lambda text: replace(at, framework=text.strip()), at.framework,
        ),
        Question(
            "Of the pushes of a time", "How far back, such as 30d (empty: all)",
            lambda text: replace(at, timerange=seconds(text) if text.strip() else None),
            f"{at.timerange / 86400:g}d" if at.timerange else "",
        ),
        Question(
            "Of one assignee", "Treeherder's name of the person (empty: anybody)",
            lambda text: replace(at, assignee=text.strip()), at.assignee,
        ),
    ]  # fmt: skip


def _status(at: AlertSummaries) -> Callable[[str], AlertSummaries]:
    def chosen(text: str) -> AlertSummaries:
        from backends.treeherder.alerts import status_number

        status_number(text.strip())
        return replace(at, status=text.strip())

    return chosen


def other_pushes(at: Pushes) -> list[Entry]:
    return [
        Question(
            "By an author", "An address; -ADDRESS excludes it (empty: anybody)",
            lambda text: replace(at, author=text.strip()), at.author,
        ),
        Question(
            "With words in a message", "Words of a commit's message (empty: any)",
            lambda text: replace(at, words=text.strip()), at.words,
        ),
        Question(
            "Since a day", "Such as 2026-11-20 (empty: whenever)", lambda text: replace(at, start=day(text)), at.start
        ),
    ]  # fmt: skip


def day(text: str) -> str:
    """A day as the server takes it. Raises `UsageError`."""
    try:
        return date.fromisoformat(text.strip()).isoformat() if text.strip() else ""
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no day.", "Write it as 2026-11-20.") from None
