"""The S3 buckets that archives are copied to, one for each region: look-ups, signed URLs, uploads, credentials.

Credentials and endpoint are found where AWS's own tools find them, before any request. obstore itself reads
AWS_ACCESS_KEY_ID and its kin, a web identity (AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN), the role of an ECS task
or an EKS pod, and the role of an EC2 machine; it does not read profiles. A profile's keys are read here; what a
profile has to request (role_arn, sso_*, credential_process) is requested by boto3 if it is installed.

Measured with obstore 0.12 against moto: a put that must not replace (`mode="create"`) is always one request with the
complete body in memory, so only small archives are uploaded so; a big one is uploaded in parts after a look whether it
is there, and becomes visible only with its last part. An existing object is read back: only the same bytes count as a
copy, and anything else is replaced, unless it says that it is of another revision.
"""

from __future__ import annotations

import configparser
import hashlib
import importlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from backends.archives.spec import SHORT_DIGITS, ArchiveSpec
from backends.archives.store import ArchiveRecord, StoredArchive
from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError, UsageError
from backends.http.errors import sanitize
from backends.paths import expand_home

if TYPE_CHECKING:
    from backends.config import Settings

_HINT = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_ASKING = ("role_arn", "credential_process", "sso_session", "sso_start_url", "login_session", "web_identity_token_file")
# What the firmware of Amazon's machines says of itself; asking the metadata service elsewhere takes minutes.
_FIRMWARE = ("sys_vendor", "board_vendor", "bios_vendor")


