"""Hawk headers are accepted by a server that checks them, and credentials never show."""

from __future__ import annotations

import json
import sys
import traceback
from base64 import b64decode

import mohawk
import pytest

from backends.errors import UsageError
from backends.http.hawk import HawkMissingError, hawk_identity

KEY = "a-key-that-must-not-show"
URL = "http://localhost:8080/api/queue/v1/task/x?limit=2"


def accept(header: str, url: str = URL, method: str = "GET") -> mohawk.Receiver:
    return mohawk.Receiver(
        lambda _: {"id": "me", "key": KEY, "algorithm": "sha256"}, header, url, method, accept_untrusted_content=True
    )


def test_a_server_accepts_what_the_identity_signs() -> None:
    identity = hawk_identity("http://localhost:8080", "me", KEY)
    assert identity.scope == "me"
    accept(identity.sign("GET", URL)["authorization"])


def test_a_signature_does_not_hold_for_another_address() -> None:
    identity = hawk_identity("http://localhost:8080", "me", KEY)
    with pytest.raises(mohawk.exc.MacMismatch):
        accept(identity.sign("GET", URL)["authorization"], URL + "1")


def test_each_request_has_a_nonce_of_its_own() -> None:
    identity = hawk_identity("http://localhost:8080", "me", KEY)
    nonces = {accept(identity.sign("GET", URL)["authorization"]).parsed_header["nonce"] for _ in range(20)}
    assert len(nonces) == 20


def test_temporary_credentials_carry_their_certificate() -> None:
    certificate = {"version": 1, "signature": "s", "scopes": ["é"]}
    identity = hawk_identity("http://localhost:8080", "me", KEY, certificate=json.dumps(certificate))
    received = accept(identity.sign("GET", URL)["authorization"])
    assert json.loads(b64decode(received.parsed_header["ext"])) == {"certificate": certificate}


@pytest.mark.parametrize(
    ("client", "key"), [("", KEY), ("me", ""), ("", ""), ("me", KEY + "\n"), ("me", KEY + "é"), ('m"e', KEY)]
)
def test_impossible_credentials_are_refused_without_being_shown(client: str, key: str) -> None:
    with pytest.raises(UsageError) as refused:
        hawk_identity("http://localhost:8080", client, key)
    assert KEY not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("certificate", ["not json", "[1]", '"text"', "{"])
def test_a_certificate_that_is_none_is_refused_without_being_shown(certificate: str) -> None:
    with pytest.raises(UsageError) as refused:
        hawk_identity("http://localhost:8080", "me", KEY, certificate=certificate)
    assert "not json" not in "".join(traceback.format_exception(refused.value))


def test_no_repr_shows_the_key() -> None:
    identity = hawk_identity("http://localhost:8080", "me", KEY)
    assert KEY not in repr(identity) + str(identity) + repr(identity.sign) + repr(identity.sign.__self__)


def test_without_the_library_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mohawk", None)
    with pytest.raises(HawkMissingError, match=r"pip install 'ciexplore\[hawk\]'"):
        hawk_identity("http://localhost:8080", "me", KEY)
