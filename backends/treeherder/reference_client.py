"""What hardly changes about a Treeherder: repositories, frameworks, build options, bug trackers, classifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl

from backends.http.errors import HttpError, NotFoundError
from backends.http.policies import CachePolicy
from backends.locators import InvalidLocatorError
from backends.locators.pasted import split_url
from backends.net import is_loopback
from backends.treeherder.answers import Rows, entries, value_of
from backends.treeherder.asking import DAY, Asker, NoSuchRepository, Params, project
from backends.treeherder.job_rows import framework_frame, repository_frame
from backends.treeherder.structs import Named, OptionCollection, Repository

if TYPE_CHECKING:
    from backends.cancel import CancelToken

REFERENCE = CachePolicy.short(DAY)


class ReferenceClient:
    """The part of the client that every other part needs."""

    def __init__(self, asker: Asker) -> None:
        self.asker = asker

    def repositories(self, cancel: CancelToken | None = None) -> Rows:
        """Active repositories (schema `REPOSITORIES`)."""
        return self._listed("repository", None, REFERENCE, Repository, repository_frame, cancel)

    def frameworks(self, cancel: CancelToken | None = None) -> Rows:
        """Enabled frameworks (schema `FRAMEWORKS`)."""
        return self._listed("performance/framework", None, REFERENCE, Named, framework_frame, cancel)

    def framework_names(self, cancel: CancelToken | None = None) -> dict[int, str]:
        """Name by id."""
        frame = self.frameworks(cancel).frame
        return dict(zip(map(int, frame["framework_id"]), frame["name"].to_list(), strict=True))

    def option_names(self, cancel: CancelToken | None = None) -> dict[str, str]:
        """Build options ("opt") by the hash that signatures name them with."""
        answer = self.asker.ask("optioncollectionhash", policy=REFERENCE, cancel=cancel)
        return {
            one.option_collection_hash: " ".join(option.name for option in one.options if option.name)
            for one in entries(answer, OptionCollection).items
            if one.option_collection_hash
        }

    def issue_trackers(self, cancel: CancelToken | None = None) -> dict[int, str]:
        """The address that a bug's number is appended to, by tracker."""
        found = value_of(self.asker.ask("performance/issue-tracker", policy=REFERENCE, cancel=cancel))
        return {
            one["id"]: one["issue_tracker_url"]
            for one in (found if isinstance(found, list) else [])
            if isinstance(one, dict)
            and type(one.get("id")) is int  # not a bool
            and str(one.get("issue_tracker_url", "")).startswith("https://")
        }

    def check_repository(self, name: str, cancel: CancelToken | None = None) -> None:
        """Raises `NoSuchRepository`. An inactive one is not listed, so the server is asked about it in the one view
        that answers 404 and not 500."""
        known = self.repositories(cancel).frame["name"].to_list()
        if name in known:
            return
        try:
            self.asker.ask(project(name, "push"), {"count": 1}, policy=REFERENCE, cancel=cancel)
        except NotFoundError:
            raise NoSuchRepository(name, known) from None

    def classifications(self, cancel: CancelToken | None = None) -> dict[int, str]:
        """What sheriffs call a failure, by number."""
        answer = self.asker.ask("failureclassification", policy=REFERENCE, cancel=cancel)
        return {one.id: one.name for one in entries(answer, Named).items if one.id is not None and one.name}

    def repository_id(self, name: str, cancel: CancelToken | None = None) -> int:
        """The number that alert summaries are filtered by, of a name or of that number itself, as URLs of the API
        have it. Raises `NoSuchRepository`."""
        if name.isascii() and name.isdigit():
            return int(name)
        frame = self.repositories(cancel).frame
        found = frame.filter(pl.col("name") == name)["repository_id"].drop_nulls()
        if found.is_empty():
            raise NoSuchRepository(name, frame["name"].to_list())
        return int(found[0])

    def taskcluster_root(self, repository: str, cancel: CancelToken | None = None) -> str:
        """The Taskcluster deployment that runs a repository's tasks, "" if it is not known."""
        return _origin(self._told(repository, "tc_root_url", cancel))

    def repository_url(self, repository: str, cancel: CancelToken | None = None) -> str:
        """Where a repository's source is, as the server says; "" if it is not known."""
        return self._told(repository, "url", cancel)

    def _told(self, repository: str, column: str, cancel: CancelToken | None) -> str:
        try:
            frame = self.repositories(cancel).frame
        except HttpError:
            return ""
        found = frame.filter(pl.col("name") == repository)[column].drop_nulls()
        return "" if found.is_empty() else str(found[0])

    def _listed(
        self, path: str, params: Params | None, hold: CachePolicy, kind: Any, framed: Callable[[Any], pl.DataFrame],
        cancel: CancelToken | None, *, keyed: bool = False,
    ) -> Rows:  # fmt: skip
        answer = self.asker.ask(path, params, policy=hold, cancel=cancel)
        read = entries(answer, kind, keyed=keyed)
        return Rows(framed(read.items), answer.origin, read.note)


def _origin(root: str) -> str:
    """A deployment's address, "" unless it is plainly one: requests will go where a server says here."""
    try:
        url = split_url(root.rstrip("/"))
    except InvalidLocatorError:
        return ""
    plain = url.scheme == "https" and not url.path and not url.query and not url.fragment
    return url.origin if plain and not is_loopback(url.host) else ""
