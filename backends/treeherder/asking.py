"""How a Treeherder is asked: addresses that end in a slash, repeated parameters, names checked before they are sent.

An unknown repository or a word where a number belongs is a 500 of several of its views, which would be asked again and
again as if the server were ill; so both are noticed here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from backends.errors import AppError
from backends.http.response import Response
from backends.treeherder.answers import Hold, kept

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http import Http

Value = str | int | bool | None
Params = Mapping[str, Value | Sequence[Value]]
DAY = 86400.0
CAP = 512 << 20  # bytes, decoded: all subtests of a month were 3.2 MB of a small server; production has 50 times that


class NoSuchRepository(AppError):
    """The server answers, and has no repository of that name."""

    exit_code = 3

    def __init__(self, name: str, known: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, known, 3, 0.5)
        some = near or sorted(known)[:8]
        names = ", ".join(some)
        hint = f"Did you mean {names}?" if near else f"Some that it has: {names}." if some else ""
        super().__init__(f"Treeherder has no repository “{_shown(name)}”.", hint)


class NoSuchThing(AppError):
    """The server answers, and has nothing by that id or revision."""

    exit_code = 3


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in name[:60])


class Asker:
    """One server. `base`: https://host, without /api."""

    def __init__(self, http: Http, base: str) -> None:
        self.http = http
        self.base = base.rstrip("/")

    def ask(
        self, path: str, params: Params | None = None, *, policy: Hold, cancel: CancelToken | None = None
    ) -> Response:
        """The answer of /api/PATH/. `policy` holds for JSON only. Raises `AppError`s."""
        return self.http.get(self.url(path, params), policy=kept(policy), cap=CAP, cancel=cancel)

    def url(self, path: str, params: Params | None = None) -> str:
        query = urlencode([pair for name, value in (params or {}).items() for pair in _pairs(name, value)])
        return f"{self.base}/api/{path.strip('/')}/" + (f"?{query}" if query else "")


def project(repository: str, rest: str) -> str:
    return f"project/{quote(repository, safe='')}/{rest}"


def _pairs(name: str, value: Value | Sequence[Value]) -> list[tuple[str, str]]:
    """None and empty lists are left out; true and false as the serializers read them."""
    several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [(name, _text(one)) for one in several if one is not None]


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
