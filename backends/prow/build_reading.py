"""One build's row: what its folder lists and what started.json, finished.json and prowjob.json in it say.

A build that has ended is kept by the generations of its files and asked for no more; it costs four requests once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from backends.cancel import CancelToken
from backends.frames.schema import Kind
from backends.http.errors import HttpError, NotFoundError, sanitize
from backends.prow.build_columns import BUILDS, SEPARATOR
from backends.prow.build_ids import created_ms, order
from backends.prow.build_state import (
    DAY_MS,
    ENDED,
    INCOMPLETE,
    Json,
    decoded,
    mapping,
    may_change,
    seconds_ms,
    state_of,
)
from backends.prow.gcs_source import epoch_ms
from backends.prow.source import Entry, Listing, Source, whole

if TYPE_CHECKING:
    from backends.http.cache import BlobCache

Row = dict[str, Any]
_VERSION = 1  # of the stored rows; raise it when a column or its meaning changes
_SETTLED_MS = 3_600_000  # an aborted build may write finished.json twice within minutes
_LINK_CAP = 4096  # what Deck reads of a link
_FILES = ("started.json", "finished.json", "prowjob.json")
_MOST_PAGES = 3  # of a build's first level: 3,000 entries


@dataclass(frozen=True)
class BuildPlace:
    """`folder`: ends in "/", "" if only a link file says where it is; `link`: that file's name."""

    key: str
    job: str
    build: str
    folder: str = ""
    link: str = ""


class NoBuild(NotFoundError):
    """A link that leads nowhere."""


def skeleton(place: BuildPlace, now_ms: float | None = None) -> Row:
    """What the id alone says; all columns of `BUILDS` and the key, None where unknown. Times in epoch ms."""
    row: Row = dict.fromkeys(BUILDS.polars())
    row |= {
        "key": place.key,
        "build": place.build,
        "job": place.job,
        "started": created_ms(place.build, now_ms),
        "folder": place.folder or None,
        "order": order(place.build),
    }
    return row


def cells(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in BUILDS.polars())


class BuildReader:
    """Reads builds of one bucket; thread-safe. `stored`: where rows of ended builds are kept, None for nowhere."""

    def __init__(self, source: Source, bucket: str, stored: BlobCache | None, scope: str = "") -> None:
        self.source = source
        self.bucket = bucket
        self._stored = stored
        self._prefix = f"prow-build-v{_VERSION}|{source.kind}|{scope}|{bucket}|"

    def row(self, place: BuildPlace, cancel: CancelToken) -> Row:
        """The whole row. What cannot be read stands in its `note`; only `OperationCancelledError` is raised."""
        kept = self._kept(place)
        if kept is not None:
            return kept
        found = skeleton(place)
        try:
            folder = place.folder or self.followed(place, cancel)
            listing = whole(self.source, self.bucket, folder, cancel=cancel, most=_MOST_PAGES)
            entries = {one.name.removeprefix(folder): one for one in listing.files}
            told = {name: self._read(entries[name], cancel) for name in _FILES if name in entries}
        except HttpError as problem:
            found["note"] = f"cannot be read: {problem.sentence}"
            return found
        _fill(found, folder, listing, entries, told)
        self._keep(place, found, entries)
        return found

    def may_change(self, place: BuildPlace, folder: str, listing: Listing, cancel: CancelToken) -> bool:
        """Whether the build whose first level is `listing` may still get files, by the rules of its state.

        Asks no more than it must: nothing of a build whose id says that it is older than a day, and only finished.json
        of one that has ended. Raises `HttpError`s.
        """
        now, created = time.time() * 1000, created_ms(place.build)
        if created is not None and now - created >= DAY_MS:
            return False
        entries = {one.name.removeprefix(folder): one for one in listing.files}
        told: dict[str, Json] = {}
        for name in ("finished.json", "prowjob.json", "started.json"):
            if name in entries:
                told[name] = self._read(entries[name], cancel)
            if seconds_ms(told.get("finished.json", {}).get("timestamp")) is not None:
                return False
        names = [*entries, *(one.removeprefix(folder) for one in listing.folders)]
        started, finished, prowjob = (told.get(name, {}) for name in _FILES)
        return may_change(state_of(started, finished, prowjob, names, now, created)[0], now, created)

    def followed(self, place: BuildPlace, cancel: CancelToken) -> str:
        """The folder that a link file names. Raises `HttpError`s."""
        said = self.source.read(self.bucket, Entry(place.link), cancel=cancel, cap=_LINK_CAP)
        text = said.decode("utf-8", "replace").strip()
        scheme, _, rest = text.partition("://")
        _, _, path = rest.partition("/")
        if scheme not in ("gs", "s3") or not path or any(part in ("", "..") for part in path.rstrip("/").split("/")):
            raise NoBuild(
                f"The link {sanitize(place.link)} says “{sanitize(text, 80)}”, which is no place.", status=404
            )
        return path.rstrip("/") + "/"

    def _read(self, entry: Entry, cancel: CancelToken) -> Json:
        try:
            return decoded(self.source.read(self.bucket, entry, cancel=cancel))
        except NotFoundError:  # overwritten since it was listed
            return decoded(self.source.read(self.bucket, Entry(entry.name), cancel=cancel))

    def _kept(self, place: BuildPlace) -> Row | None:
        found = self._stored.get(self._prefix + (place.folder or place.link)) if self._stored is not None else None
        if found is None:
            return None
        row = decoded(found.body)
        if row.keys() != BUILDS.polars().keys() or row.get("build") != place.build or not _right_kinds(row):
            return None
        return {**row, "key": place.key}

    def _keep(self, place: BuildPlace, row: Row, entries: dict[str, Entry]) -> None:
        ended = entries.get("finished.json")
        over = ended is not None and ended.updated_ms is not None and settled_since(ended.updated_ms)
        if self._stored is not None and over and row["state"] in ENDED and row["finished"] is not None:
            self._stored.put(self._prefix + (place.folder or place.link), msgspec.json.encode(row))