def credentials(environment: Mapping[str, str]) -> dict[str, Any]:
    """Arguments for obstore's S3Store; empty if it finds them itself. Raises `UsageError` if there are none, or half of
    them."""
    found = _read_keys(
        environment.get, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "The environment"
    )
    if found:
        return found
    if _has_both(environment, "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        return {}
    chosen = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or ""
    found = _of_profile(chosen, environment)
    if found:
        return found
    if environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return {}
    if _has_both(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        return {}
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true" and (
        environment.get("AWS_METADATA_ENDPOINT") or _is_on_ec2()
    ):
        return {}
    raise UsageError("No credentials for the buckets were found.", _HINT)


def endpoint(environment: Mapping[str, str]) -> str:
    """The URL of S3; "" for Amazon's own. Raises `UsageError` for an invalid one: obstore would panic."""
    name = "AWS_ENDPOINT_URL_S3" if environment.get("AWS_ENDPOINT_URL_S3") else "AWS_ENDPOINT_URL"
    url = environment.get(name, "").rstrip("/")
    if not url:
        return ""
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and split.hostname and (split.port or 1) and not split.username
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{name} is not the URL of a server.", "Write it as https://HOST or http://HOST:PORT.")
    return url


def _of_profile(chosen: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """From the shared files; an unnamed profile need not be there."""
    name = chosen or "default"
    files = (
        _file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        _file(environment, "AWS_CONFIG_FILE", "config"),
    )
    shown = f"The profile {sanitize(name, 60)}"
    values: dict[str, str] = {}
    known = False
    for path, section in ((files[1], name if name == "default" else f"profile {name}"), (files[0], name)):
        read = _read_config(path)
        if read.has_section(section):
            known = True
            values.update(read.items(section))
    if chosen and not known:
        raise UsageError(f"{shown} is neither in {files[0]} nor in {files[1]}.", "Check AWS_PROFILE.")
    found = _read_keys(values.get, "aws_access_key_id", "aws_secret_access_key", "aws_session_token", shown)
    asking = next((one for one in _ASKING if values.get(one)), "")
    if not asking:
        if chosen and not found:
            raise UsageError(f"{shown} has no keys.", _HINT)
        return found
    return {"credential_provider": _by_boto3(name, shown, asking)}


def _by_boto3(name: str, shown: str, asking: str) -> Any:
    try:
        boto3 = importlib.import_module("boto3")  # untyped, and not of ours
        failures = importlib.import_module("botocore.exceptions")
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise UsageError(
            f"{shown} takes its keys from {asking}, which needs boto3.", "pip install boto3, or set AWS_ACCESS_KEY_ID."
        ) from None
    try:
        provider = Boto3CredentialProvider(boto3.Session(profile_name=name))
        provider.config = {}  # the region is the bucket's
        provider()
    except (failures.BotoCoreError, failures.ClientError, ValueError) as error:
        raise UsageError(f"{shown} provides no keys: {sanitize(str(error), 200)}", "Check it with `aws sts`.") from None
    return provider


def _read_keys(read: Any, key: str, secret: str, token: str, shown: str) -> dict[str, Any]:
    values = {"access_key_id": read(key), "secret_access_key": read(secret)}
    if not any(values.values()):
        return {}
    if not all(values.values()):
        has, lacks = (key, secret) if values["access_key_id"] else (secret, key)
        raise UsageError(f"{shown} has {has} and not {lacks}.", "Set both.")
    return {**values, **({"session_token": read(token)} if read(token) else {})}


def _has_both(environment: Mapping[str, str], name: str, other: str) -> bool:
    if environment.get(name) and not environment.get(other):
        raise UsageError(f"{name} is set and {other} is not.", f"Set {other}, or credentials of another kind.")
    return bool(environment.get(name))


def _file(environment: Mapping[str, str], variable: str, name: str) -> Path:
    named = environment.get(variable)
    home = environment.get("HOME")
    return expand_home(named) if named else (Path(home) if home else Path.home()) / ".aws" / name


def _read_config(path: Path) -> configparser.RawConfigParser:
    read = configparser.RawConfigParser(strict=False, default_section="\0")
    try:
        read.read_string(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, configparser.Error) as error:
        raise UsageError(f"Cannot read {path} as AWS settings ({type(error).__name__}).", "Correct it.") from None
    return read


def _is_on_ec2() -> bool:
    for name in _FIRMWARE:
        try:
            if "amazon ec2" in Path("/sys/class/dmi/id", name).read_text().lower():
                return True
        except OSError:
            continue
    return False


SIGNED_SECONDS = 300  # as long as the original's
PART_BYTES = 8 << 20
_QUICK_SECONDS, _SLOW_SECONDS = 15, 600  # a request; connecting has 10
SMALL_BYTES = 16 << 20  # uploaded from memory, in one request
_TYPES = {"zip": "application/zip", "tar.gz": "application/x-gzip", "tar.bz2": "application/x-bzip2"}  # hgweb's
_PAIR = re.compile(r"([a-z0-9-]+)\s*=\s*([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])", re.ASCII)
# S3's errors with which no request can succeed, unlike AccessDenied, which may concern listing only.
_WRONG_CREDENTIALS = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId",
    "TokenRefreshRequired", "RequestTimeTooSkewed", "NoSuchBucket", "AuthorizationHeaderMalformed",
    "PermanentRedirect", "IllegalLocationConstraintException",
})  # fmt: skip


