"""`taskcluster runs | log | download --unpack`: what comes out, where it goes, and what a terminal never gets."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from backends.demo import DemoOptions, DemoServer, expected_bytes, locators
from tests.commands.calling import Caller, as_process, ended, started

BACKING = "public/logs/live_backing.log"


def slug(locator: str) -> str:
    return locator.rstrip("/").split("/tasks/")[1].split("/")[0]


def test_the_runs_of_a_task_are_rows(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("taskcluster", "runs", demo["taskcluster.retried-task"])
    assert [row["reason_resolved"] for row in done.rows] == ["worker-shutdown", "completed"]
    one = ciexplore("taskcluster", "runs", f"{demo['taskcluster.retried-task']}/runs/1")
    assert [row["run"] for row in one.rows] == ["1"]


def test_the_runs_of_a_groups_tasks_are_one_table(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer
) -> None:
    demo_server.requests.clear()
    done = ciexplore("taskcluster", "runs", demo["taskcluster.finished-group"], "--filter", "retries>0")
    ids = [row["task_id"] for row in done.rows]
    assert len(ids) > len(set(ids)) > 1
    assert [one.method for one in demo_server.requests if one.path.endswith("/tasks/status")] == ["POST"]


def test_runs_of_what_has_none_are_wrong_usage(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("taskcluster", "runs", "taskcluster:namespace/gecko")
    assert done.code == 2 and "have no runs" in done.err
    assert ciexplore("taskcluster", "runs", demo["taskcluster.task"], "--filter", "x").code == 2


def test_a_log_is_printed_whole_and_written_as_it_is(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer, tmp_path: Path
) -> None:
    task = slug(demo["taskcluster.task"])
    whole = expected_bytes(demo_server.options, task, 0, BACKING)
    done = ciexplore("taskcluster", "log", demo["taskcluster.task"])
    assert (done.code, done.err) == (0, "") and done.out.count(b"\n") == whole.count(b"\n")
    assert b"\x1b" not in done.out
    assert ciexplore("taskcluster", "log", demo["taskcluster.log"], "-o", "a.log").code == 0
    assert (tmp_path / "a.log").read_bytes() == whole
    again = ciexplore("taskcluster", "log", demo["taskcluster.log"], "-o", "a.log")
    assert again.code == 1 and "exists" in again.err
    assert ciexplore("taskcluster", "log", demo["taskcluster.log"], "-o", "-").out == whole


def test_a_link_to_a_line_prints_from_there_and_saves_the_whole(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path
) -> None:
    whole = ciexplore("taskcluster", "log", demo["taskcluster.log"])
    link = f"{demo['taskcluster.log']}#L3-L5"
    part = ciexplore("taskcluster", "log", link)
    assert part.out.splitlines() == whole.out.splitlines()[2:5] and "lines 3 to 5" in part.err
    begun = ciexplore("taskcluster", "log", f"{demo['taskcluster.log']}#L3")
    assert begun.out == whole.out.split(b"\n", 2)[2] and b"from line 3 on" in begun.err.encode()
    assert ciexplore("taskcluster", "log", link, "-o", "a.log").code == 0
    assert ciexplore("taskcluster", "log", demo["taskcluster.log"], "-o", "-").out == (tmp_path / "a.log").read_bytes()
    assert ciexplore("taskcluster", "log", f"{demo['taskcluster.log']}#L99999999").out == b""


def test_a_log_that_was_read_is_there_offline(ciexplore: Caller, demo: dict[str, str]) -> None:
    first = ciexplore("taskcluster", "log", demo["taskcluster.task"])
    offline = ciexplore("taskcluster", "log", demo["taskcluster.task"], "--offline")
    assert offline.code == 0 and offline.out == first.out
    never = ciexplore("taskcluster", "log", demo["taskcluster.failed-task"], "--offline")
    assert never.code == 3 and not never.out


def test_the_log_of_a_retried_task_is_of_the_run_that_began(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("taskcluster", "log", demo["taskcluster.retried-empty-task"])
    assert done.code == 0 and b"Run ID: 0" in done.out


def test_a_decision_task_is_read_by_its_id_and_by_its_index_path(ciexplore: Caller, demo: dict[str, str]) -> None:
    decision = demo["taskcluster.finished-group"].rpartition("/")[2]
    told = ciexplore("taskcluster", "log", decision)
    assert told.code == 0 and told.out
    assert ciexplore("taskcluster", "log", demo["taskcluster.index"]).code == 0
    assert b"Gecko Decision Task" in ciexplore("taskcluster", "show", decision).out


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("unscheduled-task", 1, "has not begun to run"),
        ("finished-group", 2, "several tasks"),
    ],
)
def test_what_has_no_log_says_so(ciexplore: Caller, demo: dict[str, str], name: str, code: int, words: str) -> None:
    done = ciexplore("taskcluster", "log", demo[f"taskcluster.{name}"])
    assert done.code == code and words in done.err and not done.out


def test_nothing_that_a_terminal_obeys_is_printed() -> None:
    from tui.commands.log_output import printable

    evil = b"\x1b]0;title\x07a\x1b[31mred\x1b[0m\tx\r\nold\rnew\n\x9b2Jb\xff\x07\xe2\x80\xaec\n" + b"z" * 3_000_000
    told = b"".join(printable([evil[:3], evil[3:9], evil[9:]])).decode()
    assert not any(ord(one) < 32 and one not in "\n\t" for one in told)
    assert "\x9b" not in told and "\u202e" not in told
    lines = told.split("\n")
    assert lines[0] == "ared\tx" and lines[1] == "new"
    assert sum(line.count("z") for line in lines) == 3_000_000


def test_plain_lines_come_through_unchanged_whatever_the_pieces() -> None:
    from tui.commands.log_output import printable

    text = b"one\ntwo \xc3\xa9\n\nthree"
    for size in (1, 2, 5, 100):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert b"".join(printable(pieces)).rstrip(b"\n") == text


def test_archives_are_unpacked_beside_themselves_once(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    call = ("taskcluster", "download", demo["taskcluster.task"], "--match", "*.tgz", "--output", "out", "--unpack")
    done = ciexplore(*call)
    assert done.code == 0 and "1 archive unpacked" in done.err
    (tree,) = tmp_path.glob("out/**/*.tgz.unpacked")
    assert any(path.is_file() for path in tree.rglob("*"))
    assert "1 was unpacked already" in ciexplore(*call).err


def test_hostile_archives_of_a_group_leave_nothing_outside(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path
) -> None:
    ciexplore(
        "taskcluster", "download", demo["taskcluster.hostile-group"], "--match", "*evil*", "--output", "out", "--unpack"
    )
    trees = list(tmp_path.glob("out/**/*.unpacked"))
    assert len(trees) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_unpack_does_not_go_with_the_other_layout(ciexplore: Caller, demo: dict[str, str]) -> None:
    layout = ("--layout", "artifact-downloader", "--all-suites", "--artifact", "x")
    group = demo["taskcluster.finished-group"]
    done = ciexplore("taskcluster", "download", group, *layout, "--output", "out", "--unpack")
    assert done.code == 2 and "--unzip" in done.err


@pytest.mark.parametrize("name", ["namespace", "comparison", "finished-group", "artifact-kinds-task"])
def test_list_lists_whatever_a_locator_opens(ciexplore: Caller, demo: dict[str, str], name: str) -> None:
    done = ciexplore("taskcluster", "list", demo[f"taskcluster.{name}"])
    assert done.code == 0 and len(done.rows) > 1


def test_list_reads_archives_tables_and_views(ciexplore: Caller, demo: dict[str, str]) -> None:
    kinds = slug(demo["taskcluster.artifact-kinds-task"])
    table = ciexplore("taskcluster", "list", f"taskcluster:table/{kinds}/0/public/kinds/resource-use.csv")
    assert len(table.rows) == 120 and "second" in table.rows[0]
    perf = slug(demo["taskcluster.task"])
    archive = f"taskcluster:archive/{perf}/0/public/test_info/browsertime-results.tgz"
    assert {row["kind"] for row in ciexplore("taskcluster", "list", archive).rows} >= {"file"}
    group = demo["taskcluster.finished-group"].rpartition("/")[2]
    for view in (f"breakdown/{group}/suite", f"timeline/{group}", f"critical-path/{group}"):
        assert ciexplore("taskcluster", "list", f"taskcluster:{view}").rows


def test_a_verb_for_another_kind_of_list_names_the_one_that_fits(ciexplore: Caller, demo: dict[str, str]) -> None:
    done = ciexplore("taskcluster", "tasks", demo["taskcluster.namespace"])
    assert done.code == 2 and "taskcluster list" in done.err


def test_show_prints_a_task_and_a_json_artifact(ciexplore: Caller, demo: dict[str, str]) -> None:
    task = ciexplore("taskcluster", "show", demo["taskcluster.task"]).json
    assert {"taskId", "state", "runs", "payload", "scopes"} <= task.keys()
    assert "suites" in ciexplore("taskcluster", "show", demo["taskcluster.artifact"]).json
    assert ciexplore("taskcluster", "show", demo["taskcluster.namespace"]).code == 2
    assert ciexplore("taskcluster", "show", demo["taskcluster.log"]).code == 2


def test_show_of_hostile_tasks_is_json_or_words(ciexplore: Caller, demo: dict[str, str]) -> None:
    for row in ciexplore("taskcluster", "tasks", demo["taskcluster.hostile-group"]).rows:
        done = ciexplore("taskcluster", "show", f"taskcluster:task/{row['task_id']}")
        assert done.json["taskId"] == row["task_id"] if done.code == 0 else done.err
        assert all(byte == 10 or 32 <= byte < 127 for byte in done.out)


def test_a_log_that_is_still_written_is_printed_as_far_as_it_is(
    ciexplore: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.logs.sources.SILENCE", 0.2)
    with DemoServer(DemoOptions(tasks=20)) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        group = locators(server.options, server.root_url)["taskcluster.running-group"]
        running = ciexplore("taskcluster", "tasks", group, "--filter", "state:running", "--no-cache").rows
        newest = max(running, key=lambda row: row["started"])
        done = ciexplore("taskcluster", "log", f"taskcluster:task/{newest['task_id']}")
        assert done.code == 0 and b"Task ID" in done.out
        assert "--follow continues" in done.err or b"Task Finished" in done.out


def test_ctrl_c_ends_following_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    with DemoServer(DemoOptions(tasks=20)) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        group = locators(server.options, server.root_url)["taskcluster.running-group"]
        rows = as_process("taskcluster", "tasks", group, "--filter", "state:running").rows
        newest = max(rows, key=lambda row: row["started"])
        running = started("taskcluster", "log", f"taskcluster:task/{newest['task_id']}", "--follow")
        assert running.stdout is not None and b"Task ID" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert ended(running).code in (0, 130)  # the task may have ended just now


def test_lines_are_whole_whatever_the_pieces_and_endless_ones_come_in_parts() -> None:
    from tui.commands.log_output import LINE, lines_of

    text = b"one\r\n\ntwo\rthree\nend"
    for size in range(1, len(text) + 1):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(lines_of(pieces)) == [b"one\r\n", b"\n", b"two\rthree\n", b"end"]
    parts = list(lines_of([b"x" * 1000] * (3 * LINE // 1000)))
    assert len(parts) == 3 and max(map(len, parts)) <= LINE + 1000
