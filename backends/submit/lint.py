"""What is wrong with entries of job data: their schema, the code that reads them, and one another.

Sources for messages: mozilla/treeherder at dc3080dd (2026-08-21), etl/job_loader.py, etl/jobs.py, model/models.py. A
text that is longer than its column there, or that holds a NUL or half of a surrogate pair, is a database error: the job
is lost after it was acknowledged. For tasks: etl/taskcluster_pulse/{handler,parse_route}.py, which want exactly one
tc-treeherder route, a valid extra.treeherder, and an owner, name and description, which they read unchecked.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import sanitize
from backends.json_schema import is_time
from backends.submit import posting_rules
from backends.submit.convert import NAME_LENGTH, treeherder_routes
from backends.submit.entries import (
    TREEHERDER_ROUTE,
    UNKNOWN,
    JobEntry,
    JobForm,
    get_object,
    numbered_objects,
    stored_symbol,
    treeherder_time,
)
from backends.submit.validation import (
    Findings,
    Level,
    LintFinding,
    error,
    info,
    quick_check_of,
    violations,
    warning,
)

_ORDER = list(Level)


@dataclass(frozen=True)
class LintReport:
    """One entry and its findings, errors first."""

    entry: JobEntry
    findings: tuple[LintFinding, ...] = ()

    @property
    def verdict(self) -> str:
        """ "failed" with any error, "warning" with any warning, else "ok"; infos do not count."""
        levels = {finding.level for finding in self.findings}
        return "failed" if Level.ERROR in levels else "warning" if Level.WARNING in levels else "ok"

    def count(self, level: Level) -> int:
        return sum(finding.level is level for finding in self.findings)


class _FindingRow(NamedTuple):
    key: str
    entry: JobEntry
    finding: LintFinding


FINDINGS = Schema(
    (
        Column("level", Kind.STATE, "Level", width=9, get=lambda row: str(row.finding.level)),
        Column("place", Kind.TEXT, "Place", get="entry.place", section="Finding"),
        Column("path", Kind.TEXT, "JSON path", width=26, keeps_end=True, get="finding.path", section="Finding"),
        Column("message", Kind.TEXT, "What is wrong", width=44, get="finding.message", section="Finding"),
        Column("instead", Kind.TEXT, "Write instead", get="finding.suggestion", section="Finding"),
        Column("rule", Kind.TEXT, "Rule", get="finding.rule", section="Finding"),
        Column("job", Kind.ID, "Job", get="entry.job_id", section="Finding"),
        Column("file", Kind.TEXT, "File", keeps_end=True, get="entry.file", section="Finding"),
    ),
    key="finding",
    key_get="key",
)


def findings_frame(reports: Iterable[LintReport]) -> pl.DataFrame:
    """One row per finding (schema `FINDINGS`), in the order of the entries, errors before warnings before infos."""
    return FINDINGS.build(
        [
            _FindingRow(f"{report.entry.key}/{number}", report.entry, finding)
            for report in reports
            for number, finding in enumerate(report.findings)
        ]
    )


def lint(
    entries: Sequence[JobEntry], cancel: CancelToken | None = None, progress: Callable[[int], None] | None = None
) -> list[LintReport]:
    """One report per entry, in order. Raises `OperationCancelledError`; nothing in an entry makes it fail."""
    first: dict[tuple[str, str], JobEntry] = {}
    reports = []
    for number, entry in enumerate(entries):
        if number % 100 == 0:
            if cancel is not None:
                cancel.check()
            if progress is not None:
                progress(number)
        findings = [*_check_repeated(entry, first)]
        valid = _is_valid(entry)
        if not valid or entry.warnings or not is_ordinary_message(entry.body):
            findings = [*_check_entry(entry, valid), *findings]
            findings.sort(key=lambda one: _ORDER.index(one.level))
        reports.append(LintReport(entry, tuple(findings)))
    return reports


def _is_valid(entry: JobEntry) -> bool | None:
    """Whether it is certainly a valid message of today's form; None for other forms."""
    return quick_check_of(entry.form)(entry.body) if entry.form is JobForm.PULSE and not entry.parse_error else None


