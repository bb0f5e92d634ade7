"""What the storage knows of each object: its stored bytes, and the metadata that the JSON API answers with.

OpenShift's Prow stores text larger than 1 KiB as gzip at upload, except what Crier writes; Kubernetes' stores all of it
plain. Size and hashes are those of the stored bytes.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from backends.demo.prow.contents import content, link
from backends.demo.prow.names import BUCKETS
from backends.demo.prow.ropes import Rope
from backends.demo.prow.trees import Entry, objects
from backends.demo.seeds import number

_COMPRESSED = ("txt", "log", "json", "tar", "html", "yaml")
_COMPRESSED_FROM = 1024
_BY_CRIER = ("prowjob.json", "podinfo.json")
_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8",
    "json": "application/json",
    "xml": "text/xml; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "tar": "application/x-tar",
}
_KEPT = 512  # ropes hold little beside the shared pieces


@dataclass(frozen=True)
class Stored:
    """One object as it lies there: `body` is what is stored, `decoded` what it means."""

    entry: Entry
    bucket: str
    body: Rope
    decoded: Rope
    encoding: str
    generation: int

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def content_type(self) -> str:
        return _TYPES.get(self.name.rpartition(".")[2], "application/octet-stream")

    @property
    def composite(self) -> bool:
        """Uploaded in parts and composed: such objects have no MD5."""
        return self.entry.kind == "build-log.txt" and self.entry.build.role == "big-log" and not self.encoding

    @property
    def cache_control(self) -> str:
        return "no-transform" if self.entry.kind == "no-transform" else ""

    @cached_property
    def etag(self) -> str:
        return b64encode(b"\x08" + self.generation.to_bytes(8, "big") + b"\x10\x01").decode()

    @cached_property
    def crc32c(self) -> str:
        return self.body.crc32c()

    @cached_property
    def md5(self) -> str:
        return "" if self.composite else self.body.md5()

    @property
    def updated(self) -> datetime:
        return datetime.fromtimestamp(self.generation / 1_000_000, UTC)


class Buckets:
    """All objects of all buckets; safe to call from several threads. `origin` is the server's own address."""

    def __init__(self, seed: int, born: float) -> None:
        self._seed, self._born = seed, born
        self.origin = ""
        self._lock = threading.Lock()
        self._entries: dict[str, dict[str, Entry]] = {}
        self._names: dict[str, list[str]] = {}
        self._kept: OrderedDict[tuple[str, str], Stored] = OrderedDict()
        self._resources: dict[tuple[str, str], dict[str, Any]] = {}

    def names(self, bucket: str) -> list[str] | None:
        """All names in order, None if there is no such bucket. Code points and UTF-8 bytes sort alike."""
        if bucket not in BUCKETS:
            return None
        with self._lock:
            if bucket not in self._names:
                self._entries[bucket] = {entry.name: entry for entry in objects(self._seed, bucket)}
                self._names[bucket] = sorted(self._entries[bucket])
            return self._names[bucket]

    def stored(self, bucket: str, name: str) -> Stored | None:
        if self.names(bucket) is None or (entry := self._entries[bucket].get(name)) is None:
            return None
        with self._lock:
            if found := self._kept.get((bucket, name)):
                self._kept.move_to_end((bucket, name))
                return found
        made = self._make(bucket, entry)
        with self._lock:
            self._kept[bucket, name] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def _make(self, bucket: str, entry: Entry) -> Stored:
        decoded = content(self._seed, entry, self._born)
        zipped = _zipped(entry, decoded.size)
        # Microseconds since 1970 is what the real ones look like, too.
        at = entry.build.ended or entry.build.started or entry.build.created
        if entry.build.role == "pending":
            at = round(self._born) - 1_500
        generation = at * 1_000_000 + number(entry.name, "generation") % 900_000
        body = decoded.gzipped() if zipped else decoded
        return Stored(entry, bucket, body, decoded, "gzip" if zipped else "", generation)

    def ready(self, bucket: str, name: str) -> bool:
        return (bucket, name) in self._kept

    def resource(self, bucket: str, name: str) -> dict[str, Any]:
        """The object's metadata as the JSON API has it."""
        found = self._resources.get((bucket, name))
        if found is None:
            stored = self.stored(bucket, name)
            assert stored is not None
            found = self._resources[bucket, name] = _resource(stored, self.origin)
        return found

    def exists(self, bucket: str, prefix: str) -> bool:
        """Whether anything's name begins so."""
        names = self.names(bucket) or []
        at = bisect_left(names, prefix)
        return at < len(names) and names[at].startswith(prefix)


def _zipped(entry: Entry, size: int) -> bool:
    if not entry.build.openshift or size <= _COMPRESSED_FROM:
        return False
    suffix = entry.name.rpartition(".")[2]
    return entry.kind not in _BY_CRIER and suffix in _COMPRESSED


def _resource(stored: Stored, origin: str) -> dict[str, Any]:
    path = f"b/{stored.bucket}/o/{quote(stored.name, safe='')}"
    stamp = stored.updated.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stored.updated.microsecond // 1000:03}Z"
    found: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "selfLink": f"{origin}/storage/v1/{path}",
        "mediaLink": f"{origin}/download/storage/v1/{path}?generation={stored.generation}&alt=media",
        "name": stored.name,
        "bucket": stored.bucket,
        "generation": str(stored.generation),
        "metageneration": "1",
        "contentType": stored.content_type,
        "storageClass": "STANDARD",
        "size": str(stored.body.size),
        "crc32c": stored.crc32c,
        "etag": stored.etag,
        "timeCreated": stamp,
        "updated": stamp,
        "timeStorageClassUpdated": stamp,
    }
    if stored.md5:
        found["md5Hash"] = stored.md5
    else:
        found["componentCount"] = 4
    if stored.encoding:
        found["contentEncoding"] = stored.encoding
    if stored.cache_control:
        found["cacheControl"] = stored.cache_control
    if stored.entry.kind == "link":
        found["metadata"] = {"link": link(stored.entry.build)}
    return found
