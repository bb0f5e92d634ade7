"""What can be read with credentials only is left out, or kept with a word about it; credentials never are."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from backends.capsules.reader import open_capsule
from backends.demo.taskcluster import service
from tests.commands.calling import Caller
from tests.commands.conftest import ciexplore, elsewhere

__all__ = ["ciexplore", "elsewhere"]

SECRET = "private/secret.txt"


@pytest.fixture
def signed(demo: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """We have credentials; gives a task that has a private artifact."""
    pytest.importorskip("mohawk")
    monkeypatch.setenv("TASKCLUSTER_CLIENT_ID", service.CLIENT_ID)
    monkeypatch.setenv("TASKCLUSTER_ACCESS_TOKEN", service.ACCESS_TOKEN)
    return demo["taskcluster.artifact-kinds-task"]


def content_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"\n".join([*map(archive.read, archive.namelist()), *map(str.encode, archive.namelist())])


def test_private_content_is_left_out_also_with_credentials(ciexplore: Caller, signed: str) -> None:
    done = ciexplore("capsule", "create", "a.capsule", signed, "--artifacts", SECRET)
    assert done.code == 1
    assert SECRET in done.err
    with open_capsule(Path("a.capsule")) as capsule:
        assert not capsule.manifest.private
        assert not any(entry.private for entry in capsule.manifest.entries)
        assert [entry.status for entry in capsule.manifest.entries if entry.kind == "artifact"] == [403]


def test_private_content_is_kept_and_marked_when_it_is_asked_for(ciexplore: Caller, signed: str) -> None:
    done = ciexplore("capsule", "create", "a.capsule", signed, "--artifacts", SECRET, "--include-private")
    assert done.code == 0, done.err
    with open_capsule(Path("a.capsule")) as capsule:
        assert capsule.manifest.private
        [entry] = [entry for entry in capsule.manifest.entries if entry.kind == "artifact"]
        assert entry.private
        assert entry.size > 0
    content = content_of(Path("a.capsule"))
    assert service.ACCESS_TOKEN.encode() not in content
    for word in (b"authorization", b"Hawk id=", b"X-Amz-Signature=", b"bewit", b"set-cookie"):
        assert word.lower() not in content.lower(), word
    said = ciexplore("capsule", "info", "a.capsule")
    assert "read with credentials" in said.err
