"""Credentials and endpoints of buckets are found where AWS's own tools find them, and what is missing is said first."""

from __future__ import annotations

import builtins
import importlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backends.archives import buckets
from backends.archives.buckets import BucketMirror
from backends.archives.spec import ArchiveSpec
from backends.errors import UsageError
from tests.archives.mercurial_server import Hgweb
from tests.archives.storage import KEYS, Storage
from tests.commands.calling import Caller

EAST = "us-east-1"
WANTED = ArchiveSpec("https://hg.example", "projects/ash", "a" * 40, "", "zip")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without credentials, and a home without profiles."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(buckets, "_is_on_ec2", lambda: False)
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"


def signs_as(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The key id that a URL is signed with."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    import os

    url = BucketMirror({EAST: "bucket"}, "", dict(os.environ)).url(EAST, WANTED)
    found = re.search(r"X-Amz-Credential=([A-Za-z0-9-]+)", url)
    assert found is not None
    return found[1]


def test_the_environment_s_keys_come_first(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nobody / "credentials").write_text("[default]\naws_access_key_id=AKPROFILE\naws_secret_access_key=s\n")
    assert signs_as(KEYS, monkeypatch) == "test-key"


@pytest.mark.parametrize(
    ("files", "variables", "key"),
    [
        ({"credentials": "[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = s\n"}, {}, "AKDEFAULT"),
        ({"config": "[default]\naws_access_key_id=AKCONFIG\naws_secret_access_key=s\n"}, {}, "AKCONFIG"),
        (
            {"credentials": "[default]\naws_access_key_id=A\naws_secret_access_key=s\n[dev]\n"
                            "aws_access_key_id=AKDEV\naws_secret_access_key=s%20s\naws_session_token=t\n"},
            {"AWS_PROFILE": "dev"}, "AKDEV",
        ),
        ({"config": "\ufeff[profile dev]\naws_access_key_id=AKDEV\naws_secret_access_key=s\n"},
         {"AWS_DEFAULT_PROFILE": "dev"}, "AKDEV"),
        ({"elsewhere": "[default]\naws_access_key_id=AKELSEWHERE\naws_secret_access_key=s\n"},
         {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/elsewhere"}, "AKELSEWHERE"),
    ],
)  # fmt: skip
def test_a_profile_s_keys_are_read(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], variables: dict[str, str], key: str
) -> None:
    for name, text in files.items():
        (nobody / name).write_text(text)
    assert signs_as(variables, monkeypatch) == key


def test_a_profile_s_role_is_assumed(nobody: Path, monkeypatch: pytest.MonkeyPatch, storage: Storage) -> None:
    (nobody / "credentials").write_text("[base]\naws_access_key_id=AKBASE\naws_secret_access_key=s\n")
    (nobody / "config").write_text(
        "[profile ci]\nrole_arn=arn:aws:iam::123456789012:role/ci\nsource_profile=base\nregion=us-east-1\n"
    )
    key = signs_as({"AWS_PROFILE": "ci", "AWS_ENDPOINT_URL": storage.url}, monkeypatch)
    assert key.startswith("ASIA"), "signed with the base profile's own key"


def test_a_profile_s_process_is_asked(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.dumps({"Version": 1, "AccessKeyId": "AKPROCESS", "SecretAccessKey": "s"})
    (nobody / "told").write_text(told)
    (nobody / "config").write_text(f"[profile ci]\ncredential_process = cat {nobody / 'told'}\n")
    assert signs_as({"AWS_PROFILE": "ci"}, monkeypatch) == "AKPROCESS"


def test_without_boto3_a_profile_that_has_to_ask_says_so(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nobody / "config").write_text("[profile ci]\nsso_session = work\n")
    real = importlib.import_module

    def missing(name: str, package: str | None = None) -> Any:
        if name.startswith("boto"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match="profile ci takes its keys from sso_session, which needs boto3"):
        signs_as({"AWS_PROFILE": "ci"}, monkeypatch)


@contextmanager
def answering(told: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """A metadata service: path -> body."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('authorization', '')}".strip())
            body = told.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def role(key: str) -> str:
    return json.dumps({
        "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-11-29T00:00:00Z", "AccessKeyId": key,
        "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
    })  # fmt: skip


def test_the_role_of_a_pod_is_taken(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nobody / "token").write_text("pod-token")
    with answering({"/v1/credentials": role("AKPOD")}) as (url, asked):
        key = signs_as(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
             "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(nobody / "token")}, monkeypatch,
        )  # fmt: skip
    assert key == "AKPOD" and asked == ["/v1/credentials pod-token"]


def test_the_role_of_a_machine_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    base = "/latest/meta-data/iam/security-credentials/"
    told = {"/latest/api/token": "t", base: "machine", f"{base}machine": role("AKMACHINE")}
    with answering(told) as (url, _):
        assert signs_as({"AWS_METADATA_ENDPOINT": url}, monkeypatch) == "AKMACHINE"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "No credentials for the buckets"),
        ({"AWS_ACCESS_KEY_ID": "AK"}, "has AWS_ACCESS_KEY_ID and not AWS_SECRET_ACCESS_KEY"),
        ({"AWS_SECRET_ACCESS_KEY": "secret"}, "has AWS_SECRET_ACCESS_KEY and not AWS_ACCESS_KEY_ID"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"}, "AUTHORIZATION_TOKEN_FILE is not"),
        ({"AWS_PROFILE": "nosuch"}, "The profile nosuch is neither in"),
        ({**KEYS, "AWS_ENDPOINT_URL": "127.0.0.1:9000"}, "AWS_ENDPOINT_URL is not the URL of a server"),
        ({**KEYS, "AWS_ENDPOINT_URL_S3": "ftp://x"}, "AWS_ENDPOINT_URL_S3 is not the URL of a server"),
        ({**KEYS, "AWS_ENDPOINT_URL": "http://"}, "AWS_ENDPOINT_URL is not the URL of a server"),
        ({**KEYS, "AWS_ENDPOINT_URL": "http://user:pass@host"}, "AWS_ENDPOINT_URL is not the URL of a server"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["get", "serve"])
def test_what_is_missing_is_said_before_anything_is_done(
    hgweb: Hgweb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes],
    variables: dict[str, str], said: str, verb: str,
) -> None:  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = hgweb.archives()
    call = ("get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / "o")) if verb == "get" else ("serve",)
    done = Caller(capsysbinary)("archives", *call, "--buckets", "us-east-1=bucket", "--hg-url", hgweb.url)
    assert done.code == 2 and said in done.err and done.out == b"", done.err
    assert hgweb.archives() == before and "pass@" not in done.err and "secret" not in done.err.partition(said)[2]


@pytest.mark.parametrize("verb", ["get", "serve"])
def test_a_missing_extra_is_said_before_anything_is_done(
    hgweb: Hgweb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], verb: str
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "obstore":
            raise ImportError(name)
        return real(name, *rest, **options)

    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    call = ("get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / "o")) if verb == "get" else ("serve",)
    done = Caller(capsysbinary)("archives", *call, "--buckets", "us-east-1=bucket", "--hg-url", hgweb.url)
    assert done.code == 2 and "ciexplore[s3]" in done.err and not (tmp_path / "o").exists()


@pytest.mark.parametrize("verb", ["get", "serve"])
def test_a_storage_that_is_away_or_has_no_such_bucket_is_said_first(
    hgweb: Hgweb, storage: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes], verb: str,
) -> None:  # fmt: skip
    call = ("get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / "o")) if verb == "get" else ("serve",)
    for endpoint, said in (("http://127.0.0.1:9", "Cannot reach"), (storage.url, "NoSuchBucket")):
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(name, value)
        done = Caller(capsysbinary)("archives", *call, "--buckets", "us-east-1=nosuchbucket", "--hg-url", hgweb.url)
        assert done.code == 3 and said in done.err and done.out == b""


def test_a_copy_that_failed_is_exit_code_1_and_the_archive_is_there(
    hgweb: Hgweb, storage: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    storage.bucket("exit-code")
    call = ("archives", "get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / "o"), "--hg-url", hgweb.url)
    buckets = "us-east-1=exit-code,us-west-2=nosuchbucket"
    done = Caller(capsysbinary)(*call, "--buckets", buckets)
    assert done.code == 1 and "not copied to us-west-2" in done.err
    assert Path(done.text.strip()).is_file() and len(storage.keys("exit-code")) == 1
    done = Caller(capsysbinary)(*call, "--buckets", "us-east-1=exit-code")
    assert done.code == 0


def test_a_region_without_any_bucket_is_said_to_do_nothing(
    hgweb: Hgweb, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    call = ("archives", "get", "projects/ash", "tip", "--yes", "--output", str(tmp_path / "o"), "--hg-url", hgweb.url)
    done = Caller(capsysbinary)(*call, "--region", "us-west-2")
    assert done.code == 0 and "--region has no effect without buckets" in done.err
