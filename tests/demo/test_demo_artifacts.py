"""Are artifacts listed, located, stored and cut into ranges as on real servers, with the same bytes every time?"""

from __future__ import annotations

import hashlib
import hmac
import io
import tarfile
import time
import zipfile
import zlib
from base64 import b64encode
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.demo import expected_sha256
from backends.demo.taskcluster.payloads import random_bytes
from backends.demo.taskcluster.service import ACCESS_TOKEN, CLIENT_ID
from tests.demo.asking import OPTIONS, Demo

PERFHERDER = "public/test_info/perfherder-data.json"
KINDS = "public/kinds/"


def raw(url: str, headers: dict[str, str] | None = None) -> tuple[httpx.Response, bytes]:
    """The answer and its undecoded bytes, asked for without Accept-Encoding."""
    with httpx.Client() as client:
        request = client.build_request("GET", url, headers=headers)
        del request.headers["accept-encoding"]
        answer = client.send(request, stream=True)
        body = b"".join(answer.iter_raw())
        answer.close()
    return answer, body


def test_more_than_a_thousand_artifacts_come_in_pages(demo: Demo) -> None:
    task_id = demo.id("many-artifacts-task")
    first = demo.json(f"/task/{task_id}/artifacts")
    assert len(first["artifacts"]) == 1000
    names = [entry["name"] for entry in demo.artifacts(task_id)]
    assert len(names) > 1300
    assert names == sorted(set(names))
    damaged = demo.json(f"/task/{task_id}/artifacts", params={"continuationToken": "damaged"})
    assert damaged == first


def test_only_the_run_before_the_lost_one_has_artifacts(demo: Demo) -> None:
    task_id = demo.id("retried-empty-task")
    assert demo.artifacts(task_id) == []
    assert PERFHERDER.rsplit("/", 1)[0] in {entry["name"].rsplit("/", 1)[0] for entry in demo.artifacts(task_id, 0)}


def test_about_half_of_the_tasks_tell_lengths_and_tell_them_right(demo: Demo) -> None:
    ids = [entry["status"]["taskId"] for entry in demo.tasks(demo.id("finished-group"), 60)[:60]]
    told = [entry for task_id in ids for entry in tell(demo, task_id)]
    with_length = sum("contentLength" in entry for entry in told) / len(told)
    assert 0.25 < with_length < 0.75
    kinds = {entry["name"]: entry for entry in demo.artifacts(demo.id("artifact-kinds-task"))}
    answer = httpx.get(demo.locate(demo.id("artifact-kinds-task"), "public/logs/live_backing.log"))
    assert kinds["public/logs/live_backing.log"]["contentLength"] == len(answer.content)


def tell(demo: Demo, task_id: str) -> list[Any]:
    answer = demo.get(f"/task/{task_id}/runs/0/artifacts")
    return [entry for entry in answer.json().get("artifacts", ()) if entry["storageType"] == "s3"]


@pytest.mark.parametrize(
    ("name", "status", "storage"),
    [
        ("s3-identity.bin", 303, "s3"),
        ("object.bin", 303, "object"),
        ("reference.txt", 303, "reference"),
        ("link.log", 303, "s3"),
        ("error-file-missing-on-worker", 424, "error"),
        ("expired.bin", 410, None),
        ("object-unfinished.bin", 404, None),
        ("link-loop-a", 400, None),
        ("link-to-nothing", 404, None),
    ],
)
def test_every_storage_type_is_answered_in_its_own_way(demo: Demo, name: str, status: int, storage: str | None) -> None:
    task_id = demo.id("artifact-kinds-task")
    assert f"{KINDS}{name}" in {entry["name"] for entry in demo.artifacts(task_id)}
    answer = demo.get(f"/task/{task_id}/artifacts/{KINDS}{name}")
    assert answer.status_code == status
    assert answer.headers.get("x-taskcluster-artifact-storage-type") == storage
    if status == 303:
        assert answer.json() == {"storageType": storage, "url": answer.headers["location"]}
        assert httpx.get(answer.headers["location"]).status_code == 200
    if status == 424:
        assert answer.json()["reason"] == "file-missing-on-worker"


def test_a_redirect_leads_to_another_origin_and_head_gets_it_too(demo: Demo) -> None:
    url = f"{demo.queue}/task/{demo.id('task')}/runs/0/artifacts/{PERFHERDER}"
    answer = demo.client.head(url)
    assert (answer.status_code, answer.content) == (303, b"")
    assert urlsplit(answer.headers["location"]).netloc != urlsplit(url).netloc
    encoded = demo.get(f"/task/{demo.id('task')}/artifacts/{quote(PERFHERDER, safe='')}")
    assert encoded.status_code == 303


