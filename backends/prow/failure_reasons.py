"""Why builds failed: what Prow said; where that is nothing, what happened to the pod, else ci-operator's own reason in
the log and the steps or tests that failed, else the containers' exit codes, else the last error in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import polars as pl
from msgspec.structs import replace

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import sanitize
from backends.http.response import Freshness
from backends.logs import ansi
from backends.logs.rules import Severity, matching_rules
from backends.prow.bucket import TAIL_BYTES, BucketReader
from backends.prow.build_listing import BuildView, ErrorHandler, unread_note
from backends.prow.build_reader import (
    BUILD_LOG,
    BUILDS,
    FAILED,
    INCOMPLETE,
    SEPARATOR,
    BuildPlace,
    BuildRow,
    Json,
    Part,
    list_logs,
    mapping,
    parse_object,
)
from backends.prow.files import PODINFO, is_junit
from backends.prow.junit import JUnitFile, junit_rows
from backends.prow.junit_reader import read_junit
from backends.prow.locators import FailureReasonsView
from backends.prow.store import epoch_ms
from backends.resources import Page

REASONS = Schema(
    (
        Column("state", Kind.STATE, "State", width=10),
        Column("builds", Kind.COUNT, "Builds"),
        Column("share", Kind.NUMBER, "Share", "%"),
        Column("reason", Kind.TEXT, "Reason", width=60),
        Column("first", Kind.TIME, "First"),
        Column("last", Kind.TIME, "Last"),
        Column("build_ids", Kind.TEXT, "Build ids", hidden=True, searched=False),
    ),
    key="key",
)
_GENERIC = re.compile(r"job (failed|succeeded|aborted|triggered)\.?", re.IGNORECASE)
_CI_OPERATOR = re.compile(rb"Reporting job state '\w+' with reason '([^']{1,300})'")
_MULTI_STAGE = re.compile(r"Run multi-stage test (.+) - (.+) container test")
# A build's numbers and ids; not its exit code, for 1 is not 137.
_CHANGING = re.compile(
    r"exit code [0-9]+"
    r"|\b(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,64}|[0-9]+(?:\.[0-9]+)?)(?=\b|[a-z]{1,2}\b)"
)
_MAX_LINE_BYTES = 10_000  # of a line that rules look at
_MAX_REPORTS = 30  # JUnit files of a build that are read
_MAX_LOG_BYTES = 256 << 20  # of a log that is read for its end
_PULL_FAILURES = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
)
_NOT_STARTED = frozenset({
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "ContainerCannotRun", "StartError",
})  # fmt: skip
_POD_REASONS = {  # the pod's own reason: words
    "Evicted": "The pod was evicted",
    "DeadlineExceeded": "The pod ran longer than it may",
    "MatchNodeSelector": "No node fits the pod's node selector",
    "NodeAffinity": "No node fits the pod's node selector",
    "NodeLost": "The pod's node was lost",
    "NodeShutdown": "The pod's node was shut down",
    "Shutdown": "The pod's node was shut down",
    "Terminated": "The pod was ended with its node",
    "Preempting": "The pod made room for another one",
    "UnexpectedAdmissionError": "The node refused the pod",
}
_BY_EVENT = (  # phase, reason of an event, words
    ("Pending", "FailedMount", "A volume of the pod could not be mounted"),
    ("Failed", "MatchNodeSelector", "No node fits the pod's node selector"),
    ("Pending", "FailedScheduling", "The pod could not be scheduled"),
    ("Failed", "Evicted", "The pod was evicted"),
    ("Failed", "Preempted", "The pod made room for another one"),
    ("", "FailedCreatePodSandBox", "The pod's sandbox could not be made"),
    ("", "FailedCreatePodSandbox", "The pod's sandbox could not be made"),
    ("", "FailedSync", "The pod could not be synchronised"),
)
_SIGNALS = {137: " (killed)", 139: " (segmentation fault)", 143: " (terminated)", 124: " (timed out)"}
_SIDECARS = frozenset({"sidecar"})  # Prow's own container: it fails with the one that matters


def count_reasons(builds: pl.DataFrame) -> pl.DataFrame:
    """One row a state and reason of the failed builds among these (schema `BUILDS`), the commonest first (`REASONS`).

    Numbers and ids within a reason count as the same. `share`: of the failed ones, in percent.
    """
    failed = builds.filter(pl.col("state").is_in(list(FAILED)))
    reason = pl.coalesce("reason", "note")
    general = reason.map_elements(replace_numbers, return_dtype=pl.String, skip_nulls=True)
    # The words about builds that never ended are our own, and their number of hours is always the same.
    groups = (
        failed.with_columns(reason=pl.when(pl.col("state") == INCOMPLETE).then(reason).otherwise(general))
        .sort("order", descending=True)
        .group_by("state", "reason", maintain_order=True)
        .agg(
            pl.len().alias("builds"),
            pl.col("started").min().alias("first"),
            pl.col("started").max().alias("last"),
            pl.col("build").str.join(",").alias("build_ids"),
        )
        .with_columns(
            share=100 * pl.col("builds") / max(len(failed), 1),
            key=pl.concat_str("state", pl.lit("|"), pl.col("reason").fill_null("")),
        )
        .sort("builds", "last", descending=True, maintain_order=True)
    )
    return groups.select(pl.col(name).cast(dtype) for name, dtype in REASONS.polars().items())


def replace_numbers(reason: str) -> str:
    """The reason with N for what differs between builds that failed alike."""
    return _CHANGING.sub(lambda match: match[0] if match[0].startswith("exit code") else "N", reason)


class FailureReasons(BuildView):
    """Columns are those of `REASONS`. Enter lists the builds of a reason."""

    schema = REASONS
    noun = ("reason", "reasons")
    title_pattern = "failures of {}"
    detail_title = "Reason"
    empty_text = "None of these builds failed."

    def __init__(self, locator: FailureReasonsView, bucket: BucketReader) -> None:
        super().__init__(locator, bucket)
        self._gaps: dict[tuple[str, str], tuple[str, AppError]] = {}  # by order and path: a build, and the error

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        self._gaps = {}
        for rows, is_complete in self.read_all(self.find_places(cancel), self._read, cancel):
            note = unread_note(rows) if is_complete else ""
            yield Page(count_reasons(BUILDS.build(rows)), Freshness(), replace=True, note=note, partial=bool(note))
        if self._gaps:
            build, error = self._gaps[max(self._gaps)]
            count = len({order for order, _ in self._gaps})
            words = "1 build" if count == 1 else f"{count:,} builds"
            note = f"Not all files of {words} could be read, so the reason may be another one, e.g. of {build}: "
            yield Page(REASONS.empty(), Freshness(), note=note + error.sentence, partial=True)

    def _gap(self, row: BuildRow, path: str) -> ErrorHandler:
        """What of a build's file cannot be read is noted, and the other files have to do."""

        def record(error: AppError) -> None:
            self._gaps[str(row.order), path] = row.build, error

        return ErrorHandler(record)

    def _read(self, place: BuildPlace, cancel: CancelToken) -> BuildRow:
        row = self.reader.read_row(place, cancel, Part.ENDS)
        if row.state in FAILED and not row.parts & Part.JOB:
            row = self.reader.read_row(place, cancel, Part.JOB)
        is_vague = row.reason is None or _GENERIC.fullmatch(row.reason) is not None
        if row.state in FAILED and is_vague and not row.parts & Part.FOLDER:
            row = self.reader.read_row(place, cancel)
        if row.state in FAILED and is_vague and row.folder:
            with self._gap(row, ""):
                row = replace(row, reason=self.reason_in_files(row, cancel) or row.reason)
        return row

    def reason_in_files(self, row: BuildRow, cancel: CancelToken) -> str | None:
        """What the build's own files say."""
        names = (row.names or "").split(SEPARATOR)
        pod = self._read_pod(row, cancel) if PODINFO in names else {}
        if words := explain_pod(pod):
            return words
        tails = [self._read_tail(f"{row.folder}{name}", row, cancel) for name in list_logs(row.names)]
        matches = [match[-1].decode("utf-8", "replace") for match in map(_CI_OPERATOR.findall, tails) if match]
        reported = sanitize(matches[0], 300) if matches else ""
        failed = self._failed_tests(row, cancel) if "artifacts/" in names else ""
        if reported or failed:  # which step or test says more: a narrow column cuts what comes later
            return f"{failed} ({reported})" if reported and failed else reported or failed
        return describe_exit_codes(pod) or next(filter(None, map(_last_error, tails)), None)

    def _read_pod(self, row: BuildRow, cancel: CancelToken) -> Json:
        with self._gap(row, PODINFO):
            return parse_object(self.bucket.read(f"{row.folder}{PODINFO}", cancel))
        return {}

    def _failed_tests(self, row: BuildRow, cancel: CancelToken) -> str:
        """The failed steps of ci-operator's junit_operator.xml, else the failed tests of the JUnit files beside it."""
        tests: dict[str, None] = {}
        with self._gap(row, "artifacts/"):
            page = self.bucket.list_page(f"{row.folder}artifacts/", cancel)
            reports = [info for info in page.files if is_junit(info.name)]
            operator = [info for info in reports if info.name.endswith("/junit_operator.xml")]
            for info in (operator or reports)[:_MAX_REPORTS]:
                with self.bucket.open(info, cancel) as body:
                    rows = junit_rows([JUnitFile("", info.name, read_junit(body))])
                tests |= dict.fromkeys(rows.filter(pl.col("state") == "failed")["test"].to_list())
            return _describe_tests(tests)
        return ""

    def _read_tail(self, path: str, row: BuildRow, cancel: CancelToken) -> bytes:
        """The end of a log. Only of a plain one is it requested by itself: it would take a request to learn that
        another one cannot be had so."""
        is_plain = path.endswith(f"/{BUILD_LOG}") and row.log_compressed == "no"
        with self._gap(row, path):
            tail = self.bucket.tail(path, TAIL_BYTES, cancel) if is_plain else None
            return self._read_to_end(path, cancel) if tail is None else tail
        return b""

    def _read_to_end(self, path: str, cancel: CancelToken) -> bytes:
        tail, count = b"", 0
        with self.bucket.open(path, cancel) as body:
            for piece in body:
                tail = (tail + piece)[-TAIL_BYTES:]
                count += len(piece)
                if count > _MAX_LOG_BYTES:
                    break
        return tail


