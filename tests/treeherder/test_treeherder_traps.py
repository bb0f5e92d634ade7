"""What the API does that one would not expect of it, trap by trap."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import httpx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import AppError
from backends.http.errors import BadRequestError, NotFoundError, ServerError
from backends.lenient_json import lenient
from backends.treeherder import signatures
from backends.treeherder.alerts import alert_frame, signed_percent, summary_frame
from backends.treeherder.api import (
    MissingEndpointError,
    NotTreeherderError,
    UnknownItemError,
    UnknownRepositoryError,
    decode_list,
)
from backends.treeherder.base import join_words
from backends.treeherder.compare import value_frame
from backends.treeherder.jobs import job_frame
from backends.treeherder.locators import AlertSummaries
from backends.treeherder.models import (
    AlertSignature,
    PerformanceAlert,
    PerformanceAlertSummary,
    PerformanceSignature,
    PushJob,
    SeriesSummary,
    SeriesValue,
)
from backends.treeherder.pushes import count_results
from backends.treeherder.series import data_frame
from backends.treeherder.signatures import SIGNATURES as COLUMNS
from backends.treeherder.signatures import signature_frame
from tests.treeherder.fake_treeherder import FakeTreeherder, answer, page

SIGNATURES = "/api/project/autoland/performance/signatures/"
SUMMARY = "/api/performance/summary/"
ALERTS = "/api/performance/alertsummary/"
JOBS = "/api/project/autoland/jobs/"


def query(asked: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(asked).query)


# Addresses and answers that are none


def test_every_address_ends_in_a_slash(fake: FakeTreeherder) -> None:
    fake.answers[SIGNATURES] = {}
    fake.answers["/api/project/autoland/push/"] = {"results": []}
    treeherder = fake.client()
    treeherder.fetch_signatures("autoland", frameworks=[13], interval=5)
    treeherder.fetch_pushes("autoland")
    assert all(urlsplit(asked).path.endswith("/") for asked in fake.asked)


def test_a_web_page_with_status_200_means_that_there_is_no_such_thing(fake: FakeTreeherder) -> None:
    with pytest.raises(MissingEndpointError) as raised:
        fake.client().fetch_signatures("autoland")
    assert "no such part of Treeherder's API" in raised.value.sentence
    assert raised.value.exit_code == 3


def test_a_web_page_is_never_kept(fake: FakeTreeherder, tmp_path: Path) -> None:
    treeherder = fake.client(cache_dir=tmp_path)
    with pytest.raises(MissingEndpointError):
        treeherder.fetch_signatures("autoland")
    fake.answers[SIGNATURES] = {"5": {"id": 5}}
    assert treeherder.fetch_signatures("autoland").items[0].id == 5


ERRORS = {
    '{"detail":"Specified count exceeds"}': "Specified count exceeds",
    '{"message":"Provide either interval only"}': "Provide either interval only",
    '{"message":["PerformanceAlertSummary does not exist."]}': "PerformanceAlertSummary does not exist.",
    '{"repository":["nosuch does not exist."]}': "repository: nosuch does not exist.",
    '["Need to specify either signature_id"]': "Need to specify either signature_id",
    '"Invalid value for offset or count"': "Invalid value for offset or count",
}


@pytest.mark.parametrize("body", ERRORS)
def test_an_error_of_each_shape_is_told_in_the_servers_own_words(fake: FakeTreeherder, body: str) -> None:
    fake.answers[SIGNATURES] = httpx.Response(400, content=body, headers={"content-type": "application/json"})
    with pytest.raises(BadRequestError) as raised:
        fake.client().fetch_signatures("autoland")
    assert ERRORS[body] in raised.value.sentence


def test_an_error_500_as_a_web_page_is_a_failure_of_the_server(fake: FakeTreeherder) -> None:
    fake.answers[SIGNATURES] = page("<h1>Server Error (500)</h1>", 500)
    with pytest.raises(ServerError) as raised:
        fake.client().fetch_signatures("autoland")
    assert "500" in raised.value.sentence and "<" not in raised.value.sentence


def test_an_unknown_repository_is_said_before_the_server_fails_over_it(fake: FakeTreeherder) -> None:
    fake.answers["/api/project/autolan/push/"] = httpx.Response(404, json={"detail": "No project with name autolan"})
    fake.answers["/api/project/autolan/performance/signatures/"] = page("Server Error", 500)
    with pytest.raises(UnknownRepositoryError) as raised:
        fake.client().fetch_signatures("autolan")
    assert "Did you mean autoland?" in raised.value.hint
    assert not [asked for asked in fake.asked if "signatures" in asked]


def test_an_inactive_repository_is_not_listed_and_can_still_be_read(fake: FakeTreeherder) -> None:
    fake.answers["/api/project/esr10/push/"] = {"results": []}
    fake.answers["/api/project/esr10/performance/signatures/"] = {"7": {"id": 7, "suite": "tp5"}}
    assert [one.id for one in fake.client().fetch_signatures("esr10").items] == [7]


def test_a_repository_with_odd_characters_cannot_leave_its_place_in_the_address(fake: FakeTreeherder) -> None:
    with pytest.raises(AppError):
        fake.client().fetch_signatures("../../x?y#z")
    assert all(asked.startswith("/api/project/..%2F..%2Fx%3Fy%23z/") for asked in fake.asked)


@pytest.mark.parametrize("body", [b'{"1": {"id": 1}', b"", b"null", b"7", b'"x"'])
def test_an_answer_that_was_cut_off_or_is_of_another_kind_is_said(fake: FakeTreeherder, body: bytes) -> None:
    fake.answers[SIGNATURES] = httpx.Response(200, content=body, headers={"content-type": "application/json"})
    with pytest.raises(NotTreeherderError):
        fake.client().fetch_signatures("autoland")


# Entries


def test_an_odd_entry_loses_only_its_odd_members() -> None:
    body = {
        "1": {"id": 1, "suite": "damp", "tags": None, "lower_is_better": "no", "should_alert": 3},
        "2": {"id": "2", "suite": 7, "option_collection_hash": {}},
        "3": ["no", "object"],
        "4": {"id": 2**70, "suite": "huge"},
    }
    read = decode_list(answer(body), PerformanceSignature, keyed=True)
    assert "1 entries" in read.note
    frame = signature_frame(read.items, "autoland", {}, {})
    assert frame.select("signature_id", "suite", "better").rows() == [("2", "7", "lower"), ("1", "damp", "higher")]


def test_true_is_not_one(fake: FakeTreeherder) -> None:
    """Python takes True for 1: a server's `true` must become neither signature 1 nor a count of one job."""
    odd = lenient(PerformanceSignature, {"id": True, "framework_id": True, "suite": True})
    assert (odd.id, odd.framework_id, odd.suite) == (None, None, None)
    assert lenient(SeriesValue, {"id": 7, "value": True}).value is None
    fake.answers["/api/project/autoland/push/1/status/"] = {"success": True, "testfailed": 2, "completed": True}
    counts = count_results(fake.client().count_jobs("autoland", 1))
    assert (counts["success"], counts["failed"], counts["running"], counts["total"]) == (0, 2, 0, 2)
    fake.answers["/api/performance/issue-tracker/"] = [{"id": True, "issue_tracker_url": "https://bugs.example/"}]
    assert fake.client().fetch_issue_trackers() == {}