def mac(*lines: str) -> str:
    text = "\n".join(lines) + "\n"
    return b64encode(hmac.new(ACCESS_TOKEN.encode(), text.encode(), hashlib.sha256).digest()).decode()


def test_private_artifacts_open_for_the_demos_own_client(demo: Demo) -> None:
    path = f"/api/queue/v1/task/{demo.id('artifact-kinds-task')}/runs/0/artifacts/private/secret.txt"
    host, port = demo.server.root_url.removeprefix("http://").split(":")
    seconds = str(int(time.time()))
    signature = mac("hawk.1.header", seconds, "nonce", "GET", path, host, port, "", "")
    header = f'Hawk id="{CLIENT_ID}", ts="{seconds}", nonce="nonce", mac="{signature}"'
    signed = demo.get(demo.server.root_url + path, headers={"Authorization": header})
    assert signed.status_code == 303
    assert httpx.get(signed.headers["location"]).status_code == 200
    wrong = header.replace(signature, mac("hawk.1.header", seconds, "other", "GET", path, host, port, "", ""))
    assert demo.get(demo.server.root_url + path, headers={"Authorization": wrong}).status_code == 401


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
def test_forwarded_credentials_are_noticed_by_the_storage(demo: Demo, header: str) -> None:
    url = demo.locate(demo.id("task"), PERFHERDER)
    assert httpx.get(url, headers={header: "secret"}).status_code == 400


def test_a_signed_url_dies_after_half_an_hour_and_cannot_be_changed(demo: Demo) -> None:
    url = demo.locate(demo.id("task"), PERFHERDER)
    demo.clock.now += 29 * 60
    assert httpx.get(url).status_code == 200
    demo.clock.now += 2 * 60
    expired = httpx.get(url)
    assert (expired.status_code, "expired" in expired.text) == (403, True)
    assert httpx.get(url.replace("perfherder-data.json", "resource-usage.json")).status_code == 403
    assert httpx.get(url.split("?")[0]).status_code == 403


def test_stored_gzip_is_sent_to_those_who_did_not_ask(demo: Demo) -> None:
    answer, body = raw(demo.locate(demo.id("task"), PERFHERDER))
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(body)
    assert hashlib.sha256(zlib.decompress(body, 31)).hexdigest() == expected_sha256(
        OPTIONS, demo.id("task"), 0, PERFHERDER
    )


def test_a_big_file_is_the_sum_of_its_ranges(demo: Demo) -> None:
    name = "public/build/target.installer.exe"
    url = demo.locate(demo.id("big-artifact"), name)
    whole = hashlib.sha256()
    size = 0
    for start, stop in ((0, 1), (1, 65_537), (65_537, 10_000_000), (10_000_000, 0)):
        answer, body = raw(url, {"Range": f"bytes={start}-{stop - 1 if stop else ''}"})
        assert answer.status_code == 206
        assert answer.headers["content-range"].startswith(f"bytes {start}-{start + len(body) - 1}/")
        whole.update(body)
        size += len(body)
    assert size == 30_000_000
    assert whole.hexdigest() == expected_sha256(OPTIONS, demo.id("big-artifact"), 0, name)


@given(st.integers(0, 300_000), st.integers(0, 300_000), st.integers(0, 300_000))
def test_any_cut_of_a_random_file_gives_the_same_bytes(start: int, middle: int, stop: int) -> None:
    start, middle, stop = sorted((start, middle, stop))

    def cut(first: int, last: int) -> bytes:
        return b"".join(random_bytes(1, "file", first, last))

    assert cut(start, middle) + cut(middle, stop) == cut(start, stop)
    assert len(cut(start, stop)) == stop - start


def test_a_resume_with_another_etag_gets_the_whole_file(demo: Demo) -> None:
    url = demo.locate(demo.id("artifact-kinds-task"), f"{KINDS}s3-identity.bin")
    etag = raw(url)[0].headers["etag"]
    assert not etag.startswith("W/")
    assert raw(url, {"Range": "bytes=100-", "If-Range": etag})[0].status_code == 206
    changed, body = raw(url, {"Range": "bytes=100-", "If-Range": '"another"'})
    assert (changed.status_code, len(body)) == (200, 250_000)
    assert raw(url, {"Range": "bytes=250000-"})[0].status_code == 416
    suffix, last = raw(url, {"Range": "bytes=-10"})
    assert (suffix.status_code, len(last)) == (206, 10)


