"""`ciexplore archive get|status|serve|repositories|revisions` as a script uses them."""

from __future__ import annotations

import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.archives.mercurial_server import Hgweb
from tests.commands.calling import Caller, checked, ended, environment, started


@pytest.fixture
def ciexplore(capsysbinary: pytest.CaptureFixture[bytes]) -> Caller:
    return Caller(capsysbinary)


@pytest.fixture
def zip_server(zip_only: Hgweb, monkeypatch: pytest.MonkeyPatch) -> Hgweb:
    monkeypatch.setenv("CIEXPLORE_HG_URL", zip_only.url)
    monkeypatch.delenv("CIEXPLORE_ARCHIVES_URL", raising=False)
    return zip_only


def test_the_path_of_the_archive_is_all_that_stdout_has(ciexplore: Caller, zip_server: Hgweb, tmp_path: Path) -> None:
    call = (
        "archives",
        "get",
        "projects/ash",
        "REL_1",
        "--subdir",
        "testing/mozharness",
        "--output",
        str(tmp_path / "o"),
    )
    done = ciexplore(*call)
    assert (done.code, done.err) == (0, "")
    path = Path(done.text.strip())
    assert path.parent == tmp_path / "o" and zipfile.ZipFile(path).testzip() is None
    again = ciexplore(*call)
    assert (again.code, again.out) == (0, done.out) and "unchanged" in again.err


def test_a_suffix_that_the_server_refuses_is_repacked_and_said(
    ciexplore: Caller, zip_server: Hgweb, tmp_path: Path
) -> None:
    done = ciexplore("archives", "get", "projects/ash", "tip", "--yes", "--suffix", "tar.gz", "--output", str(tmp_path))
    assert done.code == 0 and done.text.strip().endswith(".tar.gz") and "Repacked from zip" in done.err


def test_what_was_pasted_is_taken_for_repo_and_rev(ciexplore: Caller, zip_server: Hgweb, tmp_path: Path) -> None:
    rev = zip_server.repositories.first[:12]
    done = ciexplore("archives", "get", f"{zip_server.url}/projects/ash/rev/{rev}", "--yes", "--output", str(tmp_path))
    assert done.code == 0 and done.text.strip().endswith(f"ash-{rev}.zip")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("projects/ash", "nosuch"), 3, "no revision nosuch"),
        (("nosuch", "tip"), 3, "no repository nosuch"),
        (("projects/ash", "tip", "--subdir", "no/such"), 3, "nothing at no/such"),
        (("projects/ash",), 2, "revision is missing"),
        (("projects/ash", "tip", "--subdir", "../x"), 2, "cannot contain"),
        (("projects/ash", "tip", "--buckets", "bucket"), 2, "is not REGION=BUCKET"),
        (("projects/ash", "tip", "--suffix", "rar"), 2, "rar"),
    ],
)
def test_what_cannot_be_had_has_its_exit_code_and_a_sentence(
    ciexplore: Caller, zip_server: Hgweb, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = ciexplore("archives", "get", *arguments, "--yes", "--output", str(tmp_path / "o"))
    assert done.code == code and said in done.err and done.out == b""
    assert not (tmp_path / "o").exists()


def test_a_file_that_is_not_ours_is_left_alone_unless_told(
    ciexplore: Caller, zip_server: Hgweb, tmp_path: Path
) -> None:
    name = f"ash-{zip_server.repositories.first[:12]}.zip"
    (tmp_path / name).write_text("mine")
    call = ("archives", "get", "projects/ash", "REL_1", "--yes", "--output", str(tmp_path))
    refused = ciexplore(*call)
    assert refused.code == 1 and name in refused.err and (tmp_path / name).read_text() == "mine"
    assert ciexplore(*call, "--overwrite").code == 0
    assert zipfile.ZipFile(tmp_path / name).testzip() is None


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_planted_link_in_the_output_directory_is_refused_with_a_sentence(
    ciexplore: Caller, zip_server: Hgweb, tmp_path: Path, more: tuple[str, ...]
) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / f"ash-{zip_server.repositories.first[:12]}.zip").symlink_to(tmp_path / "outside")
    call = ("archives", "get", "projects/ash", "REL_1", "--yes", "--output", str(tmp_path / "o"), *more)
    refused = ciexplore(*call)
    assert refused.code == 1 and "is a symbolic link" in refused.err and refused.out == b""
    assert not (tmp_path / "outside").exists()


def test_status_lists_what_is_kept(ciexplore: Caller, zip_server: Hgweb, tmp_path: Path) -> None:
    assert ciexplore("archives", "status").rows == []
    ciexplore("archives", "get", "projects/ash", "REL_1", "--yes", "--output", str(tmp_path))
    (kept,) = ciexplore("archives", "status").rows
    assert (kept["state"], kept["repository"], kept["suffix"]) == ("kept", "projects/ash", "zip")
    assert kept["node"] == zip_server.repositories.first and int(kept["size"]) > 0


