"""What one run of ciexplore shares: the settings, the HTTP client, and how a locator becomes a resource."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import UsageError
from backends.http.waits import Waits
from backends.systems import open_resource, parse_locator

if TYPE_CHECKING:
    from backends.http import Http
    from backends.http.policies import Identity
    from backends.locators import Locator
    from backends.prow.bucket import ObjectDownloader
    from backends.prow.store_s3 import S3Store
    from backends.resources import Resource


def _is_url(url: str) -> bool:
    """A wrong URL is said where it is used."""
    from backends.http.urls import parse_url

    try:
        return bool(parse_url(url))
    except UsageError:
        return False


PER_HOST = 16  # requests at the same time to one host


class Session:
    """Made cheaply; the HTTP client (70 ms of imports) appears with the first use. Safe from any thread."""

    def __init__(
        self, settings: Settings, *, mode: str = "normal", demo: bool = False,
        examples: tuple[tuple[str, str, str], ...] = (),
    ) -> None:  # fmt: skip
        """`examples`: (title, locator, what it shows) that the start screen offers first."""
        self.settings = settings
        self.mode = mode
        self.demo = demo
        self.examples = examples
        self.waits = Waits()
        self.credentials_told = False  # that they are set in part
        self._http: Http | None = None
        self._s3: S3Store | None = None
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
                    waits=self.waits,
                )
            return self._http

    def set_mode(self, mode: str) -> None:
        """From now on "normal" or "offline"; what has been opened already keeps the mode it was opened in."""
        from backends.http import Mode

        with self._lock:
            self.mode = mode
            if self._http is not None:
                self._http = self._http.with_mode(Mode(mode))

    def open_downloader(self) -> ObjectDownloader:
        """What one worker of a transfer fetches with: over HTTP, from S3 buckets and from this disk."""
        from backends.prow.bucket import ObjectDownloader
        from backends.prow.store_s3 import S3Store

        with self._lock:
            self._s3 = self._s3 or S3Store()
        return ObjectDownloader(self.http.downloader(), self._s3)

    def _identities(self) -> tuple[Identity, ...]:
        """Who we are to the configured Taskcluster and Google storage; the embedded CI gets nobody's credentials."""
        from backends.http.google import google_identity
        from backends.taskcluster.credentials import identities
        from backends.taskcluster.urls import normalise_root

        if self.demo:
            return ()
        google = google_identity(self.settings.gcs_url, os.environ)
        found: tuple[Identity, ...] = (google,) if google is not None and _is_url(google.origin) else ()
        with contextlib.suppress(UsageError):  # a wrong root URL is said where it is used; other systems do without
            found += identities(normalise_root(self.settings.taskcluster_root_url), os.environ)
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know once: about old names of settings, the cache, and credentials that are not used."""
        return (*self.settings.notes, *(self._http.notes if self._http is not None else ()))

    @property
    def credentials_note(self) -> str:
        """What is wrong with Taskcluster credentials that are set in part; empty while all or none are."""
        from backends.taskcluster.credentials import half_set

        return "" if self.demo else half_set(os.environ)

    def resource(self, locator: Locator, cancel: CancelToken | None = None, *, refresh: bool = False) -> Resource:
        """Resolves (may ask servers, raises `AppError`s) and gives what to list. Call it off the interface's loop.

        `refresh` asks the server even for what is stored; offline it changes nothing.
        """
        from backends.http import Mode

        http = self.http.with_mode(Mode.REFRESH) if refresh and self.mode == "normal" else self.http
        return open_resource(locator, http, self.settings, cancel or CancelToken())

    def parse(self, text: str) -> Locator:
        """The locator of what a user pasted or typed. Raises `InvalidLocatorError`."""
        return parse_locator(text, self.settings)

    def close(self) -> None:
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None
