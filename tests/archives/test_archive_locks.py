"""One holder at a time, whoever dies, and nothing is left of a lock."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from backends.archives.store import lock_file, lock_if_free
from backends.cancel import CancelToken
from backends.errors import FileError, OperationCancelledError
from tests.commands.calling import environment


def test_many_threads_hold_a_lock_one_after_the_other(tmp_path: Path) -> None:
    inside, most = [0], [0]
    guard = threading.Lock()

    def work() -> None:
        with lock_file(tmp_path / "locks" / "x", CancelToken()):
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with guard:
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1]
    assert list((tmp_path / "locks").iterdir()) == []


def test_whoever_waits_can_stop_waiting(tmp_path: Path) -> None:
    cancel, told = CancelToken(), []

    def waiting() -> None:
        told.append("waits")
        cancel.cancel()

    with (
        lock_file(tmp_path / "x", CancelToken()),
        pytest.raises(OperationCancelledError),
        lock_file(tmp_path / "x", cancel, waiting),
    ):
        raise AssertionError("two hold it")
    assert told == ["waits"]
    with lock_file(tmp_path / "x", CancelToken()):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    script = (
        "import os, signal, pathlib\nfrom backends.archives.store import lock_file\n"
        "from backends.cancel import CancelToken\n"
        f"with lock_file(pathlib.Path({str(tmp_path / 'x')!r}), CancelToken()):\n"
        " os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), timeout=60)
    assert (tmp_path / "x").exists()
    with lock_file(tmp_path / "x", CancelToken(), lambda: pytest.fail("the dead hold it")):
        pass


def test_a_lock_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match="Cannot lock"), lock_file(tmp_path / "x", CancelToken()):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_two_never_hold_a_lock_whose_file_the_one_before_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the file and locking it, its holder ends and removes it, and a third takes the new file."""
    path, real, third, inside = tmp_path / "x", fcntl.flock, ExitStack(), list[str]()

    def waiting() -> None:
        inside.append("waits")
        third.close()

    def flock(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        path.unlink()
        third.enter_context(lock_file(path, CancelToken()))
        inside.append("third holds it")
        real(descriptor, operation)  # succeeds: nobody holds the removed file

    monkeypatch.setattr(fcntl, "flock", flock)
    with third, lock_file(path, CancelToken(), waiting):
        assert inside == ["third holds it", "waits"], "two hold it"


def test_a_lock_is_not_made_through_a_directory_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "locks").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(FileError, match="symbolic link"),
        lock_file(tmp_path / "locks" / "x", CancelToken(), below=tmp_path),
    ):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_lock_that_somebody_holds_is_not_waited_for(tmp_path: Path) -> None:
    with lock_file(tmp_path / "x", CancelToken()), lock_if_free(tmp_path / "x") as free:
        assert not free
    with lock_if_free(tmp_path / "x") as free:
        assert free
    assert list(tmp_path.iterdir()) == []
