"""What a file of a build opens as: a text to read, a tree to look through, or a list of what it holds."""

from __future__ import annotations

from backends.locators import Locator
from backends.locators.prow import ProwView, View, route
from backends.prow.archive import Archive
from backends.resources import Document, LogAddress

_TEXTS = (
    ".log", ".txt", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".html", ".csv", ".md", ".sh", ".cfg", ".conf", ".out",
    ".err", ".toml", ".ini", ".tap", ".diff", ".patch", ".log.gz", ".txt.gz",
)  # fmt: skip
_NO_TEXTS = ("image/", "video/", "audio/", "application/zip", "application/gzip", "application/x-tar")
_MOST_DOCUMENT = 32 << 20
PODINFO = "podinfo.json"


def is_text(name: str, content_type: str | None) -> bool:
    """By its ending, else by its type; a file without an ending may be anything and is tried (it is often a log)."""
    last = name.rsplit("/", 1)[-1].lower()
    if last.endswith(_TEXTS):
        return True
    kind = (content_type or "").lower()
    if kind.startswith(_NO_TEXTS):
        return False
    return kind.startswith("text/") or ("json" in kind) or ("." not in last)


def is_events(name: str) -> bool:
    last = name.rsplit("/", 1)[-1].lower()
    return last in ("events.json", PODINFO) or last.endswith(("-events.json", "_events.json")) or (
        last.endswith(".json") and last.startswith(("events-", "events_", "e2e-events"))
    )  # fmt: skip


def is_junit(name: str) -> bool:
    """As Prow's own JUnit lens takes them: junit*.xml, and the monitors' reports of OpenShift's tests; also what
    Maven's Surefire and Gradle call TEST-CLASS.xml."""
    last = name.rsplit("/", 1)[-1].lower()
    return last.endswith((".xml", ".xml.gz")) and ("junit" in last or last.startswith(("monitor", "test-")))


def opening(
    archive: Archive, path: str, content_type: str | None, size: int | None
) -> Locator | LogAddress | Document | None:
    """What Enter shows of a file."""
    name = path.rsplit("/", 1)[-1]
    if is_events(path):
        return ProwView(View.EVENTS, archive.bucket, path, store=archive.store)
    if is_junit(path):
        return ProwView(View.JUNIT, archive.bucket, path, store=archive.store)
    if name.endswith(".json") and (size is None or size <= _MOST_DOCUMENT):
        return archive.document(path, name)
    found = route(path)
    title = f"{path.removeprefix(found.base)} of {found.build}" if found.base else path
    return archive.log(path, title) if is_text(path, content_type) else None
