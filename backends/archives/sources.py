"""Where archives come from: a server of repositories that can name a revision and give an archive of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from backends.archives.wanted import SHORT, Wanted
from backends.errors import AppError
from backends.http.response import Freshness
from backends.locators.archives import GITHUB

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http

TEMPLATE = "{root}/{repo}/archive/{rev}.{suffix}/{subdir}"


class NotThere(AppError):
    """The server answered, and has no such repository, revision, subdirectory or kind of archive."""

    exit_code = 3


class SuffixRefused(NotThere):
    """The server makes archives, but not of that kind."""


@dataclass(frozen=True)
class Changeset:
    """One revision. Times in epoch milliseconds; `push_id`, `pushed_ms`, `pusher` where the server keeps pushes."""

    node: str
    author: str = ""
    time_ms: int | None = None
    description: str = ""
    branch: str = ""
    names: tuple[str, ...] = ()
    push_id: int | None = None
    pushed_ms: int | None = None
    pusher: str = ""


@dataclass(frozen=True)
class RepositoryEntry:
    name: str
    description: str = ""
    contact: str = ""
    changed_ms: int | None = None


class Source(Protocol):
    """One server. All methods ask it, raise `AppError`s, and may be called from any thread."""

    root: str
    has_parts: bool  # whether it gives archives of single directories

    def resolve(self, repository: str, revision: str, cancel: CancelToken | None = None) -> Changeset:
        """The revision by its full node. Raises `NotThere`."""
        ...

    def archive_url(self, wanted: Wanted) -> str: ...

    def refusal(self, wanted: Wanted, status: int | None) -> NotThere | None:
        """What that status of the archive's address means; None where it means what it always does."""
        ...

    def repositories(self, cancel: CancelToken | None = None) -> tuple[list[RepositoryEntry], Freshness]: ...

    def log(self, repository: str, cancel: CancelToken) -> Iterator[tuple[list[Changeset], Freshness, str]]:
        """The newest revisions, page by page, each with what is to be noted about it."""
        ...


def source_for(root: str, http: Http, settings: Settings) -> Source:
    """The server at `root`; "" is the configured hgweb."""
    from backends.archives.github import GitHub
    from backends.archives.hgweb import Hgweb

    configured = settings.hg_url.rstrip("/")
    if (root or configured) == GITHUB:
        return GitHub(http)
    template = settings.archive_url_template if root in ("", configured) else ""
    return Hgweb(http, root or configured, template or TEMPLATE)


def filled(template: str, root: str, wanted: Wanted) -> str:
    """The address that the template gives; replaced and not formatted, for a template is no program."""
    values = {
        "root": root, "repo": quote(wanted.repository, safe="/"), "rev": wanted.node[:SHORT], "suffix": wanted.suffix,
        "subdir": quote(wanted.subdirectory, safe="/"),
    }  # fmt: skip
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template
