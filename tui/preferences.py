"""What the app remembers from one run to the next in small JSON files of the state directory."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_json(path: Path, value: object) -> None:
    """Replaces the file. A directory that cannot be written to never stops the app.

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


class Preferences:
    """Choices made in the app, by name. A file that cannot be read counts as empty."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "preferences.json"
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            found = {}
        self._values: dict[str, Any] = found if isinstance(found, dict) else {}

    def text(self, name: str, default: str) -> str:
        found = self._values.get(name)
        return found if isinstance(found, str) else default

    def texts(self, name: str) -> list[str]:
        found = self._values.get(name)
        return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []

    def set(self, name: str, value: object) -> None:
        """`value`: anything that JSON can hold."""
        if self._values.get(name) != value:
            self._values[name] = value
            write_json(self._path, self._values)
