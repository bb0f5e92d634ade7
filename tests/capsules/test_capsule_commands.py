"""Every headless verb gives from a capsule, without any server, what it gave from the servers."""

from __future__ import annotations

import re
import shlex
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.capsules.conftest import TASKS, SavedDemo, group_commands, other_commands
from tests.commands.calling import Caller

pytestmark = pytest.mark.usefixtures("no_network")


def test_the_finished_group_is_the_same(ciexplore: Caller, saved_demo: SavedDemo, tmp_path: Path) -> None:
    copy = tmp_path / "copied.zip"
    shutil.copyfile(saved_demo.group, copy)
    for command in group_commands(saved_demo.names):
        done = ciexplore(*command, "--capsule", str(copy))
        assert done.code == 0 and "capsule" not in done.err, (command, done.err)
        assert done.out == saved_demo.before[command] != b"", command


def test_lists_of_all_systems_are_the_same(ciexplore: Caller, saved_demo: SavedDemo) -> None:
    for command in other_commands(saved_demo.names):
        done = ciexplore(*command, "--capsule", str(saved_demo.others))
        assert (done.code, done.err) == (0, ""), (command, done.err)
        assert done.out == saved_demo.before[command] != b"", command


def test_lists_of_two_systems_are_joined(ciexplore: Caller, saved_demo: SavedDemo) -> None:
    query = f"SELECT name FROM list('{saved_demo.names['perf.push']}') WHERE state = 'completed'"
    done = ciexplore("sql", query, "--capsule", str(saved_demo.others))
    assert done.code == 0
    assert done.rows


def test_what_is_not_in_it_is_said_with_the_code_of_a_server_that_is_gone(
    ciexplore: Caller, saved_demo: SavedDemo
) -> None:
    done = ciexplore(
        "taskcluster", "tasks", saved_demo.names["taskcluster.running-group"], "--capsule", str(saved_demo.group)
    )
    assert done.code == 3
    assert "is not in this capsule" in done.err
    done = ciexplore("prow", "list", "s3://bucket/logs/", "--capsule", str(saved_demo.group))
    assert "Capsules do not cover S3" in done.err


def test_what_it_lacks_is_said_of_new_lines_and_of_since(ciexplore: Caller, saved_demo: SavedDemo) -> None:
    """And the hint is a command that can be run."""
    task, capsule = saved_demo.names["taskcluster.failed-task"], str(saved_demo.group)
    done = ciexplore("taskcluster", "log", task, "--new", "--capsule", capsule)
    assert (done.code, done.out) == (3, b"")
    assert re.search(r"No run of \S+ that passed is in this capsule\.", done.err), done.err
    done = ciexplore("since", task, "--capsule", capsule)
    assert done.code == 3 and "is not in this capsule" in done.err
    hint = re.search(r"`ciexplore (capsule info .*)` lists that", done.err)
    assert hint is not None, done.err
    listed = ciexplore(*shlex.split(hint[1]), "--format", "csv")
    assert listed.code == 0 and "url" in listed.rows[0]


def test_artifacts_are_downloaded_from_it(ciexplore: Caller, saved_demo: SavedDemo, tmp_path: Path) -> None:
    group = saved_demo.names["taskcluster.finished-group"]
    arguments = ("--match", "*perfherder-data.json", "--output", str(tmp_path / "out"))
    done = ciexplore("taskcluster", "download", group, *arguments, "--capsule", str(saved_demo.group))
    assert done.code == 0, done.err
    files = list((tmp_path / "out").rglob("*perfherder-data.json"))
    assert files
    assert all(path.read_bytes().startswith(b"{") for path in files)


def test_options_that_exclude_each_other(ciexplore: Caller, saved_demo: SavedDemo) -> None:
    group = saved_demo.names["taskcluster.finished-group"]
    done = ciexplore("taskcluster", "tasks", group, "--capsule", str(saved_demo.group), "--refresh")
    assert done.code == 2
    assert "exclude each other" in done.err


def test_info_and_verify(ciexplore: Caller, saved_demo: SavedDemo) -> None:
    done = ciexplore("capsule", "info", str(saved_demo.group), "--format", "csv")
    assert done.code == 0
    [row] = done.rows
    assert row["locator"] == saved_demo.names["taskcluster.finished-group"]
    assert row["rows"] == str(TASKS)
    assert int(row["logs"]) >= 35
    assert int(row["artifacts"]) > 25
    assert "of the demo" in done.err
    files = ciexplore("capsule", "info", str(saved_demo.group), "--files", "--format", "csv").rows
    assert {one["kind"] for one in files} == {"response", "log", "artifact"}
    assert all(one["fetched"] for one in files)
    done = ciexplore("capsule", "verify", str(saved_demo.group))
    assert done.code == 0
    assert "files are as the manifest says" in done.err


@pytest.mark.parametrize("name", ["missing.capsule", "empty.capsule", "."])
def test_what_is_not_a_capsule(ciexplore: Caller, name: str) -> None:
    Path("empty.capsule").touch()
    for verb in ("info", "verify"):
        done = ciexplore("capsule", verb, name)
        assert done.code == 1
        assert "capsule" in done.err


class TestCreating:
    @pytest.fixture(autouse=True)
    def _with_servers(self, demo: dict[str, str]) -> None:
        self.names = demo

    @pytest.fixture
    def no_network(self) -> None:
        """These tests need the servers."""

    def test_an_existing_file_and_links_stay(self, ciexplore: Caller, tmp_path: Path) -> None:
        task = self.names["taskcluster.task"]
        kept = tmp_path / "kept"
        kept.write_text("mine")
        (tmp_path / "link.capsule").symlink_to(kept)
        for name, code in (("kept", 1), ("link.capsule", 1)):
            done = ciexplore("capsule", "create", name, task)
            assert done.code == code, done.err
        assert ciexplore("capsule", "create", "link.capsule", task, "--overwrite").code == 1
        assert kept.read_text() == "mine"
        assert ciexplore("capsule", "create", "kept", task, "--overwrite").code == 0
        assert {path.name for path in tmp_path.iterdir()} == {"kept", "link.capsule"}

    @pytest.mark.parametrize(
        "locator", ["file:///nowhere/logs/", "treeherder:datasets", "submit:outbox", "archives:held"]
    )
    def test_what_does_not_come_from_a_server_is_refused(self, ciexplore: Caller, locator: str) -> None:
        done = ciexplore("capsule", "create", "a.capsule", locator)
        assert done.code in (1, 2), done.err
        assert not Path("a.capsule").exists()

    def test_a_list_twice_is_one_and_a_glob_without_a_file_is_noted(self, ciexplore: Caller) -> None:
        task = self.names["taskcluster.task"]
        done = ciexplore("capsule", "create", "a.capsule", task, task, "--artifacts", "*.nothing")
        assert done.code == 0
        assert done.err.startswith("note: ") and "No file matches *.nothing." in done.err and "1 list, " in done.err
        assert ciexplore("capsule", "info", "a.capsule").code == 0

    def test_a_list_that_cannot_be_read_leaves_no_file(self, ciexplore: Caller) -> None:
        done = ciexplore("capsule", "create", "a.capsule", "Y33uyQ0GR_eMGr1zdJzLAg")
        assert done.code in (2, 3)
        assert not list(Path().iterdir())


def test_no_secret_of_the_demo_is_inside(saved_demo: SavedDemo) -> None:
    for path in (saved_demo.group, saved_demo.others):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                assert b"X-Amz-Credential=demo" not in archive.read(name)
                content = archive.read(name)
                for word in saved_demo.secrets:
                    assert word not in content, name