def test_an_answer_is_read_up_to_half_a_gigabyte(fake: FakeTreeherder) -> None:
    """More is a mistake or an attack, and would not fit into memory as a table either."""
    caps: list[int] = []
    client = fake.client()
    get = client.api.http.get

    def noted(*arguments: Any, **options: Any) -> Any:
        caps.append(options["cap"])
        return get(*arguments, **options)

    client.api.http.get = noted  # type: ignore[method-assign]
    client.fetch_frameworks()
    assert caps == [536_870_912]


def test_a_server_that_always_names_a_next_page_is_asked_for_as_many_as_it_counts(fake: FakeTreeherder) -> None:
    asked: list[str] = []

    def listing(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["page"])
        first = 100 * int(asked[-1])
        rows = [{"id": first + place, "alerts": []} for place in range(100 if asked[-1] == "1" else 50)]
        return httpx.Response(200, json={"count": 150, "next": "https://th.example/again", "results": rows})

    fake.answers["/api/performance/alertsummary/"] = listing
    found = list(fake.client().fetch_alert_summaries(AlertSummaries()))
    assert asked == ["1", "2"] and sum(len(page.items) for page in found) == 150


def test_a_number_of_5000_digits_loses_itself_and_not_the_answer() -> None:
    body = b'[{"id": 1, "suite": "kept", "x": NaN}, {"id": ' + b"9" * 5000 + b', "suite": "huge"}]'
    read = decode_list(answer(body), PerformanceSignature)
    assert [(one.id, one.suite) for one in read.items] == [(1, "kept"), (None, "huge")]


