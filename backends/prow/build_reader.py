"""One build: what its id says, what its folder lists, and what started.json, finished.json and prowjob.json say.

Ids are either snowflakes (bwmarrin/snowflake, node 1: prow pkg/pjutil/tot.go) or small counters of older instances.
Over 837 real builds the build began 1.4 s to 575 s (median 2.9 s) after the time in its id.

How a build ended, three files say, none of which need be there, complete, or of one spelling. The rules are the union
of what Prow's own readers do (Spyglass, job-history, TestGrid's updater): the sidecar writes SUCCESS, FAILURE or
ABORTED, crier the ProwJob's state in lower case, and only `passed` decides what passed. A build that has ended is
cached and requested no more; it costs four requests once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag
from typing import Any

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.frames.schema import Column, Kind, Schema
from backends.http.errors import (
    AccessDeniedError,
    HttpError,
    NotFoundError,
    NotInCapsuleError,
    OfflineError,
    sanitize,
)
from backends.prow.bucket import BucketReader
from backends.prow.locators import Place, route
from backends.prow.store import BlobInfo, BlobPage, epoch_ms

# ---- ids -----------------------------------------------------------------------------------------------------------

EPOCH_MS = 1288834974657
DAY_MS = 86_400_000
_NODE = 1
_FIRST_MS = 1483228800000  # 2017: Prow is not older
_COMPARABLE_MS = 1527260000000  # 2018-05-25: since then ids have 19 digits, and their order as texts is that of time
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)  # Prow's ids are signed 64-bit numbers: at most 19 digits
_MAX_DIGITS = 19
# Days back from now. At 27 builds a day, a busy periodic job, the first one fills a screen; the steps grow so that a
# job that sleeps for a year is found with five requests.
WINDOWS = (3, 15, 60, 365, 1500)


def is_build(text: str) -> bool:
    """Whether a folder's name can be a build's id."""
    return _DIGITS.fullmatch(text) is not None


def sort_key(build: str) -> str:
    """A text that sorts as the number does: 9 before 10, and 010 with 10."""
    number = build.lstrip("0") or "0"
    return f"{len(number):02d}{number}"


def newest_first(builds: Iterable[str]) -> list[str]:
    """By number, each id once."""
    return sorted(set(builds), key=lambda build: (sort_key(build), build), reverse=True)


def is_long(build: str) -> bool:
    """Whether it has all 19 digits, as every snowflake since May 2018: it is greater than any shorter id, and among
    its like the order of texts is that of numbers. So only these can be listed from the newest backwards."""
    return len(build) == _MAX_DIGITS and build[0] != "0"


def created_ms(build: str, now_ms: float | None = None) -> int | None:
    """When a snowflake was made, in epoch milliseconds; None for a counter and for what only looks like an id."""
    if not is_build(build) or not 17 <= len(build) <= 19:
        return None
    number = int(build)
    created = (number >> 22) + EPOCH_MS
    now = time.time() * 1000 if now_ms is None else now_ms
    if (number >> 12) & 0x3FF != _NODE or not _FIRST_MS <= created <= now + DAY_MS:
        return None
    return created


def first_id_at(ms: float) -> str:
    """The smallest snowflake of that moment, as text: a bound for listings."""
    return str(max(int(ms) - EPOCH_MS, 0) << 22)


def id_windows(since_ms: float | None = None, now_ms: float | None = None) -> Iterator[tuple[str, str]]:
    """Pairs of ids (from, up to but not including), the newest first; "" is no bound.

    Together they cover every name once, whatever it is: the last one has no lower bound (unless `since_ms` sets one).
    """
    now = time.time() * 1000 if now_ms is None else now_ms
    above = ""
    for days in WINDOWS:
        start = now - days * DAY_MS
        if start < _COMPARABLE_MS or (since_ms is not None and start <= since_ms):
            break
        yield first_id_at(start), above
        above = first_id_at(start)
    yield ("" if since_ms is None or since_ms < _COMPARABLE_MS else first_id_at(since_ms)), above


# ---- state ---------------------------------------------------------------------------------------------------------

STATES = ("success", "failure", "error", "aborted", "incomplete", "running", "pending", "triggered", "scheduling")
ENDED = frozenset({"success", "failure", "aborted", "error"})
WAITING = frozenset({"scheduling", "triggered", "pending"})
RUNNING, INCOMPLETE, UNKNOWN = "running", "incomplete", "unknown"
LIVE = frozenset({RUNNING, *WAITING})
FAILED = frozenset({"failure", "error", "aborted", INCOMPLETE})
_TOO_LATE = "did not complete within 24 hours"

Json = Mapping[str, Any]


def parse_object(content: bytes | None) -> Json:
    """The object in a JSON file; an empty one for what is missing, broken, or of another kind."""
    if not content:
        return {}
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def mapping(value: Any) -> Json:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def seconds_ms(value: Any) -> int | None:
    """An epoch time in seconds as milliseconds; None for null, texts, NaN and what is not a time of a build."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 4e9:
        return None
    return int(value * 1000)


