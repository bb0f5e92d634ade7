"""Parsing of what names a source: URLs of an hgweb, of GitHub or of an Archiver server, and `archives:` texts.

The configured hgweb is recognized by its URL, whatever that is. Any other is recognized by its host name (hg....), or
by one of hgweb's commands in the path followed by at least 12 digits of a revision: URLs of other systems have "file",
"log" and "archive" in their paths, too.
"""

from __future__ import annotations

import re

from backends.archives.locators import (
    COMMANDS,
    GITHUB,
    HEX,
    HG_MOZILLA,
    SUFFIXES,
    ArchiveLocator,
    CachedArchives,
    SourceRepositories,
    SourceRepository,
    SourceRevision,
)
from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import SCHEME, PastedText, PastedUrl, split_url, unescape

_ARCHIVE_NAME = re.compile(r"(.+)\.(zip|tar\.gz|tar\.bz2)", re.DOTALL)
_OF_REVISION = frozenset({"rev", "changeset", "raw-rev", "json-rev", "json-automationrelevance"})
_OF_FILES = frozenset({"file", "raw-file", "json-file", "annotate", "filelog", "diff", "comparison"})
_OF_LOG = frozenset({"log", "shortlog", "changelog", "graph", "json-log", "json-shortlog", "json-graph"})
_GITHUB_HOSTS = frozenset({"github.com", "www.github.com", "codeload.github.com"})
_GITHUB_PAGES = frozenset({"settings", "orgs", "topics", "features", "marketplace", "login", "search", "apps", "users"})
# Where Treeherder's names of Mozilla's repositories are on hg.mozilla.org (treeherder model/fixtures/repository.json).
_PROJECTS = {
    "autoland": "integration/autoland",
    "mozilla-inbound": "integration/mozilla-inbound",
    "mozilla-beta": "releases/mozilla-beta",
    "mozilla-release": "releases/mozilla-release",
    "comm-beta": "releases/comm-beta",
    "comm-release": "releases/comm-release",
    "ash": "projects/ash", "birch": "projects/birch", "cedar": "projects/cedar", "cypress": "projects/cypress",
    "elm": "projects/elm", "holly": "projects/holly", "jamun": "projects/jamun", "larch": "projects/larch",
    "maple": "projects/maple", "nss": "projects/nss", "nss-try": "projects/nss-try", "oak": "projects/oak",
    "pine": "projects/pine", "toolchains": "projects/toolchains",
}  # fmt: skip
# And those of its active ones that are on GitHub.
_ON_GITHUB = {
    "application-services": "mozilla/application-services",
    "enterprise-beta": "mozilla/enterprise-firefox",
    "enterprise-firefox-pr": "mozilla/enterprise-firefox",
    "enterprise-firefox-try": "mozilla/enterprise-firefox-try",
    "enterprise-main": "mozilla/enterprise-firefox",
    "enterprise-release": "mozilla/enterprise-firefox",
    "fenix": "mozilla-mobile/fenix",
    "firefox-dev": "mozilla/firefox-dev",
    "firefox-ios": "mozilla-mobile/firefox-ios",
    "firefox-translations-training": "mozilla/firefox-translations-training",
    "mozilla-vpn-client": "mozilla-mobile/mozilla-vpn-client",
    "mozilla-vpn-client-release": "mozilla-mobile/mozilla-vpn-client",
    "reference-browser": "mozilla-mobile/reference-browser",
    "servo-auto": "servo/servo",
    "servo-master": "servo/servo",
    "servo-try": "servo/servo",
    "staging-firefox": "mozilla-releng/staging-firefox",
    "staging-firefox-ios": "mozilla-mobile/staging-firefox-ios",
    "staging-firefox-translations-training": "mozilla-releng/staging-firefox-translations-training",
    "taskgraph": "taskcluster/taskgraph",
    "webrender": "servo/webrender",
    "worker-images": "mozilla-platform-ops/worker-images",
}
_ESR = re.compile(r"(mozilla|comm)-esr[0-9]+", re.ASCII)


