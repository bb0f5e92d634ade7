"""Help, completion, `config`, `demo` and the app's refusals: what needs no server of anybody's."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backends.config import setting_names
from backends.demo import DemoServer
from tests.commands.calling import ROOT, Caller, as_process, command, environment

HEAVY = ("textual", "rich", "polars", "httpx", "plotext", "diskcache", "msgspec", "uvicorn", "starlette")


def loaded_after(code: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has after running this."""
    script = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment(), text=True, timeout=60, check=True
    )
    return set(done.stderr.split())


def test_every_command_has_help_and_help_loads_nothing_heavy() -> None:
    calls = [
        [], *[[name] for name in ("taskcluster", "demo", "cache", "config", "completion")],
        *[["taskcluster", verb] for verb in ("tasks", "artifacts", "stats", "download")],
        *[["cache", verb] for verb in ("info", "clear")],
    ]  # fmt: skip
    lines = [f"assert run({[*call, '--help']!r}) == 0" for call in calls]
    assert loaded_after("\n".join(["from tui.cli import run", *lines])) == set()


def test_help_says_what_a_command_does(ciexplore: Caller) -> None:
    for call in (["--help"], ["-h"], ["taskcluster", "--help"], ["taskcluster", "download", "--help"]):
        done = ciexplore(*call)
        assert done.code == 0 and done.text.startswith("Usage: ciexplore") and done.err == ""
    every = ciexplore("--help").text
    assert all(name in every for name in ("taskcluster", "demo", "cache", "config", "completion"))


def test_version_is_one_line() -> None:
    done = as_process("--version")
    assert done.code == 0 and re.fullmatch(r"ciexplore \d+\.\d+\.\d+\S*\n", done.text)


def test_the_app_loads_nothing_that_the_first_paint_does_not_need() -> None:
    assert loaded_after("import tui.app") <= {"textual", "rich"}


def test_without_a_terminal_the_app_says_what_to_use_instead() -> None:
    for call in ((), ("fN1SbArXTPSVFNUvaOlinQ",), ("--offline",), ("demo",)):
        done = as_process(*call)
        assert done.code == 2 and done.out == b""
        assert "terminal" in done.err and len(done.err.splitlines()) <= 5


@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr"])
def test_each_of_the_three_streams_has_to_be_the_terminal(closed: str, tmp_path: Path) -> None:
    master, slave = os.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    with (tmp_path / "file").open("w+b") as file:
        done = subprocess.run(
            command(), env=environment({"TERM": "xterm"}), timeout=60, check=False, **{**streams, closed: file}
        )
        assert done.returncode == 2
        file.seek(0)
        said = file.read() if closed == "stderr" else os.read(master, 10_000)
    assert b"needs a terminal" in said and b"\x1b" not in said
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_draw_is_told(term: str) -> None:
    master, slave = os.openpty()
    done = subprocess.run(
        command(), env=environment({"TERM": term}), timeout=60, check=False, stdin=slave, stdout=slave, stderr=slave
    )
    assert done.returncode == 2
    assert b"TERM" in os.read(master, 10_000)
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    "words", ["config", "cache info", "demo --locators", "completion bash", "--version", "--help", "submit routes"]
)
def test_a_full_disk_behind_stdout_is_one_sentence_whatever_is_written(words: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        done = as_process(*words.split(), stdout=full)
    assert done.code == 1
    assert done.err.startswith("ciexplore: Writing the output failed: no space left") and "itself" not in done.err
    assert len(done.err.splitlines()) == 2


def test_config_shows_every_setting_and_where_it_came_from(
    ciexplore: Caller, own_directories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_directories / "config.toml").write_text("[download]\njobs = 7\n")
    monkeypatch.setenv("CIEXPLORE_THEME", "nord")
    done = ciexplore("config")
    assert done.code == 0 and done.out == ciexplore("config", "--show").out
    lines = {line.split(" = ")[0]: line for line in done.text.splitlines() if " = " in line}
    assert set(lines) == {name for name, _, _ in setting_names()}
    assert "7" in lines["jobs"] and str(own_directories / "config.toml") in lines["jobs"]
    assert "nord" in lines["theme"] and "CIEXPLORE_THEME" in lines["theme"]
    assert "default" in lines["cache_bytes"]


def test_config_shows_no_password_of_a_url(ciexplore: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIEXPLORE_PULSE_URL", "amqps://me:hunter2@pulse.example:5671")
    monkeypatch.setenv("CIEXPLORE_GCSWEB_URL", "https://gcsweb.example/?access_token=hunter2")
    done = ciexplore("config", "--show")
    assert done.code == 0 and b"hunter2" not in done.out
    assert "pulse.example:5671" in done.text and "gcsweb.example" in done.text


@pytest.mark.parametrize(
    "written",
    ["//me:hunter2@e.example", "https:/me:hunter2@e.example", "https://me:hunter2 @e.example", "me:hunter2@e"],
)
def test_config_shows_no_password_of_a_misspelt_url(
    ciexplore: Caller, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    for _, name, _ in setting_names():
        if name.endswith("URL"):
            monkeypatch.setenv(name, written)
    done = ciexplore("config", "--show")
    assert done.code == 0 and b"hunter2" not in done.out and "@e" in done.text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"nonsense = 1\n", "nonsense"),
        (b"[download\n", "TOML"),
        (b"\xff\xfe", "not UTF-8 text (line 1)"),
        (b"[download]\njobs = 'many'\n", "many"),
        (b"[download]\njobs = 99\n", "99"),
    ],
)
def test_a_wrong_settings_file_stops_every_command_with_its_name(
    ciexplore: Caller, own_directories: Path, written: bytes, said: str
) -> None:
    (own_directories / "config.toml").write_bytes(written)
    for call in (("config",), ("cache", "info"), ("taskcluster", "tasks", "fN1SbArXTPSVFNUvaOlinQ")):
        done = ciexplore(*call)
        assert done.code == 2 and said in done.err and done.out == b""


