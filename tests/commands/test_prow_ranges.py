"""`ciexplore prow` on the embedded CI: ranges of lines, several containers, events, and tests of files on this disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.prow.locators import ProwPath
from backends.systems import parse_locator
from tests.commands.calling import Caller

JOB = "prow.job-openshift"


def test_a_link_to_a_range_of_lines_prints_those_lines(ciexplore: Caller, demo: dict[str, str]) -> None:
    place = parse_locator(demo["prow.build-failed"])
    assert isinstance(place, ProwPath)
    log = f"gs://{place.bucket}/{place.path}build-log.txt"
    whole = ciexplore("prow", "log", log).out.splitlines(keepends=True)
    link = f"https://prow.ci.openshift.org/view/gs/{place.bucket}/{place.path}#1:build-log.txt:11-13"
    done = ciexplore("prow", "log", link)
    assert (done.code, done.out) == (0, b"".join(whole[10:13])) and "lines 11 to 13" in done.err
    beyond = ciexplore("prow", "log", f"prow:at/gs/{place.bucket}/{place.path}build-log.txt?line={len(whole)}-99999999")
    assert (beyond.code, beyond.out) == (0, whole[-1])
    for lines in ("11", "11-3"):
        assert ciexplore("prow", "log", link.replace("11-13", lines)).out == b"".join(whole[10:])
    assert ciexplore("prow", "log", link.replace("11-13", "0-3")).out == b"".join(whole)


def test_the_other_containers_of_a_build_are_named(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("prow", "log", demo["prow.build-multi-container"])
    assert done.code == 0 and "this is the log of test. Others: " in done.err and "--container NAME" in done.err
    other = done.err.partition("Others: ")[2].partition(" (")[0].split(", ")[0]
    named = ciexplore("prow", "log", demo["prow.build-multi-container"], "--container", other)
    assert named.code == 0 and named.out and named.out != done.out and "Others" not in named.err


def test_events_of_a_build_and_of_a_job_need_no_file(ciexplore: Caller, demo: dict[str, str]) -> None:
    every = ciexplore("prow", "events", demo[JOB], "--count", "6")
    assert every.code in (0, 1) and every.rows
    assert next(iter(every.rows[0])) == "build"
    builds = [row["build"] for row in every.rows]
    assert len(set(builds)) > 1 and builds == sorted(builds, reverse=True)
    one = ciexplore("prow", "events", f"{demo[JOB]}{builds[0]}/")
    assert one.code == 0 and [row["message"] for row in one.rows] == [
        row["message"] for row in every.rows if row["build"] == builds[0]
    ]
    file = one.rows[0]["file"]
    alone = ciexplore("prow", "events", f"{demo[JOB]}{builds[0]}/{file}")
    assert alone.code == 0 and {row["file"] for row in alone.rows} == {file}


def test_a_job_is_meant_by_any_name_in_a_named_bucket(ciexplore: Caller, demo: dict[str, str]) -> None:
    place = parse_locator(demo[JOB])
    assert isinstance(place, ProwPath)
    build = ciexplore("prow", "builds", demo[JOB], "--count", "1").rows[0]["build"]
    job, named = place.route.job, ("--bucket", place.bucket)
    for text in (job, f"{job}/{build}", f"{job}/{build}/", build, f"logs/{job}", f"logs/{job}/{build}/"):
        done = ciexplore("prow", "builds", text, *named, "--count", "1", "--fast")
        assert (done.code, [row["build"] for row in done.rows]) == (0, [build])
    for text in ("nosuchjob", "no-such_job", "J/1383510269677801472", "gecko.v2.x"):
        done = ciexplore("prow", "builds", text, *named)
        assert done.code == 3 and "has no build" in done.err


XML = (
    '<testsuite name="s"><testcase classname="c" name="a\u241b[1mb" time="1"/><testcase name="f"><failure message="m"/>'
    '</testcase><testcase name="r"><flakyFailure message="once"/></testcase></testsuite>'
)


@pytest.mark.parametrize("form", ["./junit_01.xml", "junit_01.xml", "sub/../junit_01.xml", "{here}/junit_01.xml",
                                  "file://{here}/junit_01.xml", "."])  # fmt: skip
def test_a_junit_file_of_this_disk_is_read_whatever_it_is_called(ciexplore: Caller, tmp_path: Path, form: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "junit_01.xml").write_text(XML, encoding="utf-8")
    text = form.format(here=tmp_path) if form != "." else f"{tmp_path}/"
    done = ciexplore("prow", "junit", text)
    assert done.code == 0
    assert [(row["state"], row["test"]) for row in done.rows] == [("failed", "f"), ("flaky", "r"), ("passed", "ab")]
    files = ciexplore("prow", "junit", text, "--by", "files")
    assert [(row["file"], row["tests"], row["failures"], row["flaky"]) for row in files.rows] == [
        ("junit_01.xml", "3", "1", "1")
    ]
    (tmp_path / "link.xml").symlink_to("junit_01.xml")
    assert form != "junit_01.xml" or ciexplore("prow", "junit", "link.xml").rows == done.rows
    (tmp_path / "link.xml").unlink()
    matrix = ciexplore("prow", "junit", text, "--by", "matrix")
    assert [(row["test"], row["history"]) for row in matrix.rows] == [("f", "F"), ("r", "~"), ("ab", "P")]


def test_by_is_heeded_for_a_file_in_a_bucket_too(ciexplore: Caller, demo: dict[str, str]) -> None:
    files = ciexplore("prow", "junit", demo[JOB], "--count", "10", "--by", "files")
    one = files.rows[0]
    place = f"{demo[JOB]}{one['build']}/{one['file']}"
    again = ciexplore("prow", "junit", place, "--by", "files")
    assert [(row["file"], row["tests"]) for row in again.rows] == [(one["file"], one["tests"])]
    matrix = ciexplore("prow", "junit", place, "--by", "matrix")
    assert matrix.rows and all(len(row["history"]) == 1 for row in matrix.rows)


def test_files_that_hold_no_tests_are_counted_and_damaged_ones_end_with_1(ciexplore: Caller, tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<project/>")
    (tmp_path / "TEST-a.xml").write_text(XML, encoding="utf-8")
    done = ciexplore("prow", "junit", f"{tmp_path}/")
    assert done.code == 0 and "1 XML file without a test suite" in done.err and len(done.rows) == 3
    for number in range(3):
        (tmp_path / f"cut{number}.xml").write_text(XML[:90], encoding="utf-8")
    cut = ciexplore("prow", "junit", f"{tmp_path}/")
    assert cut.code == 1 and cut.err.count("incomplete") == 1 and "3 files are incomplete (of 4)" in cut.err


def test_a_downloaded_tree_is_opened_by_any_path_to_it(
    ciexplore: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for number in (9, 10):
        folder = tmp_path / "logs" / "tree" / "logs" / "a-job" / str(number)
        folder.mkdir(parents=True)
        (folder / "started.json").write_text('{"timestamp": 1600000000}')
        (folder / "build-log.txt").write_text(f"line one\nline two of {number}\n")
    here = f"{tmp_path}/logs/tree"
    for text in ("logs/tree/logs/a-job", "./logs/tree/logs/a-job/", "~/logs/tree/logs/a-job", f"{here}/logs/a-job"):
        done = ciexplore("prow", "builds", text)
        assert (done.code, [row["build"] for row in done.rows]) == (0, ["10", "9"]), text
    jobs = ciexplore("prow", "jobs", here)
    assert (jobs.code, [row["job"] for row in jobs.rows]) == (0, ["a-job"])
    log = ciexplore("prow", "log", f"{here}/logs/a-job/9")
    assert (log.code, log.out) == (0, b"line one\nline two of 9\n")
