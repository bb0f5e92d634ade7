"""What a user would lose: builds of a private bucket that they may read, and what to set where they may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.http import Http
from backends.http.errors import AccessDeniedError
from backends.http.policies import Identity
from backends.resources import read_list
from backends.transfers.plan import make_plan
from backends.transfers.transfer import Transfer
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, opened, rows, snowflake

TOKEN = "ya29.a-token-of-its-owner"


@pytest.fixture
def owner(bucket: Bucket, tmp_path: Path) -> Iterator[Http]:
    """A client that the private bucket lets in."""
    bucket.private, bucket.token = True, TOKEN
    build(bucket, snowflake(86400), log="its log\n")
    identity = Identity(bucket.url, "google:owner@x", lambda method, url: {"authorization": f"Bearer {TOKEN}"})
    cache = tmp_path / "cache"
    with Http(cache_dir=cache, identities=(identity,), pause=lambda seconds, cancel: None) as client:
        yield client


def test_a_private_bucket_is_listed_read_and_downloaded_with_credentials(
    bucket: Bucket, owner: Http, tmp_path: Path
) -> None:
    builds = opened(bucket, owner, f"gs://{NAME}/{JOB}")
    found = read_list(builds, CancelToken()).frame
    assert found["state"].to_list() == ["success"]
    files = [file for batch in builds.files(found, CancelToken()) for file in batch]
    assert len(files) == 6 and not any(file.skip for file in files)
    plan = make_plan(files, tmp_path / "out")
    transfer = Transfer(plan, open_downloader=owner.downloader, settings=owner.downloader_settings(), jobs=2)
    transfer.start()
    assert transfer.wait(60) and set(transfer.frame()["state"].to_list()) == {"verified"}
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()


def test_what_was_read_with_credentials_is_not_shown_without(
    bucket: Bucket, owner: Http, http: Http, tmp_path: Path
) -> None:
    assert rows(opened(bucket, owner, f"gs://{NAME}/{JOB}"))
    assert rows(opened(bucket, owner, f"prow:completeness/gs/{NAME}/{JOB}"))
    for text in (f"gs://{NAME}/{JOB}", f"prow:completeness/gs/{NAME}/{JOB}"):
        with pytest.raises(AccessDeniedError):
            rows(opened(bucket, http, text))


def test_who_is_not_signed_in_is_told_what_to_set(bucket: Bucket, http: Http) -> None:
    bucket.private = True
    with pytest.raises(AccessDeniedError) as refused:
        rows(opened(bucket, http, f"gs://{NAME}/{JOB}"))
    for word in ("gcloud auth application-default login", "GOOGLE_APPLICATION_CREDENTIALS", "CIEXPLORE_GCS_TOKEN"):
        assert word in refused.value.hint


def test_who_is_signed_in_is_told_as_whom(bucket: Bucket, owner: Http) -> None:
    bucket.token = "of somebody else"
    with pytest.raises(AccessDeniedError) as refused:
        rows(opened(bucket, owner, f"gs://{NAME}/{JOB}"))
    assert "owner@x" in refused.value.hint and "may read" in refused.value.hint
    bucket.faults += [("/o?", 401)]
    with pytest.raises(AccessDeniedError) as refused:
        rows(opened(bucket, owner, f"gs://{NAME}/{JOB}"))
    assert "owner@x" in refused.value.hint and "get new ones" in refused.value.hint


@pytest.mark.parametrize("what", ["", "build-log.txt"])
def test_whose_token_has_expired_is_told_so_by_every_download(
    bucket: Bucket, ciexplore: Caller, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder = build(bucket, snowflake(3600))
    bucket.faults += [("/storage/v1/b/", 401)] * 20
    monkeypatch.setenv("CIEXPLORE_GCS_TOKEN", "expired")
    place = f"gs://{NAME}/{folder}{what}"
    found = ciexplore("prow", "download", place, "--gcs-url", bucket.url, "--no-cache", "--output", "out")
    assert found.code == 3
    assert "The storage does not accept the credentials (token): get new ones" in found.err
    assert "expired" not in found.err
