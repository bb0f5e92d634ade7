"""One verdict on which host is this machine, wherever it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.net import is_inside, is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("tc.localhost", True),
        ("127.1", True),
        ("0x7f.0.0.1", True),
        ("2130706433", True),
        ("[::1]", True),
        ("::1", True),
        ("[::ffff:127.0.0.1]", True),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("notlocalhost", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_plain_http_goes_to_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_hosts_that_failed_once_get_one_verdict(samples: Path) -> None:
    cases = samples.parent / "cases" / "loopback.tsv"
    if not cases.is_file():
        pytest.skip("the cases are not on this machine")
    for line in cases.read_text().splitlines()[1:]:
        _, host, verdict = line.split("\t")
        assert is_loopback(host) is (verdict == "yes"), host


def test_what_is_this_machine_is_inside_too() -> None:
    assert is_inside("a.localhost") and is_inside("192.168.1.1") and is_inside("169.254.169.254")
    assert not is_inside("8.8.8.8") and not is_inside("example.org")
