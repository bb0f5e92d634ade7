"""A manifest in which anything may be anything: it is refused or shown, in sentences, and nothing beside it is read."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.resources import read_list
from backends.session import open_capsule_session
from tests.capsules.conftest import SavedDemo
from tests.commands.calling import Caller

Path_ = tuple[str | int, ...]
MOST_ENTRIES = 6  # of the capsule that is changed, so that each part of it is met


class Canary:
    """A directory beside the capsule; `touched` gets the name of each of its files that this process opens or lists."""

    def __init__(self) -> None:
        self.directory = ""
        self.touched: list[str] = []
        sys.addaudithook(self._hear)  # for ever: there is no way to take one away

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.directory and event in ("open", "os.listdir", "os.scandir", "glob.glob", "os.chdir"):
            name = arguments[0] if arguments else ""
            if isinstance(name, str | bytes) and self.directory in str(name):
                self.touched.append(f"{event} {name!r}")


CANARY = Canary()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "jobs.json").write_text("[]")
    (directory / "secret.log").write_text("canary")
    CANARY.directory, CANARY.touched = str(directory), []
    yield directory
    CANARY.directory = ""


@pytest.fixture(scope="module")
def parts(saved_demo: SavedDemo) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A manifest and the bodies of a capsule of the demo, with few entries of each kind."""
    with zipfile.ZipFile(saved_demo.group) as archive:
        manifest = json.loads(archive.read("capsule.json"))
        chosen: list[Any] = []
        for kind in ("response", "log", "artifact"):
            chosen += [entry for entry in manifest["entries"] if entry["kind"] == kind][: MOST_ENTRIES // 3]
        chosen += [entry for entry in manifest["entries"] if "error" in entry][:1]
        manifest["entries"] = chosen
        return manifest, {entry["file"]: archive.read(entry["file"]) for entry in chosen if "file" in entry}


def find_places(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Where something stands in a JSON document."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from find_places(inner, (*at, name))


def parent_of(document: Any, place: Path_) -> Any:
    for name in place[:-1]:
        document = document[name]
    return document


def kind_of(place: Path_) -> Path_:
    """The same for all entries of a list."""
    return tuple("*" if isinstance(name, int) else name for name in place)


def odd_values(outside: Path, old: Any) -> list[Any]:
    """Of the same type: what has another is refused when it is decoded."""
    texts = [
        f"file://{outside}/", f"file://{outside}/secret.log", f"submit:{outside}/jobs.json", f"{outside}/jobs.json",
        f"treeherder:dataset/{outside}/jobs", f"failures:of/file://{outside}/", "submit:outbox", "archives:held",
        f"query:rows/a~b?from=rows~submit:{outside}/jobs.json", f"../{outside.name}/jobs.json",
        f"responses/../{outside.name}/jobs.json", "s3://bucket/logs/", "taskcluster:group/x", "javascript:alert(1)",
        "https://[::1", "https://ci.example:99999/", "https://user:secret@ci.example/", "//ci.example/", "", "\0",
        "\x1b[2J", "\u202e", "a" * 5_000, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z",
        "0" * 64, "gzip", "br", "zstd, gzip", "GET", "POST", "log", "artifact", "🜁",
    ]  # fmt: skip
    numbers = [-1, 0, 1, 404, 600, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, 1e300]
    others: list[Any] = [None, True, False, [], {}, [[]], [""], {"": ""}]
    return [*texts] if isinstance(old, str) else [*numbers] if isinstance(old, int) else others


def change(data: st.DataObject, manifest: Any, outside: Path) -> None:
    """One change of the document, in place."""
    places = list(find_places(manifest))
    section = data.draw(st.sampled_from(sorted({place[0] for place in places})))
    kinds = sorted({kind_of(place) for place in places if place[0] == section})
    kind = data.draw(st.sampled_from(kinds))
    place = data.draw(st.sampled_from([one for one in places if kind_of(one) == kind]))
    parent, name = parent_of(manifest, place), place[-1]
    match data.draw(st.sampled_from(["replace", "replace", "remove", "add", "repeat", "copy"])):
        case "replace":
            parent[name] = data.draw(st.sampled_from(odd_values(outside, parent[name])))
        case "remove":
            del parent[name]
        case "add" if isinstance(parent, dict):
            parent[data.draw(st.sampled_from(["error", "request", "private", "encoding", "hops", "unknown"]))] = (
                data.draw(st.sampled_from(odd_values(outside, data.draw(st.sampled_from(["", 0, None])))))
            )
        case "repeat" if isinstance(parent, list):
            parent.insert(0, json.loads(json.dumps(parent[int(name)])))
        case _:
            other = data.draw(st.sampled_from(places))
            try:
                parent[name] = json.loads(json.dumps(parent_of(manifest, other)[other[-1]]))
            except (KeyError, IndexError, TypeError):
                parent[name] = None


@given(st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_manifest_says(
    parts: tuple[dict[str, Any], dict[str, bytes]], outside: Path, tmp_path: Path, ciexplore: Caller,
    data: st.DataObject,
) -> None:  # fmt: skip
    manifest = json.loads(json.dumps(parts[0]))
    for _ in range(data.draw(st.integers(1, 3))):
        change(data, manifest, outside)
    path = tmp_path / "changed.capsule"
    write(path, manifest, parts[1])
    codes = [
        ciexplore(*command).code
        for command in (
            ("capsule", "info", str(path)),
            ("capsule", "info", str(path), "--files", "--format", "json"),
            ("capsule", "verify", str(path)),
        )
    ]
    assert set(codes) <= {0, 1}
    assert codes[0] == codes[1] <= codes[2]
    read_all(path)
    assert CANARY.touched == []
    assert {one.name for one in tmp_path.iterdir()} == {"outside", "changed.capsule"}


def test_each_odd_value_where_it_could_matter(
    parts: tuple[dict[str, Any], dict[str, bytes]], outside: Path, tmp_path: Path, ciexplore: Caller
) -> None:
    """In all that the manifest says of the whole capsule and of its lists."""
    path = tmp_path / "changed.capsule"
    places = {kind_of(place): place for place in find_places(parts[0]) if place[0] != "entries"}
    for place in places.values():
        for value in odd_values(outside, parent_of(parts[0], place)[place[-1]]):
            manifest = json.loads(json.dumps(parts[0]))
            parent_of(manifest, place)[place[-1]] = value
            write(path, manifest, parts[1])
            assert ciexplore("capsule", "info", str(path)).code in (0, 1), (place, value)
            read_all(path)
            assert CANARY.touched == [], (place, value)


def write(path: Path, manifest: Any, bodies: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("capsule.json", json.dumps(manifest))
        for name, body in bodies.items():
            archive.writestr(name, body)


def read_all(path: Path) -> None:
    """What the app reads when it opens a capsule, and what each row leads to; what cannot be had is an `AppError`."""
    cancel = CancelToken()
    try:
        session = open_capsule_session(path)
    except AppError:
        return
    try:
        assert session.capsule is not None
        for _, text, _ in session.examples:
            try:
                resource = session.resource(session.parse(text), cancel)
                frame = read_list(resource, cancel).frame.head(3)
            except AppError:
                continue
            for row in frame.iter_rows(named=True):
                resource.open(row), resource.web_url(row), resource.log(row)
        with session.open_downloader() as downloader:
            for entry in session.capsule.manifest.entries:
                try:
                    with downloader.open(entry.url, cancel=cancel) as download:
                        for _ in download.chunks():
                            pass
                except AppError:
                    pass
    finally:
        session.close()


@pytest.fixture(autouse=True)
def _no_network(no_network: None) -> None:
    """No test of this module makes a connection."""