def _check_entry(entry: JobEntry, valid: bool | None) -> Findings:
    if entry.parse_error:
        yield error("$", "syntax", entry.parse_error)
        return
    for message in entry.warnings:
        yield warning("$", "twice", message, "each name once")
    try:
        if entry.form is JobForm.TASK:
            yield from check_task(entry.body)
        elif entry.form.is_pulse:
            yield from check_message(entry.body, entry.form, valid)
        elif entry.form is JobForm.COLLECTION:
            if not quick_check_of(entry.form)(entry.body):
                yield from map(posting_rules.soften, violations(entry.body, entry.form))
            yield from posting_rules.check_collection(entry.body)
        elif not quick_check_of(entry.form)(entry.body):
            yield from violations(entry.body, entry.form)
    except RecursionError:
        yield error("$", "syntax", "is nested too deeply to be checked")


def _check_repeated(entry: JobEntry, seen: dict[tuple[str, str], JobEntry]) -> Findings:
    """Whether the job was in an earlier entry."""
    if not entry.job_id:
        return
    first = seen.setdefault((entry.form, entry.job_id), entry)
    if first is not entry:
        where = f"{first.file}{f', {first.place}' if first.place else ''}"
        path = "$.job.job_guid" if entry.form is JobForm.COLLECTION else "$.taskId"
        message = f"the same job as in {where}: the later updates the earlier, and a completed one never changes"
        yield warning(path, "twice", message, "an id of its own, if it is another job")


# Messages.

OWNER_LENGTH, OWNER_KEPT = 50, 49  # the loader cuts a longer owner before the schema is checked
PRODUCT_LENGTH = 100  # characters of product.name; the schema allows 125
SYMBOL_LENGTH = 25  # characters of job_type.symbol, in which jobSymbol and chunkId are joined
LOG_NAME_LENGTH, LOG_URL_LENGTH = 50, 255  # characters of job_log; the loader cuts what it makes of links
LARGEST_RUN = 2_147_483_647  # a PositiveIntegerField of PostgreSQL
_TASK_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9]+", re.IGNORECASE | re.ASCII)
_ORDINARY_RUN = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9]{1,9}")  # far below `LARGEST_RUN`
_PARSED_LOGS = {
    JobForm.PULSE: ("live_backing_log", "errorsummary_json"),
    JobForm.PULSE_2018: posting_rules.PARSED_LOGS,
}
_TIMES = ("timeScheduled", "timeStarted", "timeCompleted")
_NUL, _LAST_LINE_BREAK = b"\\u0000", b'\\n"'  # as JSON has them
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_READABLE_TIME = "a time, e.g. 2026-11-21T09:30:00Z"


def check_message(body: Any, form: JobForm, valid: bool | None = None) -> Findings:
    """Schema and readers of a message. What loses the job is reported once, and not as a wrong format, too.

    `valid`: what `quick_check_of` says of it, if that is known."""
    validated = as_validated(body) if form is JobForm.PULSE else body
    if valid is None or validated is not body:
        valid = quick_check_of(form)(validated)
    findings = list(_check_readers(body, form, valid=valid))
    if not valid:
        lost = {finding.path for finding in findings if finding.level is Level.ERROR}
        yield from (one for one in violations(validated, form) if one.rule != "format" or one.path not in lost)
    yield from findings


