"""What the app remembers from one run to the next in small JSON files of the state directory."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from tui.list_settings import ListSettings, is_plain_text

MAX_BYTES = 4_000_000  # of a file; a larger one is not ours
MAX_VIEWS = 60  # saved under names for one kind of list


def read_json(path: Path) -> Any:
    """What the file holds; None if it is missing, cannot be read, is too large or no regular file."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
            return None
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def write_json(path: Path, value: object) -> bool:
    """Replaces the file; False if that failed. A directory that cannot be written to never stops the app.

    Without `atomic_file`: its fsync would block the interface for a file that is not worth it.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(value, indent=1))
        Path(temporary).replace(path)
    except OSError:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        return False
    return True


class Preferences:
    """Choices made in the app, by name. A file that cannot be read counts as empty.

    Several apps may run: each writes its change into what the file holds by then, so that the last one counts.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "preferences.json"
        self._values = self._read()

    def _read(self) -> dict[str, Any]:
        found = read_json(self._path)
        return found if isinstance(found, dict) else {}

    def text(self, name: str, default: str) -> str:
        found = self._values.get(name)
        return found if isinstance(found, str) else default

    def texts(self, name: str) -> list[str]:
        found = self._values.get(name)
        return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []

    def set(self, name: str, value: object) -> None:
        """`value`: anything that JSON can hold."""
        if self._values.get(name) != value:
            self._store(name, value)

    def _store(self, name: str, value: object) -> bool:
        self._values = {**self._read(), name: value}
        return write_json(self._path, self._values)

    # ---- how lists are shown -----------------------------------------------------------------------------------
    def list_settings(self, kind: str) -> ListSettings:
        """How lists of this kind were shown last. Never with a filter: a list opened anew shows all of its rows."""
        return ListSettings.from_json(self._values.get(f"lists.{kind}")).without_filter()

    def set_list_settings(self, kind: str, settings: ListSettings) -> None:
        self.set(f"lists.{kind}", settings.without_filter().to_json())

    def views(self, kind: str) -> dict[str, ListSettings]:
        """The views saved under names for this kind of list, by name."""
        found = self._read().get(f"views.{kind}")
        named = found.items() if isinstance(found, dict) else ()
        kept = [(name, ListSettings.from_json(value)) for name, value in named if name and is_plain_text(name)]
        return dict(sorted(kept)[:MAX_VIEWS])

    def save_view(self, kind: str, name: str, settings: ListSettings | None) -> bool:
        """Under this name, which replaces what was saved under it; None deletes it. False if it could not be stored."""
        kept = {other: one.to_json() for other, one in self.views(kind).items() if other != name}
        if settings is not None:
            kept[name] = settings.to_json()
        return self._store(f"views.{kind}", kept)
