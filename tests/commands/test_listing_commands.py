"""`taskcluster tasks|artifacts|stats`: which rows and columns come out, in which form, and where."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import polars as pl
import pytest

from backends import config
from backends.cancel import CancelToken
from backends.demo import DemoServer
from backends.session import Session
from backends.systems import parse_locator
from tests.commands.calling import LONGEST, Caller, as_process


def ids(rows: list[dict[str, str]]) -> list[str]:
    return [row["task_id"] for row in rows]


def test_a_pipe_gets_csv_with_every_task_and_nothing_else(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"])
    assert done.code == 0
    assert done.err == ""
    assert len(set(ids(done.rows))) == len(done.rows) == 150


def test_every_format_holds_the_same_tasks(ciexplore: Caller, demo: dict[str, str]) -> None:
    group = demo["taskcluster.finished-group"]
    wanted = ids(ciexplore("taskcluster", "tasks", group).rows)

    def out(form: str) -> bytes:
        done = ciexplore("taskcluster", "tasks", group, "--format", form, "-o", "-")
        assert (done.code, done.err) == (0, "")
        return done.out

    assert [row["task_id"] for row in json.loads(out("json"))] == wanted
    assert [json.loads(line)["task_id"] for line in out("jsonl").splitlines()] == wanted
    assert pl.read_parquet(io.BytesIO(out("parquet")))["task_id"].to_list() == wanted
    assert len(out("table").splitlines()) == 151


def test_the_ending_of_the_file_chooses_the_format(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    group = demo["taskcluster.finished-group"]
    for name in ("t.csv", "t.jsonl", "t.ndjson", "t.json", "t.parquet", "t.txt"):
        done = ciexplore("taskcluster", "tasks", group, "-o", name)
        assert (done.code, done.out) == (0, b"")
    assert len(pl.read_csv(tmp_path / "t.csv")) == 150
    assert (tmp_path / "t.jsonl").read_bytes() == (tmp_path / "t.ndjson").read_bytes()
    assert len(json.loads((tmp_path / "t.json").read_text())) == 150
    assert len(pl.read_parquet(tmp_path / "t.parquet")) == 150
    assert (tmp_path / "t.txt").read_text().startswith("State")


def test_an_existing_file_is_replaced_only_when_asked(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    call = ("taskcluster", "tasks", demo["taskcluster.finished-group"], "-o", "mine.csv")
    refused = ciexplore(*call)
    assert refused.code in (1, 2) and "mine.csv" in refused.err
    assert (tmp_path / "mine.csv").read_text() == "mine"
    assert ciexplore(*call, "--overwrite").code == 0
    assert len(pl.read_csv(tmp_path / "mine.csv")) == 150
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"], "something half written stayed"


def test_filter_and_columns_choose_rows_and_columns(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore(
        "taskcluster", "tasks", demo["taskcluster.finished-group"],
        "--filter", "state:failed,exception duration>1s", "--columns", "task_id, state",
    )  # fmt: skip
    assert done.code == 0
    assert done.rows and set(done.rows[0]) == {"task_id", "state"}
    assert {row["state"] for row in done.rows} <= {"failed", "exception"}
    none = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"], "--filter", "nosuchword")
    assert none.code == 0 and none.rows == [] and none.text.startswith("state,")


def test_match_globs_add_up_and_an_exclamation_mark_takes_away(ciexplore: Caller, demo: dict[str, str]) -> None:
    task = demo["taskcluster.task"]
    every = {row["name"] for row in ciexplore("taskcluster", "artifacts", task).rows}

    def found(*globs: str) -> set[str]:
        options = [part for glob in globs for part in ("--match", glob)]
        return {row["name"] for row in ciexplore("taskcluster", "artifacts", task, *options).rows}

    wanted = {name for name in every if name.endswith((".json", ".png"))}
    assert wanted and found("*.json", "*.png") == wanted
    assert found("*.json", "*.png", "!perfherder*") == wanted - {"public/test_info/perfherder-data.json"}
    assert found("!*.json") == {name for name in every if not name.endswith(".json")}
    assert found("public/test_info/*.json") < wanted


def test_artifacts_of_a_filtered_group_are_those_of_its_tasks(ciexplore: Caller, demo: dict[str, str]) -> None:
    group, chosen = demo["taskcluster.finished-group"], ("--filter", "suite:talos-tp5o")
    tasks = set(ids(ciexplore("taskcluster", "tasks", group, *chosen).rows))
    found = ciexplore("taskcluster", "artifacts", group, *chosen, "--match", "*.json")
    assert tasks and set(ids(found.rows)) == tasks


def test_an_artifact_s_locator_means_that_artifact(ciexplore: Caller, demo: dict[str, str]) -> None:
    rows = ciexplore("taskcluster", "artifacts", demo["taskcluster.artifact"]).rows
    assert [row["name"] for row in rows] == ["public/test_info/perfherder-data.json"]
    missing = ciexplore("taskcluster", "artifacts", demo["taskcluster.artifact"] + "x")
    assert missing.code == 3 and "perfherder-data.jsonx" in missing.err


def test_statistics_by_suite_count_every_task_once(ciexplore: Caller, demo: dict[str, str]) -> None:
    group = demo["taskcluster.finished-group"]
    whole = ciexplore("taskcluster", "stats", group, "--column", "duration").rows
    assert len(whole) == 1
    assert int(whole[0]["n"]) + int(whole[0]["missing"]) == 150
    by = ciexplore("taskcluster", "stats", group, "--column", "duration", "--by", "suite").rows
    assert sum(int(row["n"]) + int(row["missing"]) for row in by) == 150
    several = ciexplore("taskcluster", "stats", group, "--column", "duration", "--column", "runs").rows
    assert [row["column"] for row in several] == ["duration", "runs"]


def test_a_spreadsheet_is_not_given_formulas(ciexplore: Caller, demo: dict[str, str]) -> None:
    call = ("taskcluster", "tasks", demo["taskcluster.hostile-group"], "--columns", "name")
    plain = {row["name"] for row in ciexplore(*call).rows}
    safe = {row["name"] for row in ciexplore(*call, "--spreadsheet-safe").rows}
    assert any(name.startswith("=") for name in plain)
    assert not any(name.startswith(("=", "+", "-", "@")) for name in safe)


def test_ids_that_begin_with_a_dash_are_locators(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer
) -> None:
    dashed = [one for one in ids(ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"]).rows)
              if one.startswith("-")]  # fmt: skip
    if not dashed:
        pytest.skip("this seed gives no such id")
    before = ciexplore("taskcluster", "artifacts", "--columns", "task_id", dashed[0])
    after = ciexplore("taskcluster", "artifacts", dashed[0], "--columns", "task_id")
    assert before.code == after.code == 0
    assert before.out == after.out and set(ids(before.rows)) == {dashed[0]}


def test_every_locator_of_the_demo_is_taken(ciexplore: Caller, demo: dict[str, str]) -> None:
    for name, locator in demo.items():
        if not name.startswith("taskcluster."):
            continue
        lists_tasks = "group" in name or "push" in name
        verb = "tasks" if lists_tasks else "artifacts"
        done = ciexplore("taskcluster", verb, locator, "--filter", "nosuchword" if "group" in name else "")
        assert done.code == 0, (name, done.err)
        if lists_tasks:
            continue
        wrong = ciexplore("taskcluster", "tasks", locator) if name == "taskcluster.task" else None
        assert wrong is None or (wrong.code == 2 and "artifacts" in wrong.err)


# Those that list nothing: what has no tasks or no runs, and where nothing has been kept or queued yet.
_EMPTY = {"taskcluster.empty-group", "taskcluster.unscheduled-task", "archive.kept", "submit.outbox"}
_SYSTEMS = {
    "taskcluster": "taskcluster",
    "prow": "prow",
    "perf": "treeherder",
    "archive": "archives",
    "submit": "submit",
}


def test_every_locator_of_the_demo_opens_a_list_of_its_system(demo: dict[str, str]) -> None:
    """All systems', as the app opens them: each is parsed, resolved and gives its first rows."""
    assert {name.partition(".")[0] for name in demo} == set(_SYSTEMS)
    session, empty = Session(config.load()), set[str]()
    try:
        for name, text in demo.items():
            locator = parse_locator(text)
            assert locator.system == _SYSTEMS[name.partition(".")[0]], name
            resource = session.resource(locator, CancelToken())
            pages = resource.pages(CancelToken())
            rows = next((len(page.frame) for page in pages if len(page.frame)), 0)
            pages.close()  # type: ignore[attr-defined]
            if not rows:
                empty.add(name)
    finally:
        session.close()
    assert empty == _EMPTY


