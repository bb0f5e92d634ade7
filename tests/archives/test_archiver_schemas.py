"""The recorded answers of the original and of hg.mozilla.org's extensions, and the schema of a task's state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.archives.client import _Envelope
from backends.archives.hosts import TEMPLATE, _hg_changeset, _Log, fill_template
from backends.archives.hosts import HgwebHost as Client
from backends.archives.spec import ArchiveSpec, bucket_key, task_id
from backends.cancel import CancelToken


@pytest.fixture(scope="session")
def schemas(samples: Path) -> Path:
    return samples.parent / "schemas"


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_keys_tasks_and_addresses_are_those_of_the_original(schemas: Path) -> None:
    for one in read(schemas / "examples" / "archiver" / "keys.json"):
        key = bucket_key(one["repo"], one["rev"], one["suffix"], one["subdir"] or "")
        assert (key, task_id(key)) == (one["key"], one["task_id"])
        node = one["rev"].ljust(40, "0")
        spec = ArchiveSpec("https://hg.mozilla.org", one["repo"], node, one["subdir"] or "", one["suffix"])
        assert fill_template(TEMPLATE, "https://hg.mozilla.org", spec) == one["src_url"]
        assert spec.key == key


def test_every_recorded_state_is_read_and_a_hollow_success_is_a_failure(schemas: Path) -> None:
    allowed = read(schemas / "archiver-status.schema.json")["properties"]["result"]["properties"]["state"]["enum"]
    seen = {}
    for path in sorted((schemas / "examples" / "archiver").glob("status-*.json")):
        state = msgspec.json.decode(path.read_bytes(), type=_Envelope).result
        assert state.state in allowed
        seen[path.stem] = state.effective_state
    assert seen["status-success-but-hg-404"] == seen["status-failure"] == "FAILURE"
    assert seen["status-success"] == "SUCCESS" and seen["status-pending"] == "PENDING"


def test_a_log_with_pushes_is_read(schemas: Path) -> None:
    body = read(schemas / "examples" / "hgweb" / "json-log-tip.json")["body"]
    (one,) = msgspec.convert(body, _Log).changesets
    told = _hg_changeset(one)
    assert told.node == body["node"] and told.push_id == 2 and told.names == ("tip",)
    assert told.time_ms == 1_400_000_002_000 and told.pushed_ms == 1_795_295_665_000


class _Recorded:
    """A client that knows two recorded answers of an hgweb with the pushlog extension."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def json(self, url: str, *, type: Any, **options: Any) -> tuple[Any, Any]:
        from backends.http.response import Response

        name = "json-pushes-v2-full" if "json-pushes" in url else "json-log-tip"
        body = json.dumps(read(self._folder / f"{name}.json")["body"]).encode()
        return msgspec.json.decode(body, type=type), Response(url, 200, {}, body)


def test_who_pushed_comes_from_the_pushes(schemas: Path) -> None:
    client = Client(_Recorded(schemas / "examples" / "hgweb"), "https://hg.example")  # type: ignore[arg-type]
    ((page, _, _),) = client.log("projects/ash", CancelToken())
    assert [one.pusher for one in page] == ["dev@example.com"]