class BucketError(AppError):
    """A request to a bucket failed. `code`: S3's error code, "" if there is none."""

    exit_code = 3

    def __init__(self, sentence: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(sentence, hint)
        self.code = code


@dataclass(frozen=True)
class BucketArchive:
    """Metadata of an archive in a bucket; "" and None if it has none. `size`: of the object."""

    source_url: str
    sha256: str
    committed_ms: int | None
    repacked_from: str
    size: int = 0
    node: str = ""

    def is_of(self, record: ArchiveRecord) -> bool:
        """Whether it is that archive, by its metadata."""
        return self.size == record.size and self.sha256 in ("", record.sha256)


def configured_mirror(settings: Settings, environment: Mapping[str, str] | None = None) -> BucketMirror | None:
    """The configured buckets; None if there are none. Raises `UsageError` for an invalid setting."""
    if not settings.archive_buckets.strip():
        return None
    buckets: dict[str, str] = {}
    for pair in settings.archive_buckets.split(","):
        match = _PAIR.fullmatch(pair.strip())
        if match is None:
            raise UsageError(
                f"{sanitize(pair, 60)!r} is not REGION=BUCKET.",
                "Write CIEXPLORE_ARCHIVES_BUCKETS=us-east-1=BUCKET,us-west-2=BUCKET",
            )
        buckets[match[1]] = match[2]
    return BucketMirror(buckets, settings.hg_url.rstrip("/"), os.environ if environment is None else environment)


class BucketMirror:
    """`buckets`: region -> bucket. `home`: the server whose archives have the original's keys; those of other servers
    begin with the host name, since two servers may have repositories of the same name."""

    def __init__(self, buckets: Mapping[str, str], home: str, environment: Mapping[str, str]) -> None:
        self._buckets, self._home, self._environment = dict(buckets), home, environment
        self._stores: dict[tuple[str, bool], Any] = {}

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(self._buckets)

    def ordered_regions(self, preferred: str) -> list[str]:
        """All regions, the preferred one first; it need not be configured."""
        return sorted(self._buckets, key=lambda region: region != preferred)

    def bucket(self, region: str) -> str:
        return self._buckets[region]

    def key(self, spec: ArchiveSpec) -> str:
        host = "" if spec.root == self._home else f"{urlsplit(spec.root).netloc}/"
        return host + spec.key

    def check(self) -> dict[str, BucketError]:
        """One request to each bucket; returns region -> error of those that cannot be used.

        Raises `UsageError` for an error of all of them: no obstore, no credentials, an invalid endpoint.
        """
        import_obstore()
        import obstore

        errors: dict[str, BucketError] = {}
        for region in self._buckets:
            store = self._store(region, quick=True)
            try:
                next(iter(obstore.list(store, "no-archive-begins-so")), None)
            except Exception as error:
                bucket_error = self._error(region, error)
                if bucket_error.code != "AccessDenied":
                    errors[region] = bucket_error
        return errors

    def find(self, region: str, spec: ArchiveSpec) -> BucketArchive | None:
        """The archive in the bucket, if it is there. `spec.node` may be the first digits only. Raises `BucketError`."""
        import_obstore()
        import obstore

        try:
            answer = obstore.get(self._store(region, quick=True), self.key(spec), options={"head": True})
        except FileNotFoundError:  # also for a missing bucket; uploading tells which
            return None
        except AppError:
            raise
        except Exception as error:
            raise self._error(region, error) from None
        meta = {str(name).lower(): str(value) for name, value in answer.attributes.items()}
        size = int(answer.meta["size"])
        node = meta.get("node", "")
        if not size or not (node or spec.node).startswith(spec.node):
            return None
        if meta.get("size", str(size)) != str(size):  # truncated after the upload
            return None
        committed = meta.get("committed-ms", "")
        return BucketArchive(
            meta.get("source", ""), meta.get("sha256", ""), int(committed) if committed.isdecimal() else None,
            "zip" if meta.get("repacked-from") == "zip" else "", size, node,
        )  # fmt: skip

    def url(self, region: str, spec: ArchiveSpec, seconds: int = SIGNED_SECONDS) -> str:
        """A signed URL, valid for so long. Not to be logged, cached or stored."""
        import_obstore()
        import obstore

        try:
            store = self._store(region, quick=True)
            return str(obstore.sign(store, "GET", self.key(spec), expires_in=timedelta(seconds=seconds)))
        except AppError:
            raise
        except Exception as error:
            raise self._error(region, error) from None

    def upload(self, region: str, archive: StoredArchive, cancel: CancelToken) -> None:
        """Uploads the archive unless the same bytes are there. Raises `BucketError`, `OperationCancelledError`; then
        nothing new is visible."""
        import_obstore()
        import obstore
        from obstore.exceptions import AlreadyExistsError

        record = archive.record
        key, store = self.key(record.spec), self._store(region)
        attributes: Any = {
            "Content-Type": _TYPES[record.suffix],
            "Content-Disposition": f"attachment; filename={self._file_name(record.spec)}",
            "node": record.node, "sha256": record.sha256, "committed-ms": str(record.committed_ms or ""),
            "source": record.source_url, "repacked-from": record.repacked_from, "size": str(record.size),
        }  # fmt: skip
        attributes = {name: value for name, value in attributes.items() if value and value.isascii()}
        try:
            if record.size <= SMALL_BYTES:
                content = archive.path.read_bytes()
                try:
                    obstore.put(store, key, content, attributes=attributes, mode="create")
                except AlreadyExistsError:
                    if not self._is_same(region, record, cancel):
                        obstore.put(store, key, content, attributes=attributes)
            elif not self._is_same(region, record, cancel):
                parts: Any = _read_parts(archive, cancel)
                obstore.put(store, key, parts, attributes=attributes, chunk_size=PART_BYTES, max_concurrency=2)
        except (OperationCancelledError, BucketError):
            raise
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not archive.path.exists():
                raise FileError("The cached archive is gone.", "Try again.") from None
            raise self._error(region, error) from None
        except Exception as error:
            cancel.check()
            raise self._error(region, error) from None

    def _is_same(self, region: str, record: ArchiveRecord, cancel: CancelToken) -> bool:
        """Whether the object has the archive's bytes: read back, since headers do not change with the bytes."""
        import obstore

        try:
            answer = obstore.get(self._store(region), self.key(record.spec))
        except FileNotFoundError:
            return False
        node = {str(name).lower(): value for name, value in answer.attributes.items()}.get("node", record.node)
        if node != record.node:
            raise BucketError(
                f"Another revision has the key {self.key(record.spec)} in {self._where(region)}.",
                "Its first 12 digits are the same; nothing was replaced.",
            )
        if int(answer.meta["size"]) != record.size:
            return False
        digest = hashlib.sha256()
        for piece in answer:
            cancel.check()
            digest.update(piece)
        return digest.hexdigest() == record.sha256

    def _file_name(self, spec: ArchiveSpec) -> str:
        name = f"{spec.base}-{spec.node[:SHORT_DIGITS]}.{spec.suffix}"
        return re.sub(r"[^A-Za-z0-9_.+-]", "_", name)

    def _store(self, region: str, *, quick: bool = False) -> Any:
        """`quick`: with a short timeout, for requests that transfer no archive."""
        name = region, quick
        if name not in self._stores:
            seconds = _QUICK_SECONDS if quick else _SLOW_SECONDS
            self._stores[name] = _open_store(region, self._buckets[region], self._environment, seconds)
        return self._stores[name]

    def _error(self, region: str, error: Exception) -> BucketError:
        """obstore's messages are pages of Rust and contain URLs: only the kind of error and S3's code are shown."""
        text = str(error)
        where = self._where(region)
        code = match[1] if (match := re.search(r"<Code>([A-Za-z]{1,60})</Code>", text)) else ""
        says = f" ({code})" if code else ""
        if isinstance(error, FileNotFoundError) or code == "NoSuchBucket":
            return BucketError(f"Cannot find {where}{says}.", "Check CIEXPLORE_ARCHIVES_BUCKETS.", code=code)
        if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError") or code in _WRONG_CREDENTIALS:
            return BucketError(
                f"Access to {where} was denied{says}.",
                "Check AWS_ACCESS_KEY_ID and the rights of its user.",
                code=code,
            )
        return BucketError(f"Cannot reach {where}{says}.", "Check the network and AWS_ENDPOINT_URL.", code=code)

    def _where(self, region: str) -> str:
        return f"the bucket {self._buckets[region]} in {region}"


def import_obstore() -> None:
    """Raises `UsageError` if the extra is not installed."""
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise UsageError("Buckets need the extra s3.", "pip install 'ciexplore[s3]'") from None


def _open_store(region: str, bucket: str, environment: Mapping[str, str], seconds: int) -> Any:
    import_obstore()
    from obstore.store import S3Store

    place = endpoint(environment)
    given: dict[str, Any] = credentials(environment)
    if place:
        given["endpoint"] = place
    options: Any = {"timeout": f"{seconds}s", "connect_timeout": "10s", "allow_http": place.startswith("http://")}
    retries: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}  # its default is three minutes
    try:
        return S3Store(bucket, region=region, client_options=options, retry_config=retries, **given)
    except Exception as error:
        raise UsageError(
            f"Cannot use the bucket {bucket}: {sanitize(str(error).partition(chr(10))[0], 200)}.",
            "Check the variables of the environment that begin with AWS_.",
        ) from None


def _read_parts(archive: StoredArchive, cancel: CancelToken) -> Iterator[bytes]:
    with archive.path.open("rb") as stream:
        while piece := stream.read(PART_BYTES):
            cancel.check()
            yield piece
