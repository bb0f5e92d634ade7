"""A synthetic hgweb: repositories whose pushes are those of the synthetic Taskcluster, and zips of their files.

It answers as Mercurial's own hgweb with hg.mozilla.org's pushes: only zips, chunked and without a length; errors
about a repository are web pages, others JSON or HTML.
"""

from __future__ import annotations

import html
import io
import json
import re
import time
import zipfile
from bisect import bisect
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from backends.demo.asgi import DemoReply, DemoRequest, Headers, json_reply
from backends.demo.deterministic_random import generator, hexadecimal
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.model import FINISHED_AT

AUTOLAND, CENTRAL, TRY = "integration/autoland", "mozilla-central", "try"
_DATA = json.loads((Path(__file__).parent / "archives.json").read_bytes())
# More than the pane asks for at a time, so that its second page is seen; hg.mozilla.org has 900,000.
REVISIONS = 230
_NEWER = 3  # revisions of autoland after the finished group's push
_SHORT = 12
_HEX = re.compile(r"[0-9a-f]{12,40}", re.ASCII)
_HTML: Headers = (("Content-Type", "text/html; charset=UTF-8"),)
_SUFFIXES = ("zip", "tar.gz", "tar.bz2")
_CHUNK_BYTES = 16 << 10
_EXECUTABLE = frozenset({"mach", "testing/mozharness/scripts/desktop_unittest.py"})
_LINK, _LINK_TARGET = "testing/mozharness/latest", "configs"


@dataclass(frozen=True)
class DemoChangeset:
    node: str
    number: int
    author: str
    seconds: int
    description: str
    push: int
    pusher: str
    parent: str
    tags: tuple[str, ...] = ()


