"""The end of a large log is there at once where the storage can give it, and right where it cannot."""

from __future__ import annotations

import gzip
import json

import pytest

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http
from backends.prow.bucket import TAIL_BYTES, BucketReader
from backends.prow.locators import ProwPath
from backends.prow.store_gcs import GcsStore
from backends.resources import LogAddress, read_list
from backends.systems import open_resource
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import NAME, build, snowflake

LOG = "logs/job/1387000000000000000/build-log.txt"
LINES = [b"line %d of the log\n" % number for number in range(200_000)]


def ends(bucket: Bucket, http: Http, count: int) -> list[bytes] | None:
    return BucketReader(GcsStore(http, bucket.url), "ci").last_lines(LOG, count, CancelToken())


def ranges(bucket: Bucket) -> list[str]:
    return [headers["range"] for headers in bucket.headers if "range" in headers]


def test_the_end_of_a_plain_log_comes_without_the_rest(bucket: Bucket, http: Http) -> None:
    stored = bucket.put(LOG, b"".join(LINES))
    assert ends(bucket, http, 3) == LINES[-3:]
    assert ranges(bucket) == [f"bytes={len(stored.body) - TAIL_BYTES}-"]
    assert "generation=1" in bucket.asked[-1], "another text may have taken its place since its size was told"


def test_many_lines_are_all_there(bucket: Bucket, http: Http) -> None:
    bucket.put(LOG, b"".join(LINES))
    assert ends(bucket, http, 50_000) == LINES[-50_000:]


def test_a_compressed_log_is_never_asked_for_in_parts(bucket: Bucket, http: Http) -> None:
    bucket.put(LOG, b"".join(LINES), packed=True)
    assert ends(bucket, http, 3) is None
    assert not ranges(bucket)


def test_a_compressed_log_whose_metadata_do_not_say_so_is_no_text(bucket: Bucket, http: Http) -> None:
    bucket.put(LOG, gzip.compress(b"".join(LINES)))
    assert ends(bucket, http, 3) is None


@pytest.mark.parametrize("how", [503, 404, "broken"])
def test_what_goes_wrong_on_the_way_to_the_end_is_left_to_the_whole(bucket: Bucket, http: Http, how: object) -> None:
    bucket.put(LOG, b"".join(LINES))
    bucket.faults.append(("alt=media", how))
    assert ends(bucket, http, 3) is None


def test_a_short_log_and_too_many_lines_are_read_whole(bucket: Bucket, http: Http) -> None:
    bucket.put(LOG, b"".join(LINES[:10]))
    assert ends(bucket, http, 3) is None
    bucket.put(LOG, b"".join(LINES))
    assert ends(bucket, http, len(LINES)) is None


def address_of(bucket: Bucket, http: Http) -> LogAddress:
    builds = open_resource(ProwPath("ci", "logs/job/"), http, Settings(gcs_url=bucket.url), CancelToken())
    address = builds.log(read_list(builds, CancelToken()).frame.row(0, named=True))
    assert address is not None
    return address


@pytest.mark.parametrize(("passed", "failed"), [(True, False), (False, True)])
def test_the_log_of_an_ended_build_is_final_and_that_of_a_failed_one_read_for_its_errors(
    bucket: Bucket, http: Http, passed: bool, failed: bool
) -> None:
    bucket.put(LOG, "text")
    folder = LOG.removesuffix("build-log.txt")
    bucket.put(f"{folder}started.json", json.dumps({"timestamp": 1_619_000_000}))
    assert not address_of(bucket, http).final
    bucket.put(f"{folder}finished.json", json.dumps({"timestamp": 1_619_003_600, "passed": passed}))
    address = address_of(bucket, http)
    assert (address.final, address.failed) == (True, failed)


@pytest.mark.parametrize(
    ("lines", "code", "printed", "said"),
    [
        ("3-5", 0, "3 4 5", "lines 3 to 5"),
        ("9-5", 0, "9 10", "from line 9 on"),
        ("8-99", 0, "8 9 10", "the log ends at line 10."),
        ("11-99", 2, "", "There is no line 11: the log ends at line 10."),
        ("11", 2, "", "There is no line 11: the log ends at line 10."),
    ],
)
def test_a_range_that_leaves_the_log_says_where_the_log_ends(
    bucket: Bucket, ciexplore: Caller, lines: str, code: int, printed: str, said: str
) -> None:
    folder = build(bucket, snowflake(3600), log="".join(f"{number}\n" for number in range(1, 11)))
    page = f"https://prow.example.org/view/gs/{NAME}/{folder[:-1]}#1:build-log.txt:{lines}"
    found = ciexplore("prow", "log", page, "--gcs-url", bucket.url, "--no-cache")
    assert found.code == code
    assert found.out.decode().split() == printed.split()
    assert said in found.err