def test_characters_that_no_text_can_hold_do_not_lose_the_answer() -> None:
    read = decode_list(answer(b'[{"id": 1, "suite": "a\\ud800b"}, {"id": 2, "suite": "ok"}]'), PerformanceSignature)
    frame = signature_frame(read.items, "autoland", {}, {})
    assert frame["suite"].to_list() == ["a?b", "ok"]


members = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.just({})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(PerformanceSignature.__struct_fields__), members))
def test_no_entry_breaks_the_listing(entry: dict[str, Any]) -> None:
    frame = signature_frame([lenient(PerformanceSignature, entry)], "autoland", {}, {})
    assert frame.schema == pl.Schema(COLUMNS.polars())


FEW = st.sampled_from(["", " ", "a", "b", "a b", "é"])
SOME = st.builds(
    PerformanceSignature, id=st.integers(1, 6), suite=st.none() | FEW, test=FEW, machine_platform=st.none() | FEW,
    extra_options=st.lists(FEW, max_size=3).map(tuple), should_alert=st.none() | st.booleans(),
)  # fmt: skip


@given(st.lists(SOME, max_size=12), st.integers(1, 5))
def test_signatures_are_sorted_and_the_last_of_an_id_counts_however_many_are_read_at_once(
    rows: list[PerformanceSignature], at_once: int
) -> None:
    with mock.patch.object(signatures, "AT_ONCE", at_once):
        frame = signature_frame(rows, "autoland", {}, {})
    last = {row.id: row for row in rows}
    order = frame.select("suite", "test", "platform", pl.col("signature_id").cast(pl.Int64)).rows()
    assert order == sorted(order, key=lambda row: [(cell is not None, cell) for cell in row])
    assert {
        (row["signature_id"], row["suite"], row["test"], row["platform"], row["options"], row["should_alert"])
        for row in frame.iter_rows(named=True)
    } == {
        (
            str(row.id), row.suite, row.test or None, row.machine_platform, join_words(row.extra_options),
            {None: None, True: "yes", False: "no"}[row.should_alert],
        )
        for row in last.values()
    }  # fmt: skip


def test_what_a_signature_leaves_out_is_its_default() -> None:
    [bare, full] = decode_list(
        answer(
            {
                "1": {"id": 1, "signature_hash": "a", "framework_id": 13, "suite": "a", "should_alert": None},
                "2": {
                    "id": 2, "suite": "b", "should_alert": False, "lower_is_better": False, "test": "t",
                    "has_subtests": True, "tags": ["x", "y"], "extra_options": ["cold"], "measurement_unit": "ms",
                    "option_collection_hash": "h", "framework_id": 99,
                },
            }
        ),
        PerformanceSignature,
        keyed=True,
    ).items  # fmt: skip
    frame = signature_frame([bare, full], "autoland", {"h": "opt"}, {13: "browsertime"})
    wanted = ("test", "better", "should_alert", "subtests", "tags", "options", "unit", "option", "framework")
    assert frame.select(wanted).rows() == [
        (None, "lower", None, None, None, None, None, None, "browsertime"),
        ("t", "higher", "no", "yes", "x y", "cold", "ms", "opt", None),
    ]


