"""A file that cannot be written is refused in one sentence, before anything is asked of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.calling import Caller, as_process

NOWHERE = "http://127.0.0.1:9/tasks/groups/Y33uyQ0GR_eMGr1zdJzLAQ"  # nothing listens there
LISTS = ("taskcluster", "tasks", NOWHERE)
FOLDER, EXISTS, MISSING, BENEATH, HOME = (
    "is a folder.\n  Add a file name.",
    "exists.\n  Add --overwrite to replace it (from Python: overwrite=True), or choose another name.",
    "cannot be written: no such file or directory.\n  Create the folder first",
    "cannot be written: not a directory.\n  Choose a path whose parents are folders.",
    "is not a path: there is no such home directory.",
)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ((*LISTS, "--report", "."), FOLDER),
        ((*LISTS, "--report", ""), FOLDER),
        ((*LISTS, "--report", "folder"), FOLDER),
        ((*LISTS, "--report", "there.html"), EXISTS),
        ((*LISTS, "--report", "missing/a.html"), MISSING),
        ((*LISTS, "--report", "there.html/a.html"), BENEATH),
        ((*LISTS, "--report", "~nobody-of-this-name/a.html"), HOME),
        ((*LISTS, "--report", "a.txt"), "a.txt is not the name of a report.\n  End it with .html."),
        ((*LISTS, "--report", "-"), "- is not the name of a report."),
        ((*LISTS, "--plot", "."), FOLDER),
        ((*LISTS, "--plot", "there.svg"), EXISTS),
        ((*LISTS, "--plot", "missing/a.svg"), MISSING),
        ((*LISTS, "--plot", "a.txt"), "a.txt is not the name of a plot.\n  End it with .svg or .png."),
        ((*LISTS, "-o", "."), FOLDER),
        ((*LISTS, "-o", ""), FOLDER),
        ((*LISTS, "-o", "there.csv"), EXISTS),
        ((*LISTS, "-o", "missing/a.csv"), MISSING),
        ((*LISTS, "-o", "~nobody-of-this-name/a.csv"), HOME),
        (("capsule", "create", ".", NOWHERE), FOLDER),
        (("capsule", "create", "", NOWHERE), FOLDER),
        (("capsule", "create", "there.csv", NOWHERE), EXISTS),
        (("capsule", "create", "missing/a.capsule", NOWHERE), MISSING),
        (("capsule", "create", "-", NOWHERE), "not written to stdout"),
        ((*LISTS, "-o", "x" * 300), "file name too long.\n  Choose a shorter name."),
        (("capsule", "create", "x" * 300, NOWHERE), "file name too long.\n  Choose a shorter name."),
        (("taskcluster", "download", NOWHERE, "--output", ""), "--output is empty"),
        (("prow", "download", "gs://bucket/logs/job/", "--output", " "), "--output is empty"),
        (("taskcluster", "download", NOWHERE, "--output", "~nobody-of-this-name/a"), HOME),
        (("archives", "get", "repository", "1", "--yes", "--output", ""), "--output is empty"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_what_cannot_be_written(ciexplore: Caller, command: tuple[str, ...], sentence: str) -> None:
    Path("folder").mkdir()
    for name in ("there.html", "there.svg", "there.csv"):
        Path(name).write_text("mine")
    done = ciexplore(*command)
    assert done.code in (1, 2), done.err
    assert sentence in done.err
    assert {path.name for path in Path().iterdir()} == {"folder", "there.html", "there.svg", "there.csv"}
    assert Path("there.html").read_text() == "mine"


@pytest.mark.parametrize(
    "given",
    [
        ("--report", "r.html", "-o", "r.html"),
        ("--report", "r.html", "--to", "./r.html"),
        ("--report", "folder/../r.html", "-o", "r.html"),
        ("--report", "r.html", "-o", "link.html"),
        ("--plot", "r.svg", "-o", "./r.svg"),
        ("--plot", "folder/r.svg", "--report", "folder/./r.svg"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("more", [(), ("--overwrite",)], ids=["", "--overwrite"])
def test_one_file_for_two_outputs(ciexplore: Caller, given: tuple[str, ...], more: tuple[str, ...]) -> None:
    Path("folder").mkdir()
    Path("link.html").symlink_to("r.html")
    done = ciexplore(*LISTS, *given, *more)
    assert done.code == 2, done.err
    assert "is named twice" in done.err and given[0] in done.err
    assert {path.name for path in Path().rglob("*")} == {"folder", "link.html"}


def test_one_file_named_in_full_and_relative(ciexplore: Caller) -> None:
    done = ciexplore(*LISTS, "--report", str(Path("r.html").resolve()), "-o", "r.html")
    assert done.code == 2 and "is named twice" in done.err


def test_a_file_where_a_directory_should_be(ciexplore: Caller, demo: dict[str, str]) -> None:
    Path("there").write_text("mine")
    done = ciexplore("taskcluster", "download", demo["taskcluster.task"], "--output", "there")
    assert done.code == 1
    assert "there is a file of this name" in done.err and "Choose another directory" in done.err
    assert Path("there").read_text() == "mine"


def test_a_report_replaces_a_file_when_that_is_allowed(ciexplore: Caller, demo: dict[str, str]) -> None:
    Path("there.html").write_text("mine")
    arguments = ("taskcluster", "artifacts", demo["taskcluster.task"], "--report", "there.html", "--overwrite")
    assert ciexplore(*arguments).code == 0
    assert Path("there.html").read_text().startswith("<!DOCTYPE html>")


def test_descriptors_and_devices_are_written_to(demo: dict[str, str], tmp_path: Path) -> None:
    task = demo["taskcluster.task"]
    with (tmp_path / "out.csv").open("wb") as stream:
        done = as_process("taskcluster", "artifacts", task, "-o", "/dev/stdout", "--format", "csv", stdout=stream)
    assert done.code == 0, done.err
    assert (tmp_path / "out.csv").read_text().startswith("run,name,")
    assert as_process("taskcluster", "artifacts", task, "-o", "/dev/null").code == 0