def hostile_task(demo: Demo) -> str:
    """The task whose artifacts have the hostile names."""
    for entry in demo.tasks(demo.id("hostile-group")):
        if "artifact-names" in entry["task"].get("metadata", {}).get("name", ""):
            return str(entry["status"]["taskId"])
    raise AssertionError("there is no such task")


def test_archives_open_and_the_hostile_ones_climb(demo: Demo) -> None:
    results = httpx.get(demo.locate(demo.id("task"), "public/test_info/browsertime-results.tgz")).content
    with tarfile.open(fileobj=io.BytesIO(results)) as archive:
        assert "browsertime-results/site-1/browsertime.json" in archive.getnames()
    build = demo.id("big-artifact")
    tests = httpx.get(demo.locate(build, "public/build/target.mochitest.tests.zip")).content
    with zipfile.ZipFile(io.BytesIO(tests)) as packed:
        assert packed.testzip() is None
    hostile = hostile_task(demo)
    with zipfile.ZipFile(io.BytesIO(httpx.get(demo.locate(hostile, "public/evil.zip")).content)) as packed:
        assert "../escaped.txt" in packed.namelist()


def test_hostile_artifact_names_can_be_fetched(demo: Demo) -> None:
    hostile = hostile_task(demo)
    names = [entry["name"] for entry in demo.artifacts(hostile)]
    assert {"public/Case.txt", "public/case.txt", "/public/leading-slash.txt"} <= set(names)
    with httpx.Client() as client:
        for name in names:
            assert client.get(demo.locate(hostile, name)).status_code == 200, name


def test_a_failed_tasks_log_says_why(demo: Demo) -> None:
    text = httpx.get(demo.locate(demo.id("failed-task"), "public/logs/live_backing.log")).text
    assert text.startswith("[taskcluster 2026-11-20T")
    assert "TEST-UNEXPECTED-FAIL" in text
    assert "[taskcluster:error]" in text
    assert 50_000 <= len(text) <= 3_000_000


def check(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    """What of the few keywords that the perfherder schema uses does not hold; jsonschema is no dependency of ours."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    kinds = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool}
    kind = schema.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (kind == "number" and isinstance(value, bool))):
        return [f"{at}: not a {kind}"]
    wrong = [f"{at}: {key} is missing" for key in schema.get("required", ()) if key not in value]
    if "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{at}: {value} is not one of the values")
    if isinstance(value, str) and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 30):
        wrong.append(f"{at}: length of {value}")
    if isinstance(value, float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        wrong.append(f"{at}: {value} is out of bounds")
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", 1 << 30):
            wrong.append(f"{at}: too many")
        for number, item in enumerate(value):
            wrong += check(item, schema.get("items", {}), root, f"{at}[{number}]")
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                wrong += check(value[key], inner, root, f"{at}.{key}")
    return wrong


def test_the_schema_check_can_fail() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"b": {"type": "string", "maxLength": 1}}}
    assert check({"b": "xx"}, schema, schema, "$") == ["$: a is missing", "$.b: length of xx"]


def test_performance_results_fit_treeherders_schema(demo: Demo, samples: Any) -> None:
    path = samples.parent / "schemas/performance-artifact.json"
    if not path.is_file():
        pytest.skip("Treeherder's schema is not on this machine")
    schema = msgspec.json.decode(path.read_bytes())
    found = [httpx.get(demo.locate(demo.id("task"), PERFHERDER)).json()]
    build = "public/build/perfherder-data-building.json"
    found.append(httpx.get(demo.locate(demo.id("big-artifact"), build)).json())
    for results in found:
        assert check(results, schema, schema, "$") == []


def test_retriggers_measure_the_same_level_with_other_noise(demo: Demo) -> None:
    ids = [
        entry["status"]["taskId"]
        for entry in demo.tasks(demo.id("finished-group"))
        if entry["task"]["metadata"]["name"].endswith("-browsertime-tp6-firefox-amazon-e10s")
        and "linux1804-64-shippable-qr" in entry["task"]["metadata"]["name"]
        and entry["status"]["state"] == "completed"
    ]
    assert len(ids) >= 3
    values = [httpx.get(demo.locate(task_id, PERFHERDER)).json()["suites"][0]["value"] for task_id in ids]
    assert len(set(values)) == len(values)
    assert max(values) / min(values) < 1.3
