"""Which objects the synthetic buckets have, and each one's stored bytes and metadata.

Names are as the real uploaders make them: `#` became `%23`, steps nest folders that look like builds, and a folder may
have a marker object of its own name. OpenShift's Prow stores text larger than 1 KiB as gzip, except what Crier writes;
Kubernetes' stores all of it plain. Size and hashes are those of the stored bytes.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from backends.demo.deterministic_random import number
from backends.demo.prow import builds as prow
from backends.demo.prow.build_files import NODES, ObjectEntry, link_text, object_content
from backends.demo.prow.builds import Build
from backends.demo.prow.chunked_bytes import ChunkedBytes

_COMPRESSED = ("txt", "log", "json", "tar", "html", "yaml")
_COMPRESSED_FROM = 1024
_BY_CRIER = ("prowjob.json", "podinfo.json")
_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8",
    "json": "application/json",
    "xml": "text/xml; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "png": "image/png",
    "tar": "application/x-tar",
}
_CACHED_OBJECTS = 512  # they have little memory of their own beside the shared chunks


def list_objects(seed: int, bucket: str) -> Iterator[ObjectEntry]:
    """Every object of one bucket, in no order."""
    if bucket == prow.OPENSHIFT_BUCKET:
        jobs = ((prow.OPENSHIFT_JOB, prow.openshift_builds), (prow.COMPLETENESS_JOB, prow.completeness_builds))
        for job, builds_of_job in jobs:
            builds = builds_of_job(seed)
            for build in builds:
                yield from _build_objects(build)
            yield ObjectEntry(f"logs/{job}/latest-build.txt", "latest", builds[-1])
        return
    kubernetes = prow.kubernetes_builds(seed)
    for build in kubernetes:
        yield from _build_objects(build)
    # Real damage of 2025: a truncated id, which led readers to builds of months before.
    yield ObjectEntry(f"logs/{prow.KUBERNETES_JOB}/latest-build.txt", "damaged-latest", kubernetes[-1])
    yield ObjectEntry(f"logs/{prow.KUBERNETES_JOB}/jobResultsCache.json", "results-cache", kubernetes[-1])
    yield from _pull_objects(prow.pull_builds(seed))
    for index in range(prow.LONG_BUILDS):
        yield from _build_objects(build := prow.long_build(seed, index))
    yield ObjectEntry(f"logs/{prow.LONG_JOB}/latest-build.txt", "latest", build)
    for build in prow.regression_builds(seed):
        yield from _build_objects(build)


def _pull_objects(builds: list[Build]) -> Iterator[ObjectEntry]:
    directory = f"pr-logs/directory/{prow.PULL_JOB}/"
    latest: dict[str, Build] = {}
    for build in builds:
        yield from _build_objects(build)
        latest[directory] = build
        if build.role != "batch":
            yield ObjectEntry(f"{directory}{build.id}.txt", "link", build)
            latest[build.folder.removesuffix(f"{build.id}/")] = build
    deleted = builds[0].id[:-3] + "017"  # the id of a build that has been deleted since
    yield ObjectEntry(f"{directory}{deleted}.txt", "dangling-link", builds[0], deleted)
    for folder, build in latest.items():
        yield ObjectEntry(f"{folder}latest-build.txt", "latest", build)


def _build_objects(build: Build) -> Iterator[ObjectEntry]:
    for entry in build.entries:
        if entry != "artifacts/":
            yield ObjectEntry(build.folder + entry, entry, build)
        elif build.openshift:
            yield from _openshift_artifacts(build)
        else:
            yield from _kubernetes_artifacts(build)
    if build.role == "hostile":
        for name in prow.CATALOGUE["hostile_names"]:
            kind = "junit-hostile" if name.endswith(".xml") else "empty" if name.endswith("/") else "text"
            yield ObjectEntry(build.folder + name.replace("{long}", "n" * 300), kind, build)


def _openshift_artifacts(build: Build) -> Iterator[ObjectEntry]:
    base = f"{build.folder}artifacts/"
    for entry in build.artifacts:
        if entry == "TEST/":
            yield from _step_objects(build, f"{base}{build.test}/")
        elif entry == "build-resources/":
            for name in ("builds.json", "events.json", "imagestreams.json", "pods.json"):
                yield ObjectEntry(f"{base}{entry}{name}", "events" if name == "events.json" else "json", build, name)
        elif entry == "release/":
            payload = f"{base}release/artifacts/release-payload-latest/image-references"
            yield ObjectEntry(payload, "json", build, "images")
            yield ObjectEntry(f"{base}release/build-log.txt", "step-log", build, "release")
        else:
            yield ObjectEntry(base + entry, entry, build)


def _step_objects(build: Build, base: str) -> Iterator[ObjectEntry]:
    stamp = datetime.fromtimestamp(build.created, UTC).strftime("%Y%m%d-%H%M%S")
    for step in build.steps:
        folder = f"{base}{step}/"
        yield ObjectEntry(f"{folder}build-log.txt", "step-log", build, step)
        yield ObjectEntry(f"{folder}started.json", "started.json", build, step)
        yield ObjectEntry(f"{folder}finished.json", "finished.json", build, step)
        if step == "openshift-e2e-test":
            yield ObjectEntry(f"{folder}artifacts/junit/junit_e2e__{stamp}.xml", "junit", build, "0/1")
            yield ObjectEntry(f"{folder}artifacts/e2e-timelines_{stamp}.html", "html", build)
            if not build.passed:
                shot = "gui_test_screenshots/cypress/screenshots/login.cy.ts/Login logs in (failed).png"
                yield ObjectEntry(f"{folder}artifacts/{shot}", "screenshot", build)
        elif step.startswith("gather-"):
            yield ObjectEntry(f"{folder}artifacts/", "empty", build)  # a marker, as some tools leave
            yield ObjectEntry(f"{folder}artifacts/nodes.json", "no-transform", build, "nodes.json")
            yield ObjectEntry(f"{folder}artifacts/must-gather.tar", "archive", build, "must-gather.tar")


def _kubernetes_artifacts(build: Build) -> Iterator[ObjectEntry]:
    base = f"{build.folder}artifacts/"
    for part in range(3):
        yield ObjectEntry(f"{base}junit_{part + 1:02}.xml", "junit", build, f"{part}/3")
    yield ObjectEntry(f"{base}junit_runner.xml", "junit-runner", build)
    yield ObjectEntry(f"{base}metadata.json", "metadata.json", build)
    yield ObjectEntry(f"{base}report%231.txt", "text", build)
    for node in NODES:
        for log in ("kubelet.log", "kube-proxy.log"):
            yield ObjectEntry(f"{base}{node}/{log}", "node-log", build, f"{node}/{log}")


@dataclass(frozen=True)
class StoredObject:
    """`body` is what is stored, `decoded` the same without gzip."""

    entry: ObjectEntry
    bucket: str
    body: ChunkedBytes
    decoded: ChunkedBytes
    encoding: str
    generation: int

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def content_type(self) -> str:
        return _TYPES.get(self.name.rpartition(".")[2], "application/octet-stream")

    @property
    def cache_control(self) -> str:
        return "no-transform" if self.entry.kind == "no-transform" else ""

    @cached_property
    def etag(self) -> str:
        return b64encode(b"\x08" + self.generation.to_bytes(8, "big") + b"\x10\x01").decode()

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Base64 by algorithm. An object that was uploaded in parts and composed has no MD5."""
        composite = self.entry.kind == "build-log.txt" and self.entry.build.role == "big-log" and not self.encoding
        hashes = {"crc32c": self.body.crc32c(), "md5": "" if composite else self.body.md5()}
        return {name: value for name, value in hashes.items() if value}

    @property
    def updated(self) -> datetime:
        return datetime.fromtimestamp(self.generation / 1_000_000, UTC)


