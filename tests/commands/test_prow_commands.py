"""`ciexplore prow ...` on the embedded CI: which rows come out of each verb, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.calling import Caller

COMPLETENESS = "prow.completeness-job"
JOB = "prow.job-openshift"


def test_jobs_are_listed_by_prefix(ciexplore: Caller, demo: dict[str, str]) -> None:
    every = ciexplore("prow", "jobs", "gs://test-platform-results/logs/")
    some = ciexplore(
        "prow", "jobs", "gs://test-platform-results", "--prefix", "periodic-ci-openshift-release-master-ci-4.8"
    )
    assert (every.code, some.code) == (0, 0)
    assert len(every.rows) > len(some.rows) == 1


def test_builds_are_the_newest_with_their_results(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "builds", demo[JOB], "--count", "20")
    assert (done.code, done.err) == (0, "")
    ids = [row["build"] for row in done.rows]
    assert len(ids) == 20 and ids == sorted(ids, reverse=True)
    assert {row["state"] for row in done.rows} >= {"success", "failure", "running", "aborted", "error"}
    failed = ciexplore("prow", "builds", demo[JOB], "--count", "20", "--filter", "state:failure duration>1h")
    assert 0 < len(failed.rows) < 20 and {row["state"] for row in failed.rows} == {"failure"}


def test_a_long_job_is_listed_from_ids_alone(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "builds", demo["prow.job-many"], "--count", "0", "--fast")
    assert done.code == 0 and len(done.rows) == 5000 and all(row["started"] for row in done.rows)


def test_builds_of_a_pull_request(ciexplore: Caller, demo: dict[str, str]) -> None:
    columns = ("--columns", "build,pull,author")
    done = ciexplore("prow", "builds", "kubernetes/kubernetes#93718", "--bucket", "kubernetes", *columns)
    assert done.code == 0 and {row["pull"] for row in done.rows} == {"kubernetes/kubernetes#93718"}
    linked = ciexplore("prow", "builds", demo["prow.pull-job"], "--count", "5", *columns)
    assert linked.code == 0 and len(linked.rows) == 5 and all(row["author"] for row in linked.rows)


def test_the_original_s_table(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "completeness", demo[COMPLETENESS], "--count", "140", "--format", "json")
    assert (done.code, done.err) == (0, "")
    first = [row for row in done.json if row["level"] == "/"]
    second = [row for row in done.json if row["level"] == "artifacts/"]
    assert [row["builds"] for row in first] == [135, 2, 1, 1, 1] and round(first[0]["share"], 1) == 96.4
    assert [row["builds"] for row in second][:3] == [92, 27, 9] and round(second[0]["share"], 1) == 65.7
    files = ciexplore(
        "prow", "completeness", demo[COMPLETENESS], "--count", "140", "--by", "files", "--where", "name:podinfo"
    )
    assert [(row["present"], row["missing"]) for row in files.rows] == [("136", "4")]


@pytest.mark.parametrize("verb", ["stats", "over-time", "reasons", "junit"])
def test_every_view_has_rows(ciexplore: Caller, demo: dict[str, str], verb: str) -> None:
    done = ciexplore("prow", verb, demo[JOB], "--count", "12")
    assert done.code == 0 and done.rows


def test_tests_of_a_build_across_builds_and_by_file(ciexplore: Caller, demo: dict[str, str]) -> None:
    failed = ciexplore("prow", "junit", demo[JOB], "--count", "10", "--where", "state:failed")
    assert failed.code == 0 and all(row["message"] for row in failed.rows)
    matrix = ciexplore("prow", "junit", demo[JOB], "--count", "10", "--by", "matrix")
    assert matrix.code == 0 and all(len(row["history"]) == 10 for row in matrix.rows)
    files = ciexplore("prow", "junit", demo[JOB], "--count", "10", "--by", "files")
    one = files.rows[0]
    folder = f"{demo[JOB]}{one['build']}/{one['file']}"
    assert ciexplore("prow", "junit", folder).code == 0


def test_search_prints_the_line_and_where_it_is(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "search", demo[JOB], "--count", "10", "--text", "Some steps failed", "--format", "jsonl")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0 and found and all("Some steps failed" in row["text"] and row["line"] > 0 for row in found)
    assert ciexplore("prow", "search", demo[JOB], "--text", "(").code == 2


def test_a_log_is_printed_harmless_saved_as_it_is_and_cut_to_what_is_wanted(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path
) -> None:
    whole = ciexplore("prow", "log", demo["prow.build-log"], "-o", "-")
    assert whole.code == 0 and len(whole.out) > 10_000
    shown = ciexplore("prow", "log", demo["prow.build-log"])
    assert shown.code == 0 and b"\x1b" not in shown.out and shown.out.count(b"\n") == whole.out.count(b"\n")
    saved = ciexplore("prow", "log", demo["prow.build-log"], "-o", "log.txt")
    assert saved.code == 0 and (tmp_path / "log.txt").read_bytes() == whole.out
    errors = ciexplore("prow", "log", demo["prow.build-log"], "--errors")
    assert 0 < len(errors.out) < len(whole.out) and b"ERRO" in errors.out
    tail = ciexplore("prow", "log", demo["prow.build-log"], "--tail", "3")
    assert shown.out.endswith(tail.out) and tail.out.count(b"\n") == 3


def test_downloads_mirror_the_bucket_and_are_done_once(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    call = ("prow", "download", demo[JOB], "--count", "3", "--match", "*.json", "--output", "out")
    dry = ciexplore(*call, "--dry-run")
    assert dry.code == 0 and not (tmp_path / "out").exists()
    assert ciexplore(*call).code == 0
    again = ciexplore(*call)
    assert again.code == 0 and "0 files to fetch" in again.err
    local = ciexplore("prow", "builds", f"{tmp_path}/out/test-platform-results/{demo[JOB].split('/', 3)[3]}")
    assert local.code == 0 and len(local.rows) == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("builds", "gs://no-such-bucket/logs/x"), 3),
        (("builds", "periodic-nobody-knows"), 3),
        (("builds", "{job}", "--since", "soon"), 2),
        (("builds", "{job}", "--filter", "nosuch:1"), 2),
        (("reasons", "{job}", "--filter", "state:nosuch"), 2),
        (("jobs", "{job}"), 2),
        (("builds", "gs://test-platform-results/logs/"), 2),
        (("log", "{running}"), 2),
        (("builds", "taskcluster:push/try/abc"), 2),
        (("completeness", "{job}", "--where", "builds>x"), 2),
        (("files", "gs://origin-ci-private/logs/x/"), 3),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    ciexplore: Caller, demo: dict[str, str], arguments: tuple[str, ...], code: int
) -> None:
    running = ciexplore("prow", "builds", demo[JOB], "--count", "5", "--filter", "state:running").rows[0]["build"]
    filled = [one.format(job=demo[JOB], running=f"{demo[JOB]}{running}/") for one in arguments]
    done = ciexplore("prow", *filled)
    assert done.code == code and done.err.startswith("ciexplore: "), done.err


def test_an_empty_result_is_said_beside_its_columns(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "search", demo[JOB], "--count", "2", "--text", "no log has these words")
    assert (done.code, done.rows) == (0, []) and done.text.startswith("build,file,line,text")
    assert "Nothing matches" in done.err


def test_a_filter_that_leaves_no_build_gives_an_empty_list_but_nothing_to_work_on(
    ciexplore: Caller, demo: dict[str, str]
) -> None:
    listed = ciexplore("prow", "builds", demo[JOB], "--count", "5", "--filter", "state:nosuch")
    assert (listed.code, listed.rows) == (0, []) and "match the filter" in listed.err
    assert listed.out.startswith(b"state,build,")
    worked = ciexplore("prow", "completeness", demo[JOB], "--count", "5", "--filter", "state:nosuch")
    assert worked.code == 2 and "No builds match" in worked.err
