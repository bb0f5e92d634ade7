"""Recent and pinned locators: what the start screen offers."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from backends.systems import system_of
from tui.preferences import write_json

MAX_RECENT = 30  # unpinned entries kept of each system


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
    """The visits in a small JSON file. A file that cannot be read or written never stops the app."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "history.json"
        self._visits = self._read()

    @property
    def visits(self) -> list[Visit]:
        """Pinned first, then the most recent."""
        return sorted(self._visits.values(), key=lambda visit: (not visit.pinned, -visit.at))

    def add(self, text: str, title: str, system: str, note: str = "") -> None:
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
        visit = self._visits.get(text) or Visit(text, title, time.time(), system=system)
        self._visits[text] = replace(visit, pinned=not visit.pinned)
        self._write()
        return not visit.pinned

    def _read(self) -> dict[str, Visit]:
        """The visits of the file; names of systems, prefixes and lists of earlier versions become today's."""
        try:
            entries = json.loads(self._path.read_text("utf-8"))
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
        except (OSError, ValueError, TypeError, KeyError):
            return {}
        return {visit.text: visit for visit in visits}

    def _write(self) -> None:
        write_json(self._path, [asdict(visit) for visit in self.visits])


_OLD_SYSTEMS = {"archiver": "archives", "submission": "submit"}


def _current_text(text: str) -> str:
    """A locator's text with today's prefix: pins are found by their texts."""
    prefix, colon, body = text.partition(":")
    system = system_of(prefix) if colon and not body.startswith("//") else None
    if system is None:
        return text
    return f"{system.name}:{body.replace('copies/', 'retriggers/', 1) if body.startswith('copies/') else body}"
