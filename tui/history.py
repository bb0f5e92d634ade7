"""Recent and pinned locators, which the start screen offers, and the lists that were open when the app ended."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from backends.systems import system_of
from tui.list_settings import ListSettings, is_plain_text
from tui.preferences import read_json, write_json

MAX_RECENT = 30  # unpinned entries kept of each system
MAX_OPEN = 12  # lists on top of each other that are opened again, the uppermost ones


@dataclass(frozen=True)
class Visit:
    """A locator that was opened: its text, the title it had, when (epoch seconds), whether it is pinned, its system.

    `note`: what the list summed itself up as.
    """

    text: str
    title: str
    at: float
    pinned: bool = False
    system: str = "taskcluster"
    note: str = ""


class History:
    """The visits in a small JSON file. A file that cannot be read or written never stops the app.

    Several apps may run: what another one has written meanwhile is taken over before each change.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "history.json"
        self._seen: tuple[int, int] | None = None  # which file was read or written last
        self._visits: dict[str, Visit] = {}
        self._take_over()

    @property
    def visits(self) -> list[Visit]:
        """Pinned first, then the most recent."""
        return sorted(self._visits.values(), key=lambda visit: (not visit.pinned, -visit.at))

    def add(self, text: str, title: str, system: str, note: str = "") -> None:
        self._take_over()
        old = self._visits.get(text)
        self._visits[text] = Visit(
            text, title, time.time(), old.pinned if old else False, system, note or (old.note if old else "")
        )
        unpinned = [visit for visit in self.visits if visit.system == system and not visit.pinned]
        for visit in unpinned[MAX_RECENT:]:
            del self._visits[visit.text]
        self._write()

    def toggle_pin(self, text: str, title: str, system: str) -> bool:
        """Pins or unpins; returns whether it is pinned now."""
        self._take_over()
        visit = self._visits.get(text) or Visit(text, title, time.time(), system=system)
        self._visits[text] = replace(visit, pinned=not visit.pinned)
        self._write()
        return not visit.pinned

    def _read(self) -> dict[str, Visit]:
        """The visits of the file; names of systems, prefixes and lists of earlier versions become today's."""
        try:
            entries = read_json(self._path)
            visits = [
                Visit(
                    _current_text(str(entry["text"])),
                    str(entry["title"]),
                    float(entry["at"]),
                    entry.get("pinned") is True,
                    _OLD_SYSTEMS.get(system := str(entry.get("system", "taskcluster")), system),
                    str(entry.get("note", "")),
                )
                for entry in entries
            ]
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}
        return {visit.text: visit for visit in visits}

    def _write(self) -> None:
        write_json(self._path, [asdict(visit) for visit in self.visits])
        self._seen = self._identify()

    def _take_over(self) -> None:
        """Reads the file if another app has replaced it."""
        found = self._identify()
        if found is not None and found != self._seen:
            self._seen = found
            self._visits |= self._read()

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


@dataclass(frozen=True)
class OpenList:
    """A list that was open: its locator's text, how it was shown, the key of the row under its cursor.

    `reader`: the text of the locator of the log or document that lay on top of it, "" for none.
    """

    locator: str
    settings: ListSettings = field(default_factory=ListSettings)
    row: str = ""
    reader: str = ""


@dataclass(frozen=True)
class OpenPath:
    """The lists of a pane that lay on each other when the app ended, the first opened first."""

    pane: str = ""
    lists: tuple[OpenList, ...] = ()


class LastPath:
    """Where the app was left. What the file holds is checked; anything odd ends the path before it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "last_path.json"
        self._lock = threading.Lock()
        self._content: dict[str, object] | None = None  # what the file has to hold; None: what it holds

    def read(self) -> OpenPath:
        found = read_json(self._path)
        lists = found.get("lists") if isinstance(found, dict) else None
        if not isinstance(lists, list) or not is_plain_text(found.get("pane")):
            return OpenPath()
        opened = []
        for entry in lists[-MAX_OPEN:]:
            texts = [entry.get(name) for name in ("locator", "row", "reader")] if isinstance(entry, dict) else [None]
            if not all(is_plain_text(text, 4_000) for text in texts) or not texts[0]:
                break
            locator, row, reader = map(str, texts)
            opened.append(OpenList(_current_text(locator), ListSettings.from_json(entry.get("settings")), row, reader))
        return OpenPath(found["pane"], tuple(opened))

    def set(self, path: OpenPath) -> None:
        """What `save` will write; without what could hold a password or a signature."""
        from backends.http.errors import redact_url

        entries = []
        for one in path.lists[-MAX_OPEN:]:
            if redact_url(one.locator) != one.locator:
                break
            texts = (one.row, one.reader, one.settings.filter)
            row, reader, filter_text = (text if redact_url(text) == text else "" for text in texts)
            settings = replace(one.settings, filter=filter_text).to_json()
            entries.append({"locator": one.locator, "settings": settings, "row": row, "reader": reader})
        self._content = {"pane": path.pane, "lists": entries}

    def save(self) -> None:
        """Writes the path that was set last, from whatever thread: a slow one never writes over a newer path."""
        with self._lock:
            if self._content is not None:
                write_json(self._path, self._content)

    def clear(self) -> None:
        """After a crash: what was open may be its cause."""
        self._content = {}
        self.save()


_OLD_SYSTEMS = {"archiver": "archives", "submission": "submit"}


def _current_text(text: str) -> str:
    """A locator's text with today's prefix: pins are found by their texts."""
    prefix, colon, body = text.partition(":")
    system = system_of(prefix) if colon and not body.startswith("//") else None
    if system is None:
        return text
    return f"{system.name}:{body.replace('copies/', 'retriggers/', 1) if body.startswith('copies/') else body}"