def _describe_tests(tests: dict[str, None]) -> str:
    steps = {f"{match[1]}/{match[2]}" for test in tests if (match := _MULTI_STAGE.fullmatch(test))}
    if steps:  # the phases that they are in fail with them
        return f"step{'' if len(steps) == 1 else 's'} {', '.join(sorted(steps))[:300]} failed"
    if not tests:
        return ""
    first = sanitize(next(iter(tests)), 200)
    return f"test failed: {first}" if len(tests) == 1 else f"{len(tests):,} tests failed, the first: {first}"


def _last_error(tail: bytes) -> str:
    """The last line that the rules for logs call an error, "" if none is."""
    for line in reversed(tail.splitlines()):
        text = ansi.strip(ansi.decode_line(line[:_MAX_LINE_BYTES]))
        if any(rule.severity is Severity.ERROR for rule in matching_rules(text)):
            return f"in the log: {sanitize(text, 300)}"
    return ""


# ---- what a pod met with -------------------------------------------------------------------------------------------


def explain_pod(podinfo: Json) -> str:
    """Why a build's pod came to nothing, in one sentence, from the podinfo.json that Prow stores beside the build.

    "" where the pod succeeded or nothing but an exit code is known (see `describe_exit_codes`). The rules and their
    order are those of Spyglass' metadata lens (prow pkg/spyglass/lenses/metadata), which shows them where the build's
    own log has nothing to say; before them what the lens leaves to its reader: out of memory, evictions.
    """
    pod = mapping(podinfo.get("pod"))
    status = mapping(pod.get("status"))
    phase = status.get("phase")
    if phase == "Succeeded":
        return ""
    containers = list(_containers(status, "containerStatuses", "initContainerStatuses"))
    if killed := [container for container in containers if _is_out_of_memory(container)]:
        names = ", ".join(_name(container) for container in killed)
        return f"Out of memory: {names} was killed (OOMKilled)."
    reason = status.get("reason")
    if phase == "Failed" and isinstance(reason, str) and reason:
        return _with_message(
            _POD_REASONS.get(reason, f"The pod failed ({sanitize(reason, 60)})"), status.get("message")
        )
    for container in containers:
        waiting = mapping(mapping(container.get("state")).get("waiting"))
        if waiting.get("reason") in _PULL_FAILURES:
            return _with_message(f"The image of {_name(container)} could not be pulled", waiting.get("message"))
    for container in containers:
        state = mapping(container.get("state"))
        for part in (mapping(state.get("waiting")), mapping(state.get("terminated"))):
            if part.get("reason") in _NOT_STARTED:
                return _with_message(f"The container {_name(container)} could not start", part.get("message"))
    events = podinfo.get("events")
    events = [mapping(event) for event in events] if isinstance(events, list) else []
    events.sort(key=lambda event: epoch_ms(event.get("lastTimestamp")) or 0)
    for event_phase, event_reason, words in _BY_EVENT:
        event = next((event for event in reversed(events) if event.get("reason") == event_reason), None)
        if event is not None and event_phase in ("", phase):
            return _with_message(words, event.get("message"))
    for container in _containers(status, "initContainerStatuses"):
        if container.get("ready") is False and phase in ("Pending", "Failed"):
            return f"The init container {_name(container)} did not get ready."
    return ""


