"""One source where another cannot be reached or does not let us: the storage first, gcsweb where it says no."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from backends.cancel import Cancel
from backends.http.errors import HttpProblem, NetworkFailed, NotAllowed, WrongServer
from backends.prow.source import SMALL, Entry, Listing, Source

T = TypeVar("T")
_NOTE = "The storage cannot be read ({}); what is shown comes from gcsweb."


class FallbackSource(Source):
    """Asks `first` until it fails for a reason that lasts; from then on only `second`.

    The two never share a listing: a page token of one means nothing to the other.
    """

    kind = "gcs"

    def __init__(self, first: Source, second: Source) -> None:
        self.first, self.second = first, second
        self._why = ""
        self._worked = False

    def _ask(self, ask: Callable[[Source], T]) -> T:
        if self._why:
            return ask(self.second)
        try:
            found = ask(self.first)
        except (NotAllowed, NetworkFailed, WrongServer) as problem:
            if self._worked:  # it serves us in general: that one failure is its own
                raise
            try:
                found = ask(self.second)
            except HttpProblem:  # then what the storage said is what there is to say
                raise problem from None
            self._why = problem.sentence.rstrip(".")
            return found
        self._worked = True
        return found

    def list(
        self,
        bucket: str,
        prefix: str,
        *,
        cancel: Cancel,
        deep: bool = False,
        start: str = "",
        end: str = "",
        token: str = "",
        hold: float | None = 0.0,
    ) -> Listing:
        found = self._ask(
            lambda source: source.list(
                bucket, prefix, cancel=cancel, deep=deep, start=start, end=end, token=token, hold=hold
            )
        )
        if not self._why:
            return found
        note = f"{_NOTE.format(self._why)} {found.note}".strip()
        return Listing(found.files, found.folders, found.token, found.origin, note)

    def stat(self, bucket: str, name: str, *, cancel: Cancel) -> Entry:
        return self._ask(lambda source: source.stat(bucket, name, cancel=cancel))

    def open(self, bucket: str, entry: Entry, *, cancel: Cancel) -> AbstractContextManager[Iterator[bytes]]:
        return self._now.open(bucket, entry, cancel=cancel)

    def tail(self, bucket: str, name: str, size: int, *, cancel: Cancel) -> bytes | None:
        return self._now.tail(bucket, name, size, cancel=cancel)

    def read(self, bucket: str, entry: Entry, *, cancel: Cancel, cap: int = SMALL) -> bytes:
        return self._ask(lambda source: source.read(bucket, entry, cancel=cancel, cap=cap))

    def address(self, bucket: str, name: str, generation: str = "") -> str:
        return self._now.address(bucket, name, generation)

    def page(self, bucket: str, path: str) -> str | None:
        return self.second.page(bucket, path)

    @property
    def _now(self) -> Source:
        return self.second if self._why else self.first
