"""Which bucket a name means: the public Prows by name, buckets that have moved, and where each one's pages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from backends.errors import UsageError
from backends.locators.prow import BUCKET, Place, page_path, route
from backends.prow.gcs_source import STORAGE, GcsSource
from backends.prow.source import Source

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http
    from backends.prow.fallback_source import Choice


@dataclass(frozen=True)
class Profile:
    """A public Prow. `moved`: names that its bucket had before (Deck rewrites them too)."""

    name: str
    bucket: str
    deck: str
    gcsweb: str
    moved: tuple[str, ...] = ()


# openshift/release core-services/prow/02_config (bucket_aliases); kubernetes/test-infra issue 33381 (moved 2024).
PROFILES = (
    Profile(
        "openshift",
        "test-platform-results",
        "https://prow.ci.openshift.org",
        "https://gcsweb-ci.apps.ci.l2s4.p1.openshiftapps.com",
        ("origin-ci-test",),
    ),
    Profile(
        "kubernetes", "kubernetes-ci-logs", "https://prow.k8s.io", "https://gcsweb.k8s.io", ("kubernetes-jenkins",)
    ),
)


# (storage, gcsweb) -> which of the two answers for a bucket; every list makes a source of its own.
_choices: dict[tuple[str, str], dict[str, Choice]] = {}


def default_bucket(settings: Settings) -> str:
    """The bucket that is meant where none is named. Raises `UsageError` for a setting that names none."""
    name = settings.prow_bucket.strip()
    known = {profile.name: profile.bucket for profile in PROFILES}
    if name.lower() in known:
        return known[name.lower()]
    if not BUCKET.fullmatch(name):
        raise UsageError(
            "prow_bucket names neither a bucket nor a Prow that is known.", f"Known: {', '.join(known)}; or a bucket."
        )
    return name


def moved(bucket: str, settings: Settings) -> str:
    """The bucket's name today. Only on Google's own storage: a mirror keeps the names it was made with."""
    aliases: Mapping[str, str] = settings.prow_aliases
    if bucket in aliases:
        return aliases[bucket]
    if settings.gcs_url.rstrip("/") != STORAGE:
        return bucket
    return next((profile.bucket for profile in PROFILES if bucket in profile.moved), bucket)


def deck_page(bucket: str, path: str, view: str = "view") -> str | None:
    """Where the bucket's Deck shows a path: `view` of a build, `job-history` of a job (none below pr-logs/pull/)."""
    profile = next((one for one in PROFILES if bucket == one.bucket or bucket in one.moved), None)
    listed = route(path).place in (Place.BUILDS, Place.LINKS) and "pr-logs/pull/" not in path
    if profile is None or (view == "job-history" and not listed):
        return None
    return f"{profile.deck}/{view}/gs/{bucket}/{page_path(path.rstrip('/'))}"


def deck_lines(bucket: str, path: str, line: int, last: int | None) -> str | None:
    """Where the bucket's Deck shows lines of a file of a build, as its log lens links them."""
    base = route(path).base
    page = deck_page(bucket, base) if base and path != base else None
    lines = f"{line}-{last}" if last is not None else str(line)
    return None if page is None else f"{page}#1:{quote(path.removeprefix(base), errors='replace')}%3A{lines}"


def live_log(bucket: str, job: str, build: str, storage: str) -> str:
    """Where Deck gives the log of a build that runs (its pod's own), "" where no Deck is known.

    Storage gets the log only when the build has ended. Deck knows nothing of what a mirror serves.
    """
    profile = next((one for one in PROFILES if bucket == one.bucket), None)
    if profile is None or storage.rstrip("/") != STORAGE:
        return ""
    return f"{profile.deck}/log?job={quote(job, safe='')}&id={quote(build, safe='')}"


def source_of(store: str, http: Http, settings: Settings) -> Source:
    """What reads a locator's store; see `backends.locators.prow` for the names."""
    if store.startswith("file:"):
        from backends.prow.local_source import LocalSource

        return LocalSource(Path(store[5:]))
    if store == "s3":
        from backends.prow.s3_source import S3Source

        return S3Source()
    if settings.gcsweb_url:
        from backends.prow.fallback_source import FallbackSource
        from backends.prow.gcsweb_source import GcswebSource

        known = _choices.setdefault((settings.gcs_url, settings.gcsweb_url), {})
        return FallbackSource(GcsSource(http, settings.gcs_url), GcswebSource(http, settings.gcsweb_url), known)
    return GcsSource(http, settings.gcs_url)
