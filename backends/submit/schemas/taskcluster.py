"""`extra.treeherder` of a Taskcluster task: what Treeherder makes the job of, the one route it still reads.

Restates schemas/task-treeherder-config.yml of mozilla/treeherder at dc3080dd (2026-08-21); unlike the job message it
takes properties that it does not know.
"""

from __future__ import annotations

from backends.submit.schemas.parts import ORDINAL, Schema, closed, many, one_of, opened, text, word

WORD = "^[A-Za-z0-9_-]+$"


def treeherder_config() -> Schema:
    found = opened(
        "symbol",
        symbol=text(0, 25),
        groupSymbol=text(1, 25),
        groupName=text(1, 255),
        productName=text(1, 125),
        reason=text(1, 125),
        tier={**ORDINAL, "maximum": 3},
        jobKind=one_of("build", "test", "other"),
        labels=many(word(50, WORD), uniqueItems=False),
        machine=closed("platform", platform=word(50, WORD), os=word(25, WORD), architecture=word(25, WORD)),
    )
    return {"$schema": "http://json-schema.org/draft-07/schema#", **found, "additionalProperties": True}
