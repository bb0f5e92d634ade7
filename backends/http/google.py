"""Bearer tokens for Google Cloud Storage, from where Google's own tools keep them.

`google_identity(settings.gcs_url, os.environ)` gives an `Identity` for `Http(identities=...)`, or None where no
credentials are set. In this order, as gcloud and Google's libraries do:

1. CIEXPLORE_GCS_TOKEN or CLOUDSDK_AUTH_ACCESS_TOKEN: an access token (`gcloud auth print-access-token`);
   CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: a file that holds one, read again for each request.
2. GOOGLE_APPLICATION_CREDENTIALS: a JSON file, either a service account's key (needs the extra `gcs`, which signs the
   JWT) or `authorized_user` (a refresh token).
3. The file that `gcloud auth application-default login` writes: application_default_credentials.json in CLOUDSDK_CONFIG
   or ~/.config/gcloud. Nobody has asked for these, so where they cannot be used, requests go out without and
   `Identity.note()` tells why: public buckets must not fail because a login has expired.

`Http` sends the token to the origin of `gcs_url` only and no longer after a redirect has led elsewhere. It is kept in
memory only and fetched again after nine tenths of its life.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from backends.errors import AppError, UsageError
from backends.http.policies import Identity
from backends.paths import expand_home

TOKEN_VARIABLES = ("CIEXPLORE_GCS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN")
TOKEN_FILE_VARIABLE = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"  # noqa: S105 - the name of a variable
FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - where tokens are asked for
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_MOST_BYTES = 1 << 20  # of a file with credentials
_TOKEN = re.compile(r"[!-~]+")
_ERROR_WORD = re.compile(r"[a-z_]{1,40}")
_SIGNATURES = frozenset({"x-goog-signature", "signature", "x-amz-signature"})
clock: Callable[[], float] = time.monotonic
_PAUSE = 60.0  # seconds until credentials that nobody has asked for are tried again


class GoogleAuthMissingError(AppError):
    """The optional part that signs for service accounts is not installed."""

    exit_code = 2


def google_identity(origin: str, environment: Mapping[str, str]) -> Identity | None:
    """Who we are to the Google storage at `origin`, None for nobody. Asks no server and raises nothing.

    What is wrong with the credentials is raised by the first request (`UsageError`, `GoogleAuthMissingError`, or the
    `HttpError` of the token's server), for other systems do without them.
    """
    for name in TOKEN_VARIABLES:
        if token := environment.get(name, "").strip():
            return Identity(origin, "google:token", _TokenSource(name, token).headers)
    if path := environment.get(TOKEN_FILE_VARIABLE, "").strip():
        return Identity(origin, "google:token", _TokenFile(expand_home(path)).headers)
    if path := environment.get(FILE_VARIABLE, "").strip():
        return _file_identity(origin, expand_home(path), is_explicit=True)
    path = environment.get("CLOUDSDK_CONFIG", "").strip()
    directory = expand_home(path) if path else _home(environment) / ".config" / "gcloud"
    file = directory / "application_default_credentials.json"
    return _file_identity(origin, file, is_explicit=False) if file.is_file() else None


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or "/nonexistent")


def _file_identity(origin: str, path: Path, *, is_explicit: bool) -> Identity:
    source = _FileSource(path, is_explicit=is_explicit)
    return Identity(origin, source.scope, source.headers, source.note)


class _TokenSource:
    """A token that is in the environment."""

    def __init__(self, name: str, token: str) -> None:
        self._name, self._token = name, token

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        return {} if _is_signed(url) else _bearer(self._token, self._name)


class _TokenFile:
    """A token in a file that something else keeps fresh."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        return {} if _is_signed(url) else _bearer(_read(self._path).strip(), TOKEN_FILE_VARIABLE)


class _FileSource:
    """A token that is asked for with what a file of credentials says, and kept until it is nearly over."""

    def __init__(self, path: Path, *, is_explicit: bool) -> None:
        self._path, self._is_explicit = path, is_explicit
        self._lock = threading.Lock()
        self._token = ""
        self._fresh_until = 0.0
        self._paused_until = 0.0
        self._note = ""
        self._problem: AppError | None = None
        self._info: Mapping[str, Any] = {}
        try:
            self._info = _credentials(path)
        except AppError as problem:
            self._problem = problem
        self.scope = f"google:{_account(self._info)}"

    def __repr__(self) -> str:
        return f"_FileSource({str(self._path)!r})"

    def note(self) -> str:
        return self._note

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        if _is_signed(url):
            return {}
        with self._lock:
            if clock() >= self._fresh_until and clock() >= self._paused_until:
                self._refresh()
            return _bearer(self._token, str(self._path)) if self._token else {}

    def _refresh(self) -> None:
        self._token = ""
        try:
            if self._problem is not None:
                raise self._problem
            self._token, seconds = _fetch_token(self._info, self._path)
        except AppError as problem:
            if self._is_explicit:
                raise
            self._paused_until = clock() + _PAUSE
            self._note = f"gcloud's credentials are not used: {problem.sentence} {problem.hint}".strip()
            return
        self._note = ""
        self._fresh_until = clock() + 0.9 * seconds


def _credentials(path: Path) -> Mapping[str, Any]:
    try:
        info = json.loads(_read(path))
    except (ValueError, RecursionError):  # "from None" and no quotation: the file is a secret
        info = None
    if not isinstance(info, dict):
        raise UsageError(f"{path} is not a JSON file of Google credentials.", "Download it again, or sign in again.")
    kind = info.get("type")
    fields = {
        "service_account": ("client_email", "private_key"),
        "authorized_user": ("client_id", "client_secret", "refresh_token"),
    }.get(kind if isinstance(kind, str) else "")
    if fields is None:
        raise UsageError(
            f"{path} holds Google credentials of a type that is not supported.",
            "Use a service account's key or `gcloud auth application-default login`, or set "
            f"{TOKEN_VARIABLES[0]} to the output of `gcloud auth print-access-token`.",
        )
    if missing := [name for name in fields if not isinstance(info.get(name), str) or not info[name]]:
        raise UsageError(f"{path} lacks {', '.join(missing)}.", "Download it again, or sign in again.")
    return info


def _account(info: Mapping[str, Any]) -> str:
    """A public name under which answers are stored apart."""
    if info.get("type") == "service_account":
        return str(info["client_email"])
    secret = f"{info.get('client_id')}\n{info.get('refresh_token')}"
    return f"user-{hashlib.sha256(secret.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _fetch_token(info: Mapping[str, Any], path: Path) -> tuple[str, float]:
    """A new access token and the seconds that it lives."""
    from backends.http.caching import raise_for_status, read_body
    from backends.http.errors import AccessDeniedError, BadRequestError, UnexpectedResponseError
    from backends.http.sender import Sender
    from backends.http.transport import Transport
    from backends.http.urls import parse_url

    url = parse_url(str(info.get("token_uri") or TOKEN_URL))
    if info["type"] == "service_account":
        form = {"grant_type": _JWT_GRANT, "assertion": _assertion(info, str(url), path)}
    else:
        form = {"grant_type": "refresh_token", **{name: info[name] for name in _USER_FIELDS}}
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
    wire = Transport()
    try:
        sent = Sender(wire).send("POST", url, headers=headers, content=urlencode(form).encode(), follow=False)
        with sent as reply:
            raise_for_status(reply)
            answer = json.loads(read_body(reply, str(url), 1 << 16)[0].body)
        token, seconds = str(answer["access_token"]), float(answer.get("expires_in") or 3600)
    except (BadRequestError, AccessDeniedError) as problem:
        raise UsageError(
            f"Google does not accept the credentials in {path} ({_word(problem)}).",
            "Sign in again: gcloud auth application-default login, or make a new key for the service account.",
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UnexpectedResponseError(
            f"{url.host} answered with something that is not a token.", "Check token_uri."
        ) from None
    finally:
        wire.close()
    _bearer(token, str(url.host))
    return token, seconds


_USER_FIELDS = ("client_id", "client_secret", "refresh_token")


def _word(problem: AppError) -> str:
    """The error's code ("invalid_grant") out of the server's words, which may quote what was sent."""
    said = problem.sentence.partition('It says: "')[2]
    match = _ERROR_WORD.match(said)
    return match[0] if match else f"status {getattr(problem, 'status', '')}"


def _assertion(info: Mapping[str, Any], audience: str, path: Path) -> str:
    try:
        crypt: Any = importlib.import_module("google.auth.crypt")
        jwt: Any = importlib.import_module("google.auth.jwt")
    except ImportError:
        raise GoogleAuthMissingError(
            "Reading with a service account needs the optional part for Google.",
            "Install it: pip install 'ciexplore[gcs]'",
        ) from None
    try:
        signer = crypt.RSASigner.from_service_account_info(info)
    except (ValueError, TypeError, KeyError):
        raise UsageError(f"The private key in {path} cannot be read.", "Download the key again.") from None
    now = int(time.time())
    claims = {"iss": info["client_email"], "scope": READ_ONLY, "aud": audience, "iat": now, "exp": now + 3600}
    return str(jwt.encode(signer, claims).decode("ascii"))


def _bearer(token: str, where: str) -> Mapping[str, str]:
    if not _TOKEN.fullmatch(token):  # never shown: most of it may be right
        raise UsageError(f"What {where} holds is not an access token.", "Use `gcloud auth print-access-token`.")
    return {"authorization": f"Bearer {token}"}


def _is_signed(url: str) -> bool:
    """A signed URL says who asks; the storage refuses it with a token besides."""
    return any(name.lower() in _SIGNATURES for name, _ in parse_qsl(urlsplit(url).query))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        said = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"{path} with Google credentials cannot be read: {said}.", "Check its name.") from None
    return content[:_MOST_BYTES].decode("utf-8-sig", "replace")