class Buckets:
    """All objects of all buckets; thread-safe. `url` is the server's own."""

    def __init__(self, seed: int, born: float) -> None:
        self._seed, self._born = seed, born
        self.url = ""
        self._lock = threading.Lock()
        self._entries: dict[str, dict[str, ObjectEntry]] = {}
        self._names: dict[str, list[str]] = {}
        self._objects: OrderedDict[tuple[str, str], StoredObject] = OrderedDict()
        self._resources: dict[tuple[str, str], dict[str, Any]] = {}

    def names(self, bucket: str) -> list[str] | None:
        """All names in order, None if there is no such bucket. Code points and UTF-8 bytes sort alike."""
        if bucket not in prow.BUCKETS:
            return None
        with self._lock:
            if bucket not in self._names:
                self._entries[bucket] = {entry.name: entry for entry in list_objects(self._seed, bucket)}
                self._names[bucket] = sorted(self._entries[bucket])
            return self._names[bucket]

    def find(self, bucket: str, name: str) -> StoredObject | None:
        if self.names(bucket) is None or (entry := self._entries[bucket].get(name)) is None:
            return None
        with self._lock:
            if found := self._objects.get((bucket, name)):
                self._objects.move_to_end((bucket, name))
                return found
        stored = self._store(bucket, entry)
        with self._lock:
            self._objects[bucket, name] = stored
            while len(self._objects) > _CACHED_OBJECTS:
                self._objects.popitem(last=False)
        return stored

    def _store(self, bucket: str, entry: ObjectEntry) -> StoredObject:
        decoded, build = object_content(self._seed, entry, self._born), entry.build
        compressed = (
            build.openshift
            and decoded.size > _COMPRESSED_FROM
            and entry.kind not in _BY_CRIER
            and entry.name.rpartition(".")[2] in _COMPRESSED
        )
        uploaded = build.ended or build.started or build.created
        if build.role == "pending":
            uploaded = round(self._born) - 1_500
        # Real generations look like microseconds since 1970, too.
        generation = uploaded * 1_000_000 + number(entry.name, "generation") % 900_000
        body = decoded.gzip() if compressed else decoded
        return StoredObject(entry, bucket, body, decoded, "gzip" if compressed else "", generation)

    def resource(self, bucket: str, name: str) -> dict[str, Any]:
        """The object's metadata in the JSON API's format."""
        if (bucket, name) not in self._resources:
            stored = self.find(bucket, name)
            assert stored is not None
            self._resources[bucket, name] = _resource(stored, self.url)
        return self._resources[bucket, name]


def _resource(stored: StoredObject, url: str) -> dict[str, Any]:
    path = f"b/{stored.bucket}/o/{quote(stored.name, safe='')}"
    stamp = stored.updated.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stored.updated.microsecond // 1000:03}Z"
    resource: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "selfLink": f"{url}/storage/v1/{path}",
        "mediaLink": f"{url}/download/storage/v1/{path}?generation={stored.generation}&alt=media",
        "name": stored.name,
        "bucket": stored.bucket,
        "generation": str(stored.generation),
        "metageneration": "1",
        "contentType": stored.content_type,
        "storageClass": "STANDARD",
        "size": str(stored.body.size),
        **{name: value for name, value in stored.hashes.items() if name == "crc32c"},
        "etag": stored.etag,
        "timeCreated": stamp,
        "updated": stamp,
        "timeStorageClassUpdated": stamp,
        **({"md5Hash": stored.hashes["md5"]} if "md5" in stored.hashes else {"componentCount": 4}),
    }
    if stored.encoding:
        resource["contentEncoding"] = stored.encoding
    if stored.cache_control:
        resource["cacheControl"] = stored.cache_control
    if stored.entry.kind == "link":
        resource["metadata"] = {"link": link_text(stored.entry.build)}
    return resource