def test_tags_of_one_empty_text_are_no_tags() -> None:
    alert = {"id": 5, "status": 4, "series_signature": {"id": 1, "tags": [""], "extra_options": []}}
    frame = alert_frame([lenient(PerformanceAlertSummary, {"id": 1, "alerts": [alert]})])
    assert frame["tags"].to_list() == [None] and frame["options"].to_list() == [None]


def test_the_same_number_is_another_status_of_a_summary_than_of_an_alert() -> None:
    alerts = [{"id": number, "status": number, "is_regression": True} for number in (4, 5, 77)]
    found = [
        lenient(PerformanceAlertSummary, {"id": number, "status": number, "alerts": alerts}) for number in (4, 5, 9, 77)
    ]
    assert summary_frame(found, {})["status"].to_list() == ["improvement", "investigating", "infra", "status 77"]
    assert alert_frame(found[:1])["status"].to_list() == ["acknowledged", "infra", "status 77"]


def test_the_sign_of_a_change_is_that_of_the_value() -> None:
    assert signed_percent(PerformanceAlert(amount_pct=5.0, amount_abs=-2.0)) == -5.0
    assert signed_percent(PerformanceAlert(amount_pct=5.0, amount_abs=2.0, is_regression=False)) == 5.0
    assert signed_percent(PerformanceAlert(amount_pct=5.0, prev_value=4.0, new_value=3.0)) == -5.0
    assert signed_percent(PerformanceAlert(amount_pct=5.0)) == 5.0
    # Of small values the rounded ones seem not to have moved; what was made of them says whither.
    still: dict[str, float] = {"amount_pct": 7.52, "prev_value": 0.01, "new_value": 0.01, "amount_abs": 0.0}
    assert signed_percent(PerformanceAlert(**still, is_regression=True)) == 7.52
    assert signed_percent(PerformanceAlert(**still, is_regression=False)) == -7.52
    higher = AlertSignature(lower_is_better=False)
    assert signed_percent(PerformanceAlert(**still, is_regression=True, series_signature=higher)) == -7.52
    assert signed_percent(PerformanceAlert()) is None


def test_a_job_that_has_not_started_did_not_start_in_1970() -> None:
    frame = job_frame(
        [PushJob(id=1, state="pending", result="unknown", submit_timestamp=1795115238, start_timestamp=0)]
    )
    row = frame.row(0, named=True)
    assert (row["started"], row["wait"], row["duration"], row["result"]) == (None, None, None, "pending")
    for odd in (None, -5, 2**60):
        assert job_frame([PushJob(id=1, start_timestamp=odd)])["started"].null_count() == 1


def test_times_without_a_zone_are_utc_and_may_have_a_fraction() -> None:
    texts = ["2026-11-19T19:02:01", "2026-11-19T19:02:01.194022", "2026-11-19 19:02:01", "2026-11-19T21:02:01+02:00"]
    jobs = [PushJob(id=number, last_modified=text) for number, text in enumerate([*texts, "soon", None])]
    assert job_frame(jobs)["modified"].to_list() == [
        datetime(2026, 11, 19, 19, 2, 1, tzinfo=UTC),
        datetime(2026, 11, 19, 19, 2, 1, 194000, tzinfo=UTC),
        datetime(2026, 11, 19, 19, 2, 1, tzinfo=UTC),
        datetime(2026, 11, 19, 19, 2, 1, tzinfo=UTC),
        None,
        None,
    ]


def test_lists_that_are_not_equally_long_lose_no_value() -> None:
    found = SeriesSummary(signature_id=1, values=[1.0, 2.0, 3.0], job_ids=[9])
    frame = value_frame([found])
    assert frame.select("value", "job_id").rows() == [(1.0, "9"), (2.0, None), (3.0, None)]


