"""The JSON lines that Mozilla's harnesses write: `*_errorsummary.log`, and mozlog's `summary.jsonl`.

Both are read line by line, so that memory does not grow with the file; a line that is not a JSON object is counted,
and the others count nevertheless. Unknown actions and fields are as if absent.

errorsummary (mozlog's `ErrorSummaryFormatter`): a result is a failure when it has `expected` and differs from it;
`crash` always is one, and `log` at the levels ERROR and CRITICAL. A group whose result is ERROR, TIMEOUT or CRASH is
one where the file lists no other failure of it.

summary.jsonl (as Treeherder's ui/helpers/testSummary.js reads it): starts and ends pair up first in, first out per
test; an event without `group` belongs to the group opened last; a failing end shows the messages of its unexpected
subtests where it has any, else its own; a start without an end is a crash. Unlike there, an unexpected subtest of a
test that ended as expected is a failure, too, and one of a test that later passed stays, marked as retried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from backends import lenient_json
from backends.failures.records import MAX_TEXT, Failure, SourceResult, clean_text, failure_line

MAX_LINE = 64 << 20  # bytes of a line that is decoded
_BAD_GROUPS = frozenset({"ERROR", "TIMEOUT", "CRASH"})
_LEVELS = frozenset({"ERROR", "CRITICAL"})
_ACTIONS = frozenset({
    "test_groups", "test_result", "test_status", "test_start", "test_end", "log", "crash", "group_result", "truncated",
    "group_start", "group_end", "suite_start", "suite_end", "assertion_count", "lsan_leak", "mozleak_total",
})  # fmt: skip
_NEVER_FINISHED = "never finished"


def is_errorsummary(name: str) -> bool:
    return name.endswith("_errorsummary.log")


def is_test_summary(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last == "summary.jsonl" or last.endswith("_testsummary.jsonl")


def read_errorsummary(pieces: Iterable[bytes], source: str) -> SourceResult:
    """Raises nothing but what `pieces` raise."""
    result = SourceResult()
    groups: dict[str, str] = {}
    for event in _events(pieces, result):
        action = event.get("action")
        if action == "group_result":
            group, status = clean_text(event.get("group")), clean_text(event.get("status"))
            if status in _BAD_GROUPS:
                groups[group] = status
        elif action in ("test_result", "test_status", "test_end") and _is_unexpected(event):
            result.failures.append(_failure(event, source))
        elif action == "crash":
            result.failures.append(_crash(event, source))
        elif action == "log" and clean_text(event.get("level")).upper() in _LEVELS:
            message = clean_text(event.get("message"), MAX_TEXT)
            status = clean_text(event.get("level")).upper()
            result.failures.append(Failure("", status, message, source=source, find=message.partition("\n")[0][:80]))
    listed = {failure.group for failure in result.failures}
    result.failures += [
        Failure("", status, f"The group ended with {status}.", group=group, source=source, find=group)
        for group, status in groups.items() if group not in listed
    ]  # fmt: skip
    return result


def read_test_summary(pieces: Iterable[bytes], source: str) -> SourceResult:
    """Raises nothing but what `pieces` raise."""
    result = SourceResult()
    reader = _TestRuns(source)
    for event in _events(pieces, result):
        reader.take(event)
    result.failures = reader.finish()
    return result


class _Run:
    """One run of a test: what its events say so far."""

    __slots__ = ("failures", "group", "test", "time")

    def __init__(self, test: str, group: str, time: int | None) -> None:
        self.test, self.group, self.time = test, group, time
        self.failures: list[Failure] = []


class _TestRuns:
    """Pairs starts with ends; a test's last run says whether its earlier failures were retried well."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._groups: list[str] = []
        self._open: dict[str, deque[_Run]] = {}
        self._failures: list[Failure] = []
        self._earlier: dict[str, list[Failure]] = {}  # the failures of each test's runs that have ended
        self._ends: dict[str, tuple[int, bool]] = {}  # how many runs have ended, and whether the last one failed

    def take(self, event: dict[str, Any]) -> None:
        match event.get("action"):
            case "group_start":
                self._groups.append(clean_text(event.get("name")))
            case "group_end":
                name = clean_text(event.get("name"))
                if name in self._groups:
                    self._groups.remove(name)
                elif not name and self._groups:
                    self._groups.pop()
            case "test_start":
                run = self._new_run(event)
                self._open.setdefault(run.test, deque()).append(run)
            case "test_status" if _is_unexpected(event):
                self._run_of(event).failures.append(self._failure(event))
            case "test_end":
                self._end(event)
            case "crash":
                test = clean_text(event.get("test"))
                if runs := self._open.get(test):
                    runs[0].failures.append(_crash(event, self._source, runs[0].group))
                else:
                    self._failures.append(_crash(event, self._source, self._group(event)))

    def finish(self) -> list[Failure]:
        for runs in self._open.values():
            for run in runs:  # the harness or the machine died while it ran
                crash = Failure(
                    run.test, "CRASH", _NEVER_FINISHED, "", "OK", run.group, self._source, run.time, find=run.test
                )
                self._close(run, run.failures or [crash], failed=True)
        return self._failures

    def _end(self, event: dict[str, Any]) -> None:
        test = clean_text(event.get("test"))
        runs = self._open.get(test)
        run = runs.popleft() if runs else self._new_run(event)
        if not runs:
            self._open.pop(test, None)
        failures = run.failures
        failed = _is_unexpected(event)
        if failed and not failures:
            failures = [self._failure(event, run)]
        self._close(run, failures, failed or bool(failures))

    def _close(self, run: _Run, failures: list[Failure], failed: bool) -> None:
        count, _ = self._ends.get(run.test, (0, False))
        earlier = self._earlier.setdefault(run.test, [])
        if count:
            for failure in earlier:
                failure.retried = "failed again" if failed else "passed"
            for failure in failures:
                failure.retried = "failed again"
        if failures:
            earlier += failures
        self._ends[run.test] = count + 1, failed
        self._failures += failures

    def _run_of(self, event: dict[str, Any]) -> _Run:
        """The run that a subtest belongs to: the one that began first of those that have not ended."""
        test = clean_text(event.get("test"))
        if not self._open.get(test):
            self._open[test] = deque([self._new_run(event)])
        return self._open[test][0]

    def _new_run(self, event: dict[str, Any]) -> _Run:
        return _Run(clean_text(event.get("test")), self._group(event), _time(event))

    def _group(self, event: dict[str, Any]) -> str:
        return clean_text(event.get("group")) or (self._groups[-1] if self._groups else "")

    def _failure(self, event: dict[str, Any], run: _Run | None = None) -> Failure:
        failure = _failure(event, self._source)
        failure.group = failure.group or (run.group if run is not None else self._group(event))
        return failure


