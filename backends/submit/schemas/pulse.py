"""The Pulse job message, as Treeherder validates it today and as it did until 2018.

Restates schemas/pulse-job.yml of mozilla/treeherder at dc3080dd (2026-08-21) and before ecf4c4e3 (2018-09-28). The two
differ in `origin`, in `logs`, in `extra`, in two lengths and in the result `retry`: neither accepts what the other
requires of `origin`.
"""

from __future__ import annotations

from backends.submit.schemas.parts import (
    COUNT,
    DRAFT_06,
    FLAG,
    ORDINAL,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    closed,
    many,
    one_of,
    ref,
    text,
    upto,
    word,
)

REQUIRED = "taskId origin buildSystem display state jobKind version"
REVISION = text(40, 40, "^[0-9a-f]+$")
RESULTS_2018 = ("success", "fail", "exception", "canceled", "superseded", "unknown")
RESULTS = ("success", "fail", "exception", "retry", "canceled", "superseded", "unknown")


def current() -> Schema:
    origin = closed("project revision", project=word(50), revision=REVISION, id=WHOLE)
    log = closed("url name", url=text(1, 255, format="uri"), name=text(1, 50))
    return _message(origin, log, results=RESULTS, job_name=140, group_name=255)


def of_2018() -> Schema:
    hg = closed(
        "kind project revision", kind=one_of("hg.mozilla.org"), project=word(50), revision=REVISION, pushLogID=WHOLE
    )
    github = closed(
        "kind project revision",
        kind=one_of("github.com"),
        owner=word(50),
        project=word(50),
        revision=text(40, 40),
        pullRequestID=WHOLE,
    )
    log = closed(
        "url name", url=text(1, 255, format="uri"), name=text(1, 50), steps=many(_step()), errorsTruncated=FLAG
    )
    message = _message({"oneOf": [hg, github]}, log, results=RESULTS_2018, job_name=100, group_name=100)
    message["properties"]["extra"] = {"type": "object"}
    return message


def _message(origin: Schema, log: Schema, *, results: tuple[str, ...], job_name: int, group_name: int) -> Schema:
    display = closed(
        "jobName jobSymbol groupSymbol",
        jobName=text(1, job_name),
        groupName=text(1, group_name),
        jobSymbol=text(0, 25),
        groupSymbol=text(1, 25),
        chunkId=ORDINAL,
        chunkCount=ORDINAL,
    )
    link = closed("url linkText label", url=upto(512, format="uri"), linkText=text(1, 125), label=text(1, 70))
    message = closed(
        REQUIRED,
        taskId=word(50, "^[A-Za-z0-9/+-]+$"),
        retryId=COUNT,
        isRetried=FLAG,
        buildSystem=word(25),
        origin=origin,
        display=display,
        state=one_of("unscheduled", "pending", "running", "completed"),
        result=one_of(*results),
        jobKind=one_of("build", "test", "other"),
        tier={**ORDINAL, "maximum": 3},
        coalesced=many(word(50, r"^[\w/+-]+$")),
        timeScheduled=TIME,
        timeStarted=TIME,
        timeCompleted=TIME,
        labels=many(word(50)),
        owner=text(1, 50),
        reason=text(1, 125),
        productName=text(1, 125),
        buildMachine=ref("machine"),
        runMachine=ref("machine"),
        jobInfo=closed("", summary=TEXT, links=many(link)),
        logs=many(log),
        version=one_of(1, kind="integer"),
    )
    return {"$schema": DRAFT_06, **message, "definitions": {"machine": _machine()}}


def _machine() -> Schema:
    return closed("platform os architecture", name=word(50), platform=word(100), os=word(25), architecture=word(25))


def _step() -> Schema:
    error = closed("", line=text(1, 255), linenumber=COUNT)
    return closed(
        "name timeStarted lineStarted lineFinished timeFinished result",
        name=text(1, 255),
        timeStarted=TIME,
        timeFinished=TIME,
        lineStarted=COUNT,
        lineFinished=COUNT,
        result=one_of("success", "fail", "exception", "canceled", "unknown"),
        errors=many(error),
    )