def describe_exit_codes(podinfo: Json) -> str:
    """ "Container test ended with exit code 1.": all containers that failed, Prow's own one only if it is alone."""
    status = mapping(mapping(podinfo.get("pod")).get("status"))
    codes: dict[str, int] = {}
    for container in _containers(status, "initContainerStatuses", "containerStatuses"):
        code = mapping(mapping(container.get("state")).get("terminated")).get("exitCode")
        if isinstance(code, int) and not isinstance(code, bool) and code:
            codes[_name(container)] = code
    own = {name: code for name, code in codes.items() if name not in _SIDECARS} or codes
    words = [f"{name} ended with exit code {code}{_SIGNALS.get(code, '')}" for name, code in own.items()]
    return f"Container {'; '.join(words)}." if words else ""


def _is_out_of_memory(container: Json) -> bool:
    states = (mapping(container.get("state")), mapping(container.get("lastState")))
    return any(mapping(state.get("terminated")).get("reason") == "OOMKilled" for state in states)


def _containers(status: Json, *names: str) -> Iterator[Json]:
    for name in names:
        containers = status.get(name)
        yield from (mapping(container) for container in containers) if isinstance(containers, list) else ()


def _name(container: Json) -> str:
    name: Any = container.get("name")
    return sanitize(name, 60) if isinstance(name, str) else "a container"


def _with_message(words: str, message: Any) -> str:
    return f"{words}: {sanitize(message, 200)}" if isinstance(message, str) and message.strip() else f"{words}."
