"""What a log says where no summary does: the first distinct errors by the rules for logs, and how the run ended."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from backends.failures.records import ERROR_LINE, REASON, Failure, clean_text
from backends.logs import ansi
from backends.logs.rules import match_error_lines

MAX_ERRORS = 10  # distinct ones that are listed: what comes later mostly follows from the first
MAX_LINE = 2_000  # characters of a line
LAST_LINE, LAST_LINES = "last line", 10  # of a log in which no line is an error; lines that are looked at for it
_PHASE = re.compile(r"^=== |^\[taskcluster")  # what the worker writes itself
# Lines that say that a run failed and not why; the last of them tells how it ended.
_ENDS = re.compile(
    r"TBPL FAILURE|\bexit (?:status|code)|Return code: |Harness returned|Unsuccessful task run|Task Finished|"
    r"^\[taskcluster:error\]|\*\*\* \[.*\] Error \d|Container \S+ in pod \S+ failed|Some steps failed|"
    r"Process completed with|Reporting job state"
)
_STAMP = re.compile(
    r"^(?:\[[\w:]+ \d[^\]]*\] ?|\[?\d{4}-\d\d-\d\d[T ][\d:.,]+Z?\]? ?|\d\d:\d\d:\d\d +|"
    r"(?:INFO|ERROR|FATAL|CRITICAL|WARNING) +- +|\w{4}\[\d[^\]]*\] *|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d +)+"
)
_CRASHED = re.compile(r"application crashed \[(.+)\]")
_WORD = re.compile(r"[^\W\d_]{3}")
_VARYING = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")


def read_log(pieces: Iterable[bytes], source: str) -> list[Failure]:
    """Errors in the order of the log, then the line that says how the run ended. Raises what `pieces` raise."""
    seen: set[str] = set()
    found: list[Failure] = []
    end: Failure | None = None
    last: deque[tuple[int, bytes]] = deque(maxlen=LAST_LINES)
    for number, (raw, is_error) in enumerate(match_error_lines(pieces), 1):
        if is_error:
            text = message_of(raw)
            if _ENDS.search(text):
                end = Failure("", REASON, text, source=source, line=number)
            elif _WORD.search(text) and len(found) < MAX_ERRORS and (words := _VARYING.sub("", text)) not in seen:
                seen.add(words)
                found.append(_error(text, source, number))
        elif not raw.isspace():
            last.append((number, raw[: MAX_LINE * 4]))
    if not found:  # no line is an error: the last one may still say what happened
        for number, line in reversed(last):
            text = message_of(line)
            if text and not _PHASE.search(text) and not _ENDS.search(text):
                found.append(Failure("", LAST_LINE, text, source=source, line=number))
                break
    return [*found, *([end] if end is not None else [])]


def _error(text: str, source: str, number: int) -> Failure:
    """Of a harness's own line its test, status and message; of a crash its signature, as summaries have it."""
    parts = [part.strip() for part in text.removeprefix("REFTEST ").split(" | ")]
    status = parts[0].removeprefix("TEST-UNEXPECTED-")
    if status != parts[0] and len(parts) > 1:
        return Failure(parts[1], status, " | ".join(parts[2:]), source=source, line=number)
    crash = next((match for part in parts[1:] if (match := _CRASHED.fullmatch(part))), None)
    if parts[0] == "PROCESS-CRASH" and crash is not None:
        test = next((part for part in parts[1:] if part != crash[0]), "")
        return Failure(test, "CRASH", crash[1], source=source, line=number)
    return Failure("", ERROR_LINE, text, source=source, line=number)


def message_of(raw: bytes) -> str:
    """A line without colours and without the times and levels that a worker and a harness write before it."""
    text = ansi.strip(ansi.decode_line(raw[: MAX_LINE * 4].rstrip(b"\r\n")))
    return clean_text(_STAMP.sub("", text).strip(), MAX_LINE)