def is_ordinary_message(body: Mapping[str, Any]) -> bool:
    """Of a message that is valid by today's schema: whether its readers certainly find nothing in it.

    In one pass what the checks below look at one by one: nearly all jobs are ordinary, and they take a multiple.
    """
    state, result = body["state"], body.get("result")
    if state == "completed" and result is not None:
        needed = 3
    elif state in ("running", "pending") and result in (None, "unknown"):
        needed = 2 if state == "running" else 1
    else:
        return False
    if result == "retry" or body.get("isRetried") or "owner" not in body:
        return False
    if not body.get("labels") or not ("buildMachine" in body or "runMachine" in body):
        return False
    if len(body.get("productName", "")) > PRODUCT_LENGTH or not _ORDINARY_RUN.fullmatch(body["taskId"]):
        return False
    display = body["display"]
    if display["jobSymbol"] == "" or ("chunkId" in display and len(stored_symbol(display)) > SYMBOL_LENGTH):
        return False
    for log in body.get("logs", ()):
        if log["name"] not in _PARSED_LOGS[JobForm.PULSE]:
            return False
    for link in body.get("jobInfo", {}).get("links", ()):
        if len(link["url"]) > LOG_URL_LENGTH:
            return False
    times = [body[name] for name in _TIMES if name in body]
    if len(times) < needed or any(name not in body for name in _TIMES[:needed]):
        return False
    before = times[0]
    for time in times:  # of one form and in UTC, texts have the order of the times
        if not (len(time) == len(before) and time[10] == "T" and time[-1] == "Z" and before <= time and _is_safe(time)):
            return False
        before = time
    encoded = _encode(body)
    return _NUL not in encoded and _LAST_LINE_BREAK not in encoded


def as_validated(body: Any) -> Any:
    """The message as the loader hands it to the schema: with its owner cut."""
    owner = body.get("owner") if isinstance(body, dict) else None
    if isinstance(owner, str) and len(owner) > OWNER_LENGTH:
        return {**body, "owner": owner[:OWNER_KEPT]}
    return body


def _check_readers(body: Any, form: JobForm, *, valid: bool) -> Findings:
    """What the reading code needs beyond the schema, and what would look wrong. `valid`: by the schema, formats
    included."""
    if not isinstance(body, dict):
        if isinstance(body, str):
            hint = "the object itself; a text would reach its reader as a text"
            yield error("$", "envelope", "the job is a text that holds JSON, not an object", hint)
        return
    if "payload" in body and "_meta" in body:
        message = "this is a Pulse envelope; a job message is the bare job"
        yield error("$", "envelope", message, "the content of payload, without payload and _meta")
        return
    if "owner" not in body:
        message = "Treeherder reads owner before it validates: without it the job is lost"
        yield error("$", "owner", message, 'add "owner": who submits it, a text of 1 to 50 characters')
    encoded = _encode(body)
    if form is JobForm.PULSE:
        yield from _check_database(body, may_hold_nul=_NUL in encoded)
    yield from _check_ids(body, may_end_lines=_LAST_LINE_BREAK in encoded)
    yield from _check_state(body, form)
    for name in _TIMES:
        value = body.get(name)
        if not isinstance(value, str) or ((valid or is_time(value)) and _is_safe(value)):
            continue
        if treeherder_time(value) is None:
            message = f"Treeherder cannot read the time {sanitize(value, 60)!r}: it takes the message and loses the job"
            yield error(f"$.{name}", "times", message, f"{_READABLE_TIME}; leave it out if there is none")
    yield from posting_rules.check_times(body, _TIMES, body.get("state"), "$")
    yield from _check_appearance(body)
    for number, log in numbered_objects(body, "logs"):
        log_name = log.get("name")
        if isinstance(log_name, str) and log_name not in _PARSED_LOGS[form] and not log.get("steps"):
            hint = f"one of {', '.join(_PARSED_LOGS[form])} to have it parsed"
            yield info(f"$.logs[{number}].name", "log-name", "linked, but not parsed for failure lines", hint)


def _is_safe(time: str) -> bool:
    """Whether Treeherder certainly reads an RFC 3339 time: no leap second, not the first or the last year."""
    return ":60" not in time and not time.startswith(("0001", "9999"))


