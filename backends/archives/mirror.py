"""The S3 buckets that archives are copied to, one a region: what is there, signed addresses, uploads.

Measured with obstore 0.12 against moto: a put that must not replace (`mode="create"`) is always one request with the
whole body in memory, so only small archives go that way; a big one goes in parts after a look whether it is there, and
becomes visible only when its last part is. What is under the key already is read back: only the same bytes count as
copied, and anything else is replaced, unless it says that it is of another revision.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from backends.archives.aws import credentials, endpoint
from backends.archives.store import Account, Kept
from backends.archives.wanted import SHORT, Wanted
from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError, UsageError
from backends.http.errors import sanitize

if TYPE_CHECKING:
    from backends.config import Settings

SIGNED_SECONDS = 300  # as long as the original's
PART = 8 << 20
_QUICK_SECONDS, _SLOW_SECONDS = 15, 600  # a request; connecting has 10
SMALL = 16 << 20  # what may be in memory as a whole
_TYPES = {"zip": "application/zip", "tar.gz": "application/x-gzip", "tar.bz2": "application/x-bzip2"}  # hgweb's
_PAIR = re.compile(r"([a-z0-9-]+)\s*=\s*([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])", re.ASCII)
# What S3 says where no bucket of these credentials could work, unlike AccessDenied, which may be of listing only.
_WRONG_CREDENTIALS = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId",
    "TokenRefreshRequired", "RequestTimeTooSkewed", "NoSuchBucket", "AuthorizationHeaderMalformed",
    "PermanentRedirect", "IllegalLocationConstraintException",
})  # fmt: skip


class BucketProblem(AppError):
    """The storage said no, or nothing. `code`: S3's word for it, "" where it gave none."""

    exit_code = 3

    def __init__(self, sentence: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(sentence, hint)
        self.code = code


@dataclass(frozen=True)
class Found:
    """What a bucket says of an archive in it; "" and None where it says nothing. `size` is what is there."""

    source_url: str
    sha256: str
    committed_ms: int | None
    repacked_from: str
    size: int = 0
    node: str = ""

    def is_of(self, account: Account) -> bool:
        """Whether it says that it is that archive."""
        return self.size == account.size and self.sha256 in ("", account.sha256)


def mirror_of(settings: Settings, environment: Mapping[str, str] | None = None) -> Mirror | None:
    """The configured buckets; None if there are none. Raises `UsageError` for what cannot be."""
    if not settings.archive_buckets.strip():
        return None
    buckets: dict[str, str] = {}
    for pair in settings.archive_buckets.split(","):
        match = _PAIR.fullmatch(pair.strip())
        if match is None:
            raise UsageError(
                f"{sanitize(pair, 60)!r} is no bucket.",
                "Write CIEXPLORE_ARCHIVE_BUCKETS=us-east-1=BUCKET,us-west-2=BUCKET",
            )
        buckets[match[1]] = match[2]
    return Mirror(buckets, settings.hg_url.rstrip("/"), os.environ if environment is None else environment)


class Mirror:
    """`buckets`: region -> bucket. `home`: the server whose archives have the original's keys; those of others have
    their host's name before it, or two servers' repositories of one name would be each other's archives."""

    def __init__(self, buckets: Mapping[str, str], home: str, environment: Mapping[str, str]) -> None:
        self._buckets, self._home, self._environment = dict(buckets), home, environment
        self._stores: dict[tuple[str, bool], Any] = {}

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

    def check(self) -> dict[str, BucketProblem]:
        """Asks each bucket once, and gives what is wrong with those that cannot be used: region -> problem.

        Raises `UsageError` for what is wrong with all of them: no obstore, no credentials, no such endpoint.
        """
        import_obstore()
        import obstore

        found: dict[str, BucketProblem] = {}
        for region in self._buckets:
            store = self._store(region, quick=True)
            try:
                next(iter(obstore.list(store, "no-archive-begins-so")), None)
            except Exception as error:
                problem = self._problem(region, error)
                if problem.code != "AccessDenied":
                    found[region] = problem
        return found

    def find(self, region: str, wanted: Wanted) -> Found | None:
        """Whether this very archive is there. `wanted.node` may be the first digits only. Raises `BucketProblem`."""
        import_obstore()
        import obstore

        try:
            answer = obstore.get(self._store(region, quick=True), self.key(wanted), options={"head": True})
        except FileNotFoundError:  # said of a missing bucket too; uploading tells which
            return None
        except AppError:
            raise
        except Exception as error:
            raise self._problem(region, error) from None
        meta = {str(name).lower(): str(value) for name, value in answer.attributes.items()}
        size = int(answer.meta["size"])
        node = meta.get("node", "")
        if not size or not (node or wanted.node).startswith(wanted.node):
            return None
        if meta.get("size", str(size)) != str(size):  # it was cut short after it was put there
            return None
        committed = meta.get("committed-ms", "")
        return Found(
            meta.get("source", ""), meta.get("sha256", ""), int(committed) if committed.isdecimal() else None,
            "zip" if meta.get("repacked-from") == "zip" else "", size, node,
        )  # fmt: skip

    def url(self, region: str, wanted: Wanted, seconds: int = SIGNED_SECONDS) -> str:
        """A signed address, good for so long. Not for logs, caches or disks."""
        import_obstore()
        import obstore

        try:
            store = self._store(region, quick=True)
            return str(obstore.sign(store, "GET", self.key(wanted), expires_in=timedelta(seconds=seconds)))
        except AppError:
            raise
        except Exception as error:
            raise self._problem(region, error) from None

    def upload(self, region: str, kept: Kept, cancel: CancelToken) -> None:
        """Puts the archive there unless the same bytes are. Raises `BucketProblem`, `OperationCancelledError`;
        then nothing new is visible."""
        import_obstore()
        import obstore
        from obstore.exceptions import AlreadyExistsError

        account = kept.account
        key, store = self.key(account.wanted), self._store(region)
        attributes: Any = {
            "Content-Type": _TYPES[account.suffix],
            "Content-Disposition": f"attachment; filename={self._file_name(account.wanted)}",
            "node": account.node, "sha256": account.sha256, "committed-ms": str(account.committed_ms or ""),
            "source": account.source_url, "repacked-from": account.repacked_from, "size": str(account.size),
        }  # fmt: skip
        attributes = {name: value for name, value in attributes.items() if value and value.isascii()}
        try:
            if account.size <= SMALL:
                content = kept.path.read_bytes()
                try:
                    obstore.put(store, key, content, attributes=attributes, mode="create")
                except AlreadyExistsError:
                    if not self._is_same(region, account, cancel):
                        obstore.put(store, key, content, attributes=attributes)
            elif not self._is_same(region, account, cancel):
                parts: Any = _parts(kept, cancel)
                obstore.put(store, key, parts, attributes=attributes, chunk_size=PART, max_concurrency=2)
        except (OperationCancelledError, BucketProblem):
            raise
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not kept.path.exists():
                raise FileError("The kept archive is gone.", "Ask again.") from None
            raise self._problem(region, error) from None
        except Exception as error:
            cancel.check()
            raise self._problem(region, error) from None

    def _is_same(self, region: str, account: Account, cancel: CancelToken) -> bool:
        """Whether the archive's own bytes are under its key: read back, for headers outlive what they were put with."""
        import obstore

        try:
            answer = obstore.get(self._store(region), self.key(account.wanted))
        except FileNotFoundError:
            return False
        node = {str(name).lower(): value for name, value in answer.attributes.items()}.get("node", account.node)
        if node != account.node:
            raise BucketProblem(
                f"In {self._where(region)} another revision has the key {self.key(account.wanted)}.",
                "Its first 12 digits are the same; nothing was replaced.",
            )
        if int(answer.meta["size"]) != account.size:
            return False
        digest = hashlib.sha256()
        for piece in answer:
            cancel.check()
            digest.update(piece)
        return digest.hexdigest() == account.sha256

    def _file_name(self, wanted: Wanted) -> str:
        name = f"{wanted.base}-{wanted.node[:SHORT]}.{wanted.suffix}"
        return re.sub(r"[^A-Za-z0-9_.+-]", "_", name)

    def _store(self, region: str, *, quick: bool = False) -> Any:
        """`quick`: for what moves no archive, and must not wait as long as that may take."""
        name = region, quick
        if name not in self._stores:
            seconds = _QUICK_SECONDS if quick else _SLOW_SECONDS
            self._stores[name] = _opened(region, self._buckets[region], self._environment, seconds)
        return self._stores[name]

    def _problem(self, region: str, error: Exception) -> BucketProblem:
        """Its messages are pages of Rust's own, and hold addresses: only what kind it is, and S3's words, are told."""
        text = str(error)
        where = self._where(region)
        code = match[1] if (match := re.search(r"<Code>([A-Za-z]{1,60})</Code>", text)) else ""
        says = f" ({code})" if code else ""
        if isinstance(error, FileNotFoundError) or code == "NoSuchBucket":
            return BucketProblem(
                f"There is no such place as {where}{says}.", "Check CIEXPLORE_ARCHIVE_BUCKETS.", code=code
            )
        if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError") or code in _WRONG_CREDENTIALS:
            return BucketProblem(
                f"{where.capitalize()} does not let you in{says}.",
                "Check AWS_ACCESS_KEY_ID and the rights of its user.",
                code=code,
            )
        return BucketProblem(
            f"{where.capitalize()} cannot be reached{says}.", "Check the network and AWS_ENDPOINT_URL.", code=code
        )

    def _where(self, region: str) -> str:
        return f"the bucket {self._buckets[region]} in {region}"


def import_obstore() -> None:
    """Raises `UsageError` where the extra is not installed."""
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise UsageError("Buckets need the extra s3.", "pip install 'ciexplore[s3]'") from None


def _opened(region: str, bucket: str, environment: Mapping[str, str], seconds: int) -> Any:
    import_obstore()
    from obstore.store import S3Store

    place = endpoint(environment)
    given: dict[str, Any] = credentials(environment)
    if place:
        given["endpoint"] = place
    options: Any = {"timeout": f"{seconds}s", "connect_timeout": "10s", "allow_http": place.startswith("http://")}
    retries: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}  # its own patience is three minutes
    try:
        return S3Store(bucket, region=region, client_options=options, retry_config=retries, **given)
    except Exception as error:
        raise UsageError(
            f"The bucket {bucket} cannot be used: {sanitize(str(error).partition(chr(10))[0], 200)}.",
            "Check the variables of the environment that begin with AWS_.",
        ) from None


def _parts(kept: Kept, cancel: CancelToken) -> Iterator[bytes]:
    with kept.path.open("rb") as stream:
        while piece := stream.read(PART):
            cancel.check()
            yield piece
