"""The S3 buckets that archives are copied to, one a region: what is there, signed addresses, uploads.

Measured with obstore 0.12 against moto: a put that must not replace (`mode="create"`) is always one request with the
whole body in memory, so only small archives go that way; a big one goes in parts after a look whether it is there, and
becomes visible only when its last part is. What two uploaders could both put there is the same archive.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from backends.archiver.store import Kept
from backends.archiver.wanted import SHORT, Wanted
from backends.cancel import Cancel
from backends.http.errors import clean
from backends.problems import Cancelled, Problem, UsageProblem

if TYPE_CHECKING:
    from backends.config import Settings

SIGNED_SECONDS = 300  # as long as the original's
PART = 8 << 20
SMALL = 16 << 20  # what may be in memory as a whole
_TYPES = {"zip": "application/zip", "tar.gz": "application/x-gzip", "tar.bz2": "application/x-bzip2"}  # hgweb's
_PAIR = re.compile(r"([a-z0-9-]+)\s*=\s*([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])", re.ASCII)
# Without any of them object_store asks the metadata service of a cloud machine, for minutes where there is none.
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


class BucketProblem(Problem):
    """The storage said no, or nothing."""

    exit_code = 3


@dataclass(frozen=True)
class Found:
    """What a bucket says of an archive in it; "" and None where it says nothing."""

    source_url: str
    sha256: str
    committed_ms: int | None
    repacked_from: str


def mirror_of(settings: Settings, environment: Mapping[str, str] | None = None) -> Mirror | None:
    """The configured buckets; None if there are none. Raises `UsageProblem` for what cannot be."""
    if not settings.archive_buckets.strip():
        return None
    buckets: dict[str, str] = {}
    for pair in settings.archive_buckets.split(","):
        match = _PAIR.fullmatch(pair.strip())
        if match is None:
            raise UsageProblem(
                f"{clean(pair, 60)!r} is no bucket.",
                "Write CIEXPLORE_ARCHIVE_BUCKETS=us-east-1=BUCKET,us-west-2=BUCKET",
            )
        buckets[match[1]] = match[2]
    return Mirror(buckets, settings.hg_url.rstrip("/"), os.environ if environment is None else environment)


class Mirror:
    """`buckets`: region -> bucket. `home`: the server whose archives have the original's keys; those of others have
    their host's name before it, or two servers' repositories of one name would be each other's archives."""

    def __init__(self, buckets: Mapping[str, str], home: str, environment: Mapping[str, str]) -> None:
        self._buckets, self._home, self._environment = dict(buckets), home, environment
        self._stores: dict[str, Any] = {}

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(self._buckets)

    def ordered(self, preferred: str) -> list[str]:
        """The regions to look in. One that is not configured is never an error: it is a preference."""
        return sorted(self._buckets, key=lambda region: region != preferred)

    def bucket(self, region: str) -> str:
        return self._buckets[region]

    def key(self, wanted: Wanted) -> str:
        host = "" if wanted.root == self._home else f"{urlsplit(wanted.root).netloc}/"
        return host + wanted.key

    def find(self, region: str, wanted: Wanted) -> Found | None:
        """Whether this very archive is there. Raises `BucketProblem`."""
        import obstore

        try:
            told = obstore.get(self._store(region), self.key(wanted), options={"head": True}).attributes
        except FileNotFoundError:  # said of a missing bucket too; uploading tells which
            return None
        except Exception as error:
            raise self._problem(region, error) from None
        meta = {str(name).lower(): str(value) for name, value in told.items()}
        if meta.get("node", wanted.node) != wanted.node:
            return None
        committed = meta.get("committed-ms", "")
        return Found(
            meta.get("source", ""), meta.get("sha256", ""), int(committed) if committed.isdecimal() else None,
            "zip" if meta.get("repacked-from") == "zip" else "",
        )  # fmt: skip

    def url(self, region: str, wanted: Wanted, seconds: int = SIGNED_SECONDS) -> str:
        """A signed address, good for so long. Not for logs, caches or disks."""
        import obstore

        try:
            return str(
                obstore.sign(self._store(region), "GET", self.key(wanted), expires_in=timedelta(seconds=seconds))
            )
        except Exception as error:
            raise self._problem(region, error) from None

    def upload(self, region: str, kept: Kept, cancel: Cancel) -> None:
        """Puts the archive there unless it is. Raises `BucketProblem`, `Cancelled`; then nothing of it is visible."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        account = kept.account
        key, store = self.key(account.wanted), self._store(region)
        attributes: Any = {
            "Content-Type": _TYPES[account.suffix],
            "Content-Disposition": f"attachment; filename={self._file_name(account.wanted)}",
            "node": account.node, "sha256": account.sha256, "committed-ms": str(account.committed_ms or ""),
            "source": account.source_url, "repacked-from": account.repacked_from,
        }  # fmt: skip
        attributes = {name: value for name, value in attributes.items() if value and value.isascii()}
        try:
            if account.size <= SMALL:
                obstore.put(store, key, kept.path.read_bytes(), attributes=attributes, mode="create")
            elif self.find(region, account.wanted) is None:
                parts: Any = _parts(kept, cancel)
                obstore.put(store, key, parts, attributes=attributes, chunk_size=PART, max_concurrency=2)
        except AlreadyExistsError:
            return
        except (Cancelled, BucketProblem):
            raise
        except Exception as error:
            cancel.check()
            raise self._problem(region, error) from None

    def _file_name(self, wanted: Wanted) -> str:
        name = f"{wanted.base}-{wanted.node[:SHORT]}.{wanted.suffix}"
        return re.sub(r"[^A-Za-z0-9_.+-]", "_", name)

    def _store(self, region: str) -> Any:
        if region not in self._stores:
            self._stores[region] = _opened(region, self._buckets[region], self._environment)
        return self._stores[region]

    def _problem(self, region: str, error: Exception) -> BucketProblem:
        """Its messages are pages of Rust's own, and hold addresses: only what kind it is, and S3's words, are told."""
        text = str(error)
        where = f"the bucket {self._buckets[region]} in {region}"
        code = match[1] if (match := re.search(r"<Code>([A-Za-z]{1,60})</Code>", text)) else ""
        says = f" ({code})" if code else ""
        if isinstance(error, FileNotFoundError) or code == "NoSuchBucket":
            return BucketProblem(f"There is no such place as {where}{says}.", "Check CIEXPLORE_ARCHIVE_BUCKETS.")
        if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
            return BucketProblem(
                f"{where.capitalize()} does not let you in{says}.",
                "Check AWS_ACCESS_KEY_ID and the rights of its user.",
            )
        return BucketProblem(
            f"{where.capitalize()} cannot be reached{says}.", "Check the network and AWS_ENDPOINT_URL."
        )


def _opened(region: str, bucket: str, environment: Mapping[str, str]) -> Any:
    try:
        from obstore.store import S3Store
    except ImportError:
        raise UsageProblem("Buckets need the extra s3.", "pip install 'ciexplore[s3]'") from None
    if not any(environment.get(name) for name in _CREDENTIALS):
        raise UsageProblem(
            "There are no credentials for the buckets.", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    given: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    names = {"AWS_ACCESS_KEY_ID": "access_key_id", "AWS_SECRET_ACCESS_KEY": "secret_access_key",
             "AWS_SESSION_TOKEN": "session_token"}  # fmt: skip
    given.update({name: environment[variable] for variable, name in names.items() if environment.get(variable)})
    options: Any = {"timeout": "600s", "connect_timeout": "10s", "allow_http": endpoint.startswith("http://")}
    retries: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}  # its own patience is three minutes
    return S3Store(bucket, region=region, client_options=options, retry_config=retries, **given)


def _parts(kept: Kept, cancel: Cancel) -> Iterator[bytes]:
    with kept.path.open("rb") as stream:
        while piece := stream.read(PART):
            cancel.check()
            yield piece
