"""Credentials for the configured deployment: the official clients' environment variables, as a Hawk identity.

TASKCLUSTER_CLIENT_ID and TASKCLUSTER_ACCESS_TOKEN, and TASKCLUSTER_CERTIFICATE for temporary credentials. They are read
from the environment only, are not settings, and are not stored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from backends.errors import UsageError
from backends.http.policies import Identity

CLIENT_ID, ACCESS_TOKEN, CERTIFICATE = "TASKCLUSTER_CLIENT_ID", "TASKCLUSTER_ACCESS_TOKEN", "TASKCLUSTER_CERTIFICATE"


def identities(root: str, environment: Mapping[str, str]) -> tuple[Identity, ...]:
    """The identity for `root`'s origin and no other; none unless both the client and its token are set.

    A queue refuses what is signed with empty credentials, which it would accept without any.
    Whether they can be used is found out with the first request, for other systems do not need them: only then
    `UsageError` (impossible, or expired) and `HawkMissingError` are raised.
    """
    client, token = environment.get(CLIENT_ID, "").strip(), environment.get(ACCESS_TOKEN, "").strip()
    if not client or not token:
        return ()
    signer = _Signer(root, client, token, environment.get(CERTIFICATE, "").strip())
    return (Identity(root, client, signer.headers),)


def half_set(environment: Mapping[str, str]) -> str:
    """What is wrong with credentials that are set in part, in a sentence; "" where all or none of them are set."""
    names = (CLIENT_ID, ACCESS_TOKEN, CERTIFICATE)
    given = [name for name in names if environment.get(name, "").strip()]
    missing = [name for name in (CLIENT_ID, ACCESS_TOKEN) if name not in given]
    if not given or not missing:
        return ""
    verb, lacks = ("is" if len(names) == 1 else "are" for names in (given, missing))
    return (
        f"{' and '.join(given)} {verb} set but {' and '.join(missing)} {lacks} not: "
        "Taskcluster is asked without credentials."
    )


class _Signer:
    def __init__(self, root: str, client: str, token: str, certificate: str) -> None:
        self._root, self._client, self._token, self._certificate = root, client, token, certificate
        self._expiry = _expiry(certificate)
        self._identity: Identity | None = None

    def __repr__(self) -> str:
        return f"_Signer({self._client!r})"

    def headers(self, method: str, url: str) -> Mapping[str, str]:
        if self._expiry is not None and self._expiry < time.time():
            when = datetime.fromtimestamp(self._expiry, UTC).strftime("%Y-%m-%d %H:%M UTC")
            raise UsageError(
                f"The temporary Taskcluster credentials in {CERTIFICATE} expired at {when}.",
                f"Sign in again, or unset {CLIENT_ID} for anonymous requests.",
            )
        if self._identity is None:
            if self._certificate and not _is_object(self._certificate):
                raise UsageError(
                    f"{CERTIFICATE} is not the JSON object that belongs to temporary credentials.",
                    f"Copy it again, or unset it if {CLIENT_ID} is a permanent client.",
                )
            from backends.http.hawk import hawk_identity

            self._identity = hawk_identity(self._root, self._client, self._token, certificate=self._certificate or None)
        return self._identity.sign(method, url)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _expiry(certificate: str) -> float | None:
    """The end of temporary credentials, in seconds since 1970; None if the certificate does not have it."""
    try:
        value = json.loads(certificate)["expiry"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 253_402_300_799_999
    return value / 1000 if known else None
