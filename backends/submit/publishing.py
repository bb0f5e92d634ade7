"""How the outbox is emptied over a route: patiently, so that a broker that restarts costs nothing but time."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.backoff import backoff_delays
from backends.submit.outbox import Claimed, Outbox, Outcome, State

PATIENCE = 60.0  # seconds without any progress until we give up; what is left stays queued
_FLUSH_COUNT = 64
_FLUSH_SECONDS = 0.25  # a kill costs at most what was settled since then: it is sent again under the same id


class RouteProblem(AppError):
    """The other side cannot be used as it is set up: wrong password, missing exchange, no right to publish."""

    exit_code = 3


class RouteBroken(RouteProblem):
    """The way there broke; whether what was under way has arrived is not known. Trying again may help."""


@dataclass(frozen=True)
class Tally:
    """What became of the letters of one run. `resumed`: left behind by an earlier run; `doubtful`: sent again after
    the way broke."""

    acknowledged: int = 0
    returned: int = 0
    failed: int = 0
    resumed: int = 0
    doubtful: int = 0

    @property
    def sentence(self) -> str:
        parts = [f"{self.acknowledged:,} acknowledged"]
        parts += [f"{self.returned:,} returned"] if self.returned else []
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.resumed:,} taken up from an earlier run"] if self.resumed else []
        parts += [f"{self.doubtful:,} sent again, for the connection broke"] if self.doubtful else []
        return ", ".join(parts) + "."


Told = Callable[[str], None]


class Desk:
    """Where a route takes letters from and says what became of them."""

    def __init__(self, outbox: Outbox, route: str, destination: str, told: Told) -> None:
        self._outbox, self._route, self._destination, self._told = outbox, route, destination, told
        self._settled: list[Outcome] = []
        self._flushed = self.progressed = time.monotonic()
        self.counts: dict[State, int] = {}

    def take(self, most: int) -> list[Claimed]:
        return self._outbox.claim(self._route, self._destination, most)

    def settle(self, outcome: Outcome) -> None:
        self._settled.append(outcome)
        self.counts[outcome.state] = self.counts.get(outcome.state, 0) + 1
        self.progressed = time.monotonic()
        if len(self._settled) >= _FLUSH_COUNT or self.progressed - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        settled, self._settled = self._settled, []
        if settled:
            self._outbox.settle(settled)
            self._told(f"{sum(self.counts.values()):,} sent")
        self._flushed = time.monotonic()

    def say(self, words: str) -> None:
        self._told(words)


class Route(ABC):
    """A way to publish: to one destination, as one user."""

    name: str
    destination: str

    @abstractmethod
    def deliver(self, desk: Desk, cancel: CancelToken) -> None:
        """Takes letters until there are none and settles each. Raises `RouteBroken` where trying again may help,
        other `AppError`s where not, `OperationCancelledError`; what was taken and not settled then is of unknown
        fate."""


def publish(
    outbox: Outbox, route: Route, cancel: CancelToken, told: Told = lambda words: None, patience: float = PATIENCE
) -> Tally:
    """Sends all that is queued for the route's destination.

    Raises the route's `AppError` when it cannot be used, or when nothing has got through for `patience` seconds;
    whatever happens, every letter is then in the outbox as queued, acknowledged, returned or failed.
    """
    doubtful = 0
    with outbox.sending() as resumed:
        desk = Desk(outbox, route.name, route.destination, told)
        pauses = backoff_delays()
        while True:
            before = desk.progressed
            try:
                route.deliver(desk, cancel)
                break
            except RouteBroken as problem:
                doubtful += _put_back(outbox, desk)
                if time.monotonic() - desk.progressed > patience:
                    raise
                if desk.progressed > before:
                    pauses = backoff_delays()
                told(f"{problem.sentence} Trying again.")
                cancel.sleep(next(pauses))
            finally:
                # Also for whatever else ends this: nothing stays `sending` with nobody sending.
                doubtful += _put_back(outbox, desk)
        counts = desk.counts
    return Tally(
        counts.get(State.ACKNOWLEDGED, 0), counts.get(State.RETURNED, 0), counts.get(State.FAILED, 0), resumed, doubtful
    )


def _put_back(outbox: Outbox, desk: Desk) -> int:
    desk.flush()
    return outbox.recover()
