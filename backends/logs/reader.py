"""One log that somebody looks at: its spool, and the threads that fill it, find its errors and search it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from backends.logs.rules import Findings
from backends.logs.search import LogSearcher
from backends.logs.spool import LogSpool, Source


class LogReader:
    """Begins at once and never waits; `close` ends all of it. Meant for one owner, such as the view that shows it."""

    def __init__(self, source: Source, folder: Path | None = None) -> None:
        """Raises `FileError` when there is no place to put the log."""
        self.spool = LogSpool(source, folder)
        self.findings = Findings(self.spool)
        self._search: LogSearcher | None = None
        start_daemon(self.spool.fill, "log fill")
        start_daemon(self.findings.run, "log findings")

    def search(self, text: str, start: int = 0) -> LogSearcher:
        """Looks for a pattern from a line on, and ends the search before. Raises `UsageError`."""
        search = LogSearcher(self.spool, text, start)
        self.end_search()
        self._search = search
        start_daemon(search.run, "log search")
        return search

    def end_search(self) -> None:
        if self._search is not None:
            self._search.cancel.cancel()
            self._search = None

    def close(self) -> None:
        """Stops everything and gives the disk space back."""
        self.end_search()
        self.findings.cancel.cancel()
        self.spool.discard()


def start_daemon(work: Callable[[], None], name: str) -> None:
    """In a thread that leaving the app does not wait for: a live log is held open for hours."""
    threading.Thread(target=work, name=name, daemon=True).start()
