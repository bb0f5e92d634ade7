"""How the server reads a query: repeated parameters, numbers, dates and truth, each with the error it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from backends.demo.replies import Request
from backends.demo.treeherder.answers import Refusal, crash, message
from backends.demo.treeherder.clock import NOW

_BOTH = "Provide either interval only -or- start (and end) date"


@dataclass(frozen=True)
class Query:
    """The parameters of one request, in order and repeated."""

    values: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request) -> Query:
        return cls(parse_qs(request.raw_query, keep_blank_values=True))

    def all(self, name: str) -> list[str]:
        return self.values.get(name, [])

    def last(self, name: str, absent: str = "") -> str:
        return self.values.get(name, [absent])[-1]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def true(self, name: str) -> bool:
        return self.last(name).lower() in ("true", "1", "t", "yes", "on")

    def number(self, name: str, refusal: Callable[[], Refusal] = crash) -> int | None:
        return whole(self.last(name), refusal) if name in self else None

    def numbers(self, name: str, refusal: Callable[[], Refusal] = crash) -> list[int]:
        return [whole(value, refusal) for value in self.all(name)]

    def span(self) -> tuple[float, float]:
        """`interval` or `start_date`/`end_date` of the project endpoints, as seconds; both bounds are exclusive."""
        if "interval" in self and ("start_date" in self or "end_date" in self):
            raise message(_BOTH)
        begin, end = 0.0, float("inf")
        if (interval := self.number("interval")) is not None:
            begin = NOW - interval
        if "start_date" in self:
            begin = instant(self.last("start_date"))
        if "end_date" in self:
            end = instant(self.last("end_date"))
        return begin, end


def whole(text: str, refusal: Callable[[], Refusal] = crash) -> int:
    try:
        return int(text)
    except ValueError:
        raise refusal() from None


def instant(text: str, refusal: Callable[[], Refusal] = crash) -> float:
    """A date or a time; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise refusal() from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