class DemoHgweb:
    """`repositories` by name: their changesets, the oldest first."""

    def __init__(self, fixtures: Fixtures) -> None:
        self._fixtures, self._seed, self._url = fixtures, fixtures.seed, ""
        self._treeherder_pushes: dict[str, dict[str, DemoChangeset]] = {}

    def ready(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, str]:
        return {"CIEXPLORE_HG_URL": self._url}

    @cached_property
    def repositories(self) -> dict[str, list[DemoChangeset]]:
        finished, running = self._fixtures.finished, self._fixtures.running
        return {
            AUTOLAND: self._make_changesets(AUTOLAND, finished.revision, finished.pushlog, _NEWER),
            CENTRAL: self._make_changesets(CENTRAL, "", 40_000, 0),
            TRY: self._make_changesets(TRY, running.revision, running.pushlog, 0),
        }

    def _make_changesets(self, name: str, known: str, push: int, newer: int) -> list[DemoChangeset]:
        """`known` is the revision `newer` places below the tip, in the push of that number."""
        random = generator(self._seed, "repository", name)
        known_index = REVISIONS - 1 - newer
        # Whether a revision begins a push, and how long after the previous one it came.
        begins = [index in (known_index, known_index + 1) or random.random() < 0.6 for index in range(REVISIONS)]
        waits = [random.randrange(240, 900) for _ in range(REVISIONS)]
        push -= sum(begins[: known_index + 1])
        seconds = int(FINISHED_AT) - 60 - sum(waits[: known_index + 1])
        tags = {REVISIONS - 1: ("tip",), 100: ("NIGHTLY_BASE",)}
        changesets: list[DemoChangeset] = []
        for index in range(REVISIONS):
            is_known = known and index == known_index
            node = known if is_known else hexadecimal(40, self._seed, name, "node", index)
            push += begins[index]
            seconds += waits[index]
            author, pusher = random.choice(_DATA["people"]), random.choice(_DATA["people"])
            bug = 1_700_000 + random.randrange(200_000)
            component, change = random.choice(_DATA["components"]), random.choice(_DATA["changes"])
            reviewer = pusher.split()[0].lower()
            text = f"Bug {bug} - {change}. r={reviewer}\n\nSeen in {component}; the tests say more than this message."
            parent = changesets[-1].node if changesets else "0" * 40
            names = f"{author} <{_mail(author)}>", seconds, text, push, _mail(pusher), parent
            changesets.append(DemoChangeset(node, index, *names, tags.get(index, ())))
        return changesets

    def _find(self, repository: str, name: str) -> DemoChangeset | None:
        """By tip, branch, tag, number, or at least 6 digits of its node; also pushes of the synthetic Treeherder."""
        changesets = self.repositories[repository]
        if name in ("tip", "default"):
            return changesets[-1]
        if name.isdecimal() and len(name) < 6:
            return changesets[int(name)] if int(name) < len(changesets) else None
        for changeset in changesets:
            if name in changeset.tags or (len(name) >= 6 and changeset.node.startswith(name)):
                return changeset
        pushed = self._pushes_of(repository).get(name[:_SHORT]) if _HEX.fullmatch(name) else None
        return pushed if pushed is not None and pushed.node.startswith(name) else None

    def _pushes_of(self, repository: str) -> dict[str, DemoChangeset]:
        """The Treeherder's pushes by their first digits; generated only for a revision that is not known otherwise."""
        if repository not in self._treeherder_pushes:
            from backends.demo.treeherder.repositories import TreeherderData, commits

            name, changesets = repository.rpartition("/")[2], self.repositories[repository]
            source = TreeherderData(self._fixtures).repositories.get(name)
            found = self._treeherder_pushes[repository] = {}
            for push in source.listed_pushes if source is not None else ():
                number = bisect([changeset.seconds for changeset in changesets], push.time)
                parent = changesets[number - 1].node if number else "0" * 40
                text = commits(self._seed, name, push)[0][2]
                author = f"{push.name} <{push.author}>"
                found[push.revision[:_SHORT]] = DemoChangeset(
                    push.revision, number, author, push.time, text, push.id, push.author, parent
                )
        return self._treeherder_pushes[repository]

    # Requests

    def reply(self, request: DemoRequest) -> DemoReply:
        # Split before it is decoded: like hgweb it does not find names with an encoded slash.
        segments = [unquote(part) for part in request.raw_path.partition("?")[0].strip("/").split("/") if part]
        if not segments:
            return self._list_repositories(request)
        for count in (1, 2):
            name = "/".join(segments[:count])
            if name in self.repositories:
                return self._repository(name, segments[count:], request)
        unknown = html.escape(request.path.strip("/"))
        return DemoReply(404, f"<title>Mercurial repository not found</title>{unknown} is unknown".encode(), _HTML)

    def _list_repositories(self, request: DemoRequest) -> DemoReply:
        if request.query.get("style") != "json":
            return DemoReply(200, b"<title>Mercurial Repositories Index</title>The embedded CI of ciexplore.", _HTML)
        entries = [
            {
                "name": name, "description": _DATA["descriptions"][name], "contact": "demo@example.org",
                "lastchange": [changesets[-1].seconds, 0], "labels": [],
            }
            for name, changesets in self.repositories.items()
        ]  # fmt: skip
        return json_reply({"entries": entries})

    def _repository(self, name: str, rest: list[str], request: DemoRequest) -> DemoReply:
        changesets = self.repositories[name]
        tip = changesets[-1]
        match rest:
            case ["json-log", *revision]:
                return self._log(name, "/".join(revision) or "tip", request)
            case ["json-pushes"]:
                return self._pushlog(name, request)
            case ["json-tags"]:
                tagged = [(tag, one) for one in changesets for tag in one.tags if tag != "tip"]
                tags = [{"tag": tag, "node": one.node, "date": [float(one.seconds), 0]} for tag, one in tagged]
                return json_reply({"node": tip.node, "tags": tags})
            case ["json-branches"]:
                branch = {"branch": "default", "node": tip.node, "date": [float(tip.seconds), 0], "status": "open"}
                return json_reply({"branches": [branch]})
            case ["json-bookmarks"]:
                return json_reply({"node": tip.node, "bookmarks": []})
            case ["archive", file, *below]:
                return self._archive(name, file, "/".join(part for part in below if part != "."))
            case [command, *_] if command.startswith("json-"):
                return json_reply({"error": "method not found"}, 400)
        return DemoReply(200, f"<title>{html.escape(name)}</title>The embedded CI of ciexplore.".encode(), _HTML)

    def _log(self, name: str, start: str, request: DemoRequest) -> DemoReply:
        changesets, first = self.repositories[name], self._find(name, start)
        if first is None:
            return json_reply({"error": f"unknown revision '{start}'"}, 404)
        count = request.query.get("revcount", "")
        limit = max(int(count), 1) if count.isdecimal() else 60
        older = changesets[max(first.number + 1 - limit, 0) : first.number]
        entries = [_log_entry(changeset) for changeset in (first, *reversed(older))]
        return json_reply({"node": first.node, "changeset_count": len(changesets), "changesets": entries})

    def _pushlog(self, name: str, request: DemoRequest) -> DemoReply:
        """Version 2 with `startID` (exclusive) and `endID`, as the app asks for it."""
        first, last = int(request.query.get("startID", 0)), int(request.query.get("endID", 1 << 40))
        changesets = self.repositories[name]
        pushes: dict[str, dict[str, Any]] = {}
        for one in changesets:
            if first < one.push <= last:
                new = {"changesets": [], "date": one.seconds + 30, "user": one.pusher, "git_changesets": []}
                push = pushes.setdefault(str(one.push), new)
                push["changesets"].append(one.node)
                push["git_changesets"].append(None)
        return json_reply({"lastpushid": changesets[-1].push, "pushes": pushes})

    def _archive(self, name: str, file: str, subdirectory: str) -> DemoReply:
        suffix = next((suffix for suffix in _SUFFIXES if file.endswith(f".{suffix}")), "")
        if suffix != "zip":
            return (
                _error_page(403, "Archive type not allowed") if suffix else _error_page(404, "Unsupported archive type")
            )
        asked = file.removesuffix(".zip")
        changeset = self._find(name, asked)
        if changeset is None:
            return _error_page(404, f"unknown revision '{asked}'")
        label = changeset.node[:12] if asked == "tip" else asked
        top = f"{name.rpartition('/')[2]}-{label}"
        content = _make_zip(self._seed, top, self.repositories[name][0].node, changeset, subdirectory)
        if content is None:
            return _error_page(404, "file(s) not found")
        headers = (("Content-Type", "application/zip"), ("Content-Disposition", f"attachment; filename={top}.zip"))
        chunks = (content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES))
        return DemoReply(200, headers=headers, stream=chunks)


