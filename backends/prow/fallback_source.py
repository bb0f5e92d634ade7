"""One source where another cannot be reached or does not let us: the storage first, gcsweb where it says no."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from backends.cancel import CancelToken
from backends.http.errors import AccessDeniedError, HttpError, NetworkError, UnexpectedResponseError
from backends.prow.source import SMALL, Entry, Listing, Source

T = TypeVar("T")
_HELD = 600.0  # seconds after which new lists ask the first source again
_NOTE = "The storage cannot be read ({}); what is shown comes from gcsweb."


@dataclass
class Choice:
    """What is known of a bucket's two sources: whether the first `worked`, or `why` the second one is asked instead."""

    worked: bool = False
    why: str = ""
    since: float = field(default_factory=time.monotonic)


class FallbackSource(Source):
    """Asks `first` until it fails for a reason that lasts; from then on only `second`.

    So it is decided for each bucket, and once: all sources of the same two addresses know of it. The two never share
    a listing: a page token of one means nothing to the other.
    """

    kind = "gcs"

    def __init__(self, first: Source, second: Source, known: dict[str, Choice] | None = None) -> None:
        self.first, self.second = first, second
        self._known = {} if known is None else known
        self._chosen: dict[str, Choice] = {}  # what a list began with stays so until its end

    def _ask(self, bucket: str, ask: Callable[[Source], T]) -> T:
        choice = self._choice(bucket)
        if choice.why:
            return ask(self.second)
        try:
            found = ask(self.first)
        except (AccessDeniedError, NetworkError, UnexpectedResponseError) as problem:
            if choice.worked:  # it serves us in general: that one failure is its own
                raise
            try:
                found = ask(self.second)
            except HttpError:  # then what the storage said is what there is to say
                raise problem from None
            choice.why = problem.sentence.rstrip(".")
            return found
        choice.worked = True
        return found

    def list(
        self,
        bucket: str,
        prefix: str,
        *,
        cancel: CancelToken,
        deep: bool = False,
        start: str = "",
        end: str = "",
        token: str = "",
        hold: float | None = 0.0,
    ) -> Listing:
        found = self._ask(
            bucket,
            lambda source: source.list(
                bucket, prefix, cancel=cancel, deep=deep, start=start, end=end, token=token, hold=hold
            ),
        )
        why = self._choice(bucket).why
        if not why:
            return found
        note = f"{_NOTE.format(why)} {found.note}".strip()
        return Listing(found.files, found.folders, found.token, found.origin, note)

    def lists_ranges(self, bucket: str) -> bool:
        return self._now(bucket).lists_ranges(bucket)

    def stat(self, bucket: str, name: str, *, cancel: CancelToken) -> Entry:
        return self._ask(bucket, lambda source: source.stat(bucket, name, cancel=cancel))

    @contextmanager
    def open(self, bucket: str, entry: Entry, *, cancel: CancelToken) -> Iterator[Iterator[bytes]]:
        with ExitStack() as opened:

            def begun(source: Source) -> Iterator[bytes]:
                """With its first bytes: only they tell whether the source lets us."""
                body = iter(opened.enter_context(source.open(bucket, entry, cancel=cancel)))
                return chain([next(body, b"")], body)

            yield self._ask(bucket, begun)

    def tail(self, bucket: str, name: str, size: int, *, cancel: CancelToken) -> bytes | None:
        return self._ask(bucket, lambda source: source.tail(bucket, name, size, cancel=cancel))

    def read(self, bucket: str, entry: Entry, *, cancel: CancelToken, cap: int = SMALL) -> bytes:
        return self._ask(bucket, lambda source: source.read(bucket, entry, cancel=cancel, cap=cap))

    def address(self, bucket: str, name: str, generation: str = "") -> str:
        """Of the source that answers for the bucket, if that is known by now; `find_source` finds it out."""
        return self._now(bucket).address(bucket, name, generation)

    def download(self, bucket: str, entry: Entry) -> tuple[str, str]:
        return self._now(bucket).download(bucket, entry)

    def find_source(self, bucket: str, name: str, cancel: CancelToken) -> None:
        choice = self._choice(bucket)
        if not choice.why and not choice.worked:
            with suppress(HttpError):
                self.stat(bucket, name, cancel=cancel)

    def page(self, bucket: str, path: str) -> str | None:
        return self.second.page(bucket, path)

    def _now(self, bucket: str) -> Source:
        return self.second if self._choice(bucket).why else self.first

    def _choice(self, bucket: str) -> Choice:
        if bucket not in self._chosen:
            known = self._known.get(bucket)
            if known is None or time.monotonic() - known.since > _HELD:
                known = self._known[bucket] = Choice()
            self._chosen[bucket] = known
        return self._chosen[bucket]
