"""The synthetic hgweb as an ASGI application: the answers of Mercurial's own, with hg.mozilla.org's pushes.

As there: only zips, chunked and without a length; errors about a repository are web pages, others JSON or HTML.
"""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import unquote

from backends.demo.archives.history import Histories, Repository, Revision
from backends.demo.archives.trees import zipped
from backends.demo.options import DemoOptions
from backends.demo.replies import Receive, Reply, Request, Scope, Send, read, send_reply

_HTML = (("Content-Type", "text/html; charset=UTF-8"),)
_JSON = (("Content-Type", "application/json"),)
_SUFFIXES = ("zip", "tar.gz", "tar.bz2")
_PIECE = 16 << 10


class Hgweb:
    def __init__(self, options: DemoOptions) -> None:
        self._seed, self._histories, self._url = options.seed, Histories(options), ""

    def ready(self, url: str) -> None:
        self._url = url

    def settings(self) -> dict[str, str]:
        return {"CIEXPLORE_HG_URL": self._url}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read(scope, receive)
        await send_reply(self._answer(request), receive, send, head=request.method == "HEAD")

    def _answer(self, request: Request) -> Reply:
        # Split before it is decoded: hgweb does not find names with an encoded slash, and neither do we.
        segments = [unquote(part) for part in request.raw_path.partition("?")[0].strip("/").split("/") if part]
        if not segments:
            return self._index(request)
        for count in (1, 2):
            repository = self._histories.all.get("/".join(segments[:count]))
            if repository is not None:
                return self._of(repository, segments[count:], request)
        name = html.escape(request.path.strip("/"))
        return Reply(404, f"<title>Mercurial repository not found</title>{name} is unknown".encode(), _HTML)

    def _index(self, request: Request) -> Reply:
        if request.query.get("style") != "json":
            return Reply(200, b"<title>Mercurial Repositories Index</title>The embedded CI of ciexplore.", _HTML)
        entries = [
            {
                "name": one.name, "description": one.description, "contact": "demo@example.org",
                "lastchange": [one.revisions[-1].seconds, 0], "labels": [],
            }
            for one in self._histories.all.values()
        ]  # fmt: skip
        return _json({"entries": entries})

    def _of(self, repository: Repository, rest: list[str], request: Request) -> Reply:
        match rest:
            case ["json-log", *revision]:
                return _log(repository, "/".join(revision) or "tip", request)
            case ["json-pushes"]:
                return _pushes(repository, request)
            case ["json-tags"]:
                return _json({"node": repository.revisions[-1].node, "tags": [
                    {"tag": tag, "node": one.node, "date": [float(one.seconds), 0]}
                    for one in repository.revisions for tag in one.tags if tag != "tip"
                ]})  # fmt: skip
            case ["json-branches"]:
                tip = repository.revisions[-1]
                return _json({"branches": [
                    {"branch": "default", "node": tip.node, "date": [float(tip.seconds), 0], "status": "open"}
                ]})  # fmt: skip
            case ["json-bookmarks"]:
                return _json({"node": repository.revisions[-1].node, "bookmarks": []})
            case ["archive", name, *below]:
                return self._archive(repository, name, "/".join(part for part in below if part != "."))
            case [command, *_] if command.startswith("json-"):
                return _json({"error": "method not found"}, 400)
        return Reply(200, f"<title>{html.escape(repository.name)}</title>The embedded CI of ciexplore.".encode(), _HTML)

    def _archive(self, repository: Repository, name: str, subdirectory: str) -> Reply:
        suffix = next((one for one in _SUFFIXES if name.endswith(f".{one}")), "")
        if not suffix:
            return _page(404, "Unsupported archive type")
        if suffix != "zip":
            return _page(403, "Archive type not allowed")
        typed = name.removesuffix(".zip")
        revision = repository.find(typed)
        if revision is None:
            return _page(404, f"unknown revision '{typed}'")
        shown = revision.node[:12] if typed == "tip" else typed
        content = zipped(self._seed, repository, revision, shown, subdirectory)
        if content is None:
            return _page(404, "file(s) not found")
        file = f"{repository.name.rpartition('/')[2]}-{shown}.zip"
        headers = (("Content-Type", "application/zip"), ("Content-Disposition", f"attachment; filename={file}"))
        pieces = (content[at : at + _PIECE] for at in range(0, len(content), _PIECE))
        return Reply(200, headers=headers, stream=pieces)


def _log(repository: Repository, start: str, request: Request) -> Reply:
    first = repository.find(start)
    if first is None:
        return _json({"error": f"unknown revision '{start}'"}, 404)
    count = request.query.get("revcount", "")
    count_number = max(int(count), 1) if count.isdecimal() else 60
    shown = [*repository.revisions[max(first.number + 1 - count_number, 0) : first.number], first]
    return _json({
        "node": first.node, "changeset_count": len(repository.revisions),
        "changesets": [_entry(one) for one in reversed(shown)],
    })  # fmt: skip


def _entry(one: Revision) -> dict[str, Any]:
    return {
        "node": one.node, "date": [float(one.seconds), 0], "desc": one.description, "branch": "default",
        "bookmarks": [], "tags": list(one.tags), "user": one.author, "phase": "public", "parents": [one.parent],
        "pushid": one.push, "pushdate": [one.seconds + 30, 0],
    }  # fmt: skip


def _pushes(repository: Repository, request: Request) -> Reply:
    query = request.query
    if query.get("version", "1") not in ("1", "2"):
        return _json({"error": "version parameter must be a number"}, 500)
    first, last = int(query.get("startID", 0)), int(query.get("endID", 1 << 40))
    chosen = [one for one in repository.revisions if first < one.push <= last]
    if "changeset" in query:
        wanted = repository.find(query["changeset"])
        if wanted is None:
            return _json({"error": f"unknown revision '{query['changeset']}'"}, 404)
        chosen = [one for one in repository.revisions if one.push == wanted.push]
    pushes: dict[str, dict[str, Any]] = {}
    for one in chosen:
        push = pushes.setdefault(
            str(one.push), {"changesets": [], "date": one.seconds + 30, "user": one.pusher, "git_changesets": []}
        )
        push["changesets"].append(one.node)
        push["git_changesets"].append(None)
    if query.get("version") != "2":
        return _json(pushes)
    return _json({"lastpushid": repository.revisions[-1].push, "pushes": pushes})


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), _JSON)


def _page(status: int, words: str) -> Reply:
    return Reply(status, f"<title>error</title><p>{html.escape(words)}</p>".encode(), _HTML)
