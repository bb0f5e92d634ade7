"""What Treeherder's loader and its database make of each field of a job message, beyond what the schema says.

Sources: mozilla/treeherder at dc3080dd (2026-08-21), treeherder/etl/job_loader.py, etl/jobs.py, model/models.py and
schemas/pulse-job.yml. A text that is longer than its column is a database error there: the job is lost, after it was
acknowledged. So is one with a NUL, which PostgreSQL stores in no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from backends.submission.findings import Finding, Level

UNKNOWN = "unknown"  # what is stored for a name or a symbol that is missing or empty
OWNER_KEPT = 49  # characters that the loader leaves of an owner of more than 50, before the schema is checked
LARGEST_RUN = 2_147_483_647  # a PositiveIntegerField of PostgreSQL

Beyond = Literal["refused", "lost", "cut"]


@dataclass(frozen=True)
class Stored:
    """`field`: its path; `column`: where it is stored; `schema`, `most`: characters that the schema lets pass and that
    the column holds. `beyond`: what becomes of a longer one that the schema lets pass, "refused" where it lets none.
    `empty`: what is stored for none ("" where the schema refuses none, or nothing is stored)."""

    field: str
    column: str
    schema: int
    most: int
    beyond: Beyond = "refused"
    empty: str = ""


TABLE = (
    Stored("taskId", "job.guid", 50, 50),
    Stored("buildSystem", "reference_data_signatures.build_system_type", 25, 25),
    Stored("origin.project", "repository.name", 50, 50),
    Stored("origin.revision", "push.revision", 40, 40),
    Stored("display.jobName", "job_type.name", 140, 140),
    Stored("display.jobSymbol", "job_type.symbol", 25, 25, "lost", UNKNOWN),  # followed by chunkId
    Stored("display.groupSymbol", "job_group.symbol", 25, 25),
    Stored("display.groupName", "job_group.name", 255, 255, empty=UNKNOWN),
    Stored("state", "job.state", 25, 25),
    Stored("owner", "job.who", 50, 50, "cut"),
    Stored("reason", "job.reason", 125, 125, empty=UNKNOWN),
    Stored("productName", "product.name", 125, 100, "lost", UNKNOWN),
    Stored("labels[]", "option.name", 50, 100),
    Stored("runMachine.name", "machine.name", 50, 100, empty=UNKNOWN),
    Stored("runMachine.platform", "machine_platform.platform", 100, 100, empty=UNKNOWN),
    Stored("runMachine.os", "machine_platform.os_name", 25, 25, empty=UNKNOWN),
    Stored("runMachine.architecture", "machine_platform.architecture", 25, 25, empty=UNKNOWN),
    Stored("buildMachine.name", "machine.name", 50, 100, empty=UNKNOWN),
    Stored("buildMachine.platform", "build_platform.platform", 100, 100, empty=UNKNOWN),
    Stored("buildMachine.os", "build_platform.os_name", 25, 25, empty=UNKNOWN),
    Stored("buildMachine.architecture", "build_platform.architecture", 25, 25, empty=UNKNOWN),
    Stored("logs[].name", "job_log.name", 50, 50),
    Stored("logs[].url", "job_log.url", 255, 255),
    # Of links only those that become logs are stored: errorsummary logs and perfherder-data*.json.
    Stored("jobInfo.links[].url", "job_log.url", 512, 255, "cut"),
)
_LIMIT = {row.field: row for row in TABLE}
# Fields that the schema gives no pattern: anything may stand in them.
_FREE = ("owner", "reason", "productName", "display.jobName", "display.jobSymbol", "display.groupSymbol",
         "display.groupName")  # fmt: skip


def as_validated(body: Any) -> Any:
    """The message as the loader hands it to the schema."""
    owner = body.get("owner") if isinstance(body, Mapping) else None
    if isinstance(owner, str) and len(owner) > _LIMIT["owner"].most:
        return {**body, "owner": owner[:OWNER_KEPT]}
    return body


def job_symbol(display: Mapping[str, Any]) -> str:
    """As it is stored."""
    return f"{display.get('jobSymbol', '')}{display.get('chunkId', '')}" or UNKNOWN


def beyond_the_schema(body: Mapping[str, Any]) -> Iterator[Finding]:
    """What the schema lets pass and the loader or the database does not, or not as it is."""
    owner, product = body.get("owner"), body.get("productName")
    if isinstance(owner, str) and len(owner) > _LIMIT["owner"].most:
        yield Finding(Level.INFO, "$.owner", "owner", f"today's Treeherder keeps the first {OWNER_KEPT} characters")
    if isinstance(product, str) and _LIMIT["productName"].most < len(product) <= _LIMIT["productName"].schema:
        yield product_too_long("$.productName", len(product))
    display = body.get("display")
    if isinstance(display, Mapping):
        symbol, most = job_symbol(display), _LIMIT["display.jobSymbol"].most
        if len(str(display.get("jobSymbol", ""))) <= most < len(symbol):
            yield Finding(
                Level.ERROR,
                "$.display.chunkId",
                "maxLength",
                f"jobSymbol and chunkId together have {len(symbol)} characters; Treeherder's database holds {most}: "
                "the job is lost",
                f"at most {most} characters together",
            )
    yield from _run(body.get("taskId"))
    yield from _nul(body)
    yield from _links(body)


def product_too_long(path: str, length: int) -> Finding:
    row = _LIMIT["productName"]
    return Finding(
        Level.ERROR,
        path,
        "maxLength",
        f"has {length} characters; the schema takes {row.schema}, Treeherder's database {row.most}: the job is lost",
        f"at most {row.most} characters",
    )


def _run(task_id: Any) -> Iterator[Finding]:
    run = task_id.rpartition("/")[2] if isinstance(task_id, str) and "/" in task_id else ""
    if run.isascii() and run.isdigit() and int(run) > LARGEST_RUN:
        yield Finding(
            Level.ERROR,
            "$.taskId",
            "taskId",
            f"the run {run} is above {LARGEST_RUN:,}, which Treeherder's database cannot hold: the job is lost",
            "the number of the run, from 0 on",
        )


def _nul(body: Mapping[str, Any]) -> Iterator[Finding]:
    places = [(f"$.{name}", _at(body, name)) for name in _FREE]
    logs = body.get("logs")
    for number, log in enumerate(logs if isinstance(logs, list) else ()):
        if isinstance(log, Mapping):
            places += [(f"$.logs[{number}].{name}", log.get(name)) for name in ("name", "url")]
    for path, value in places:
        if isinstance(value, str) and "\0" in value:
            yield Finding(
                Level.ERROR,
                path,
                "nul",
                "holds a NUL character, which Treeherder's database refuses: the job is lost",
                "the same without it",
            )


def _at(body: Mapping[str, Any], field: str) -> Any:
    value: Any = body
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _links(body: Mapping[str, Any]) -> Iterator[Finding]:
    links, most = _at(body, "jobInfo.links"), _LIMIT["jobInfo.links[].url"].most
    for number, link in enumerate(links if isinstance(links, list) else ()):
        if not isinstance(link, Mapping):
            continue
        url, words = link.get("url"), link.get("linkText")
        if not isinstance(url, str) or len(url) <= most:
            continue
        is_log = isinstance(words, str) and words.endswith("_errorsummary.log")
        if is_log or ("perfherder-data" in url and url.endswith(".json")):
            yield Finding(
                Level.WARNING,
                f"$.jobInfo.links[{number}].url",
                "maxLength",
                f"has {len(url)} characters; Treeherder cuts it at {most} and then finds nothing there",
                f"at most {most} characters, if it shall be read",
            )
