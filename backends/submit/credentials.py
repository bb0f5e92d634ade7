"""Credentials for a broker or a server: from the environment, from a file that only its owner can read, or asked for.

Nothing here is ever written anywhere; a `Secret` is shown only by `reveal()`.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backends.config import Settings, config_path
from backends.errors import UsageError
from backends.paths import expand_home

# kind -> (name in the file, environment variable) of who, and of the secret
NAMES = {
    "pulse": (("user", "CIEXPLORE_PULSE_USER"), ("password", "CIEXPLORE_PULSE_PASSWORD")),
    "hawk": (("client_id", "CIEXPLORE_HAWK_CLIENT_ID"), ("key", "CIEXPLORE_HAWK_KEY")),
}
VARIABLES = frozenset(variable for pair in NAMES.values() for _, variable in pair)
Ask = Callable[[str, bool], str]  # (prompt, hidden) -> what the user typed


class Secret:
    """A text that neither repr, str, format nor pickle reveal."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True)
class Credentials:
    """`who` is public (a user name, a client id), `secret` is not."""

    who: str
    secret: Secret


def credentials_path(settings: Settings) -> Path:
    """The file that the settings name, else credentials.toml beside the settings file."""
    configured = settings.submit_credentials
    return expand_home(configured) if configured else config_path().with_name("credentials.toml")


def load_credentials(kind: str, settings: Settings, ask: Ask | None = None) -> Credentials:
    """The credentials for "pulse" or "hawk". Environment before file before `ask`.

    Raises `UsageError` where there are none, and for a file that others can read.
    """
    (who_name, who_variable), (secret_name, secret_variable) = NAMES[kind]
    path = credentials_path(settings)
    table = _read_table(path, kind)
    who = os.environ.get(who_variable) or table.get(who_name, "")
    secret = os.environ.get(secret_variable, "")
    if not secret and table.get(who_name) == who:  # the file's secret belongs to the file's name
        secret = table.get(secret_name, "")
    if ask is not None and not who:
        who = ask(f"{kind.capitalize()} {who_name.replace('_', ' ')}", False)
    if ask is not None and who and not secret:
        secret = ask(f"{kind.capitalize()} {secret_name} of {who}", True)
    if not who or not secret:
        raise UsageError(
            f"There are no {kind.capitalize()} credentials.",
            f"Set {who_variable} and {secret_variable}, or write [{kind}] {who_name} and {secret_name} into {path} "
            "(mode 0600).",
        )
    return Credentials(who, Secret(secret))


def _read_table(path: Path, kind: str) -> dict[str, str]:
    """That table of the file, {} without one. No error quotes what the file holds."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise UsageError(
                    f"{path} holds credentials and others can read it.", f"Protect it first: chmod 600 {path}"
                )
            document = tomllib.load(stream)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"The credentials file {path} cannot be read.") from None
    except tomllib.TOMLDecodeError:
        raise UsageError(f"The credentials file {path} is not valid TOML.", f'[{kind}], then name = "value"') from None
    table = document.get(kind, {})
    if not isinstance(table, dict):
        return {}
    return {name: value for name, value in table.items() if isinstance(value, str)}
