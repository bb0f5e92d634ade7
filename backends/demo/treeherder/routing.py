"""Which function answers which address: a pattern with named parts, and one call for each request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.demo.replies import Reply, Request
from backends.demo.treeherder.answers import Refusal, answer
from backends.demo.treeherder.branches import Branch
from backends.demo.treeherder.queries import Query
from backends.demo.treeherder.world import World


@dataclass(frozen=True)
class Call:
    """One request as a route sees it. `base` is the server's own address, which paging links begin with."""

    world: World
    request: Request
    query: Query
    parts: Mapping[str, str]
    base: str

    def branch(self, refusal: Callable[[str], Refusal]) -> Branch:
        """The repository of the address; `refusal` makes the error of an unknown one."""
        name = self.parts["project"]
        found = self.world.branches.get(name)
        if found is None:
            raise refusal(name)
        return found

    def json(self, value: object) -> Reply:
        return answer(self.request, value)


@dataclass(frozen=True)
class Route:
    pattern: re.Pattern[str]
    answer: Callable[[Call], Reply]


def route(path: str, make: Callable[[Call], Any]) -> Route:
    """`path` after `/api/`; `<name>` is a word, `<id>` digits. `make` gives a Reply, or what becomes JSON."""
    pattern = re.sub(r"<(\w+)>", lambda part: rf"(?P<{part[1]}>{'[0-9]+' if part[1] == 'id' else '[^/]+'})", path)

    def replied(call: Call) -> Reply:
        value = make(call)
        return value if isinstance(value, Reply) else call.json(value)

    return Route(re.compile(f"/api/{pattern}"), replied)
