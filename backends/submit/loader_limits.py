"""What Treeherder's loader and its database make of each field of a job message, beyond what the schema says.

Sources: mozilla/treeherder at dc3080dd (2026-08-21), treeherder/etl/job_loader.py, etl/jobs.py, model/models.py and
schemas/pulse-job.yml. A text that is longer than its column is a database error there: the job is lost, after it was
acknowledged. So is one with a NUL or with half of a surrogate pair, which PostgreSQL stores in no text.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from backends.submit.findings import Finding, Level

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
# Fields that the schema gives no pattern: anything may stand in them. Of an owner the loader has cut what is too much.
_FREE = ("owner", "reason", "productName", "display.jobName", "display.jobSymbol", "display.groupSymbol",
         "display.groupName")  # fmt: skip
_NAME_KEPT, _URL_KEPT = 50, 255  # characters that the loader leaves of a log's name and URL


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
    if isinstance(product, str) and _is_long_product(product):
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
    yield from _unstorable(body)
    yield from _links(body)


def _is_long_product(product: str) -> bool:
    """Of blanks alone, "unknown" is stored, however many they are."""
    row = _LIMIT["productName"]
    return row.most < len(product) <= row.schema and bool(product.strip())


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
    """As the loader reads it: `int` takes a sign, and where the other part is no UUID, no run is stored."""
    task, _, run = task_id.partition("/") if isinstance(task_id, str) else ("", "", "")
    try:
        uuid.UUID(task)
        number = int(run)
    except ValueError:
        return
    if number > LARGEST_RUN:
        yield Finding(
            Level.ERROR,
            "$.taskId",
            "taskId",
            f"the run {number} is above {LARGEST_RUN:,}, which Treeherder's database cannot hold: the job is lost",
            "the number of the run, from 0 on",
        )


def _unstorable(body: Mapping[str, Any]) -> Iterator[Finding]:
    """Characters that PostgreSQL takes in no text, in what the loader leaves of each."""
    texts = [(f"$.{name}", _at(body, name), "the job") for name in _FREE]
    logs = body.get("logs")
    for number, log in enumerate(logs if isinstance(logs, list) else ()):
        if isinstance(log, Mapping):
            texts += [(f"$.logs[{number}].{name}", log.get(name), "the log") for name in ("name", "url")]
    for number, link in enumerate(_links_of(body)):
        url, words = link.get("url"), link.get("linkText")
        is_log, is_data = _becomes_log(link)
        at = f"$.jobInfo.links[{number}]"
        if is_data and isinstance(words, str):
            texts.append((f"{at}.linkText", words[:_NAME_KEPT], "the log"))
        if (is_log or is_data) and isinstance(url, str):
            texts.append((f"{at}.url", url[:_URL_KEPT], "the log"))
    for path, value, lost in texts:
        text = as_validated({"owner": value})["owner"] if path == "$.owner" else value
        if not isinstance(text, str):
            continue
        if "\0" in text:
            yield _refused(path, "nul", "a NUL character", lost)
        if _HALF_A_PAIR.search(text):
            yield _refused(path, "surrogate", "half of a surrogate pair, which is no character", lost)


_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def _refused(path: str, rule: str, what: str, lost: str) -> Finding:
    message = f"holds {what}; Treeherder's database refuses it: {lost} is lost"
    return Finding(Level.ERROR, path, rule, message, "the same without it")


def _at(body: Mapping[str, Any], field: str) -> Any:
    value: Any = body
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _links_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One mapping a link, an empty one for what is none."""
    links = _at(body, "jobInfo.links")
    return [link if isinstance(link, Mapping) else {} for link in (links if isinstance(links, list) else ())]


def _becomes_log(link: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the loader stores a link as an errorsummary log, and whether as performance data; it stores no other."""
    url, words = link.get("url"), link.get("linkText")
    is_log = isinstance(url, str) and isinstance(words, str) and words.endswith("_errorsummary.log")
    return is_log, isinstance(url, str) and "perfherder-data" in url and url.endswith(".json")


def _links(body: Mapping[str, Any]) -> Iterator[Finding]:
    most = _LIMIT["jobInfo.links[].url"].most
    for number, link in enumerate(_links_of(body)):
        if any(_becomes_log(link)) and len(link["url"]) > most:
            yield Finding(
                Level.WARNING,
                f"$.jobInfo.links[{number}].url",
                "maxLength",
                f"has {len(link['url'])} characters; Treeherder cuts it at {most} and then finds nothing there",
                f"at most {most} characters, if it shall be read",
            )