def test_points_are_in_the_order_of_pushes_whatever_the_order_of_arrival() -> None:
    rows = [
        SeriesValue(id=12, push_id=100, push_timestamp="2026-11-02T00:00:00", value=3.0),
        SeriesValue(id=11, push_id=99, push_timestamp="2026-11-02T00:00:00", value=2.0),
        SeriesValue(id=10, push_id=9, push_timestamp="2026-11-01T00:00:00", value=1.0),
    ]
    assert data_frame(rows, 1)["value"].to_list() == [1.0, 2.0, 3.0]


# Parameters


def test_suites_and_subtests_are_asked_for_as_the_endpoint_means_them(fake: FakeTreeherder) -> None:
    fake.answers[SUMMARY] = []
    treeherder = fake.client()
    treeherder.fetch_values("autoland", frameworks=[13], interval=60)
    treeherder.fetch_values("autoland", frameworks=[13], interval=60, subtests=True)
    treeherder.fetch_values("autoland", frameworks=[13], interval=60, parent=351)
    assert [query(asked).get("no_subtests") for asked in fake.asked] == [["true"], None, None]
    assert query(fake.asked[2])["parent_signature"] == ["351"]


def test_subtests_of_signatures_are_a_number(fake: FakeTreeherder) -> None:
    fake.answers[SIGNATURES] = {}
    fake.client().fetch_signatures("autoland", frameworks=[1, 13], subtests=False)
    asked = query(fake.asked[0])
    assert (asked["subtests"], asked["framework"]) == (["0"], ["1", "13"])


def test_an_interval_and_dates_are_never_sent_together(fake: FakeTreeherder) -> None:
    fake.answers[SUMMARY] = []
    day = datetime(2026, 11, 1, 12, tzinfo=UTC)
    treeherder = fake.client()
    treeherder.fetch_series("autoland", 5, interval=60, start=day, end=day)
    [asked] = map(query, fake.asked)
    assert "interval" not in asked
    # Both ends are exclusive on the server, and inclusive here.
    assert (asked["startday"], asked["endday"]) == (["2026-11-01T11:59:59"], ["2026-11-01T12:00:01"])


def test_alerts_are_filtered_by_the_number_of_a_repository(fake: FakeTreeherder) -> None:
    seen: list[str] = []
    fake.answers[ALERTS] = lambda request: (
        seen.append(request.url.raw_path.decode())
        or httpx.Response(200, json={"count": 0, "next": None, "results": []})
    )
    filters = AlertSummaries("autoland", words="tp5o é", flags=("hide-related", "monitored"))
    list(fake.client().fetch_alert_summaries(filters, framework=13, status=0))
    asked = query(seen[0])
    assert (asked["repository"], asked["framework"], asked["status"]) == (["77"], ["13"], ["0"])
    assert asked["monitored_alerts"] == ["1"]
    assert asked["filter_text"] == ["tp5o é"] and asked["hide_related_and_invalid"] == ["true"]
    assert "hide_improvements" not in asked
    with pytest.raises(UnknownRepositoryError):
        list(fake.client().fetch_alert_summaries(AlertSummaries(repository="nosuch")))


# Paging