def test_the_demo_s_locators_are_one_json_object(ciexplore: Caller, demo_server: DemoServer) -> None:
    found = ciexplore("demo", "--locators").json
    assert {"taskcluster.finished-group", "taskcluster.running-group"} <= set(found)
    assert all(isinstance(text, str) for text in found.values())
    assert {name.partition(".")[0] for name in found} == {"taskcluster", "prow", "perf", "archive", "submit"}
    assert not any("127.0.0.1" in text for text in found.values())


def test_the_demo_s_locators_name_the_demo_that_serves(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer
) -> None:
    assert ciexplore("demo", "--locators", "--tasks", "150").json == demo


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_serves_says_its_settings_at_once_and_ends_well(number: signal.Signals) -> None:
    call = command("demo", "--serve", "--tasks", "20")
    serving = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True)
    assert serving.stdout is not None
    lines = [serving.stdout.readline() for _ in range(5)]
    match = re.fullmatch(r"export TASKCLUSTER_ROOT_URL=(http://127\.0\.0\.1:\d+)\n", lines[0])
    assert match is not None, lines
    assert all(re.match(r"export CIEXPLORE_[A-Z]+_URL=http://127\.0\.0\.1:", line) for line in lines[1:]), lines
    listed = as_process(
        "taskcluster", "tasks", json.loads(as_process("demo", "--locators", "--tasks", "20").out)[
            "taskcluster.finished-group"
        ], extra={"TASKCLUSTER_ROOT_URL": match[1]},
    )  # fmt: skip
    assert len(listed.rows) == 20
    serving.send_signal(number)
    _, complaints = serving.communicate(timeout=60)
    assert (serving.returncode, complaints) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_knows_the_commands(ciexplore: Caller, shell: str) -> None:
    done = ciexplore("completion", shell)
    assert done.code == 0 and "_CIEXPLORE_COMPLETE" in done.text
    words = {"bash": "ciexplore task", "zsh": "ciexplore task", "fish": "ciexplore task"}[shell]
    asked = {
        "_CIEXPLORE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": "task" if shell == "fish" else "1",
    }
    offered = subprocess.run(
        [sys.executable, "-c", "from tui.__main__ import main; main()"],
        capture_output=True, env=environment(asked), cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert b"taskcluster" in offered.stdout, offered.stderr


def test_an_unknown_shell_is_wrong_usage(ciexplore: Caller) -> None:
    assert ciexplore("completion", "tcsh").code == 2