def _lower(value: Any) -> str:
    return value.strip().lower()[:40] if isinstance(value, str) else ""


def state_of(
    started: Json, finished: Json, prowjob: Json, names: Collection[str], now_ms: float, made_ms: float | None = None
) -> tuple[str, str]:
    """The state in lower case, and a sentence about what is odd ("" if nothing is).

    `made_ms`: when the build was made, if its id says so. The times of the files say nothing: a copy has new ones.
    """
    status = mapping(prowjob.get("status"))
    job_state = _lower(status.get("state"))
    if seconds_ms(finished.get("timestamp")) is not None:
        return _final_state(finished, job_state), ""
    if job_state in ENDED or status.get("completionTime"):
        oddity = "finished.json has no time" if "finished.json" in names else "no finished.json"
        return job_state if job_state in ENDED else UNKNOWN, oddity
    began = seconds_ms(started.get("timestamp"))
    if began is not None:
        if now_ms - began < DAY_MS:
            return RUNNING, ""
        return INCOMPLETE, _TOO_LATE
    if job_state in WAITING and made_ms is not None and now_ms - made_ms >= DAY_MS:
        return INCOMPLETE, _TOO_LATE
    if job_state in WAITING:
        return job_state, ""
    if "finished.json" in names and finished:
        return _final_state(finished, job_state), "finished.json has no time"
    return UNKNOWN, "neither started.json nor prowjob.json tells" if names else "the folder is empty"


def _final_state(finished: Json, job_state: str) -> str:
    result = _lower(finished.get("result"))
    passed = finished.get("passed")
    if passed is True or (passed is None and result == "success"):
        return "success"
    if result in ENDED and result != "success":
        return result
    return job_state if job_state in ENDED and job_state != "success" else "failure"


# ---- rows ----------------------------------------------------------------------------------------------------------

BUILD_LOG = "build-log.txt"
SEPARATOR = "\n"  # between the names in `names`: the one sign that no file of a build has
UNREAD = "cannot be read: "  # begins the note of a build whose files could not be read
NOT_STORED = "not in the store, and offline"  # the note of one that was not looked at before
NOT_SAVED = "not in this capsule"


class Part(IntFlag):
    """What of a build is read: started.json and finished.json (two requests), prowjob.json, the list of its folder."""

    NONE = 0
    ENDS = 1
    JOB = 2
    FOLDER = 4
    ALL = 7