def test_summaries_are_paged_by_number_to_the_end_and_never_by_the_servers_own_address(fake: FakeTreeherder) -> None:
    def listing(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        assert request.url.params["limit"] == "100" and request.url.host == "th.example"
        rows = [{"id": 1000 - 100 * number - place, "alerts": []} for place in range(100 if number < 3 else 7)]
        more = f"http://elsewhere.example/api/performance/alertsummary/?page={number + 1}" if number < 3 else None
        return httpx.Response(200, json={"count": 207, "next": more, "results": rows})

    fake.answers[ALERTS] = listing
    found = list(fake.client().fetch_alert_summaries(AlertSummaries()))
    assert [len(one.items) for one in found] == [100, 100, 7] and found[0].total == 207


def _jobs(ids: range) -> list[dict[str, Any]]:
    return [{"id": number, "push_id": 7, "state": "completed", "result": "success"} for number in ids]


class UnorderedJobs:
    """The jobs of a push as the endpoint gives them: at most 2,000, in no order, another one each time."""

    def __init__(self, number: int) -> None:
        self.ids = range(100_000, 100_000 + number)
        self.calls = 0

    def by_project(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        assert "offset" not in request.url.params
        first = int(request.url.params.get("id__gte", 0))
        last = int(request.url.params.get("id__lte", 2**40))
        wanted = [one for one in self.ids if first <= one <= last]
        shift = 1717 * self.calls % max(len(wanted), 1)
        turned = (wanted[shift:] + wanted[:shift])[: int(request.url.params["count"])]
        return httpx.Response(200, json={"results": [job for one in turned for job in _jobs(range(one, one + 1))]})

    def list_by_id(self, request: httpx.Request) -> httpx.Response:
        number, count = int(request.url.params["page"]), int(request.url.params["count"])
        rows = [[1, one] for one in self.ids[(number - 1) * count : number * count]]
        more = "https://th.example/next" if number * count < len(self.ids) else None
        names = ["failure_classification_id", "id"]
        return httpx.Response(200, json={"next": more, "results": rows, "job_property_names": names})


@pytest.mark.parametrize("number", [0, 1, 1999, 2000, 2001, 4500])
def test_a_push_with_more_jobs_than_a_page_is_listed_whole_and_once(fake: FakeTreeherder, number: int) -> None:
    served = UnorderedJobs(number)
    fake.answers[JOBS], fake.answers["/api/jobs/"] = served.by_project, served.list_by_id
    jobs = fake.client().fetch_jobs("autoland", 7).items
    assert Counter(job.id for job in jobs) == Counter(served.ids)


def test_jobs_of_another_push_are_not_shown_when_the_server_ignores_the_filter(fake: FakeTreeherder) -> None:
    fake.answers[JOBS] = {"results": [*_jobs(range(3)), {"id": 9, "push_id": 8, "state": "completed"}]}
    assert len(fake.client().fetch_jobs("autoland", 7).items) == 3


def test_what_is_not_there_is_said_and_not_taken_for_an_empty_list(fake: FakeTreeherder) -> None:
    fake.answers["/api/project/autoland/push/"] = {"meta": {}, "results": []}
    fake.answers["/api/project/autoland/jobs/5/"] = httpx.Response(404, json="No job with id: 5")
    fake.answers["/api/performance/alertsummary/5/"] = httpx.Response(404, json={"detail": "No match"})
    treeherder = fake.client()
    for ask in (
        lambda: treeherder.find_push("autoland", "f" * 40),
        lambda: treeherder.fetch_job("autoland", 5),
        lambda: treeherder.fetch_alert_summary(5),
    ):
        with pytest.raises(UnknownItemError) as raised:
            ask()
        assert raised.value.exit_code == 3
    # A whole revision may be one within a push, a beginning of one only its tip.
    assert ["commit_revision" in asked for asked in fake.asked[:2]] == [False, True]


def test_a_deployment_without_the_endpoint_is_not_a_missing_job(fake: FakeTreeherder) -> None:
    with pytest.raises(NotFoundError) as raised:
        fake.client().fetch_job("autoland", 5)
    assert isinstance(raised.value, MissingEndpointError)


def test_the_recorded_errors_are_told_in_words(recorded: Any) -> None:
    from backends.http.errors import from_response

    for one in json.loads((recorded.directory / "_errors.json").read_bytes()):
        status, body = one["status"], one["body"]
        if status < 400:
            continue
        problem = from_response("https://th.example/api/x/", status, {}, body.encode())
        assert str(status) in problem.sentence
        if one["content_type"].startswith("application/json"):
            assert "It says" in problem.sentence, one