def parse_configured_url(pasted: PastedText) -> ArchiveLocator | None:
    """The locator of a URL of the configured hgweb, None for every other text."""
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
        return SourceRepositories(root)
    if segments[:2] == ["archiver", "hgmo"]:
        return None
    at = _command_at(segments)
    if at is None:
        return SourceRepository(_join(segments), root)
    repository = _join(segments[:at])
    return _parse_command(repository, segments[at], segments[at + 1 :], url, root) or SourceRepository(repository, root)


def parse_url(pasted: PastedText) -> ArchiveLocator | None:
    """The locator of a pasted text, None if it belongs to another system."""
    prefix, colon, body = pasted.text.partition(":")
    if colon and prefix.lower() in ("archives", "archive"):
        return _parse_short_text(body)
    url = pasted.url
    if url is None or not url.is_web or not url.path.strip("/"):
        return SourceRepositories(url.server()) if url is not None and url.is_web and _is_hg(url) else None
    if url.host in _GITHUB_HOSTS:
        return _parse_github(url)
    segments = [segment for segment in url.segments if segment]
    if segments[:2] == ["archiver", "hgmo"] and len(segments) > 3:
        suffix = url.query.get("suffix", "")
        return SourceRevision(
            unescape("/".join(segments[2:-1])), unescape(segments[-1]), url.query.get("subdir", "").strip("/"),
            suffix if suffix in SUFFIXES else "",
        )  # fmt: skip
    return _parse_hgweb(url, segments)


def _is_hg(url: PastedUrl) -> bool:
    return url.host.startswith("hg.")


def _parse_short_text(text: str) -> ArchiveLocator:
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
                "Invalid archives: locator: its only options are root=https://HOST and suffix=zip, tar.gz or tar.bz2."
            )
    repository, at, rest = where.partition("@")
    above, _, last = where.rpartition("/")
    found: ArchiveLocator | None = None
    if at:
        revision, _, subdirectory = rest.partition("/")
        if repository and revision:
            found = SourceRevision(unescape(repository), unescape(revision), unescape(subdirectory), suffix, root)
    elif where == "held" and not query:
        found = CachedArchives()
    elif where == "repositories" and not suffix:
        found = SourceRepositories(root)
    elif above and HEX.fullmatch(last):
        found = SourceRevision(unescape(above), last, "", suffix, root)
    elif where and not suffix:
        found = SourceRepository(unescape(where), root)
    if found is None:
        raise InvalidLocatorError(
            "Incomplete archives: locator.",
            "Syntax: archives:REPOSITORY[@REVISION[/DIRECTORY]], archives:repositories, archives:held.",
        )
    return found


def _root(text: str) -> str:
    """The URL that all URLs of a server begin with; it may have a path."""
    url = split_url(text)
    if not url.is_web or url.query or url.fragment:
        raise InvalidLocatorError("root= must be the https URL of a server.")
    return url.server() + url.path.rstrip("/")


def _parse_hgweb(url: PastedUrl, segments: list[str]) -> ArchiveLocator | None:
    at = _command_at(segments)
    if at is None:
        return SourceRepository(_join(segments), url.server()) if _is_hg(url) else None
    repository, command, rest = _join(segments[:at]), segments[at], segments[at + 1 :]
    found = _parse_command(repository, command, rest, url, url.origin if not _is_hg(url) else url.server())
    if found is None:
        return SourceRepository(repository, url.server()) if _is_hg(url) else None
    if not _is_hg(url) and not _certain(found, url):
        return None
    return found


def _command_at(segments: list[str]) -> int | None:
    """Index of the segment that ends the repository's name."""
    return next((place for place, one in enumerate(segments) if place and one in COMMANDS), None)


