"""A performance artifact (PERFHERDER_DATA, perfherder-data.json): what a job measured.

Restates schemas/performance-artifact.json of mozilla/treeherder at dc3080dd (2026-08-21).
"""

from __future__ import annotations

from backends.submit.schemas.parts import FLAG, TEXT, Schema, many, one_of, opened, ref, text, upto

APPLICATIONS = (
    "firefox",
    "chrome",
    "chrome-m",
    "fennec",
    "geckoview",
    "refbrow",
    "fenix",
    "focus",
    "safari",
    "safari-tp",
    "custom-car",
    "cstm-car-m",
)
MOST = 1e12
VALUE: Schema = {"type": "number", "minimum": -MOST, "maximum": MOST}


def artifact() -> Schema:
    found = opened(
        "framework suites",
        application=ref("application"),
        os=ref("os"),
        framework=opened("", name=TEXT),
        suites=many(ref("suite")),
    )
    named = opened("", name=text(1, 100), platform_version=text(1, 100))
    application = opened("name", name={**one_of(*APPLICATIONS), "maxLength": 10}, version=upto(40))
    return {**found, "definitions": {"application": application, "os": named, "suite": _suite()}}


def _measured(window: str) -> dict[str, Schema]:
    """What a suite and a subtest have in common; `window`: the JSON type of the three windows."""
    window_schema: Schema = {"type": window, "minimum": 1, "maximum": 255}
    return {
        "name": upto(80),
        "publicName": upto(30),
        "value": VALUE,
        "unit": text(1, 20),
        "lowerIsBetter": FLAG,
        "shouldAlert": FLAG,
        "alertChangeType": one_of("absolute", "percentage"),
        "alertThreshold": {"type": "number", "minimum": 0.0},
        "minBackWindow": window_schema,
        "maxBackWindow": window_schema,
        "foreWindow": window_schema,
    }


def _suite() -> Schema:
    subtest = opened("name value", **_measured("number"), alertSeverity=one_of("critical", "subcritical", "normal"))
    return opened(
        "name subtests",
        **_measured("integer"),
        tags=many({"type": "string", "pattern": "^[a-zA-Z0-9-]{1,24}$"}, uniqueItems=True, maxItems=14),
        extraOptions=many(upto(100), uniqueItems=True, maxItems=8),
        alertNotifyEmails=many(upto(100), uniqueItems=True, maxItems=8),
        replicates=many(VALUE),
        subtests=many(subtest),
        monitor=FLAG,
    )
