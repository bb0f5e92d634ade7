"""Capsules made to do harm, damaged ones and those of newer versions are refused with a sentence, and write nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.capsules.layout import FORMAT, VERSION, CapsuleError, request_key
from backends.capsules.reader import open_capsule
from backends.errors import AppError
from backends.extraction.limits import ExtractionLimits
from backends.queries.locators import SqlQuery
from backends.session import open_capsule_session
from tests.commands.calling import Caller

BODY = b'{"a": 1}'
KEY = request_key("GET", "https://ci.example/list", "application/json")
FILE = f"responses/ci.example/{KEY[:16]}-list.json"
OTHER = "responses/ci.example/0123456789abcdef-list.json"
LOCAL = (  # what is read from the machine of whoever opens it
    "file:///etc/", "submit:/etc/jobs.json", "submit:outbox", "archives:held", "treeherder:dataset/%2Fetc/jobs",
    "treeherder:dataset/%2Fetc", "failures:of/file:///etc/", "query:sql/SELECT%201?from=t~submit:%2Fetc%2Fjobs.json",
    SqlQuery("SELECT * FROM list('submit:/etc/jobs.json')").text(), "query:rows/a~b?from=rows~submit:outbox",
)  # fmt: skip


def entry(**changes: Any) -> dict[str, Any]:
    found = {
        "kind": "response", "method": "GET", "url": "https://ci.example/list", "accept": "application/json",
        "status": 200, "fetched": "2026-11-20T08:00:00Z", "file": FILE, "size": len(BODY),
        "sha256": hashlib.sha256(BODY).hexdigest(),
    }  # fmt: skip
    return {**found, **changes}


def manifest(*entries: dict[str, Any], **changes: Any) -> bytes:
    found: dict[str, Any] = {
        "format": FORMAT, "version": VERSION, "program": "another", "created": "2026-11-20T08:00:00Z", "note": "",
        "private": False, "settings": {}, "lists": [], "entries": list(entries),
    }  # fmt: skip
    return json.dumps({**found, **changes}).encode()


def saved(locator: str) -> dict[str, Any]:
    return {"locator": locator, "title": "a list", "rows": 1, "noun": "row"}


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()


def usual(**changes: Any) -> bytes:
    return zipped(("capsule.json", manifest(entry(), **changes)), (FILE, BODY))


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def overlapping() -> bytes:
    """The second file is where the first one is, as in zip bombs that say the same kilobytes a thousand times."""
    raw = bytearray(usual())
    first = raw.index(b"PK\x01\x02")
    second = raw.index(b"PK\x01\x02", first + 4)
    struct.pack_into("<L", raw, second + 42, struct.unpack_from("<L", raw, first + 42)[0])
    return bytes(raw)


def with_stated_size(size: int) -> bytes:
    raw = bytearray(zipped(("capsule.json", manifest(entry(size=size))), (FILE, BODY)))
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 4)
    struct.pack_into("<L", raw, second + 24, size)
    return bytes(raw)


def encrypted() -> bytes:
    raw = bytearray(usual())
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 4)
    raw[second + 8] |= 1
    return bytes(raw)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "probably truncated"),
    "no zip": (lambda: b"\x7fELF" + bytes(1000), "probably truncated"),
    "truncated": (lambda: usual()[:-40], "probably truncated"),
    "only its end": (lambda: usual()[-60:], "was refused"),
    "no manifest": (lambda: zipped((FILE, BODY)), "has no capsule.json"),
    "another zip": (lambda: zipped(("docs/readme.txt", b"x")), "docs/readme.txt"),
    "another format": (lambda: usual(format="other"), "is not a capsule"),
    "a newer version": (lambda: usual(version=VERSION + 1), "Update ciexplore"),
    "a version that is no number": (lambda: usual(version="1"), "capsule.json is invalid"),
    "a manifest that is no JSON": (lambda: zipped(("capsule.json", b"{")), "capsule.json is invalid"),
    "a deep manifest": (lambda: zipped(("capsule.json", b"[" * 1_000_000)), "capsule.json is invalid"),
    "path traversal": (lambda: zipped(("capsule.json", manifest()), ("../../etc/x", BODY)), "has a file of the name"),
    "an absolute path": (lambda: zipped(("capsule.json", manifest()), ("/etc/x", BODY)), "has a file of the name"),
    "dots in a folder": (
        lambda: zipped(("capsule.json", manifest()), ("responses/../x", BODY)),
        "has a file of the name",
    ),
    "a backslash": (lambda: zipped(("capsule.json", manifest()), ("responses\\..\\x", BODY)), "has a file of the name"),
    "a directory": (lambda: zipped(("capsule.json", manifest()), ("responses/", b"")), "is a directory"),
    "a symbolic link": (
        lambda: zipped(("capsule.json", manifest(entry())), (link(FILE), b"/etc/passwd")),
        "symbolic link",
    ),
    "a link as its manifest": (lambda: zipped((link("capsule.json"), b"/etc/passwd")), "symbolic link"),
    "an encrypted file": (encrypted, "encrypted"),
    "a file twice": (lambda: zipped(("capsule.json", manifest(entry())), (FILE, BODY), (FILE, BODY)), "twice"),
    "its manifest twice": (
        lambda: zipped(("capsule.json", manifest()), ("capsule.json", manifest(entry()))),
        "twice",
    ),
    "a request twice": (
        lambda: zipped(("capsule.json", manifest(entry(), entry())), (FILE, BODY)),
        "describes a request twice",
    ),
    "a file of two requests": (
        lambda: zipped(("capsule.json", manifest(entry(), entry(accept="text/html"))), (FILE, BODY)),
        "describes a file twice",
    ),
    "a file that is not described": (lambda: zipped(("capsule.json", manifest()), (FILE, BODY)), "does not describe"),
    "a file that is missing": (lambda: zipped(("capsule.json", manifest(entry()))), "is missing"),
    "another size": (lambda: zipped(("capsule.json", manifest(entry(size=3))), (FILE, BODY)), "another size"),
    "a negative size": (lambda: zipped(("capsule.json", manifest(entry(size=-1))), (FILE, BODY)), "negative size"),
    "its manifest as a response": (
        lambda: zipped(("capsule.json", manifest(entry(file="capsule.json")))),
        "is not the name",
    ),
    "a time that is none": (lambda: zipped(("capsule.json", manifest(entry(fetched="now"))), (FILE, BODY)), "refused"),
    "a status that is none": (
        lambda: zipped(("capsule.json", manifest(entry(status=7))), (FILE, BODY)),
        "contradicts itself",
    ),
    "files that differ by case": (
        lambda: zipped(("capsule.json", manifest(entry())), (FILE, BODY), (FILE.replace("list", "LIST"), BODY)),
        "but for the case of its letters",
    ),
    "files that differ by case in the manifest": (
        lambda: zipped(
            ("capsule.json", manifest(entry(), entry(accept="*/*", file=FILE.replace("list", "LIST")))), (FILE, BODY)
        ),
        "differ by case only",
    ),
    "another request's file": (
        lambda: zipped(("capsule.json", manifest(entry(file=OTHER))), (OTHER, BODY)),
        "is not the name of what",
    ),
    "a log among the responses": (
        lambda: zipped(("capsule.json", manifest(entry(kind="log"))), (FILE, BODY)),
        "is not the name of what",
    ),
    "a digest that is none": (
        lambda: zipped(("capsule.json", manifest(entry(sha256="0123"))), (FILE, BODY)),
        "has no SHA-256 of",
    ),
    "a request without a digest": (
        lambda: zipped(("capsule.json", manifest(entry(method="POST"))), (FILE, BODY)),
        "a request without a digest",
    ),
    "a header of two lines": (
        lambda: zipped(("capsule.json", manifest(entry(headers={"etag": "a\r\nb"}))), (FILE, BODY)),
        "more than one line",
    ),
    "a refusal with a body": (
        lambda: zipped(("capsule.json", manifest(entry(status=404, error={"sentence": "gone"}))), (FILE, BODY)),
        "contradicts itself",
    ),
    "private content that is denied": (
        lambda: zipped(("capsule.json", manifest(entry(private=True))), (FILE, BODY)),
        "says that it has none",
    ),
    **{
        f"the version {version}"[:60]: (lambda version=version: usual(version=version), "version that cannot be")
        for version in (0, -1, 10**30)
    },
    **{
        f"the URL {url!r}": (
            lambda url=url: zipped(("capsule.json", manifest(entry(url=url))), (FILE, BODY)),
            "which no server was asked for",
        )
        for url in (
            "",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "//ci.example/list",
            "https:///list",
            "https://[::1",
            "https://ci.example:99999/",
            "https://user:secret@ci.example/",
            "https://ci.example/\x1b[2J",
            "https://ci.example/#fragment",
            "https://ci.example/?token=secret",
        )
    },
    **{
        f"made at {time}": (lambda time=time: usual(created=time), "which cannot be")
        for time in (
            "",
            "now",
            "2026-02-30T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "1970-01-01T00:00:00Z",
        )
    },
    **{
        f"the setting {name} {value}": (lambda name=name, value=value: usual(settings={name: value}), "not a server")
        for name, value in (
            ("treeherder_url", "file:///etc"),
            ("gcs_url", "javascript:alert(1)"),
            ("hg_url", "//ci.example"),
            ("taskcluster_root_url", "../.."),
            ("prow_bucket", "a/b"),
            ("gcsweb_url", "ci.example"),
        )
    },
    **{
        f"the list {locator}"[:80]: (lambda locator=locator: usual(lists=[saved(locator)]), "read from this machine")
        for locator in LOCAL
    },
    "a list without a locator": (lambda: usual(lists=[saved("")]), "empty, too long, or not printable"),
    "a list that writes to a terminal": (lambda: usual(lists=[saved("a\x1b[2J")]), "empty, too long, or not printable"),
    "a list twice": (lambda: usual(lists=[saved("gs://a/"), saved("gs://a/")]), "has the list “gs://a/” twice"),
    **{
        f"{count} {name}": (
            lambda name=name, count=count: usual(lists=[{**saved("gs://a/"), name: count}]),
            "that cannot be",
        )
        for name in ("rows", "logs", "artifacts")
        for count in (-1, 10**10, 2**63, 10**30)
    },
    **{
        f"the encoding {encoding[:10]}": (
            lambda encoding=encoding: zipped(("capsule.json", manifest(entry(encoding=encoding))), (FILE, BODY)),
            "which this program cannot undo",
        )
        for encoding in ("xx", "x" * 100, "gzip, xx", "gzip, gzip, gzip", "compress", "\x1b[2J")
    },
    "files that overlap": (overlapping, "Overlapped entries"),
    "more than a zip may hold": (lambda: with_stated_size(1 << 31), "suspected zip bomb"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_when_it_is_opened(name: str, tmp_path: Path, ciexplore: Caller) -> None:
    make, sentence = REFUSED[name]
    path = tmp_path / "hostile.capsule"
    path.write_bytes(make())
    with pytest.raises(CapsuleError) as refused:
        open_capsule(path)
    assert sentence in str(refused.value)
    for command in (
        ("capsule", "info", str(path)),
        ("capsule", "verify", str(path)),
        ("capsule", "open", str(path)),
        ("taskcluster", "tasks", "Y33uyQ0GR_eMGr1zdJzLAQ", "--capsule", str(path)),
    ):
        done = ciexplore(*command)
        assert done.code == 1
        assert sentence in done.err
    assert [one.name for one in tmp_path.iterdir()] == ["hostile.capsule"]


CUT = gzip.compress(BODY * 100)[:20]
WRONG_BODIES: dict[str, Callable[[], bytes]] = {
    "other bytes": lambda: zipped(("capsule.json", manifest(entry())), (FILE, b'{"a": 2}')),
    "another digest": lambda: zipped(("capsule.json", manifest(entry(sha256="0" * 64))), (FILE, BODY)),
    "fewer bytes than stated": lambda: with_stated_size(9),
    "gzip that is none": lambda: zipped(("capsule.json", manifest(entry(encoding="gzip"))), (FILE, BODY)),
    "gzip that is cut short": lambda: zipped(
        ("capsule.json", manifest(entry(encoding="gzip", size=20, sha256=hashlib.sha256(CUT).hexdigest()))), (FILE, CUT)
    ),
    "flipped bits": lambda: usual().replace(zlib_body(), zlib_body()[:-1] + b"\xff"),
}


def zlib_body() -> bytes:
    raw = usual()
    start = raw.index(FILE.encode()) + len(FILE)
    return raw[start : start + 8]


@pytest.mark.parametrize("name", WRONG_BODIES)
def test_a_body_that_is_not_what_the_manifest_says_is_not_given(name: str, tmp_path: Path, ciexplore: Caller) -> None:
    path = tmp_path / "wrong.capsule"
    path.write_bytes(WRONG_BODIES[name]())
    with open_capsule(path) as capsule:
        assert [file for file, _ in capsule.verify()] == [FILE]
        with pytest.raises(CapsuleError):
            list(capsule.open_body(capsule.manifest.entries[0]))
    done = ciexplore("capsule", "verify", str(path))
    assert done.code == 1
    assert "was refused" in done.err


@pytest.mark.parametrize("locator", LOCAL)
def test_nothing_of_this_machine_is_read_over_a_capsule(locator: str, tmp_path: Path) -> None:
    """Nor what a row or a query of the capsule leads to."""
    path = tmp_path / "a.capsule"
    path.write_bytes(usual())
    session = open_capsule_session(path)
    try:
        with pytest.raises(AppError, match="Capsules do not cover"):
            session.resource(session.parse(locator))
    finally:
        session.close()


def test_a_large_manifest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.capsules.reader.MANIFEST_BYTES", 100)
    path = tmp_path / "a.capsule"
    path.write_bytes(usual())
    with pytest.raises(CapsuleError, match="is larger than"):
        open_capsule(path)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.capsule"
    path.write_bytes(usual())
    with pytest.raises(CapsuleError, match="more than 1 entries"):
        open_capsule(path, limits=ExtractionLimits(entries=1))


def test_a_compressed_body_that_unpacks_too_far_is_refused(tmp_path: Path) -> None:
    """The content-encoding that is left on a body is a second layer."""
    from backends.cancel import CancelToken
    from backends.http import CachePolicy, Http, Mode
    from backends.http.errors import ResponseTooLargeError

    bomb = gzip.compress(bytes(100 << 20))
    described = entry(size=len(bomb), sha256=hashlib.sha256(bomb).hexdigest(), encoding="gzip")
    path = tmp_path / "bomb.capsule"
    path.write_bytes(zipped(("capsule.json", manifest(described)), (FILE, bomb)))
    with (
        open_capsule(path) as capsule,
        Http(mode=Mode.CAPSULE, interceptor=capsule) as http,
        pytest.raises(ResponseTooLargeError),
    ):
        http.get("https://ci.example/list", policy=CachePolicy(), cancel=CancelToken())


def test_an_encoding_that_is_not_installed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.http import content_encoding

    monkeypatch.setitem(content_encoding._usable, "br", False)
    path = tmp_path / "br.capsule"
    path.write_bytes(zipped(("capsule.json", manifest(entry(encoding="br"))), (FILE, BODY)))
    with pytest.raises(CapsuleError, match="the encoding “br”, which this program cannot undo"):
        open_capsule(path)


def test_verifying_decodes_what_is_encoded(tmp_path: Path) -> None:
    body = gzip.compress(BODY)
    path = tmp_path / "gzip.capsule"
    described = entry(encoding="gzip", size=len(body), sha256=hashlib.sha256(body).hexdigest())
    path.write_bytes(zipped(("capsule.json", manifest(described)), (FILE, body)))
    with open_capsule(path) as capsule:
        assert capsule.verify() == []
        assert b"".join(capsule.open_body(capsule.manifest.entries[0])) == body


def test_a_recorded_sentence_cannot_affect_a_terminal(tmp_path: Path) -> None:
    from backends.http import CachePolicy, Http, Mode
    from backends.http.errors import NotFoundError

    refusal = entry(status=404, error={"sentence": "gone \x1b[2J\u202e", "hint": "\x07"})
    for name in ("file", "size", "sha256"):
        refusal.pop(name)
    path = tmp_path / "a.capsule"
    path.write_bytes(zipped(("capsule.json", manifest(refusal))))
    with (
        open_capsule(path) as capsule,
        Http(mode=Mode.CAPSULE, interceptor=capsule) as http,
        pytest.raises(NotFoundError) as refused,
    ):
        http.get("https://ci.example/list", policy=CachePolicy())
    assert str(refused.value) == "gone [2J"


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_refused_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(usual())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.capsule"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)
    try:
        with open_capsule(path) as capsule:
            for one in capsule.manifest.entries:
                assert hashlib.sha256(b"".join(capsule.open_body(one))).hexdigest() == one.sha256
    except CapsuleError:
        pass


@pytest.fixture(autouse=True)
def _no_network(no_network: None) -> Iterator[None]:
    yield
