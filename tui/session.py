"""What one run of ciexplore shares: the settings, the HTTP client, and how a locator becomes a resource."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from backends.cancel import Cancel
from backends.config import Settings
from backends.locators.base import configured
from backends.problems import UsageProblem
from tui.registry import opener

if TYPE_CHECKING:
    from backends.http import Http
    from backends.http.policies import Identity
    from backends.locators import Locator
    from backends.resources import Resource


PER_HOST = 16  # requests at the same time to one host


class Session:
    """Made cheaply; the HTTP client (70 ms of imports) appears with the first use. Safe from any thread."""

    def __init__(self, settings: Settings, *, mode: str = "normal", demo: bool = False) -> None:
        self.settings = settings
        configured.hgweb = settings.hg_url
        self.mode = mode
        self.demo = demo
        self._http: Http | None = None
        self._lock = threading.Lock()

    @property
    def http(self) -> Http:
        with self._lock:
            if self._http is None:
                from backends.http import Http, Mode

                self._http = Http(
                    cache_dir=self.settings.cache_path,
                    cache_bytes=self.settings.cache_bytes,
                    per_host=self.settings.jobs or PER_HOST,
                    mode=Mode(self.mode),
                    identities=self._identities(),
                )
            return self._http

    def _identities(self) -> tuple[Identity, ...]:
        """Who we are to the configured Taskcluster; the embedded CI gets to know nobody's credentials."""
        from backends.taskcluster.credentials import identities
        from backends.taskcluster.roots import normalise_root

        if self.demo:
            return ()
        try:
            return identities(normalise_root(self.settings.taskcluster_root_url), os.environ)
        except UsageProblem:  # a wrong root URL is said where it is used; other systems do without
            return ()

    @property
    def cache_note(self) -> str:
        """Why answers are not kept although they should be; empty while all is well."""
        return self._http.cache_note if self._http is not None else ""

    def resource(self, locator: Locator, cancel: Cancel | None = None, *, refresh: bool = False) -> Resource:
        """Resolves (may ask servers, raises `Problem`s) and gives what to list. Call it off the interface's loop.

        `refresh` asks the server even for what is stored; offline it changes nothing.
        """
        from backends.http import Mode

        http = self.http.with_mode(Mode.REFRESH) if refresh and self.mode == "normal" else self.http
        found = opener(locator.system)
        resolved = found.resolve(locator, http, self.settings, cancel or Cancel())
        return found.resource(resolved, http, self.settings)

    def close(self) -> None:
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None
