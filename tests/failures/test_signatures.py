"""The laws of signatures: the same for two runs of one failure, others for others, and stable."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.failures.signatures import MAX_CHARACTERS, normalize, signatures


def sign(text: str) -> str:
    return str(signatures(pl.Series([text])).item())


# Two runs of the same failure, by what varies
SAME = {
    "time of day": ("at 08:12:01.123 it stopped", "at 23:59:59.001 it stopped"),
    "date": ("since Mon, 20 Nov 2026 08:00:00 GMT", "since Tue, 1 Dec 2026 18:30:12 GMT"),
    "ISO time": ("2026-11-20T08:00:00Z no answer", "2026-12-01T18:30:12.123456+02:00 no answer"),
    "rejection date": (
        "Rejection date: Thu Oct 08 2020 20:47:46 GMT+0000 (Coordinated Universal Time) - false == true",
        "Rejection date: Fri Oct 09 2020 01:02:03 GMT+0000 (Coordinated Universal Time) - false == true",
    ),
    "duration": ("refused after 1m3s", "refused after 47.5s"),
    "count": ("timed out after 50 tries.", "timed out after 7 tries."),
    "pointer": ("crashed at 0x7f3a9c001234", "crashed at 0x55d0c0ffee00"),
    "hash": (
        "revision a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0 is gone",
        "revision 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c is gone",
    ),
    "UUID": (
        "profile 123e4567-e89b-12d3-a456-426614174000 is locked",
        "profile f47ac10b-58cc-4372-a567-0e02b2c3d479 is locked",
    ),
    "address": ("dial tcp 10.0.1.7:6443: connection refused", "dial tcp 192.168.12.34:443: connection refused"),
    "port": ("Address 127.0.0.1:4444 is in use", "Address 127.0.0.1:38109 is in use"),
    "host of a URL": (
        "Found an unexpected tab: http://example.com/browser/test-page.html",
        "Found an unexpected tab: https://test1.example.org:443/browser/test-page.html",
    ),
    "host": ("node ip-10-0-3-4.us-west-2.compute.internal lost", "node ip-10-0-99-1.us-west-2.compute.internal lost"),
    "temporary directory": ("cannot remove /tmp/tmpab12x/profile", "cannot remove /tmp/tmpqq9_z/profile"),
    "Windows' temporary directory": (
        r"cannot open C:\Users\task_1\AppData\Local\Temp\tmp1a\x",
        r"cannot open C:\Users\task_77\AppData\Local\Temp\q\x",
    ),
    "pod": ("pod web-7d4b9c6f5d-x2x9k is gone", "pod web-59f8c4b6d7-qwx4z is gone"),
    "namespace": ("namespace ci-op-1a2b3c4d is terminating", "namespace ci-ln-9z8y7x6 is terminating"),
    "task id": ("task fN1SbArXTPSVFNUvaOlinQ failed", "task Y33uyQ0GReeMGr1zdJzLAQ failed"),
    "Go map": ("labels map[b:two a:one] differ", "labels map[a:one b:two] differ"),
}  # fmt: skip
# One meaningful word or number apart: another cause
DIFFERENT = (
    ("connection refused", "connection reset"),
    ("the file is not empty", "the file is empty"),
    ("expected true but got false", "expected false but got true"),
    ("exit code 1", "exit code 137"),
    ("HTTP/1.1 403 from the server", "HTTP/1.1 503 from the server"),
    ("errno 13", "errno 28"),
    ('state expected "closed" but got "open"', 'state expected "closed" but got "opening"'),
    ("cannot pull quay.io/a/b", "cannot pull docker.io/a/b"),
    ("TypeError: x is null", "TypeError: x is undefined"),
    ("Assertion failure: mFrozen", "Assertion failure: mClosed"),
)


@pytest.mark.parametrize("kind", SAME)
def test_two_runs_of_one_failure_have_one_signature(kind: str) -> None:
    one, other = SAME[kind]
    assert sign(one) == sign(other)


@pytest.mark.parametrize("pair", DIFFERENT)
def test_one_other_word_is_another_signature(pair: tuple[str, str]) -> None:
    assert sign(pair[0]) != sign(pair[1])


_PIECES = st.lists(
    st.sampled_from([
        "pod-", "10.0.0.1", ":443", " ", "\n", "#", "map[b:1 a:2]", "http://", "example1.org", "/tmp/", "0x1f", "Mon ",
        "Nov 3",
        "-x2x9k", "code 7", "a1b2c3d4e5", ".", "_", "exit", "1m3s", "ci-op-", "µs", "%", "é", "Users\\", "Temp",
        "v1beta1", "-", "HTTP/1.1 404",
    ])
    | st.text(max_size=4),
    max_size=14,
).map("".join)  # fmt: skip


@given(_PIECES)
@example("a1b2c3d4e5_10.0.0.1")
@example("host1.example.com_10.0.0.1")
def test_a_signature_is_its_own_signature(text: str) -> None:
    once = normalize(pl.Series([text]))
    assert normalize(once).to_list() == once.to_list()


@given(st.lists(_PIECES | st.none(), max_size=5))
def test_each_text_is_taken_by_itself(texts: list[str | None]) -> None:
    together = signatures(pl.Series(texts, dtype=pl.String)).to_list()
    assert len(together) == len(texts) and None not in together


def test_the_middle_of_a_long_text_is_left_out_and_its_ends_count() -> None:
    middle = "word " * MAX_CHARACTERS
    assert sign(f"begins {middle} ends") == sign(f"begins {middle}{middle} ends")
    assert sign(f"begins {middle} ends") != sign(f"begins {middle} stops")
    assert len(sign("x" * (10 << 20))) < 2 * MAX_CHARACTERS


def test_kubernetes_versions_and_words_with_digits_stay() -> None:
    assert sign("no matches for kind Foo in version v1beta1") != sign("no matches for kind Foo in version v1beta2")
    assert "utf8" in sign("not valid utf8")
