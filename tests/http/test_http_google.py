"""Private buckets are read as whom the user is signed in, and nobody else gets to see the token."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from backends import config
from backends.errors import UsageError
from backends.http import CachePolicy, Downloader, Http, Mode, errors, google
from backends.http.google import GoogleAuthMissingError, google_identity
from backends.http.policies import Identity
from backends.session import Session

Serve = Callable[..., Any]
SECRETS = ("ya29.first", "ya29.second", "1//refresh", "GOCSPX-secret", "PRIVATE KEY")


class TokenServer:
    """Stands in for oauth2.googleapis.com: checks grants with the public key and gives one token after the other."""

    def __init__(self, serve: Serve, say: Callable[..., bytes], public_key: bytes = b"") -> None:
        self.grants: list[dict[str, str]] = []
        self.claims: list[dict[str, Any]] = []
        self.tokens = ["ya29.first", "ya29.second"]
        self.refusal: tuple[str, bytes] | None = None
        self.expires_in: object = 3600
        self._say, self._public_key = say, public_key
        self.server = serve(self._talk)
        self.url = f"{self.server.url}/token"

    def _talk(self, connection: Any, head: bytes) -> None:
        head, _, body = head.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        while len(body) < length:
            body += connection.recv(65536)
        grant = dict(parse_qsl(body.decode()))
        self.grants.append(grant)
        if "assertion" in grant:
            from google.auth import jwt

            self.claims.append(jwt.decode(grant["assertion"], certs=self._public_key, audience=self.url))
        if self.refusal is not None:
            connection.sendall(self._say(self.refusal[1], self.refusal[0]))
            return
        token = self.tokens.pop(0)
        answer = {"access_token": token, "expires_in": self.expires_in, "token_type": "Bearer"}
        connection.sendall(self._say(json.dumps(answer).encode(), content_type="application/json"))


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def oauth(serve: Serve, say: Any, key: rsa.RSAPrivateKey) -> TokenServer:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return TokenServer(serve, say, public)


@pytest.fixture
def service_account(tmp_path: Path, oauth: TokenServer, key: rsa.RSAPrivateKey) -> Path:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "key.json"
    info = {
        "type": "service_account",
        "client_email": "ci@project.iam.gserviceaccount.com",
        "private_key_id": "k1",
        "private_key": pem.decode(),
        "token_uri": oauth.url,
    }
    path.write_text(json.dumps(info))
    return path


@pytest.fixture
def user(tmp_path: Path, oauth: TokenServer) -> Path:
    path = tmp_path / "gcloud" / "application_default_credentials.json"
    path.parent.mkdir()
    info = {
        "type": "authorized_user",
        "client_id": "id.apps.googleusercontent.com",
        "client_secret": "GOCSPX-secret",
        "refresh_token": "1//refresh",
        "token_uri": oauth.url,
    }
    path.write_text(json.dumps(info))
    return path


@pytest.fixture
def storage(serve: Serve, say: Any) -> Iterator[Any]:
    yield serve(lambda connection, head: connection.sendall(say(b'{"kind": "storage#objects"}')))


def sent(head: bytes) -> str:
    """The authorization header of a request, "" if there is none."""
    lines = [line.decode() for line in head.split(b"\r\n") if line.lower().startswith(b"authorization:")]
    return lines[0].partition(": ")[2] if lines else ""


def identity_of(origin: str, **environment: str) -> Identity:
    found = google_identity(origin, environment)
    assert found is not None
    return found


def test_a_service_account_reads_with_a_signed_grant(
    service_account: Path, oauth: TokenServer, storage: Any, client: Any
) -> None:
    me = identity_of(storage.url, GOOGLE_APPLICATION_CREDENTIALS=str(service_account))
    http: Http = client(identities=[me])
    for _ in range(3):
        http.get(f"{storage.url}/storage/v1/b/private/o", policy=CachePolicy.never())
    assert [sent(head) for head in storage.heads] == ["Bearer ya29.first"] * 3
    assert [grant["grant_type"] for grant in oauth.grants] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = oauth.claims[0]
    assert claims["iss"] == "ci@project.iam.gserviceaccount.com"
    assert claims["scope"] == "https://www.googleapis.com/auth/devstorage.read_only"
    assert claims["exp"] - claims["iat"] == 3600
    assert me.scope == "google:ci@project.iam.gserviceaccount.com"


@pytest.mark.parametrize("variable", ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "HOME"])
def test_a_login_of_gcloud_is_used_wherever_it_lies(
    variable: str, user: Path, oauth: TokenServer, storage: Any, client: Any, tmp_path: Path
) -> None:
    if variable == "HOME":
        (tmp_path / ".config").mkdir()
        user.parent.rename(tmp_path / ".config" / "gcloud")
    place = {"GOOGLE_APPLICATION_CREDENTIALS": user, "CLOUDSDK_CONFIG": user.parent, "HOME": tmp_path}[variable]
    http: Http = client(identities=[identity_of(storage.url, **{variable: str(place)})])
    http.get(f"{storage.url}/x", policy=CachePolicy.never())
    assert sent(storage.heads[0]) == "Bearer ya29.first"
    assert oauth.grants == [
        {
            "grant_type": "refresh_token",
            "client_id": "id.apps.googleusercontent.com",
            "client_secret": "GOCSPX-secret",
            "refresh_token": "1//refresh",
        }
    ]


@pytest.mark.parametrize("name", ["CIEXPLORE_GCS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"])
def test_a_token_in_the_environment_goes_before_all_files(name: str, user: Path, storage: Any, client: Any) -> None:
    environment = {name: " ya29.mine\n", "GOOGLE_APPLICATION_CREDENTIALS": str(user)}
    http: Http = client(identities=[identity_of(storage.url, **environment)])
    http.get(f"{storage.url}/x", policy=CachePolicy.never())
    assert sent(storage.heads[0]) == "Bearer ya29.mine"


def test_a_file_with_a_token_is_read_again_for_each_request(tmp_path: Path) -> None:
    path = tmp_path / "token"
    me = identity_of("https://storage.googleapis.com", CLOUDSDK_AUTH_ACCESS_TOKEN_FILE=str(path))
    for token in ("ya29.a", "ya29.b"):
        path.write_text(f"{token}\n")
        assert me.sign("GET", "https://storage.googleapis.com/x") == {"authorization": f"Bearer {token}"}


def test_nobody_is_asked_where_no_credentials_are_set(tmp_path: Path) -> None:
    assert google_identity("https://storage.googleapis.com", {"HOME": str(tmp_path)}) is None
    assert google_identity("https://storage.googleapis.com", {"CIEXPLORE_GCS_TOKEN": " "}) is None


def test_a_token_is_fetched_again_before_it_expires(
    user: Path, oauth: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(google, "clock", lambda: now[0])
    me = identity_of("https://storage.googleapis.com", GOOGLE_APPLICATION_CREDENTIALS=str(user))
    seen = []
    for now[0] in (1000.0, 1000.0 + 3239, 1000.0 + 3241):
        seen.append(me.sign("GET", "https://storage.googleapis.com/x")["authorization"])
    assert seen == ["Bearer ya29.first", "Bearer ya29.first", "Bearer ya29.second"]


def test_the_token_stays_at_the_storage_that_is_configured(
    user: Path, oauth: TokenServer, serve: Serve, say: Any, client: Any
) -> None:
    other = serve(lambda connection, head: connection.sendall(say(b"{}")))

    def redirect(connection: Any, head: bytes) -> None:
        connection.sendall(say(b"", "302 Found", location=f"{other.url}/elsewhere"))

    storage = serve(redirect)
    me = identity_of(storage.url, CLOUDSDK_CONFIG=str(user.parent))
    http: Http = client(identities=[me])
    http.get(f"{storage.url}/x", policy=CachePolicy.never())
    http.get(f"{other.url}/x", policy=CachePolicy.never())
    with Downloader(identities=[me]) as downloader, downloader.open(f"{storage.url}/f") as download:
        list(download.chunks())
    assert [sent(head) for head in storage.heads] == ["Bearer ya29.first"] * 2
    assert [sent(head) for head in other.heads] == ["", "", ""]


def test_a_signed_url_is_not_sent_a_token_besides(user: Path, oauth: TokenServer) -> None:
    me = identity_of("https://storage.googleapis.com", CLOUDSDK_CONFIG=str(user.parent))
    for query in ("X-Goog-Signature=abc", "GoogleAccessId=me&Expires=1&Signature=abc"):
        assert me.sign("GET", f"https://storage.googleapis.com/b/o?{query}") == {}
    assert not oauth.grants


def test_an_expired_login_is_said_and_public_buckets_are_still_read(
    user: Path, oauth: TokenServer, storage: Any, client: Any
) -> None:
    oauth.refusal = ("400 Bad Request", b'{"error": "invalid_grant", "error_description": "1//refresh has expired"}')
    http: Http = client(identities=[identity_of(storage.url, CLOUDSDK_CONFIG=str(user.parent))])
    for _ in range(3):
        http.get(f"{storage.url}/x", policy=CachePolicy.never())
    assert [sent(head) for head in storage.heads] == ["", "", ""] and len(oauth.grants) == 1
    (note,) = http.notes
    assert "invalid_grant" in note and "gcloud auth application-default login" in note
    assert not any(secret in note for secret in SECRETS)


def test_credentials_that_were_named_and_do_not_work_are_an_error(
    user: Path, oauth: TokenServer, storage: Any, client: Any
) -> None:
    oauth.refusal = ("400 Bad Request", b'{"error": "invalid_grant", "error_description": "1//refresh has expired"}')
    http: Http = client(identities=[identity_of(storage.url, GOOGLE_APPLICATION_CREDENTIALS=str(user))])
    with pytest.raises(UsageError, match="invalid_grant") as caught:
        http.get(f"{storage.url}/x", policy=CachePolicy.never())
    assert not storage.heads and not any(secret in str(caught.value) for secret in SECRETS)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        "[1]",
        '{"type": "external_account", "audience": "x"}',
        '{"type": ["service_account"]}',
        '{"type": "authorized_user", "client_id": "a", "client_secret": "GOCSPX-secret"}',
        '{"type": "service_account", "client_email": "a@b", "private_key": "-----BEGIN PRIVATE KEY-----\\nxx"}',
        None,
    ],
)
def test_files_that_are_no_credentials_are_a_sentence_without_their_content(
    content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    me = identity_of("https://storage.googleapis.com", GOOGLE_APPLICATION_CREDENTIALS=str(path))
    with pytest.raises(UsageError) as caught:
        me.sign("GET", "https://storage.googleapis.com/x")
    assert "key.json" in caught.value.sentence and caught.value.hint
    assert not any(secret in str(caught.value) for secret in SECRETS)


@pytest.mark.parametrize("token", ["two words", "a\r\nX-Evil: 1", "ä"])
def test_a_token_that_cannot_be_one_is_refused_without_being_shown(token: str) -> None:
    me = identity_of("https://storage.googleapis.com", CIEXPLORE_GCS_TOKEN=token)
    with pytest.raises(UsageError) as caught:
        me.sign("GET", "https://storage.googleapis.com/x")
    assert token not in str(caught.value) and "CIEXPLORE_GCS_TOKEN" in caught.value.sentence


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"access_token": "a b"}', b'{"expires_in": 3600}'])
def test_a_token_server_that_answers_something_else_is_named(body: bytes, user: Path, oauth: TokenServer) -> None:
    oauth.refusal = ("200 OK", body)
    me = identity_of("https://storage.googleapis.com", GOOGLE_APPLICATION_CREDENTIALS=str(user))
    with pytest.raises((errors.UnexpectedResponseError, UsageError), match=r"127\.0\.0\.1"):
        me.sign("GET", "https://storage.googleapis.com/x")


def test_without_the_library_the_command_that_installs_it_is_named(
    service_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth.crypt", None)
    me = identity_of("https://storage.googleapis.com", GOOGLE_APPLICATION_CREDENTIALS=str(service_account))
    with pytest.raises(GoogleAuthMissingError) as caught:
        me.sign("GET", "https://storage.googleapis.com/x")
    assert "ciexplore[gcs]" in caught.value.hint


def test_no_token_is_kept_on_the_disk_or_shown(
    user: Path, oauth: TokenServer, storage: Any, client: Any, tmp_path: Path
) -> None:
    me = identity_of(storage.url, CLOUDSDK_CONFIG=str(user.parent))
    http: Http = client(identities=[me], cache_dir=tmp_path / "kept")
    http.get(f"{storage.url}/x", policy=CachePolicy.immutable())
    assert http.with_mode(Mode.OFFLINE).get(f"{storage.url}/x", policy=CachePolicy.immutable()).body
    http.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "kept").rglob("*") if path.is_file())
    assert len(kept) > 1000 and not any(secret.encode() in kept for secret in SECRETS)
    assert not any(secret in repr((me, me.sign, me.note)) for secret in SECRETS)


def test_the_configured_storage_gets_the_token_and_taskcluster_does_not(
    storage: Any, serve: Serve, say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = serve(lambda connection, head: connection.sendall(say(b"{}")))
    monkeypatch.setenv("CIEXPLORE_GCS_URL", storage.url)
    monkeypatch.setenv("TASKCLUSTER_ROOT_URL", queue.url)
    monkeypatch.setenv("CIEXPLORE_GCS_TOKEN", "ya29.mine")
    for is_demo, expected in ((False, "Bearer ya29.mine"), (True, "")):
        session = Session(config.load(), demo=is_demo)
        for server in (storage, queue):
            session.http.get(f"{server.url}/x", policy=CachePolicy.never())
        session.close()
        assert sent(storage.heads[-1]) == expected and sent(queue.heads[-1]) == ""


def test_a_login_that_has_expired_is_said_by_the_command_and_a_public_bucket_is_listed(
    user: Path, oauth: TokenServer, serve: Serve, say: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from tui.cli import run

    oauth.refusal = ("400 Bad Request", b'{"error": "invalid_grant", "error_description": "1//refresh has expired"}')
    listing = b'{"kind": "storage#objects", "prefixes": ["logs/job/1/", "logs/job/2/"]}'
    storage = serve(lambda connection, head: connection.sendall(say(listing, content_type="application/json")))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(user.parent))
    code = run(["prow", "builds", "gs://bucket/logs/job", "--gcs-url", storage.url, "--format", "csv"])
    shown = capsys.readouterr()
    assert code == 0 and [row["build"] for row in csv.DictReader(io.StringIO(shown.out))] == ["2", "1"]
    assert shown.err.count("gcloud's credentials are not used") == 1 and "invalid_grant" in shown.err
    assert not any(secret in shown.err + shown.out for secret in SECRETS)