def _parse_command(
    repository: str, command: str, rest: list[str], url: PastedUrl, root: str
) -> SourceRepository | SourceRevision | None:
    """The locator of an hgweb page; `rest`: what follows the command."""
    first = unescape(rest[0]) if rest else ""
    below = _join(rest[1:])
    match = _ARCHIVE_NAME.fullmatch(first) if command == "archive" else None
    if match:
        return SourceRevision(repository, match[1], below, match[2], root)
    if command in _OF_REVISION and first:
        return SourceRevision(repository, first, root=root)
    if command in _OF_FILES and first:
        return SourceRevision(repository, first, below, root=root)
    if command in _OF_LOG and first and not below and HEX.fullmatch(first):
        return SourceRevision(repository, first, root=root)
    if command in ("pushloghtml", "json-pushes") and url.query.get("changeset"):
        return SourceRevision(repository, url.query["changeset"], root=root)
    if command == "archive":
        return None
    return SourceRepository(repository, root)


def _certain(found: SourceRepository | SourceRevision, url: PastedUrl) -> bool:
    """Whether a URL on a host that is not named hg.... is of an hgweb nevertheless."""
    if isinstance(found, SourceRevision):
        if HEX.fullmatch(found.revision) is None:
            return False
    elif url.segments[-1] != "shortlog":
        return False
    url.server()  # refuses plain http to other machines
    return True


def _join(segments: list[str]) -> str:
    return unescape("/".join(segments))


def _parse_github(url: PastedUrl) -> ArchiveLocator | None:
    segments = [segment for segment in url.segments if segment]
    if len(segments) < 2 or segments[0] in _GITHUB_PAGES:
        return None
    owner, name, *rest = (unescape(segment) for segment in segments)
    repository = f"{owner}/{name.removesuffix('.git')}"
    match rest:
        case []:
            return SourceRepository(repository, GITHUB)
        case ["commit", revision, *_]:
            return SourceRevision(repository, revision.removesuffix(".patch").removesuffix(".diff"), root=GITHUB)
        case ["commits", *ref] if ref:
            return SourceRevision(repository, "/".join(ref), root=GITHUB)
        case ["pull", _, "commits", revision]:
            return SourceRevision(repository, revision, root=GITHUB)
        case ["tree" | "blob", revision, *below]:  # a branch with a slash is not distinguishable from a directory
            return SourceRevision(repository, revision, "/".join(below), root=GITHUB)
        case ["archive", *ref] if ref and (match := _ARCHIVE_NAME.fullmatch("/".join(ref))):
            return SourceRevision(repository, _without_refs(match[1]), "", match[2], GITHUB)
        case ["zip" | "legacy.zip" | "tar.gz" | "legacy.tar.gz" as kind, *ref] if ref and url.host.startswith("code"):
            return SourceRevision(repository, _without_refs("/".join(ref)), "", kind.removeprefix("legacy."), GITHUB)
        case ["releases", "tag", tag]:
            return SourceRevision(repository, tag, root=GITHUB)
    return None


def _without_refs(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


def of_project(project: str, revision: str, root: str = "") -> SourceRevision:
    """The revision of a push, by the name of its repository in Taskcluster and Treeherder."""
    if not root and project in _ON_GITHUB:
        return SourceRevision(_ON_GITHUB[project], revision, root=GITHUB)
    path = _PROJECTS.get(project) or (f"releases/{project}" if _ESR.fullmatch(project) else project)
    return SourceRevision(path, revision, root=root)


def of_repository(url: str, revision: str) -> SourceRevision | None:
    """The revision of a push whose repository has this URL; None if it is not the URL of a repository.

    hg.mozilla.org stands for the configured hgweb, as names without a URL do.
    """
    try:
        found = parse_url(PastedText(url)) if "://" in url else None
    except InvalidLocatorError:
        return None
    if not isinstance(found, SourceRepository):
        return None
    return SourceRevision(found.repository, revision, root="" if found.root == HG_MOZILLA else found.root)
