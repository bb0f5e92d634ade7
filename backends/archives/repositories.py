"""The repositories of a server, as a list: pinned and used ones first, then all that its index names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from backends.archives.columns import REPOSITORIES
from backends.archives.engine import store_of
from backends.archives.sources import NotThere, RepositoryEntry, source_for
from backends.atomic import atomic_file
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.frames.formats import format_value, safe_text
from backends.http.errors import HttpError
from backends.http.response import Freshness, ResponseSource
from backends.locators.archives import Repositories, Repository
from backends.resources import Action, Detail, Entry, Link, Page, Progress, Resource, Row

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

PIN = "★"


class RepositoryList(Resource):
    """Name, last change and description as hgweb's index has them; how many archives of it are kept here."""

    schema = REPOSITORIES
    noun = ("repository", "repositories")
    empty_text = "The server lists no repositories."

    def __init__(self, locator: Repositories, http: Http, settings: Settings) -> None:
        super().__init__(locator)
        self.source = source_for(locator.root, http, settings)
        self._pins = Pins(settings.state_path)
        self._store = store_of(settings)

    @property
    def title(self) -> str:
        return f"repositories of {self.source.root.partition('://')[2]}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        """Pinned and used ones at once, then the index. Where it cannot be had they stay, with the reason."""
        pinned = self._pins.of(self.source.root)
        used = Counter(one.account.repository for one in self._store.all() if one.account.root == self.source.root)
        known = list(dict.fromkeys([*pinned, *used]))
        if known:
            first = [RepositoryEntry(name) for name in known]
            yield Page(_frame(first, pinned, used), Freshness(ResponseSource.CACHE, 0.0))
        try:
            entries, freshness = self.source.repositories(cancel)
        except (HttpError, NotThere) as problem:
            if not known:
                raise
            yield Page(
                REPOSITORIES.empty(), Freshness(ResponseSource.STALE, 0.0, problem.sentence), note=problem.sentence
            )
            return
        listed = {entry.name: entry for entry in entries}
        rows = [*(listed.pop(name, RepositoryEntry(name)) for name in known), *listed.values()]
        frame = _frame(rows, pinned, used)
        yield Page(frame, freshness, total=len(frame), replace=True)

    def open(self, row: Row) -> Repository | None:
        name = str(row.get("name") or "")
        return Repository(name, self.source.root) if name else None

    def menu(self, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
        name = str((row or {}).get("name") or "")
        if not name:
            return []
        return [
            Link(f"Revisions of {safe_text(name, 60)}", Repository(name, self.source.root)),
            Action(f"{'Unpin' if row and row.get('pinned') else 'Pin'} {safe_text(name, 60)}", self._toggle(name)),
        ]

    def _toggle(self, name: str) -> Callable[[CancelToken, Progress], str]:
        def run(cancel: CancelToken, progress: Progress) -> str:
            return f"{name} is {'pinned' if self._pins.toggle(self.source.root, name) else 'no longer pinned'}."

        return run

    def detail(self, row: Row) -> Detail:
        lines = [(column, row.get(column.name)) for column in self.schema]
        told = tuple((column.label, format_value(value, column)) for column, value in lines if value is not None)
        return Detail(str(row.get("name") or ""), (("Repository", told),))

    def web_url(self, row: Row | None = None) -> str | None:
        name = str((row or {}).get("name") or "")
        return Repository(name, self.source.root).page() if name else self.source.root


class Pins:
    """Which repositories the user wants on top, in a small JSON file: server -> names."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "pinned-repositories.json"

    def of(self, root: str) -> list[str]:
        return self._read().get(root, [])

    def toggle(self, root: str, name: str) -> bool:
        """Pins or unpins; whether it is pinned now. Raises `FileError`."""
        every = self._read()
        names = every.get(root, [])
        every[root] = [one for one in names if one != name] if name in names else [*names, name]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise FileError(f"{self._path.parent} cannot be made.", "Set CIEXPLORE_STATE_DIR.") from error
        with atomic_file(self._path, overwrite=True, below=self._path.parent) as stream:
            stream.write(json.dumps(every, indent=1).encode())
        return name in every[root]

    def _read(self) -> dict[str, list[str]]:
        try:
            value = json.loads(self._path.read_bytes())
            return {str(root): [str(name) for name in names] for root, names in value.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


def _frame(entries: list[RepositoryEntry], pinned: list[str], used: Counter[str]) -> pl.DataFrame:
    return REPOSITORIES.frame(
        (
            PIN if one.name in pinned else None, one.name, used.get(one.name) or None, one.changed_ms,
            one.description or None, one.contact or None,
        )
        for one in {entry.name: entry for entry in entries}.values()
    )  # fmt: skip
