"""No option is ignored beside another: they work together, or a sentence names the one that has no effect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backends.prow.locators import ProwPath
from backends.systems import parse_locator
from tests.commands.calling import Caller

TASK = "Y33uyQ0GR_eMGr1zdJzLAQ"
JOB, BUILD = "gs://bucket/logs/job/", "gs://bucket/logs/job/2123434578470244353/"
URL = "https://ci.example/"

# What is said before anything is asked of a server: (command, the sentence).
REFUSED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("taskcluster", "tasks", TASK, "--offline", "--refresh"), "--offline and --refresh exclude each other"),
    (("taskcluster", "tasks", TASK, "--no-cache", "--offline"), "exclude each other"),
    (("failures", TASK, "--against", TASK, "--by", "test"), "--by test and --against exclude each other"),
    (("failures", TASK, "--against", TASK, "--by", "failure"), "--by failure and --against exclude each other"),
    (("taskcluster", "breakdown", TASK, "--bins", "3"), "--bins is the number of rows of --timeline"),
    (("taskcluster", "breakdown", TASK, "--critical-path", "--bins", "3"), "--bins is the number of rows"),
    (("taskcluster", "breakdown", TASK, "--spreadsheet-safe", "--format", "json"), "--spreadsheet-safe is for CSV"),
    (("taskcluster", "breakdown", TASK, "--spreadsheet-safe", "-o", "a.parquet"), "--spreadsheet-safe is for CSV"),
    (("taskcluster", "breakdown", TASK, "--plot", "a.svg", "--columns", "suite"), "with --plot nothing is"),
    (("prow", "builds", JOB, "--fast", "--columns", "build,log_size"), "the column log_size is read from each"),
    (("prow", "log", JOB, "--container", "test", "--step", "e2e"), "--container and --step exclude each other"),
    (("prow", "builds", BUILD, "--since", "3d"), "--since chooses builds of a job"),
    (("prow", "files", BUILD, "--since", "3d"), "--since chooses builds of a job"),
    (("prow", "files", JOB, "--flat"), "--flat is for a folder"),
    (("prow", "download", BUILD, "--output", "d", "--filter", "state:failure"), "--filter chooses builds of a job"),
    (("archives", "status", "--server", URL), "--server has the state of a TASK"),
    (("archives", "get", "r", "1", "--output", "d", "--server", URL, "--buckets", "us=b"), "--buckets has no effect"),
    (("treeherder", "series", "try:1", "--repository", "autoland"), "--repository is of ids without one"),
    (("treeherder", "compare", "try:abcdef12", "try:abcdef13", "--repository", "try"), "--repository is of revisions"),
    (("treeherder", "dataset", "show", "--store", "d", "--since", "3d"), "--since says how a view is calculated"),
    (("treeherder", "dataset", "show", "--store", "d", "--within", "10m"), "--within says how a view is calculated"),
    (("treeherder", "dataset", "export", "--store", "d", "--view", "jobs", "--lists", "json"), "--lists is for the"),
    (("treeherder", "dataset", "export", "--store", "d", "--compat", "e", "--format", "csv"), "--format is for --view"),
    (("treeherder", "dataset", "export", "--store", "d", "--mirror", "s3://b/p", "--since", "3d"), "--since has no"),
    (("treeherder", "dataset", "update", "--store", "d", "--format", "csv"), "--format is for what --dry-run prints"),
    (("treeherder", "dataset", "update", "--store", "d", "--no-alerts", "--monitored"), "--monitored includes alerts"),
    (("submit", "lint", "a.json", "--generation", "--errors-only"), "--errors-only is for findings"),
    (("submit", "publish", "a.json", "--via", "hawk", "--exchange", "e"), "--exchange is for --via pulse"),
    (("submit", "publish", "a.json", "--via", "hawk", "--routing-key", "k"), "--routing-key is for --via pulse"),
    (("submit", "status", "--retry", "--format", "csv"), "--format is for the list"),
    (("submit", "registration", "--exchange", "e", "--user", "u"), "--user and --exchange exclude each other"),
    (("submit", "registration", "--exchange", "e", "--url", URL), "--url has no effect"),
    (("pivot", TASK, "--rows", "state", "--value", "duration"), "--value is summed up, and --by count sums nothing up"),
    (("demo", "--serve", "--locators"), "--serve and --locators exclude each other"),
    (("demo", "--locators", "taskcluster.task"), "is opened in the app"),
    (("demo", "--locators", "--port", "80"), "--port is for --serve"),
)


@pytest.mark.parametrize(("command", "sentence"), REFUSED, ids=[" ".join(command) for command, _ in REFUSED])
def test_an_option_without_an_effect_is_refused(ciexplore: Caller, command: tuple[str, ...], sentence: str) -> None:
    done = ciexplore(*command)
    assert done.code == 2, done.err
    assert sentence in done.err
    assert done.out == b"" and not list(Path().iterdir())


# The same of a file, which only the storage tells from a folder.
REFUSED_OF_A_FILE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("log", "--container", "test"), "--container chooses a log of a build"),
    (("log", "--step", "e2e"), "--step chooses a log of a build"),
    (("junit", "--count", "3"), "--count chooses builds of a job"),
    (("events", "--since", "3d"), "--since chooses builds of a job"),
    (("download", "--output", "d", "--match", "*.txt"), "--match chooses files"),
    (("files", "--count", "3"), "--count chooses builds of a job"),
    (("download", "--output", "d", "--filter", "state:failure"), "--filter chooses builds of a job"),
)


@pytest.mark.parametrize(
    ("command", "sentence"), REFUSED_OF_A_FILE, ids=[" ".join(one) for one, _ in REFUSED_OF_A_FILE]
)
def test_an_option_without_an_effect_on_a_file_is_refused(
    ciexplore: Caller, demo: dict[str, str], command: tuple[str, ...], sentence: str
) -> None:
    done = ciexplore("prow", command[0], demo["prow.build-log"], *command[1:])
    assert (done.code, done.out) == (2, b""), done.err
    assert sentence in done.err


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("treeherder", "dataset", "show", "waits", "--store", "d", "--within", "-1h"), "--within: '-1h' is negative"),
        (("treeherder", "dataset", "update", "--store", "d", "--settle", "-1d"), "--settle: '-1d' is negative"),
        (("treeherder", "dataset", "show", "groups", "--store", "d", "--tolerance", "nan"), "'nan' is not a number"),
        (("treeherder", "dataset", "update", "--store", "d", "--rate", "inf"), "'inf' is not a number"),
        (("submit", "publish", "a.json", "--via", "hawk", "--patience", "nan"), "'nan' is not a number"),
        (("watch", TASK, "--patience", "-1m"), "is in the past"),
    ],
)
def test_a_number_that_means_nothing_is_refused(ciexplore: Caller, command: tuple[str, ...], sentence: str) -> None:
    done = ciexplore(*command)
    assert done.code == 2
    assert sentence in done.err


def test_a_range_of_lines_goes_with_new_errors_and_tail(ciexplore: Caller, demo: dict[str, str]) -> None:
    task = demo["taskcluster.failed-task"]
    log = f"{task}/runs/0/logs/public/logs/live_backing.log"
    new = [line for line in ciexplore("taskcluster", "log", log, "--new").text.splitlines() if line[:1].isdigit()]
    numbers = [int(line.partition(":")[0]) for line in new if ":" in line.partition(" ")[0]]
    first, last = numbers[1], numbers[2]
    done = ciexplore("taskcluster", "log", f"{log}#L{first}-L{last}", "--new")
    assert done.code == 0
    shown = [int(line.replace("-", ":", 1).partition(":")[0]) for line in done.text.splitlines() if line[:1].isdigit()]
    assert shown and min(shown) >= first and max(shown) <= last
    assert f"of {last - first + 1} lines are new" in done.err and f"lines {first:,} to {last:,}" in done.err

    whole = ciexplore("taskcluster", "log", log).text.splitlines()
    errors = ciexplore("taskcluster", "log", f"{log}#L{first}-L{last}", "--errors").text.splitlines()
    assert [line for line in errors if not line.startswith("... ")] == whole[first - 1 : last]
    assert ciexplore("taskcluster", "log", f"{log}#L1-L3", "--new").text == ""

    build = demo["prow.build-log"]
    lines = ciexplore("prow", "log", build).text.splitlines()
    found = parse_locator(build)
    assert isinstance(found, ProwPath)
    done = ciexplore("prow", "log", replace(found, lines=(11, 13)).text(), "--tail", "2")
    assert (done.code, done.text.splitlines()) == (0, lines[11:13]), done.err


def test_a_file_gets_the_whole_log_and_a_note_says_so(ciexplore: Caller, demo: dict[str, str]) -> None:
    log = f"{demo['taskcluster.failed-task']}/runs/0/logs/public/logs/live_backing.log"
    done = ciexplore("taskcluster", "log", f"{log}#L5-L10", "-o", "a.log")
    assert done.code == 0 and "all of it, not only lines 5 to 10" in done.err
    assert Path("a.log").read_bytes().count(b"\n") > 100


def test_a_filter_of_one_file_is_applied(ciexplore: Caller, demo: dict[str, str]) -> None:
    build = demo["prow.build-failed"]
    files = ciexplore("prow", "files", build, "--match", "junit*.xml", "--format", "csv").rows
    name = f"gs://{build.partition('/gs/')[2]}/{files[0]['name']}"
    every = ciexplore("prow", "junit", name, "--format", "csv").rows
    failed = ciexplore("prow", "junit", name, "--filter", "state:failed", "--format", "csv")
    assert failed.code == 0, failed.err
    assert len(failed.rows) < len(every)


@pytest.mark.parametrize("option", [(), ("--new",), ("--errors",)], ids=str)
def test_what_is_not_a_text_is_named_and_how_to_get_it(
    ciexplore: Caller, demo: dict[str, str], option: tuple[str, ...]
) -> None:
    artifact = demo["taskcluster.big-artifact"]
    done = ciexplore("taskcluster", "log", artifact, *option)
    assert (done.code, done.out) == (2, b"")
    assert "target.installer.exe" in done.err and "is not a text but" in done.err
    assert "ciexplore taskcluster download http" in done.err


def test_its_bytes_are_written_when_a_file_is_named(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("taskcluster", "log", demo["taskcluster.big-artifact"], "-o", "a.exe")
    assert done.code == 0
    assert Path("a.exe").stat().st_size > 1 << 20