def _mail(name: str) -> str:
    letters = name.lower().replace("ß", "ss").replace("ë", "e").split()
    return f"{letters[0]}@example.org"


def _log_entry(one: DemoChangeset) -> dict[str, Any]:
    return {
        "node": one.node, "date": [float(one.seconds), 0], "desc": one.description, "branch": "default",
        "bookmarks": [], "tags": list(one.tags), "user": one.author, "phase": "public", "parents": [one.parent],
        "pushid": one.push, "pushdate": [one.seconds + 30, 0],
    }  # fmt: skip


def _error_page(status: int, text: str) -> DemoReply:
    return DemoReply(status, f"<title>error</title><p>{html.escape(text)}</p>".encode(), _HTML)


@lru_cache(64)
def _make_zip(seed: int, top: str, first_node: str, changeset: DemoChangeset, subdirectory: str) -> bytes | None:
    """The zip of a changeset below the folder `top`; None if it has nothing below `subdirectory`."""
    prefix = f"{subdirectory}/" if subdirectory else ""
    names = [name for name in sorted((*_DATA["files"], _LINK)) if name.startswith(prefix) or name == subdirectory]
    if not names:
        return None
    buffer, timestamp = io.BytesIO(), time.gmtime(changeset.seconds)[:6]

    def add(name: str, content: bytes, mode: int) -> None:
        entry = zipfile.ZipInfo(f"{top}/{name}", timestamp)
        entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, mode << 16
        archive.writestr(entry, content)

    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if not subdirectory:
            account = f"repo: {first_node}\nnode: {changeset.node}\nbranch: default\nlatesttag: null\n"
            add(".hg_archival.txt", account.encode(), 0o100644)
        for name in names:
            if name == _LINK:
                add(name, _LINK_TARGET.encode(), 0o120777)
            else:
                content = _file_content(seed, name, changeset)
                add(name, content, 0o100755 if name in _EXECUTABLE else 0o100644)
    return buffer.getvalue()


def _file_content(seed: int, name: str, changeset: DemoChangeset) -> bytes:
    random = generator(seed, "source", name)
    lines = [random.choice(_DATA["lines"]) for _ in range(random.randrange(60, 900))]
    changed = generator(seed, "change", name, changeset.number // 7).randrange(len(lines))
    lines[changed] = f"# changed in {changeset.number // 7}\n"
    return "".join(lines).encode()