class BuildRow(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A row of `BUILDS`, as it is also cached; None where unknown. Times in epoch ms, durations in seconds.

    `names`: what the build's folder lists, with SEPARATOR between the names. `parts`: what was read for it (`Part`).
    `told_pull`, `told_commit`: what started.json and finished.json say where prowjob.json says nothing.
    """

    key: str
    build: str
    state: str | None = None
    started: int | None = None
    duration: float | None = None
    pull: str | None = None
    author: str | None = None
    reason: str | None = None
    commit: str | None = None
    log_size: int | None = None
    entries: int | None = None
    cluster: str | None = None
    base: str | None = None
    job: str | None = None
    finished: int | None = None
    type: str | None = None
    title: str | None = None
    node: str | None = None
    note: str | None = None
    names: str | None = None
    log_compressed: str | None = None
    folder: str | None = None
    order: str | None = None
    parts: int = 0
    told_pull: str | None = None
    told_commit: str | None = None

    @property
    def is_unread(self) -> bool:
        """Whether something of it could not be read, which its note tells."""
        return self.note is not None and (self.note in (NOT_STORED, NOT_SAVED) or self.note.startswith(UNREAD))


_MS = pl.Int64()
BUILDS = Schema(
    (
        Column("state", Kind.STATE, "State", width=10, section="Build", get="state"),
        Column("build", Kind.ID, "Build", width=19, sort_by="order", section="Build", get="build"),
        Column("started", Kind.TIME, "Started", section="Times", cell=_MS, get="started"),
        Column("duration", Kind.DURATION, "Duration", "s", section="Times", get="duration"),
        Column("pull", Kind.TEXT, "PR", section="Change", get="pull"),
        Column("author", Kind.TEXT, "Author", section="Change", get="author"),
        Column("reason", Kind.TEXT, "Reason", width=30, section="Build", get="reason"),
        Column("commit", Kind.ID, "Commit", width=12, section="Change", get="commit"),
        Column("log_size", Kind.BYTES, "Log", "B", section="Files", get="log_size"),
        Column("entries", Kind.COUNT, "Entries", section="Files", get="entries"),
        Column("cluster", Kind.TEXT, "Cluster", section="Build", get="cluster"),
        Column("base", Kind.TEXT, "Base", section="Change", get="base"),
        Column("job", Kind.TEXT, "Job", keeps_end=True, width=40, section="Build", get="job"),
        Column("finished", Kind.TIME, "Finished", hidden=True, section="Times", cell=_MS, get="finished"),
        Column("type", Kind.TEXT, "Type", hidden=True, section="Build", get="type"),
        Column("title", Kind.TEXT, "Title", hidden=True, section="Change", get="title"),
        Column("node", Kind.TEXT, "Node", hidden=True, searched=False, section="Build", get="node"),
        Column("note", Kind.TEXT, "Note", hidden=True, section="Build", get="note"),
        Column("names", Kind.TEXT, "Files", hidden=True, searched=False, get="names"),
        Column(
            "log_compressed", Kind.TEXT, "Log compressed", hidden=True, searched=False, section="Files",
            get="log_compressed",
        ),
        Column("folder", Kind.TEXT, "Folder", hidden=True, searched=False, section="Files", get="folder"),
        Column("order", Kind.ID, "Order", hidden=True, searched=False, get="order"),
    ),
    key="key",
    key_get="key",
)  # fmt: skip
_NEEDS = {
    Part.ENDS: ("state", "started", "duration", "finished", "node", "note"),
    Part.JOB: ("pull", "author", "reason", "commit", "cluster", "base", "type", "title"),
    Part.FOLDER: ("log_size", "entries", "names", "log_compressed"),
}
# The columns that cost no more than two requests a build.
QUICK_COLUMNS = tuple(name for name in BUILDS.names if name not in (*_NEEDS[Part.JOB], *_NEEDS[Part.FOLDER]))


def parts_of(columns: Collection[str]) -> Part:
    """What has to be read for these columns of `BUILDS`."""
    found = Part.NONE
    for part, names in _NEEDS.items():
        found |= part if any(name in columns for name in names) else Part.NONE
    return found


@dataclass(frozen=True)
class BuildPlace:
    """Where a build is. `folder`: ends in "/", "" if only a link file says where it is; `link`: that file's name."""

    key: str
    job: str
    build: str
    folder: str = ""
    link: str = ""


class BrokenLinkError(NotFoundError):
    """A link that leads nowhere."""


def place_of(folder: str, build: str, link: str = "") -> BuildPlace:
    """A build of a job by the job's folder; those under pr-logs/directory/ are links.

    `link`: what the build's link says, if that is known; what is no link counts as unknown.
    """
    path = route(folder)
    job = path.job or folder.rstrip("/").rpartition("/")[2]
    if path.place is Place.LINKS:
        return BuildPlace(f"{job}/{build}", job, build, parse_link(link), f"{folder}{build}.txt")
    return BuildPlace(f"{job}/{build}", job, build, f"{folder}{build}/")


def parse_link(text: str) -> str:
    """The folder that a link's text names, "" if it names none."""
    scheme, _, rest = text.strip().partition("://")
    path = rest.partition("/")[2].rstrip("/")
    is_folder = scheme in ("gs", "s3") and path and not any(part in ("", "..") for part in path.split("/"))
    return f"{path}/" if is_folder else ""


def row_from_id(place: BuildPlace, now_ms: float | None = None) -> BuildRow:
    """What the id alone says."""
    return BuildRow(
        place.key, place.build, job=place.job, folder=place.folder or None, order=sort_key(place.build),
        started=created_ms(place.build, now_ms),
    )  # fmt: skip


def list_logs(names: str | None) -> list[str]:
    """The logs of a build's first level: build-log.txt, or one for each container where it has several ("test" is
    Prow's usual name of the one that matters, so it comes first)."""
    files = (names or "").split(SEPARATOR)
    if BUILD_LOG in files:
        return [BUILD_LOG]
    logs = [name for name in files if name.endswith(f"-{BUILD_LOG}")]
    return sorted(logs, key=lambda name: (name != f"test-{BUILD_LOG}", name))


def container_of(name: str) -> str:
    """The container whose log has that name; "" for the only one."""
    return name.removesuffix(BUILD_LOG).removesuffix("-")


def log_flags(state: str | None, ended: datetime | None) -> dict[str, Any]:
    """What is known of a build's log: `final` if it is never written again, `failed` if it is read for its errors."""
    settled = state in ENDED and ended is not None and is_settled(ended.timestamp() * 1000)
    return {"final": settled, "failed": state in FAILED}


# ---- reading -------------------------------------------------------------------------------------------------------

_VERSION = 2  # of the cached rows; raise it when a column or its meaning changes
_SETTLED_MS = 3_600_000  # an aborted build may write finished.json twice within minutes
_MAX_LINK_BYTES = 4096  # what Deck reads of a link
_FILES = ("started.json", "finished.json", "prowjob.json")
_MAX_PAGES = 3  # of a build's first level: 3,000 entries


def is_settled(ended_ms: float) -> bool:
    """Whether a build ended so long ago that none of its files is written again."""
    return time.time() * 1000 - ended_ms > _SETTLED_MS


class BuildReader:
    """Reads builds of one bucket; thread-safe. Rows of ended builds are held, and cached where the bucket has a
    cache."""

    def __init__(self, bucket: BucketReader) -> None:
        self.bucket = bucket
        self._prefix = f"prow-build-v{_VERSION}|{bucket.blobs.kind}|{bucket.cache_prefix}|{bucket.bucket}|"
        self._rows: dict[str, BuildRow] = {}  # by key; of ended builds

    def read_row(self, place: BuildPlace, cancel: CancelToken, parts: Part = Part.ALL) -> BuildRow:
        """The row with what `parts` say of it. What cannot be read stands in its `note`; only `OperationCancelledError`
        is raised.

        More than `parts` is requested only where that does not tell how the build ended, and nothing that is known.
        """
        known = self.known_row(place)
        if known is not None and known.parts & parts == parts:
            return known
        try:
            try:
                return self._read_parts(place, known, parts, cancel)
            except AccessDeniedError:  # as some storages answer for a file that does not exist: a list tells
                if parts & Part.FOLDER:
                    raise
                return self._read_parts(place, known, parts | Part.FOLDER, cancel)
        except OfflineError as error:
            seen = None if isinstance(error, NotInCapsuleError) else self._seen_row(place, parts)
            if seen is not None:
                return seen
            note = NOT_SAVED if isinstance(error, NotInCapsuleError) else NOT_STORED
        except HttpError as error:
            note = f"{UNREAD}{error.sentence}"
        row = row_from_id(place)
        row.note = note
        return row

    def _read_parts(self, place: BuildPlace, known: BuildRow | None, parts: Part, cancel: CancelToken) -> BuildRow:
        folder = self.folder_of(place, cancel)
        row = row_from_id(place) if known is None else msgspec.structs.replace(known)
        row.folder = folder
        missing = parts & ~Part(row.parts)
        page = self.bucket.list_all(folder, cancel, max_pages=_MAX_PAGES) if missing & Part.FOLDER else None
        files = None if page is None else {info.name.removeprefix(folder): info for info in page.files}
        documents: dict[str, Json] = {}

        def read(*names: str) -> None:
            for name in names:
                with suppress(NotFoundError):
                    if files is None:
                        documents[name] = parse_object(self.bucket.read(folder + name, cancel))
                    elif name in files:
                        documents[name] = self._read(files[name], cancel)

        reads_ends = not row.parts & Part.ENDS
        if reads_ends:
            read("finished.json", "started.json")
            if not _tells_end(documents):
                missing |= Part.JOB
        if missing & Part.JOB:
            read("prowjob.json")
        if page is not None:
            assert files is not None
            _fill_folder(row, folder, page, files)
        if reads_ends:
            _fill_ends(
                row, documents, row.names.split(SEPARATOR) if row.names else list(documents), self.bucket.now() * 1000
            )
            if row.state == UNKNOWN and page is None:  # its names are the last that may tell
                return self._read_parts(place, None, Part.ALL, cancel)
        if missing & Part.JOB:
            _fill_job(row, documents.get("prowjob.json", {}))
        row.parts |= missing | Part.ENDS
        self._store_row(place, row, files.get("finished.json") if files is not None else None)
        return row

    def may_change(self, place: BuildPlace, folder: str, page: BlobPage, cancel: CancelToken) -> bool:
        """Whether the build whose first level is `page` may still get files: it runs or waits, or nothing tells and
        its id says that it is younger than a day.

        Requests no more than it must: nothing for a build whose id says that it is older than a day, and only
        finished.json of one that has ended. Raises `HttpError`s.
        """
        now, created = self.bucket.now() * 1000, created_ms(place.build)
        if created is not None and now - created >= DAY_MS:
            return False
        files = {info.name.removeprefix(folder): info for info in page.files}
        documents: dict[str, Json] = {}
        for name in ("finished.json", "prowjob.json", "started.json"):
            if name in files:
                documents[name] = self._read(files[name], cancel)
            if seconds_ms(documents.get("finished.json", {}).get("timestamp")) is not None:
                return False
        names = [*files, *(name.removeprefix(folder) for name in page.folders)]
        started, finished, prowjob = (documents.get(name, {}) for name in _FILES)
        state, _ = state_of(started, finished, prowjob, names, now, created)
        return state in LIVE or (state == UNKNOWN and created is not None)

    def folder_of(self, place: BuildPlace, cancel: CancelToken) -> str:
        """The build's folder, from its link file if need be. Raises `HttpError`s."""
        if place.folder or not place.link:
            return place.folder
        text = self.bucket.read(place.link, cancel, _MAX_LINK_BYTES).decode("utf-8", "replace")
        folder = parse_link(text)
        if not folder:
            words = sanitize(text.strip(), 80)
            raise BrokenLinkError(f"The link {sanitize(place.link)} says “{words}”, which is not a folder.", status=404)
        return folder

    def _read(self, info: BlobInfo, cancel: CancelToken) -> Json:
        try:
            return parse_object(self.bucket.read(info, cancel))
        except NotFoundError:  # overwritten since it was listed
            return parse_object(self.bucket.read(info.name, cancel))

    def known_row(self, place: BuildPlace) -> BuildRow | None:
        """What was read of a build that has ended, by this reader or an earlier one; None if nothing was."""
        if place.key in self._rows:
            return self._rows[place.key]
        row = self._cached_row(self._cache_key(place), place)
        return None if row is None else self._rows.setdefault(place.key, row)

    def _cached_row(self, key: str, place: BuildPlace) -> BuildRow | None:
        cache = self.bucket.cache
        blob = cache.get(key) if cache is not None else None
        if blob is None:
            return None
        try:
            row = msgspec.json.decode(blob.body, type=BuildRow)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if row.build != place.build:
            return None
        row.key = place.key
        return row

    def _store_row(self, place: BuildPlace, row: BuildRow, finished: BlobInfo | None) -> None:
        cache, is_final = self.bucket.cache, False
        if row.state in ENDED and row.finished is not None:
            self._rows[place.key] = row
            # Without the folder's list, the time that the file itself tells has to do.
            updated = row.finished if finished is None or finished.updated_ms is None else finished.updated_ms
            is_final = is_settled(updated)
        if cache is not None:
            key = self._cache_key(place) if is_final else self._seen_key(place, Part(row.parts))
            cache.put(key, msgspec.json.encode(row))

    def _seen_row(self, place: BuildPlace, parts: Part) -> BuildRow | None:
        """What these parts said when they were read last, of a build that may have changed since; None if they never
        were."""
        wanted = parts | Part.ENDS
        for one in (Part(number) for number in range(Part.ALL + 1) if number & wanted == wanted):
            if (row := self._cached_row(self._seen_key(place, one), place)) is not None:
                return row
        return None

    def _cache_key(self, place: BuildPlace) -> str:
        return self._prefix + (place.link or place.folder)

    def _seen_key(self, place: BuildPlace, parts: Part) -> str:
        return f"{self._cache_key(place)}|seen with {int(parts)}"


def _tells_end(documents: Mapping[str, Json]) -> bool:
    """Whether started.json and finished.json tell when a build ran and how it ended, whatever prowjob.json says."""
    started, finished = (documents.get(name, {}) for name in ("started.json", "finished.json"))
    are_timed = all(seconds_ms(document.get("timestamp")) is not None for document in (started, finished))
    return are_timed and _final_state(finished, "error") == _final_state(finished, "aborted")


def _fill_folder(row: BuildRow, folder: str, page: BlobPage, files: Mapping[str, BlobInfo]) -> None:
    names = sorted([*files, *(name.removeprefix(folder) for name in page.folders)])
    log = files.get(BUILD_LOG)
    row.log_size = log.size if log else None
    row.log_compressed = None if log is None else "yes" if log.is_compressed else "no"
    row.entries = len(names)
    row.names = SEPARATOR.join(names)


def _fill_ends(row: BuildRow, documents: Mapping[str, Json], names: Collection[str], now: float) -> None:
    """When it ran and how it ended. `now` in epoch milliseconds."""
    started, finished, prowjob = (documents.get(name, {}) for name in _FILES)
    state, oddity = state_of(started, finished, prowjob, names, now, created_ms(row.build))
    status = mapping(prowjob.get("status"))
    began = seconds_ms(started.get("timestamp")) or epoch_ms(status.get("startTime"))
    ended = seconds_ms(finished.get("timestamp")) or epoch_ms(status.get("completionTime"))
    until = ended if ended is not None else now if state == RUNNING else None
    row.state = state
    row.started = began if began is not None else row.started
    row.duration = (until - began) / 1000 if until is not None and began is not None and until >= began else None
    row.finished = ended
    row.node = _one_line(started.get("node"))
    row.note = oddity or None
    row.told_pull = _bootstrap_pull(started) or None
    row.told_commit = _one_line(finished.get("revision")) or _one_line(started.get("repo-commit"))


def _fill_job(row: BuildRow, prowjob: Json) -> None:
    """What was tested, for whom and where, and why it failed."""
    spec = mapping(prowjob.get("spec"))
    extra = spec.get("extra_refs")
    refs = mapping(spec.get("refs")) or mapping(extra[0] if isinstance(extra, list) and extra else None)
    pulls = refs.get("pulls")
    pulls = [mapping(pull) for pull in pulls] if isinstance(pulls, list) else []
    repo = "/".join(part for part in (_one_line(refs.get("org")), _one_line(refs.get("repo"))) if part)
    numbers = [str(pull["number"]) for pull in pulls if isinstance(pull.get("number"), int)]
    row.pull = f"{repo}#{','.join(numbers)}" if numbers else row.told_pull
    row.author = next((_one_line(pull.get("author")) for pull in pulls), None)
    row.title = next((_one_line(pull.get("title")) for pull in pulls), None)
    commit = next((_one_line(pull.get("sha")) for pull in pulls), None)
    row.commit = commit or row.told_commit or _one_line(refs.get("base_sha"))
    row.base = f"{repo}@{_one_line(refs.get('base_ref')) or ''}" if repo else None
    row.cluster = _one_line(spec.get("cluster"))
    row.type = _one_line(spec.get("type"))
    description = _one_line(mapping(prowjob.get("status")).get("description"))
    row.reason = row.note if row.state == INCOMPLETE else description if row.state != "success" else None


def _bootstrap_pull(started: Json) -> str:
    """The number that pod utilities write, or the refs of the old bootstrap: master:SHA,93063:SHA."""
    pull = started.get("pull")
    text = str(pull) if isinstance(pull, int | str) and not isinstance(pull, bool) else ""
    numbers = [part.partition(":")[0] for part in text[:2000].split(",")]
    return ",".join(f"#{number}" for number in numbers if number.isascii() and number.isdigit())


def _one_line(value: Any) -> str | None:
    """One line, cut where nobody would read on."""
    return sanitize(value, 500) or None if isinstance(value, str) else None
