"""One entry of the job collection that servers took by REST until 2018-09-28, with what its client and server demanded.

Required names and the lengths of `project`, `revision` and `job_guid` are what treeherder-client 3 and 4 refused; the
rest are limits that the server applied in silence, by cutting or by falling back (treeherder/etl/jobs.py before
ecf4c4e3).
"""

from __future__ import annotations

from backends.submit.schemas.parts import FLAG, ORDINAL, TEXT, Schema, many, one_of, opened, ref, text, upto

RESULTS = ("success", "testfailed", "busted", "skipped", "exception", "retry", "usercancel", "unknown", "superseded")
PARSE_STATES = ("pending", "parsed", "error")
_PLAIN = ("name", "desc", "job_symbol", "group_symbol", "group_name", "product_name", "machine")
_TIMES = ("submit_timestamp", "start_timestamp", "end_timestamp")


def entry() -> Schema:
    found = opened(
        "project revision job",
        project={"type": "string", "minLength": 1, "pattern": r"^[\w-]{1,50}$"},  # its length is the pattern's
        revision=text(1, 40),
        superseded=many(text(1, 50)),
        coalesced={"type": "array"},
        job={**_job(), "minProperties": 1},
    )
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **found,
        "definitions": {
            "epoch": {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+$"}]},
            "platform": opened("os_name platform architecture", os_name=TEXT, platform=TEXT, architecture=TEXT),
        },
    }


def _job() -> Schema:
    log = opened("url name", url=text(1, 255), name=text(1, 50), parse_status={"enum": list(PARSE_STATES)})
    artifact = opened(
        "type name blob",
        type={"type": "string", "minLength": 1},
        name={"type": "string", "minLength": 1},
        job_guid=upto(50),
    )
    return opened(
        "job_guid",
        job_guid=text(1, 50),
        **dict.fromkeys(_PLAIN, TEXT),
        **dict.fromkeys(_TIMES, ref("epoch")),
        state={**one_of("unscheduled", "pending", "running", "completed"), "maxLength": 25},
        result=one_of(*RESULTS),
        reason=upto(125),
        who=upto(50),
        build_platform=ref("platform"),
        machine_platform=ref("platform"),
        option_collection={"type": "object", "additionalProperties": FLAG},
        tier={**ORDINAL, "maximum": 3},
        log_references=many(log),
        artifacts=many(artifact),
    )