def _check_database(body: Mapping[str, Any], *, may_hold_nul: bool) -> Findings:
    """What the schema lets pass and today's loader or its database does not, or changes. `may_hold_nul`: some text, a
    NUL or half of a surrogate pair."""
    owner, product = body.get("owner"), body.get("productName")
    if isinstance(owner, str) and len(owner) > OWNER_LENGTH:
        yield info("$.owner", "owner", f"today's Treeherder keeps the first {OWNER_KEPT} characters")
    if isinstance(product, str) and len(product) <= 125 and product.strip():  # blanks alone are stored as "unknown"
        yield from _check_product(product, "$.productName")
    display = get_object(body, "display")
    symbol = stored_symbol(display) if "chunkId" in display else ""
    if len(str(display.get("jobSymbol", ""))) <= SYMBOL_LENGTH < len(symbol):
        message = (
            f"jobSymbol and chunkId together have {len(symbol)} characters; Treeherder's database holds "
            f"{SYMBOL_LENGTH}: the job is lost"
        )
        yield error("$.display.chunkId", "maxLength", message, f"at most {SYMBOL_LENGTH} characters together")
    run = _run_number(body.get("taskId"))
    if run > LARGEST_RUN:
        message = f"the run {run} is above {LARGEST_RUN:,}, which Treeherder's database cannot hold: the job is lost"
        yield error("$.taskId", "taskId", message, "the number of the run, from 0")
    if may_hold_nul:
        yield from _check_stored_texts(body)
    for number, link in numbered_objects(get_object(body, "jobInfo"), "links"):
        if any(_becomes_log(link)) and len(link["url"]) > LOG_URL_LENGTH:
            length = len(link["url"])
            message = f"has {length} characters; Treeherder cuts it at {LOG_URL_LENGTH} and finds nothing there"
            hint = f"at most {LOG_URL_LENGTH} characters, if it is to be read"
            yield warning(f"$.jobInfo.links[{number}].url", "maxLength", message, hint)


def _check_stored_texts(body: Mapping[str, Any]) -> Findings:
    for path, text, lost in _stored_texts(body):
        if isinstance(text, str) and "\0" in text:
            yield _unstorable(path, "nul", "a NUL character", lost)
        if isinstance(text, str) and _HALF_A_PAIR.search(text):
            yield _unstorable(path, "surrogate", "half of a surrogate pair, which is not a character", lost)


def _encode(body: Any) -> bytes:
    """The body as JSON, to see at once whether any text in it may be odd; what cannot be encoded may be anything."""
    try:
        return msgspec.json.encode(body)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        return _NUL + _LAST_LINE_BREAK


def _run_number(task_id: Any) -> int:
    """As the loader reads it: `int` takes a sign. 0 if it is certainly small, or if the other part is not a UUID: then
    no run is stored."""
    task, _, run = task_id.partition("/") if isinstance(task_id, str) else ("", "", "")
    if len(run) < len(str(LARGEST_RUN)):
        return 0
    try:
        uuid.UUID(task)
        return int(run)
    except ValueError:
        return 0


def _check_product(product: str, path: str) -> Findings:
    if len(product) > PRODUCT_LENGTH:
        limits = f"the schema takes 125, Treeherder's database {PRODUCT_LENGTH}"
        message = f"has {len(product)} characters; {limits}: the job is lost"
        yield error(path, "maxLength", message, f"at most {PRODUCT_LENGTH} characters")


