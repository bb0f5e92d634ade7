"""Entries of job data: the forms in which they are written, what identifies them, and how their times are read."""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Any

UNKNOWN = "unknown"  # what Treeherder stores for a name or a symbol that is missing or empty
# The route that makes Treeherder read a Taskcluster task (treeherder/etl/taskcluster_pulse/parse_route.py).
TREEHERDER_ROUTE = re.compile(
    r"tc-treeherder\.v2\.(?:(?P<owner>[\w-]+)/)?(?P<project>[\w-]+)\.(?P<revision>[^.]+)(?:\.(?P<push>[^.]+))?"
)


class JobForm(StrEnum):
    """The forms of job data; the values are those of --form."""

    PULSE = "pulse"  # the job message of today's schema
    PULSE_2018 = "pulse-2018"  # the job message of the schema until 2018
    COLLECTION = "collection"  # an entry of the REST job collection
    TASK = "task"  # a Taskcluster task definition
    PERFORMANCE = "performance"  # a performance artifact

    @property
    def is_pulse(self) -> bool:
        return self in (JobForm.PULSE, JobForm.PULSE_2018)

    @property
    def is_job(self) -> bool:
        """Whether it can be converted, previewed and published as a job."""
        return self.is_pulse or self is JobForm.COLLECTION


@dataclass(frozen=True)
class JobEntry:
    """One job (task, artifact) as it was read.

    `place`: where in the file, e.g. "line 12"; `number`: its index, from 0. `parse_error`: why it could not be read
    ("" if it could), with `body` None. `warnings`: what the reader noticed.
    """

    file: str
    place: str
    number: int
    form: JobForm
    body: Any = field(repr=False)
    parse_error: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.file}#{self.number}"

    @property
    def location(self) -> str:
        """The file and the place in it, for messages."""
        return f"{self.file} {self.place}".strip()

    @property
    def job_id(self) -> str:
        """What identifies the job on a server: taskId or job_guid; "" if it has none."""
        if self.form is JobForm.COLLECTION:
            found = get_object(self.body, "job").get("job_guid")
        else:
            found = self.body.get("taskId") if isinstance(self.body, dict) else None
        return found if isinstance(found, str) else ""


def guess_form(body: Any) -> JobForm:
    """The most likely form of a value. Job messages count as today's: only the user can say otherwise."""
    if not isinstance(body, dict):
        return JobForm.PULSE
    if "suites" in body and "taskId" not in body:
        return JobForm.PERFORMANCE
    if isinstance(body.get("task"), dict) or (
        "taskId" not in body and {"routes", "payload", "extra", "workerType", "taskQueueId"} & body.keys()
    ):
        return JobForm.TASK
    if "job" in body or ("job_guid" in body and "taskId" not in body):
        return JobForm.COLLECTION
    return JobForm.PULSE


# Job data may hold anything anywhere; these read it without checks in the callers.


def get_object(holder: Any, name: str) -> Mapping[str, Any]:
    """The object of that name, {} if there is none or something else."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def numbered_objects(holder: Any, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(index, object) of each object in the list of that name."""
    value = holder.get(name) if isinstance(holder, dict) else None
    for number, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            yield number, item


def get_objects(holder: Any, name: str) -> list[Mapping[str, Any]]:
    """The objects in the list of that name."""
    return [item for _, item in numbered_objects(holder, name)]


def artifact_content(artifact: Mapping[str, Any]) -> Any:
    """The content of a collection's artifact; clients sent it as an object or as a text that holds JSON."""
    blob = artifact.get("blob")
    if isinstance(blob, str):
        try:
            return json.loads(blob)
        except (ValueError, RecursionError):
            return blob
    return blob


def stored_symbol(display: Mapping[str, Any]) -> str:
    """A message's jobSymbol and chunkId, joined as Treeherder stores them."""
    return f"{display.get('jobSymbol', '')}{display.get('chunkId', '')}"


# Times: ISO 8601 in messages, seconds since 1970 in collections.

EARLIEST = -62_135_510_400  # the second day of year 1: a clock west of Greenwich has no earlier time
LATEST = 253_402_300_799  # the end of year 9999
# What dateutil reads as anybody would, in 1 instead of 60 µs: full dates of years in which no zone leaves the range.
_USUAL_TIME = re.compile(
    r"((?!000[01]|9999)[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]((?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)"
    r"(?:(?<=:[0-9]{2}:[0-9]{2})\.[0-9]{1,9})?([Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)
_LONGEST_TIME = 10_000  # characters; dateutil takes hours over a million digits, and no time is that long


def treeherder_time(text: str) -> float | None:
    """Seconds since 1970 that Treeherder's loader makes of a time in a message; None where it fails on it.

    It parses with dateutil, takes a time without a zone for UTC, drops parts of a second, and makes a datetime of the
    number again, for which the year must be one from 1 to 9999.
    """
    if match := _USUAL_TIME.fullmatch(text):
        with suppress(ValueError):  # the 30th of February: dateutil refuses it, too
            day, clock, zone = match.groups("Z")
            return datetime.fromisoformat(f"{day}T{clock}{zone.upper()}").timestamp()
    text = text.strip()
    if len(text) > _LONGEST_TIME:
        return None
    from dateutil import parser

    try:
        seconds = calendar.timegm(parser.parse(text, tzinfos=_zone).utctimetuple())
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError, ArithmeticError):
        return None
    return float(seconds) if EARLIEST <= seconds <= LATEST else None


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    """As on a server whose clock is UTC: the name of another zone without its offset says nothing."""
    return None if offset is None else timezone(timedelta(seconds=offset))


def parse_time(value: Any) -> float | None:
    """Seconds since 1970 (UTC) of a number, an ISO 8601 text or one that Treeherder's loader can read; else None. A
    time without a zone counts as UTC, as in Treeherder."""
    if not isinstance(value, str):
        known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LATEST
        return float(value) if known else None
    text = value.strip()
    if text.isdecimal() and text.isascii() and len(text) <= 12:
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return treeherder_time(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def format_time(seconds: float) -> str:
    """As messages write it: UTC, with milliseconds only where there are any."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1000:03d}" if seconds % 1 else "") + "Z"