def test_a_reader_that_leaves_gets_no_complaint(demo: dict[str, str]) -> None:
    import subprocess

    from tests.commands.calling import command, environment

    call = command("taskcluster", "tasks", demo["taskcluster.finished-group"])
    writer = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert writer.stdout is not None and writer.stderr is not None
    writer.stdout.close()
    assert writer.stderr.read() == b""
    assert writer.wait(60) == 0


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_full_disk_behind_stdout_is_one_sentence(demo: dict[str, str], form: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        done = as_process("taskcluster", "tasks", demo["taskcluster.finished-group"], "--format", form, stdout=full)
    assert done.code == 1
    assert "no space left" in done.err.lower() and len(done.err.splitlines()) <= 2


@pytest.mark.parametrize("encoding", ["latin-1", "cp437", "utf-8"])
def test_a_terminal_that_lacks_a_letter_still_gets_the_table(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    done = as_process("taskcluster", "tasks", demo["taskcluster.hostile-group"], "--format", "table")
    assert done.code == 0
    assert done.out.decode(encoding).count("\n") > 5


@pytest.mark.parametrize("target", ["/dev/null", "/dev/stdout", "/dev/fd/1"])
def test_rows_can_be_sent_to_a_device_or_a_descriptor(demo: dict[str, str], target: str) -> None:
    plain = as_process("taskcluster", "tasks", demo["taskcluster.finished-group"], "--format", "csv")
    for _ in range(2):  # it is there already, and that is no reason to refuse
        done = as_process("taskcluster", "tasks", demo["taskcluster.finished-group"], "--format", "csv", "-o", target)
        assert done.code == 0
        assert done.out == (b"" if target == "/dev/null" else plain.out)


def test_rows_can_be_sent_into_a_named_pipe(demo: dict[str, str], ciexplore: Caller, tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    done = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"], "-o", str(pipe))
    reader.join(LONGEST)
    assert done.code == 0
    assert read[0].count(b"\n") == 151


@pytest.mark.parametrize(
    "call",
    [
        ("taskcluster", "tasks", "taskcluster.finished-group"),
        ("taskcluster", "artifacts", "taskcluster.finished-group"),
        ("taskcluster", "runs", "taskcluster.finished-group"),
        ("taskcluster", "stats", "taskcluster.finished-group"),
        ("taskcluster", "measurements", "taskcluster.finished-group"),
        ("taskcluster", "measurements", "--replicates", "taskcluster.finished-group"),
        ("taskcluster", "breakdown", "taskcluster.finished-group"),
        ("taskcluster", "compare", "taskcluster.finished-group", "taskcluster.running-group"),
        ("taskcluster", "list", "taskcluster.namespace"),
        ("prow", "builds", "prow.job-openshift"),
        ("prow", "files", "prow.build-whole"),
        ("prow", "files", "--sizes", "prow.build-whole"),
        ("prow", "completeness", "prow.completeness-job", "--count", "5"),
        ("prow", "junit", "prow.job-openshift", "--count", "5"),
        ("perf", "signatures", "--repository", "autoland", "--framework", "browsertime"),
        ("perf", "pushes", "--repository", "autoland"),
        ("archive", "revisions", "mozilla-central"),
        ("submit", "routes"),
    ],
    ids=" ".join,
)
def test_a_column_that_is_not_there_is_said_before_the_list_is_fetched(
    demo: dict[str, str], ciexplore: Caller, demo_server: DemoServer, call: tuple[str, ...]
) -> None:
    before = len(demo_server.requests)
    done = ciexplore(*(demo.get(word, word) for word in call), "--columns", "no_such_column")
    assert done.code == 2 and "There is no column 'no_such_column'" in done.err and done.out == b""
    asked = [served.path for served in list(demo_server.requests)[before:]]
    most = 15 if call[1] in ("completeness", "junit") else 2  # which builds are meant is a list of its own
    assert len(asked) <= most, asked


def test_columns_come_in_the_order_asked_for(demo: dict[str, str], ciexplore: Caller) -> None:
    done = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"], "--columns", "state,name,state")
    assert done.code == 0
    assert done.text.startswith("state,name\n")


def test_closed_standard_streams_are_no_fault(demo: dict[str, str]) -> None:
    import subprocess

    from tests.commands.calling import command, environment

    call = " ".join(command("taskcluster", "tasks", demo["taskcluster.finished-group"]))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{call} <&- >&-"], capture_output=True, env=environment(), timeout=60, check=False
    )
    assert done.returncode == 0 and done.stderr == b""
