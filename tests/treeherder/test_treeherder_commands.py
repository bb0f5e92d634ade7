"""`ciexplore treeherder ...` on the embedded CI: what scripts and people get, and the messages where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tests.commands.calling import Caller, Ended
from tests.treeherder.fake_treeherder import FakeTreeherder, serving


@pytest.fixture
def perf(capsysbinary: pytest.CaptureFixture[bytes], demo: dict[str, str], tmp_path: Path, monkeypatch) -> Caller:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    caller = Caller(capsysbinary)
    return lambda *arguments: caller("treeherder", *arguments)  # type: ignore[return-value]


def good(ended: Ended) -> Ended:
    assert ended.code == 0, ended.err
    return ended


def test_frameworks_and_repositories(perf: Caller) -> None:
    assert "browsertime" in {row["name"] for row in good(perf("frameworks")).rows}
    assert good(perf("repositories", "--filter", "alerts:yes")).rows[0]["name"] == "autoland"


def test_signatures_by_framework_interval_and_filter(perf: Caller) -> None:
    suites = good(perf("signatures", "--repository", "autoland", "--framework", "13", "--filter", "speedometer")).rows
    assert suites and {row["framework"] for row in suites} == {"browsertime"}
    named = good(
        perf("signatures", "--repository", "autoland", "--framework", "Browsertime", "--filter", "speedometer")
    )
    assert named.rows == suites
    every = good(perf("signatures", "--repository", "autoland", "--framework", "13", "--subtests"))
    assert len(every.rows) > 2 * len(suites)
    parent = next(row["signature_hash"] for row in suites if row["subtests"] == "yes")
    below = good(perf("signatures", "--repository", "autoland", "--framework", "13", "--parent", parent)).rows
    assert below and all(row["test"] for row in below)


def test_a_series_by_id_by_address_and_over_days(perf: Caller, demo: dict[str, str]) -> None:
    by_address = good(perf("series", demo["perf.series"])).rows
    number = by_address[0]["signature_id"]
    by_id = good(perf("series", number, "--interval", "30d")).rows
    assert by_id == by_address
    day = by_address[-1]["push_time"][:10]
    that_day = good(perf("series", f"autoland:{number}", "--since", day)).rows
    assert 0 < len(that_day) < len(by_id) and {row["push_time"][:10] >= day for row in that_day} == {True}


def test_several_series_as_parquet(perf: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    good(perf("series", demo["perf.three-series"], "-o", "points.parquet"))
    frame = pl.read_parquet(tmp_path / "points.parquet")
    assert frame["series"].n_unique() == 3 and frame["value"].dtype == pl.Float64


def test_alerts_by_status_and_one_summary(perf: Caller) -> None:
    untriaged = good(perf("alerts", "--repository", "autoland", "--framework", "13", "--status", "untriaged")).rows
    assert untriaged and {row["status"] for row in untriaged} == {"untriaged"}
    alerts = good(perf("alerts", untriaged[0]["summary_id"])).rows
    assert len(alerts) == int(untriaged[0]["regressions"]) + int(untriaged[0]["improvements"])
    for option in (("--hide", "related"), ("--hide=related",), ("--hide-related",)):  # old spellings, and today's
        assert not good(perf("alerts", *option, "--interval", "20d", "--filter", "status:reassigned")).rows


def test_the_address_of_a_page_of_alerts_lists_what_the_page_shows(perf: Caller) -> None:
    page = "https://treeherder.mozilla.org/perfherder/alerts"
    plain = good(perf("alerts", page)).rows
    assert plain == good(perf("alerts", "--framework", "talos", "--status", "untriaged")).rows
    regressions = good(perf("alerts", f"{page}?status=-1&framework=13")).rows
    assert regressions == good(perf("alerts", "--framework", "13", "--hide", "improvements")).rows
    assert good(perf("alerts", f"{page}?status=-2&framework=-1")).rows == good(perf("alerts")).rows
    chosen = good(perf("alerts", f"{page}?status=-2", "--framework", "browsertime", "--repository", "autoland")).rows
    assert chosen == good(perf("alerts", "--framework", "13", "--repository", "autoland")).rows != plain


def test_pushes_and_the_jobs_of_one(perf: Caller) -> None:
    pushes = good(perf("pushes", "--repository", "autoland", "--count", "12")).rows
    assert len(pushes) == 12 and pushes[3]["total"]
    by_id = good(perf("jobs", pushes[3]["push_id"])).rows
    assert good(perf("jobs", pushes[3]["revision"][:12])).rows == by_id
    address = f"https://treeherder.mozilla.org/jobs?repo=autoland&revision={pushes[3]['revision']}"
    assert good(perf("jobs", address)).rows == by_id
    alike = good(perf("jobs", "--similar", by_id[-1]["job_id"])).rows
    assert {row["name"] for row in alike} <= {by_id[-1]["name"]}
    assert good(perf("jobs", "--failures", by_id[-1]["job_id"])).code == 0


def test_a_push_is_found_by_its_page_whatever_is_selected_there(perf: Caller) -> None:
    newest, push = good(perf("pushes", "--repository", "autoland", "--count", "2", "--columns", "revision")).rows
    jobs = good(perf("jobs", push["revision"])).rows
    page = f"https://treeherder.mozilla.org/jobs?repo=autoland&revision={push['revision']}"
    for selected in (f"&selectedJob={jobs[0]['job_id']}", f"&selectedTaskRun={jobs[0]['task_id']}.0", "&searchStr=x"):
        assert good(perf("jobs", page + selected)).rows == jobs
        assert good(perf("pushes", page + selected, "--columns", "revision")).rows == [push]
    assert good(perf("jobs", f"autoland:{push['revision'][:12]}")).rows == jobs
    assert newest != push


def test_a_push_by_an_address_is_looked_for_on_the_server_of_the_address(
    perf: Caller, many_pushes: FakeTreeherder
) -> None:
    many_pushes.answers["/api/project/autoland/push/1795000007/status/"] = lambda request: None
    with serving(many_pushes) as url:
        for words in (("jobs",), ("pushes",), ("compare", "f" * 40)):
            many_pushes.asked.clear()
            perf(*words, f"{url}/jobs?repo=autoland&revision={'a' * 40}")
            assert many_pushes.asked, words


def test_a_framework_that_the_server_does_not_know_is_named(perf: Caller, demo: dict[str, str]) -> None:
    address = demo["perf.compare"].replace("framework=13", "framework=99")
    for words in (("compare", address), ("alerts", "--framework", "99"),
                  ("signatures", "--repository", "autoland", "--framework", "99")):  # fmt: skip
        found = perf(*words)
        assert found.code == 0 and "Treeherder has no framework 99" in found.err, words


@pytest.fixture
def many_pushes() -> FakeTreeherder:
    """700 pushes of one second each, by the server's own paging."""
    fake = FakeTreeherder()

    def push(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        latest, count = int(query.get("push_timestamp__lte", "1795000700")), int(query["count"])
        first = max(latest - count + 1, 1_795_000_001)
        rows = [{"id": one, "revision": f"{one:040x}", "push_timestamp": one} for one in range(latest, first - 1, -1)]
        return httpx.Response(200, json={"results": rows})

    def status(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, json={"completed": 3, "success": 1, "testfailed": 2})

    fake.answers["/api/project/autoland/push/"] = push
    for one in range(1_795_000_001, 1_795_000_701):
        fake.answers[f"/api/project/autoland/push/{one}/status/"] = status
    return fake


def test_pushes_without_their_counts_cost_one_request_a_page(perf: Caller, many_pushes: FakeTreeherder) -> None:
    with serving(many_pushes) as url:
        words = ("pushes", "--repository", "autoland", "--count", "600", "--treeherder-url", url)
        found = good(perf(*words, "--columns", "push_time,revision,author")).rows
        assert len(found) == 600 and found[0]["revision"] == f"{1_795_000_700:040x}"
        assert len(many_pushes.asked) == 1
        many_pushes.asked.clear()
        good(perf(*words[:4], "5", *words[5:], "--columns", "revision,failed", "--refresh"))
        assert len([asked for asked in many_pushes.asked if "/status/" in asked]) == 5
        many_pushes.asked.clear()
        options = ("--columns", "revision", "--filter", "failed>1", "--refresh")
        assert len(good(perf(*words[:4], "5", *words[5:], *options)).rows) == 5


def test_a_range_of_pushes_by_address_and_by_words(perf: Caller) -> None:
    pushes = good(perf("pushes", "--repository", "autoland", "--count", "20", "--columns", "revision")).rows
    newest, oldest = pushes[3]["revision"], pushes[17]["revision"]
    address = f"https://treeherder.mozilla.org/jobs?repo=autoland&fromchange={oldest}&tochange={newest}"
    assert good(perf("pushes", address, "--columns", "revision")).rows == pushes[3:18]
    words = ("--repository", "autoland", "--from-revision", oldest[:12], "--to-revision", newest[:12])
    assert good(perf("pushes", *words, "--columns", "revision")).rows == pushes[3:18]
    assert good(perf("pushes", address, "--count", "2", "--columns", "revision")).rows == pushes[3:5]


def test_several_new_revisions_are_compared_headless(perf: Caller, demo: dict[str, str]) -> None:
    query = dict(pair.split("=") for pair in demo["perf.compare"].partition("?")[2].split("&"))
    others = good(perf("pushes", "--repository", "autoland", "--count", "2", "--columns", "revision")).rows
    news = (query["newRev"], f"autoland:{others[0]['revision']}", f"autoland:{others[1]['revision']}")
    found = good(perf("compare", query["baseRev"], *news, "--framework", "13")).rows
    assert len({row["new"] for row in found}) == 3
    alone = good(perf("compare", query["baseRev"], news[0], "--framework", "13")).rows
    mine = [{**row} for row in found if row["new"] == f"try:{query['newRev'][:12]}"]
    assert [{name: row[name] for name in alone[0]} for row in mine] == alone


def test_subtests_of_two_repositories_are_paired_by_either_id(perf: Caller, demo: dict[str, str]) -> None:
    query = dict(pair.split("=") for pair in demo["perf.compare"].partition("?")[2].split("&"))
    sides = ("autoland:history", f"try:{query['newRev']}", "--framework", "browsertime", "--interval", "14d")
    suites = good(perf("compare", *sides)).rows
    suite = next(row for row in suites if row["subtests"] == "yes" and row["n_base"] > "0" and row["n_new"] > "0")
    assert suite["base_signature"] != suite["new_signature"]
    below = [
        good(perf("compare", *sides, "--subtests-of", suite[f"{side}_signature"])).rows for side in ("base", "new")
    ]
    assert below[0] == below[1]
    paired = [row for row in below[0] if row["base_signature"] and row["new_signature"]]
    assert paired and {row["suite"] for row in paired} == {suite["suite"]}


def test_a_framework_is_meant_by_its_number_and_by_its_name(perf: Caller, demo: dict[str, str]) -> None:
    query = dict(pair.split("=") for pair in demo["perf.compare"].partition("?")[2].split("&"))
    for words in (
        ("signatures", "--repository", "autoland"),
        ("alerts",),
        ("compare", query["baseRev"], query["newRev"]),
        ("compare", demo["perf.compare"]),
    ):
        number, name = (good(perf(*words, "--framework", one)).rows for one in ("13", "browsertime"))
        assert number and number == name
    page = "https://treeherder.mozilla.org/perfherder/alerts?status=-2&framework="
    assert good(perf("alerts", f"{page}13")).rows == good(perf("alerts", f"{page}browsertime")).rows


def test_two_revisions_by_words_and_by_address(perf: Caller, demo: dict[str, str]) -> None:
    by_address = good(perf("compare", demo["perf.compare"])).rows
    query = dict(pair.split("=") for pair in demo["perf.compare"].partition("?")[2].split("&"))
    sides = (query["baseRev"], f"try:{query['newRev']}")
    words = good(perf("compare", *sides, "--framework", "browsertime", "--replicates")).rows
    assert words == by_address  # perf.compare uses replicates unless its address says otherwise
    by_run = good(perf("compare", *sides, "--framework", "13")).rows
    assert by_run == good(perf("compare", demo["perf.compare"], "--no-replicates")).rows
    assert sum(int(row["n_base"]) for row in by_run) < sum(int(row["n_base"]) for row in by_address)
    assert {"regression", "improvement"} <= {row["verdict"] for row in by_address}
    suite = next(row for row in by_address if row["subtests"] == "yes")
    options = ("--framework", "13", "--subtests-of", suite["base_signature"])
    below = good(perf("compare", query["baseRev"], query["newRev"], *options)).rows
    assert {row["suite"] for row in below} == {suite["suite"]}
    history = good(perf("compare", "autoland:history", query["newRev"], "--interval", "30d", "--framework", "13")).rows
    assert any(int(row["n_base"]) > int(row["n_new"]) > 0 for row in history)


def test_a_table_for_a_person(perf: Caller) -> None:
    lines = good(perf("alerts", "--framework", "13", "--format", "table")).text.splitlines()
    assert lines[0].split()[:3] == ["Status", "Alert", "Largest"]
    assert "\x1b" not in "".join(lines)


def test_the_old_name_of_the_command_works_with_a_note(demo: dict[str, str], capsysbinary: Any) -> None:
    ended = good(Caller(capsysbinary)("perf", "frameworks"))
    assert ended.rows and "now `ciexplore treeherder`" in ended.err


WRONG = {
    ("signatures",): (2, "Missing option '--repository'"),
    ("signatures", "--repository", "autoland", "--columns", "nosuch"): (2, "nosuch"),
    ("signatures", "--repository", "autoland", "--framework", "nosuch"): (2, "There is no framework 'nosuch'"),
    ("signatures", "--repository", "autolan"): (3, "Did you mean autoland?"),
    ("signatures", "--repository", "autoland", "--interval", "0d"): (2, "not a duration to look back"),
    ("signatures", "--repository", "autoland", "--filter", "nosuch:1"): (2, "nosuch"),
    ("series", "1"): (3, "has no signature 1"),
    ("series", "words"): (2, "is not a series"),
    ("series", "1", "--until", "2026-11-01"): (2, "--until belongs to --since"),
    ("series", "1", "--since", "2026-11-02", "--until", "2026-11-01"): (2, "--since is not before --until"),
    ("series", "1", "--since", "2026-11-02", "--interval", "1d"): (2, "both say since when"),
    ("alerts", "--status", "open"): (2, "There is no alert status 'open'"),
    ("alerts", "999999999"): (3, "no alert summary 999999999"),
    ("alerts", "words"): (2, "is not an alert summary"),
    ("alerts", "62", "--status", "fixed"): (2, "not the alerts of one"),
    ("pushes", "--repository", "nosuch"): (3, "no repository “nosuch”"),
    ("pushes", "--repository", "try", "--since", "yesterday"): (2, "is not a day"),
    ("pushes",): (2, "Which repository?"),
    ("pushes", "words"): (2, "is not a list of pushes"),
    ("pushes", "--repository", "try", "--from-revision", "words"): (2, "is not a revision"),
    ("pushes", "--repository", "try", "--from-revision", "f" * 40): (3, "has no push ffff"),
    ("compare", f"https://perf.compare/compare-results?baseRev={'f' * 40}"): (2, "two repositories and revisions"),
    ("jobs", "f" * 40): (3, "has no push ffff"),
    ("jobs", "words"): (2, "is not a push"),
    ("jobs", "--similar", "words"): (2, "job_id: 'words' is not a number"),
    ("jobs", "--similar", "--failures", "1"): (2, "No such option"),
    ("compare", "words", "f" * 40): (2, "is not a revision"),
    ("compare", "f" * 40): (2, "nothing to compare BASE with"),
    ("compare", "f" * 40, "history"): (2, "NEW must be a revision"),
    ("compare", "f" * 40, "e" * 40): (3, "has no push"),
    ("frameworks", "--treeherder-url", "http://127.0.0.1:9"): (3, "Nothing listens at 127.0.0.1:9"),
    ("frameworks", "--treeherder-url", "http://th.example"): (2, "plain http"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_says_why_and_ends_with_its_code(perf: Caller, words: tuple[str, ...]) -> None:
    code, said = WRONG[words]
    ended = perf(*words)
    assert said in ended.err, ended.err
    assert ended.code == code
    assert not ended.out


def test_offline_shows_what_was_looked_at_before(perf: Caller) -> None:
    first = good(perf("alerts", "--framework", "13")).rows
    again = good(perf("alerts", "--framework", "13", "--offline"))
    assert again.rows == first
    assert perf("pushes", "--repository", "autoland", "--offline").code == 3
