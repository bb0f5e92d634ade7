"""What one failure is, whatever file it was read from, and what came of reading one task or build."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

MAX_TEXT = 10_000  # characters of a message that are kept: its beginning, which names the cause
MAX_NAME = 1_000  # characters of a test's name and of the other fields

# States of rows that are no test's status
REASON, ERROR_LINE, UNREADABLE, NOTHING = "ended", "error", "unreadable", "no reason found"


class Failure(msgspec.Struct, gc=False, omit_defaults=True, array_like=True):
    """One failure. `time`: epoch ms. `line`: of the log, from 1, None where the file does not say. `known`: the
    harness expects this status now and then. `retried`: "passed" or "failed again" where the test ran again.
    `find`: a text that the log has at this failure, where `line` is not known."""

    test: str
    status: str
    message: str = ""
    subtest: str = ""
    expected: str = ""
    group: str = ""
    source: str = ""
    time: int | None = None
    line: int | None = None
    known: bool = False
    retried: str = ""
    find: str = ""


@dataclass
class SourceResult:
    """What a file held. `broken`: lines that are not what they should be; `first_broken`: where the first is, and why.

    `entries`: lines that were understood; a file of which none was is of another kind.
    """

    failures: list[Failure] = field(default_factory=list)
    entries: int = 0
    broken: int = 0
    first_broken: str = ""

    @property
    def is_other_kind(self) -> bool:
        return not self.entries and bool(self.broken)


def clean_text(value: object, limit: int = MAX_NAME) -> str:
    """The text as polars and JSON can hold it, "" for what is not one; where it is longer, what was cut is said."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = value if isinstance(value, str) else str(value)
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit:,} characters more)"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def failure_line(status: str, test: str, words: str) -> str:
    """How Mozilla's harnesses print an unexpected result to the log, cut to what no log wraps or varies."""
    first = words.strip().partition("\n")[0][:80].rstrip()
    return f"TEST-UNEXPECTED-{status} | {test} | {first}" if first else f"TEST-UNEXPECTED-{status} | {test}"
