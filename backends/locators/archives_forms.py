"""Which source a text names: pages and archives of an hgweb or of GitHub, an Archiver's address, our short form.

The configured hgweb is known by its address, whatever that is. Any other is known by its host's name (hg.…) or by one
of its commands in the path followed by at least 12 digits of a revision: other systems have paths with "file", "log"
and "archive" in them too.
"""

from __future__ import annotations

import re

from backends.locators.archives import (
    COMMANDS,
    GITHUB,
    HEX,
    SUFFIXES,
    ArchiveLocator,
    HeldArchives,
    Repositories,
    Repository,
    Revision,
)
from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import SCHEME, PastedText, PastedUrl, split_url, unescape

_ARCHIVE = re.compile(r"(.+)\.(zip|tar\.gz|tar\.bz2)", re.DOTALL)
_OF_REVISION = frozenset({"rev", "changeset", "raw-rev", "json-rev", "json-automationrelevance"})
_OF_FILES = frozenset({"file", "raw-file", "json-file", "annotate", "filelog", "diff", "comparison"})
_OF_LOG = frozenset({"log", "shortlog", "changelog", "graph", "json-log", "json-shortlog", "json-graph"})
_GITHUB_HOSTS = frozenset({"github.com", "www.github.com", "codeload.github.com"})
_GITHUB_PAGES = frozenset({"settings", "orgs", "topics", "features", "marketplace", "login", "search", "apps", "users"})


def recognise_configured(pasted: PastedText) -> ArchiveLocator | None:
    """The source on the configured hgweb that an address names, None for every other text."""
    if not pasted.hgweb or pasted.url is None or not pasted.url.is_web:
        return None
    try:
        home = split_url(pasted.hgweb)
    except InvalidLocatorError:
        return None
    url, above = pasted.url, home.path.rstrip("/")
    if url.origin != home.origin or not f"{url.path}/".startswith(f"{above}/"):
        return None
    if home.scheme == "http":
        home.server()
    root = home.origin + above
    segments = [segment for segment in url.path[len(above) :].split("/") if segment]
    if not segments:
        return Repositories(root)
    if segments[:2] == ["archiver", "hgmo"]:
        return None
    at = _command_at(segments)
    if at is None:
        return Repository(_joined(segments), root)
    repository = _joined(segments[:at])
    return _command(repository, segments[at], segments[at + 1 :], url, root) or Repository(repository, root)


def recognise(pasted: PastedText) -> ArchiveLocator | None:
    """The source that a pasted text names, None if it is not ours."""
    if pasted.text.lower().startswith("archive:"):
        return _short_form(pasted.text.partition(":")[2])
    url = pasted.url
    if url is None or not url.is_web or not url.path.strip("/"):
        return Repositories(url.server()) if url is not None and url.is_web and _is_hg(url) else None
    if url.host in _GITHUB_HOSTS:
        return _github(url)
    segments = [segment for segment in url.segments if segment]
    if segments[:2] == ["archiver", "hgmo"] and len(segments) > 3:
        suffix = url.query.get("suffix", "")
        return Revision(
            unescape("/".join(segments[2:-1])), unescape(segments[-1]), url.query.get("subdir", "").strip("/"),
            suffix if suffix in SUFFIXES else "",
        )  # fmt: skip
    return _hgweb(url, segments)


def _is_hg(url: PastedUrl) -> bool:
    return url.host.startswith("hg.")


def _short_form(text: str) -> ArchiveLocator:
    where, _, query = text.partition("?")
    root, suffix = "", ""
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        value = unescape(value)
        if name == "root" and SCHEME.match(value):
            root = _root(value)
        elif name == "suffix" and value in SUFFIXES:
            suffix = value
        else:
            raise InvalidLocatorError(
                "An archive: text may end in ?root=https://HOST and suffix=zip, tar.gz or tar.bz2, and in nothing else."
            )
    repository, at, rest = where.partition("@")
    above, _, last = where.rpartition("/")
    found: ArchiveLocator | None = None
    if at:
        revision, _, subdirectory = rest.partition("/")
        if repository and revision:
            found = Revision(unescape(repository), unescape(revision), unescape(subdirectory), suffix, root)
    elif where == "held" and not query:
        found = HeldArchives()
    elif where == "repositories" and not suffix:
        found = Repositories(root)
    elif above and HEX.fullmatch(last):
        found = Revision(unescape(above), last, "", suffix, root)
    elif where and not suffix:
        found = Repository(unescape(where), root)
    if found is None:
        raise InvalidLocatorError(
            "This archive: text is incomplete.",
            "Forms: archive:REPOSITORY, archive:REPOSITORY@REVISION[/DIRECTORY], archive:repositories, archive:held.",
        )
    return found


