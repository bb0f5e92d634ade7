"""What one run of ciexplore shares: the settings, the HTTP client, and how a locator becomes a resource."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.cancel import CancelToken
from backends.config import Settings
from backends.errors import UsageError
from backends.http.waits import Waits
from backends.systems import open_resource, parse_locator

if TYPE_CHECKING:
    from backends.capsules.reader import Capsule
    from backends.capsules.recorder import Recorder
    from backends.http import Downloader, Http
    from backends.http.interception import Interceptor
    from backends.http.policies import Identity
    from backends.locators import Locator
    from backends.prow.bucket import ObjectDownloader
    from backends.prow.store_s3 import S3Store
    from backends.resources import ImageFile, LogAddress, Resource


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
        examples: tuple[tuple[str, str, str], ...] = (), capsule: Capsule | None = None,
    ) -> None:  # fmt: skip
        """`examples`: (title, locator, what it shows) that the start screen offers first. `capsule`: what answers
        instead of servers; the session closes it."""
        if mode == "capsule" and capsule is None:
            raise UsageError("A capsule is a file.", "Open it with backends.session.open_capsule_session.")
        self.settings = settings
        self.mode = mode if capsule is None else "capsule"
        self.capsule = capsule
        self.opened: dict[str, Locator] = {}  # by its text: every list that was opened
        self.opened_logs: dict[str, LogAddress] = {}  # by its URL
        self.opened_images: dict[str, ImageFile] = {}  # by the text of its locator
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
                self._http = self._make_http(self.capsule, signed=self.capsule is None)
            return self._http

    def _make_http(self, interceptor: Interceptor | None, *, signed: bool) -> Http:
        from backends.http import Http, Mode

        return Http(
            cache_dir=self.settings.cache_path if self.capsule is None else None,
            cache_bytes=self.settings.cache_bytes,
            per_host=self.settings.jobs or PER_HOST,
            mode=Mode(self.mode),
            identities=self._identities() if signed else (),
            waits=self.waits,
            interceptor=interceptor,
        )

    def recording_http(self, recorder: Recorder) -> Http:
        """A client of its own that sends through the recorder, without credentials unless it is to keep what they open;
        the caller closes it. Raises `UsageError` where a capsule is shown."""
        if self.capsule is not None:
            raise UsageError("This is a capsule already.", f"Copy {self.capsule.path}.")
        return self._make_http(recorder, signed=recorder.include_private)

    def set_mode(self, mode: str) -> None:
        """From now on "normal" or "offline"; what has been opened already keeps the mode it was opened in.

        A capsule stays one.
        """
        from backends.http import Mode

        if self.capsule is not None:
            return

        with self._lock:
            self.mode = mode
            if self._http is not None:
                self._http = self._http.with_mode(Mode(mode))

    def open_downloader(self) -> ObjectDownloader | Downloader:
        """What one worker of a transfer fetches with: over HTTP, from S3 buckets and from this disk."""
        from backends.prow.bucket import ObjectDownloader
        from backends.prow.store_s3 import S3Store

        if self.capsule is not None:  # no bucket and no file of this disk stands in for it
            return self.http.downloader()
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

        self.opened[locator.text()] = locator
        http = self.http.with_mode(Mode.REFRESH) if refresh and self.mode == "normal" else self.http
        return open_resource(locator, http, self.settings, cancel or CancelToken())

    def remember_image(self, image: ImageFile) -> None:
        """That it is looked at. An image in an archive is not a file of its own: its list leads to the archive."""
        if image.locator is not None and image.files is not None:
            self.opened_images[image.locator.text()] = image

    def parse(self, text: str) -> Locator:
        """The locator of what a user pasted or typed. Raises `InvalidLocatorError`."""
        return parse_locator(text, self.settings)

    def close(self) -> None:
        with self._lock:
            if self._http is not None:
                self._http.close()
                self._http = None
            if self.capsule is not None:
                self.capsule.close()


def open_capsule_session(path: Path, **overrides: Any) -> Session:
    """A session that shows a capsule and asks no server. `overrides`: settings that are not to be the capsule's.

    Raises `CapsuleError`.
    """
    from backends import config
    from backends.capsules.reader import open_capsule
    from backends.http.errors import sanitize

    capsule = open_capsule(path)
    given = {name: value for name, value in overrides.items() if value is not None}
    # What would ask other servers than those of the lists, or write to them.
    elsewhere = {"archive_buckets": "", "archiver_url": "", "submit_url": ""}
    try:
        settings = config.load(overrides={**capsule.settings, **elsewhere, **given})
    except BaseException:
        capsule.close()
        raise
    examples = tuple(
        (sanitize(one.title, 200), one.locator, f"{one.rows:,} {sanitize(one.noun, 40)}")
        for one in capsule.manifest.lists
    )
    return Session(settings, examples=examples, capsule=capsule)