def test_repositories_and_revisions_are_listed(ciexplore: Caller, zip_server: Hgweb) -> None:
    assert {one["name"] for one in ciexplore("archives", "repositories").rows} == {"broken", "projects/ash"}
    found = ciexplore("archives", "revisions", "projects/ash", "--filter", "two").rows
    assert [one["node"] for one in found] == [zip_server.repositories.second]
    missing = ciexplore("archives", "revisions", "nosuch")
    assert missing.code == 3 and "no repository nosuch" in missing.err


def test_serve_prints_where_it_listens_answers_a_client_and_ends_on_ctrl_c(
    ciexplore: Caller, zip_server: Hgweb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = started("archives", "serve", "--port", "0")
    try:
        assert server.stdout is not None
        line = server.stdout.readline().decode().strip()
        name, _, url = line.removeprefix("export ").partition("=")
        assert name == "CIEXPLORE_ARCHIVES_URL"
        monkeypatch.setenv("CIEXPLORE_CACHE_DIR", str(tmp_path / "other"))
        done = ciexplore(
            "archives", "get", "projects/ash", "REL_1", "--suffix", "tar.bz2", "--server", url, "--yes",
            "--output", str(tmp_path),
        )  # fmt: skip
        assert done.code == 0 and done.text.strip().endswith(".tar.bz2")
        task = f"projects_ash-{zip_server.repositories.first[:12]}.tar.bz2"
        (told,) = ciexplore("archives", "status", task, "--server", url).rows
        assert (told["state"], told["regions"]) == ("SUCCESS", "local")
        server.send_signal(signal.SIGINT)
        assert ended(server).code == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def test_two_processes_that_want_one_archive_fetch_it_once(zip_server: Hgweb, tmp_path: Path) -> None:
    before = zip_server.archives("zip")
    calls = [
        started("archives", "get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / str(number)))
        for number in range(3)
    ]
    for call in calls:
        assert checked(ended(call)).code == 0
    assert zip_server.archives("zip") == before + 1
    assert len({next((tmp_path / str(number)).iterdir()).read_bytes() for number in range(3)}) == 1


def test_a_killed_fetch_leaves_nothing_that_the_next_one_takes_for_whole(
    zip_server: Hgweb, ciexplore: Caller, tmp_path: Path
) -> None:
    from backends import config

    store = config.load().cache_path / "archives"
    script = (
        "import os, signal, backends.archives.fetch as f\n"
        "f.verify_archive = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from tui.cli import run\n"
        f"run(['archive', 'get', 'projects/ash', 'tip', '--yes', '--output', {str(tmp_path)!r}])\n"
    )
    import sys

    killed = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(store.glob(".*.part"))) == 1 and not list(store.glob("*.json"))
    assert ciexplore("archives", "get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / "o")).code == 0
    assert not list(store.glob(".*.part")) and len(list(store.glob("*.json"))) == 1


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_a_whole_repository_is_asked_about(
    zip_server: Hgweb, ciexplore: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    import click

    import tui.commands.archives as module

    asked: list[str] = []

    def confirm(question: str, **options: object) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr(module, "_on_a_terminal", lambda: True)
    monkeypatch.setattr(click, "confirm", confirm)
    done = ciexplore("archives", "get", "projects/ash", "tip", "--output", str(tmp_path / "o"))
    assert len(asked) == 1 and "all of projects/ash" in asked[0]
    assert (done.code == 0) == answer == (tmp_path / "o").exists()
    ciexplore("archives", "get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / "o"))
    ciexplore("archives", "get", "projects/ash", "tip", "--subdir", "testing", "--output", str(tmp_path / "o"))
    assert len(asked) == 1


def test_where_nobody_can_be_asked_a_whole_repository_takes_yes(
    zip_server: Hgweb, ciexplore: Caller, tmp_path: Path
) -> None:
    before = zip_server.archives("zip")
    done = ciexplore("archives", "get", "projects/ash", "tip", "--output", str(tmp_path / "o"))
    assert done.code == 2 and done.out == b"" and "--yes" in done.err and "--subdir" in done.err
    assert zip_server.archives("zip") == before and not (tmp_path / "o").exists()


def test_removing_takes_what_the_filter_chose_and_nothing_without_one(
    zip_server: Hgweb, ciexplore: Caller, tmp_path: Path
) -> None:
    for suffix in ("zip", "tar.gz"):
        ciexplore(
            "archives", "get", "projects/ash", "REL_1", "--yes", "--suffix", suffix, "--output", str(tmp_path / "o")
        )
    assert ciexplore("archives", "remove").code == 2
    done = ciexplore("archives", "remove", "--filter", "suffix:tar.gz age<1h")
    assert done.code == 0 and done.text.startswith("Removed 1 archive, ")
    assert [one["suffix"] for one in ciexplore("archives", "status").rows] == ["zip"]
    assert ciexplore("archives", "remove", "--all").code == 0
    assert ciexplore("archives", "status").rows == [] and len(list((tmp_path / "o").iterdir())) == 2