def _stored_texts(body: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """(path, what the loader leaves of it, what is lost if the database refuses it) of the texts without a pattern."""
    yield "$.owner", as_validated(body).get("owner"), "the job"
    for name in ("reason", "productName"):
        yield f"$.{name}", body.get(name), "the job"
    for name in ("jobName", "jobSymbol", "groupSymbol", "groupName"):
        yield f"$.display.{name}", get_object(body, "display").get(name), "the job"
    for number, log in numbered_objects(body, "logs"):
        for name in ("name", "url"):
            yield f"$.logs[{number}].{name}", log.get(name), "the log"
    for number, link in numbered_objects(get_object(body, "jobInfo"), "links"):
        is_log, is_data = _becomes_log(link)
        text, url = link.get("linkText"), link.get("url")
        if is_data and isinstance(text, str):
            yield f"$.jobInfo.links[{number}].linkText", text[:LOG_NAME_LENGTH], "the log"
        if (is_log or is_data) and isinstance(url, str):
            yield f"$.jobInfo.links[{number}].url", url[:LOG_URL_LENGTH], "the log"


def _becomes_log(link: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the loader stores a link as an errorsummary log, and whether as performance data; it stores no other."""
    url, text = link.get("url"), link.get("linkText")
    is_log = isinstance(url, str) and isinstance(text, str) and text.endswith("_errorsummary.log")
    return is_log, isinstance(url, str) and "perfherder-data" in url and url.endswith(".json")


def _unstorable(path: str, rule: str, what: str, lost: str) -> LintFinding:
    message = f"holds {what}; Treeherder's database refuses it: {lost} is lost"
    return error(path, rule, message, "the same without it")


def _check_ids(body: Mapping[str, Any], *, may_end_lines: bool) -> Findings:
    """`may_end_lines`: some text may end with a line break."""
    task_id = body.get("taskId")
    if isinstance(task_id, str) and task_id and not _TASK_RUN.fullmatch(task_id):
        message = "not <uuid>/<run>: if the push is not known yet, Treeherder fails on it instead of waiting"
        yield warning("$.taskId", "taskId", message, "a UUID, a slash and the number of the run")
    if not may_end_lines:
        return
    # `$` matches before a last line break, so the schema lets one pass.
    for name in ("taskId", "buildSystem", "owner", "reason", "productName"):
        if isinstance(body.get(name), str) and body[name].endswith("\n"):
            message = "ends with a line break, which is stored with it"
            yield warning(f"$.{name}", "line-break", message, "the same without it")
    origin = get_object(body, "origin")
    for name, missing in (("project", "no repository"), ("revision", "no push")):
        if isinstance(origin.get(name), str) and origin[name].endswith("\n"):
            message = f"ends with a line break: Treeherder finds {missing} of that name, and the job is lost"
            yield error(f"$.origin.{name}", "line-break", message, "the same without it")


def _check_state(body: Mapping[str, Any], form: JobForm) -> Findings:
    state, result, retried = body.get("state"), body.get("result"), body.get("isRetried")
    if state == "unscheduled" and form is JobForm.PULSE_2018:  # stored since bug 1066272
        message = "Treeherder dropped unscheduled jobs until 2026"
        yield warning("$.state", "state", message, "pending, once it is queued")
    elif state == "completed" and "result" not in body and not retried:
        hint = 'add "result": success, fail, exception, ...'
        yield warning("$", "result", "completed without a result is shown as unknown", hint)
    elif state in ("pending", "running") and result not in (None, "unknown"):
        message, hint = f"not shown while the job is {state}", "leave result out, or state completed"
        yield warning("$.result", "result", message, hint)
    if retried is True and result not in (None, "retry"):
        yield info("$.isRetried", "result", "isRetried outweighs result: it is shown as retry")
    if result == "retry" and form is JobForm.PULSE and retried is not True:
        message = "the schema takes retry, older loaders fail on it"
        yield warning("$.result", "result", message, '"isRetried": true and the result of the run')


def _check_appearance(body: Mapping[str, Any]) -> Findings:
    display = get_object(body, "display")
    if display.get("jobSymbol") == "" and "chunkId" not in display:
        message = f"an empty symbol is stored and shown as {UNKNOWN}"
        yield info("$.display.jobSymbol", "symbol", message, "one to four letters, or add chunkId")
    if "buildMachine" not in body and "runMachine" not in body:
        hint = 'add "runMachine": {"platform": ..., "os": ..., "architecture": ...}'
        yield warning("$", "platform", "without a machine the platform row is called unknown", hint)
    if not body.get("labels"):
        message = "without labels the platform row has no opt, debug ..."
        yield info("$", "labels", message, 'add "labels": ["opt"]')


# Taskcluster tasks, which are all that Mozilla's Treeherder reads today.

_ROUTE_SYNTAX = "tc-treeherder.v2.<project>.<revision of 40 digits>[.<push id>], or <user>/<project> for GitHub"


def check_task(body: Any) -> Findings:
    """Whether Treeherder would make a job of a task definition, also one in an object with its status."""
    task = body["task"] if isinstance(body, Mapping) and isinstance(body.get("task"), Mapping) else body
    path = "$" if task is body else "$.task"
    if not isinstance(task, Mapping):
        yield error("$", "type", "is not a task definition", "an object with routes, metadata and extra")
        return
    yield from _check_routes(task.get("routes"), path)
    yield from _check_metadata(task, path)
    config = get_object(task, "extra").get("treeherder")
    if not config:
        hint = 'add "treeherder": {"symbol": ..., "machine": {"platform": ...}}'
        yield error(f"{path}.extra", "treeherder", "no extra.treeherder: Treeherder ignores the task", hint)
        return
    path = f"{path}.extra.treeherder"
    yield from violations(config, JobForm.TASK, path)
    if not isinstance(config, Mapping):
        return
    if isinstance(config.get("productName"), str):
        yield from _check_product(config["productName"], f"{path}.productName")
    if "collection" in config and not config.get("labels"):
        yield info(f"{path}.collection", "labels", "still read, as labels", '"labels": ["opt"]')
    if not config.get("labels") and not config.get("collection"):
        yield info(path, "labels", "without labels the job is shown as opt")
    if "machine" not in config:
        hint = 'add "machine": {"platform": ...}'
        yield warning(path, "platform", "without a machine the row is named by the worker type", hint)


def _check_routes(routes: Any, path: str) -> Findings:
    found = treeherder_routes(routes)
    if len(found) != 1:
        count = len(found) or "no"
        message = f"{count} tc-treeherder route{'s' if len(found) > 1 else ''}: Treeherder wants exactly one"
        yield error(f"{path}.routes", "route", message, _ROUTE_SYNTAX)
        return
    number, route = found[0]
    path, match = f"{path}.routes[{number}]", TREEHERDER_ROUTE.fullmatch(route)
    if match is None:
        yield error(path, "route", "does not have the form that Treeherder reads", _ROUTE_SYNTAX)
        return
    if not re.fullmatch("[0-9a-f]{40}", match["revision"]):
        yield error(path, "route", "its revision is not 40 hexadecimal digits in lower case", _ROUTE_SYNTAX)
    if match["push"] is not None and not match["push"].isdecimal():
        yield error(path, "route", "its push id is not a number", _ROUTE_SYNTAX)
    if match["owner"] is None and match["push"] is None:
        yield info(path, "route", "without a push id; Treeherder then finds the push by its revision")


def _check_metadata(task: Mapping[str, Any], path: str) -> Findings:
    metadata = get_object(task, "metadata")
    for name in ("owner", "name", "description"):
        if not isinstance(metadata.get(name), str):
            message = f"no {name}: Treeherder reads it unchecked and fails"
            yield error(f"{path}.metadata", "metadata", message, f'add "{name}", a text')
    for name, meaning in (("owner", "who made it"), ("name", "what it is called")):
        if metadata.get(name) == "":
            message = "is empty: Treeherder's schema refuses the job"
            yield error(f"{path}.metadata.{name}", "metadata", message, f"a text: {meaning}")
    title, owner, created = metadata.get("name"), metadata.get("owner"), task.get("created")
    if isinstance(title, str) and len(title) > NAME_LENGTH:
        message = f"Treeherder keeps the first {NAME_LENGTH} characters"
        yield info(f"{path}.metadata.name", "metadata", message)
    if isinstance(created, str) and treeherder_time(created) is None:
        message = f"Treeherder cannot read the time {sanitize(created, 60)!r}: the job is lost"
        yield error(f"{path}.created", "times", message, _READABLE_TIME)
    if isinstance(owner, str) and len(owner) > OWNER_LENGTH:
        message = f"longer than {OWNER_LENGTH} characters: Treeherder cuts it"
        yield warning(f"{path}.metadata.owner", "metadata", message)
    for name, other in (("created", ""), ("workerType", "taskQueueId")):
        if name not in task and other not in task:
            message = f"no {name}: Treeherder reads it unchecked and fails"
            yield error(path, "metadata", message, f'add "{name}"')
