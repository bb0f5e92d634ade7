"""What one run of ciexplore shares: the settings, the HTTP client, and how a locator becomes a resource."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from backends.cancel import Cancel
from backends.config import Settings
from tui.registry import opener

if TYPE_CHECKING:
    from backends.http import Http
    from backends.locators import Locator
    from backends.resources import Resource


class Session:
    """Made cheaply; the HTTP client (70 ms of imports) appears with the first use. Safe from any thread."""

    def __init__(self, settings: Settings, *, mode: str = "normal", demo: bool = False) -> None:
        self.settings = settings
        self.mode = mode
        self.demo = demo
        self._clients: dict[str, Http] = {}
        self._lock = threading.Lock()

    @property
    def http(self) -> Http:
        return self._client(self.mode)

    def _client(self, mode: str) -> Http:
        with self._lock:
            if mode not in self._clients:
                from backends.http import Http, Mode

                self._clients[mode] = Http(
                    cache_dir=self.settings.cache_path,
                    cache_bytes=self.settings.cache_bytes,
                    per_host=self.settings.jobs,
                    mode=Mode(mode),
                )
            return self._clients[mode]

    def resource(self, locator: Locator, cancel: Cancel | None = None, *, refresh: bool = False) -> Resource:
        """Resolves (may ask servers, raises `Problem`s) and gives what to list. Call it off the interface's loop.

        `refresh` asks the server even for what is stored; offline it changes nothing.
        """
        http = self._client("refresh") if refresh and self.mode == "normal" else self.http
        found = opener(locator.system)
        resolved = found.resolve(locator, http, self.settings, cancel or Cancel())
        return found.resource(resolved, http, self.settings)

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