def _root(text: str) -> str:
    """A server of which all addresses begin so; it may have a path."""
    url = split_url(text)
    if not url.is_web or url.query or url.fragment:
        raise InvalidLocatorError("root= must be the https address of a server.")
    return url.server() + url.path.rstrip("/")


def _hgweb(url: PastedUrl, segments: list[str]) -> ArchiveLocator | None:
    at = _command_at(segments)
    if at is None:
        return Repository(_joined(segments), url.server()) if _is_hg(url) else None
    repository, command, rest = _joined(segments[:at]), segments[at], segments[at + 1 :]
    found = _command(repository, command, rest, url, url.origin if not _is_hg(url) else url.server())
    if found is None:
        return Repository(repository, url.server()) if _is_hg(url) else None
    if not _is_hg(url) and not _certain(found, url):
        return None
    return found


def _command_at(segments: list[str]) -> int | None:
    """Where a repository's name ends."""
    return next((place for place, one in enumerate(segments) if place and one in COMMANDS), None)


def _command(repository: str, command: str, rest: list[str], url: PastedUrl, root: str) -> Repository | Revision | None:
    """What an hgweb's page is about; `rest` is what follows the command."""
    first = unescape(rest[0]) if rest else ""
    below = _joined(rest[1:])
    match = _ARCHIVE.fullmatch(first) if command == "archive" else None
    if match:
        return Revision(repository, match[1], below, match[2], root)
    if command in _OF_REVISION and first:
        return Revision(repository, first, root=root)
    if command in _OF_FILES and first:
        return Revision(repository, first, below, root=root)
    if command in _OF_LOG and first and not below and HEX.fullmatch(first):
        return Revision(repository, first, root=root)
    if command in ("pushloghtml", "json-pushes") and url.query.get("changeset"):
        return Revision(repository, url.query["changeset"], root=root)
    if command == "archive":
        return None
    return Repository(repository, root)


def _certain(found: Repository | Revision, url: PastedUrl) -> bool:
    """Whether an address on a host that does not call itself hg is an hgweb's all the same."""
    if isinstance(found, Revision):
        if HEX.fullmatch(found.revision) is None:
            return False
    elif url.segments[-1] != "shortlog":
        return False
    url.server()  # refuses plain http to other machines
    return True


def _joined(segments: list[str]) -> str:
    return unescape("/".join(segments))


def _github(url: PastedUrl) -> ArchiveLocator | None:
    segments = [segment for segment in url.segments if segment]
    if len(segments) < 2 or segments[0] in _GITHUB_PAGES:
        return None
    owner, name, *rest = (unescape(segment) for segment in segments)
    repository = f"{owner}/{name.removesuffix('.git')}"
    match rest:
        case []:
            return Repository(repository, GITHUB)
        case ["commit", revision, *_]:
            return Revision(repository, revision.removesuffix(".patch").removesuffix(".diff"), root=GITHUB)
        case ["commits", *ref] if ref:
            return Revision(repository, "/".join(ref), root=GITHUB)
        case ["pull", _, "commits", revision]:
            return Revision(repository, revision, root=GITHUB)
        case ["tree" | "blob", revision, *below]:  # a branch with a slash cannot be told from a directory
            return Revision(repository, revision, "/".join(below), root=GITHUB)
        case ["archive", *ref] if ref and (match := _ARCHIVE.fullmatch("/".join(ref))):
            return Revision(repository, _without_refs(match[1]), "", match[2], GITHUB)
        case ["zip" | "legacy.zip" | "tar.gz" | "legacy.tar.gz" as kind, *ref] if ref and url.host.startswith("code"):
            return Revision(repository, _without_refs("/".join(ref)), "", kind.removeprefix("legacy."), GITHUB)
        case ["releases", "tag", tag]:
            return Revision(repository, tag, root=GITHUB)
    return None


def _without_refs(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
