"""The rules of Perfherder's schema: a file that it would refuse is named, one that it takes is not."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.taskcluster.perfherder_artifact import first_violation, violations

GOOD: dict[str, Any] = {
    "framework": {"name": "browsertime"},
    "application": {"name": "firefox", "version": "147.0a1"},
    "os": {"name": "linux", "platform_version": "1"},
    "suites": [
        {
            "name": "amazon",
            "tags": ["cold", "a-1"],
            "extraOptions": ["fission"],
            "value": 5,
            "unit": "ms",
            "replicates": [1, 2.5],
            "minBackWindow": 12.0,
            "shouldAlert": True,
            "alertThreshold": 2.0,
            "alertChangeType": "percentage",
            "subtests": [{"name": "fcp", "value": -1e12, "minBackWindow": 12.5, "replicates": "free"}],
        }
    ],
}
DELETED = object()
# path, value, what is said
BROKEN: list[tuple[str, Any, str]] = [
    ("framework", DELETED, "the file has no framework"),
    ("suites", DELETED, "the file has no suites"),
    ("framework", [], "framework is not an object"),
    ("framework/name", 5, "framework.name is not a string"),
    ("application/name", DELETED, "application has no name"),
    ("application/name", "opera", "application.name is none of firefox"),
    ("application/version", "v" * 41, "application.version is above 40 characters"),
    ("os/name", "", "os.name is below 1 characters"),
    ("suites", {}, "suites is not an array"),
    ("suites/0/name", DELETED, "suites[0] has no name"),
    ("suites/0/name", "n" * 81, "suites[0].name is above 80 characters"),
    ("suites/0/publicName", "n" * 31, "suites[0].publicName is above 30 characters"),
    ("suites/0/subtests", DELETED, "suites[0] has no subtests"),
    ("suites/0/tags", ["a b"], "suites[0].tags[0] does not match"),
    ("suites/0/tags", ["a", "a"], "suites[0].tags has an entry twice"),
    ("suites/0/tags", [f"t{n}" for n in range(15)], "suites[0].tags is above 14 entries"),
    ("suites/0/extraOptions", [f"o{n}" for n in range(9)], "suites[0].extraOptions is above 8 entries"),
    ("suites/0/extraOptions", [True], "suites[0].extraOptions[0] is not a string"),
    ("suites/0/value", "5", "suites[0].value is not a number"),
    ("suites/0/value", True, "suites[0].value is not a number"),
    ("suites/0/value", None, "suites[0].value is not a number"),
    ("suites/0/value", 1.1e12, "suites[0].value is above 1e+12"),
    ("suites/0/unit", "", "suites[0].unit is below 1 characters"),
    ("suites/0/replicates", [1, "2"], "suites[0].replicates[1] is not a number"),
    ("suites/0/lowerIsBetter", 1, "suites[0].lowerIsBetter is not a boolean"),
    ("suites/0/minBackWindow", 12.5, "suites[0].minBackWindow is not an integer"),
    ("suites/0/foreWindow", 0, "suites[0].foreWindow is below 1"),
    ("suites/0/alertThreshold", -1, "suites[0].alertThreshold is below 0"),
    ("suites/0/alertSeverity", "bad", "suites[0].alertSeverity is none of critical"),
    ("suites/0/subtests/0/value", DELETED, "suites[0].subtests[0] has no value"),
    ("suites/0/subtests/0/value", -1.1e12, "suites[0].subtests[0].value is below -1e+12"),
    ("suites/0/subtests/0/name", None, "suites[0].subtests[0].name is not a string"),
    ("suites/0/subtests/0/maxBackWindow", 256, "suites[0].subtests[0].maxBackWindow is above 255"),
]

COMMON = (
    "name publicName value unit lowerIsBetter shouldAlert alertChangeType alertThreshold alertSeverity minBackWindow"
)
MEMBERS = {
    "": "framework application os suites other",
    "application/": "name version",
    "os/": "name platform_version",
    "framework/": "name",
    "suites/0/": f"{COMMON} maxBackWindow foreWindow tags extraOptions subtests replicates monitor alertNotifyEmails",
    "suites/0/subtests/0/": f"{COMMON} maxBackWindow foreWindow replicates",
}
VALUES: list[Any] = [
    *(None, True, 0, 1, 255, 256, 12.5, 1e12, 1.1e12, -2e12, "", "a", "a-b", "a b", "firefox", "normal", "absolute"),
    *("x" * length for length in (10, 11, 20, 21, 30, 31, 40, 41, 80, 81, 100, 101)),
    *([], ["a"], ["a", "a"], [1], [1, "a"], [1, 1.0], {}, {"name": "a"}, [{"name": "a", "value": 1}]),
    *([f"{number}" for number in range(length)] for length in (8, 9, 14, 15)),
]


def changed(path: str, value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(GOOD)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = whole
    for part in parents:
        place = place[part]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value
    return whole


def test_a_file_as_it_should_be_is_not_complained_about() -> None:
    assert first_violation(GOOD) == ""
    assert first_violation({"framework": {}, "suites": []}) == ""


@pytest.mark.parametrize(("path", "value", "said"), BROKEN, ids=[said for _, _, said in BROKEN])
def test_each_rule_is_kept_and_its_place_is_named(path: str, value: Any, said: str) -> None:
    found = list(violations(changed(path, value)))
    assert len(found) == 1 and found[0].startswith(said), found


def objects(members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["framework", "suites", "name", "value", "tags", "subtests"]), members)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | objects(one)))
def test_no_shape_of_json_is_too_odd_to_be_judged(value: Any) -> None:
    list(violations(value))


def test_the_rules_are_those_of_the_schema_itself() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = Path(__file__).parents[3] / "shared" / "schemas" / "performance-artifact.json"
    if not path.is_file():
        pytest.skip("Treeherder's schema is not on this machine")
    validator = jsonschema.Draft6Validator(json.loads(path.read_text()))
    assert validator.is_valid(GOOD)
    for where, value, _ in BROKEN:
        assert not validator.is_valid(changed(where, value)), where
    for prefix, members in MEMBERS.items():
        for member in members.split():
            for value in VALUES:
                whole = changed(prefix + member, value)
                assert validator.is_valid(whole) == (first_violation(whole) == ""), (prefix + member, value)