def _is_unexpected(event: dict[str, Any]) -> bool:
    """A status in itself is not a failure: a test may be expected to fail."""
    expected = event.get("expected")
    return isinstance(expected, str) and bool(expected) and expected != event.get("status")


def _failure(event: dict[str, Any], source: str) -> Failure:
    test, status = clean_text(event.get("test")), clean_text(event.get("status"))
    subtest, message = clean_text(event.get("subtest")), clean_text(event.get("message"), MAX_TEXT)
    known = event.get("known_intermittent")
    return Failure(
        test, status, message, subtest, clean_text(event.get("expected")), clean_text(event.get("group")), source,
        _time(event), known=isinstance(known, list) and status in known,
        find=failure_line(status, test, subtest or message),
    )  # fmt: skip


def _crash(event: dict[str, Any], source: str, group: str = "") -> Failure:
    test, signature = clean_text(event.get("test")), clean_text(event.get("signature"))
    error = clean_text(event.get("stackwalk_stderr"), MAX_TEXT)
    message = signature or error.partition("\n")[0] or "crashed"
    group = clean_text(event.get("group")) or group
    return Failure(
        test,
        "CRASH",
        message,
        group=group,
        source=source,
        time=_time(event),
        find=f"crashed [{signature}" if signature else "PROCESS-CRASH",
    )


def _time(event: dict[str, Any]) -> int | None:
    time = event.get("time")
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    return int(time) if 1e11 < time < 1e14 else None


def _events(pieces: Iterable[bytes], result: SourceResult) -> Iterator[dict[str, Any]]:
    """The objects; what is not one is counted in `result`."""
    decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
    for number, line in enumerate(split_lines(pieces), 1):
        if line is None:
            _note_broken(result, number, f"it has more than {MAX_LINE >> 20} MB")
            continue
        if not line or line.isspace():
            continue
        try:
            event = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:
                event = lenient_json.loads(line)
            except ValueError:
                _note_broken(result, number, "it is not JSON")
                continue
        if not isinstance(event, dict) or not isinstance(event.get("action"), str):
            _note_broken(result, number, "it has no action")
            continue
        result.entries += event["action"] in _ACTIONS
        yield event


def _note_broken(result: SourceResult, number: int, why: str) -> None:
    result.broken += 1
    result.first_broken = result.first_broken or f"line {number:,}: {why}"


def split_lines(pieces: Iterable[bytes], limit: int = MAX_LINE) -> Iterator[bytes | None]:
    """The lines without their ends; None for one of more than `limit` bytes, which is never held."""
    held: list[bytes] = []
    size, skipping = 0, False
    for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            held.append(piece[start:end])
            size += end - start
            yield None if skipping or size > limit else held[0] if len(held) == 1 else b"".join(held)
            held, size, skipping, start = [], 0, False, end + 1
        if start < len(piece) and not skipping:
            held.append(piece[start:])
            size += len(piece) - start
            if size > limit:
                held, skipping = [], True
    if size:
        yield None if skipping else b"".join(held)