def settled(row: Row) -> bool:
    """Whether a build ended so long ago that none of its files is written again."""
    ended = row.get("finished")
    if isinstance(ended, datetime):
        ended = ended.timestamp() * 1000
    return row.get("state") in ENDED and ended is not None and settled_since(ended)


def settled_since(ms: float) -> bool:
    return time.time() * 1000 - ms > _SETTLED_MS


def _right_kinds(row: Json) -> bool:
    for column in BUILDS:
        value = row[column.name]
        wanted = str if column.is_text else int if column.kind is Kind.TIME else (int, float)
        if value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            return False
    return isinstance(row["key"], str)


def _fill(row: Row, folder: str, listing: Listing, entries: dict[str, Entry], told: dict[str, Json]) -> None:
    started, finished, prowjob = (told.get(name, {}) for name in _FILES)
    now = time.time() * 1000
    names = sorted([*entries, *(one.removeprefix(folder) for one in listing.folders)])
    state, odd = state_of(started, finished, prowjob, names, now, created_ms(row["build"]))
    began, ended = seconds_ms(started.get("timestamp")), seconds_ms(finished.get("timestamp"))
    status = mapping(prowjob.get("status"))
    began = began or epoch_ms(status.get("startTime"))
    over = ended or epoch_ms(status.get("completionTime"))
    until = over if over is not None else now if state == "running" else None
    log = entries.get("build-log.txt")
    row |= {
        "state": state,
        "started": began if began is not None else row["started"],
        "duration": (until - began) / 1000 if until is not None and began is not None and until >= began else None,
        "finished": over,
        "log_size": log.size if log else None,
        "log_compressed": None if log is None else "yes" if log.is_compressed else "no",
        "entries": len(names),
        "names": SEPARATOR.join(names),
        "folder": folder,
        "node": _text(started.get("node")),
        "note": odd or None,
    }
    row |= _job(started, finished, prowjob, state)
    if state == INCOMPLETE:
        row["reason"] = odd


def _job(started: Json, finished: Json, prowjob: Json, state: str) -> Row:
    """What was tested, for whom and where."""
    spec, status = mapping(prowjob.get("spec")), mapping(prowjob.get("status"))
    extra = spec.get("extra_refs")
    refs = mapping(spec.get("refs")) or mapping(extra[0] if isinstance(extra, list) and extra else None)
    pulls = refs.get("pulls")
    pulls = [mapping(one) for one in pulls] if isinstance(pulls, list) else []
    repo = "/".join(part for part in (_text(refs.get("org")), _text(refs.get("repo"))) if part)
    numbers = [str(one["number"]) for one in pulls if isinstance(one.get("number"), int)]
    pull = f"{repo}#{','.join(numbers)}" if numbers else _bootstrap_pull(started)
    commit = next((_text(one.get("sha")) for one in pulls), None) or _text(finished.get("revision"))
    commit = commit or _text(started.get("repo-commit")) or _text(refs.get("base_sha"))
    description = _text(status.get("description"))
    return {
        "pull": pull or None,
        "author": next((_text(one.get("author")) for one in pulls), None),
        "title": next((_text(one.get("title")) for one in pulls), None),
        "commit": commit,
        "base": f"{repo}@{_text(refs.get('base_ref')) or ''}" if repo else None,
        "cluster": _text(spec.get("cluster")),
        "type": _text(spec.get("type")),
        "reason": description if state != "success" else None,
    }


def _bootstrap_pull(started: Json) -> str:
    """The number that pod utilities write, or the refs of the old bootstrap: master:SHA,93063:SHA."""
    said = started.get("pull")
    text = str(said) if isinstance(said, int | str) and not isinstance(said, bool) else ""
    numbers = [part.partition(":")[0] for part in text[:2000].split(",")]
    return ",".join(f"#{one}" for one in numbers if one.isascii() and one.isdigit())


def _text(value: Any) -> str | None:
    """One line, cut where nobody would read on."""
    return sanitize(value, 500) or None if isinstance(value, str) else None
