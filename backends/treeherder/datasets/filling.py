"""What the app offers around a dataset: to open the one of last time, and to fetch into one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.locators import InvalidLocatorError
from backends.locators.datasets import DatasetView, DatasetViews
from backends.resources import Action, Question
from backends.systems import parse_locator

if TYPE_CHECKING:
    from backends.http import Http

DAYS = (30, 120)  # 120: as long as Treeherder keeps jobs
RATE = 8.0  # requests a second


def question(repository: str, last: str) -> Question:
    """The way to a dataset of that repository, or of whatever it holds for ""; `last`: the directory to suggest."""

    def opens(answer: str) -> DatasetViews:
        if not answer.strip() or "\0" in answer:
            raise UsageError("Name a directory.", "One that does not exist yet can be filled from its menu.")
        return DatasetViews(str(Path(answer.strip()).expanduser().absolute()), repository)

    label = f"Dataset of {repository}…" if repository else "A dataset on this machine…"
    return Question(label, "Its directory (a new one can be filled from there)", opens, last)


def last_dataset(directory: Path) -> str:
    """The directory of the dataset that the app showed last, from the history that it keeps; "" if there is none."""
    try:
        told = json.loads((directory / "history.json").read_text("utf-8"))
        visits = sorted(((float(one["at"]), str(one["text"])) for one in told), reverse=True)
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    for _, text in visits:
        if text.startswith("perf:dataset/"):
            try:
                found = parse_locator(text)
            except InvalidLocatorError:
                continue
            if isinstance(found, DatasetViews | DatasetView):
                return found.store
    return ""


def fetching(store: Path, repository: str, http: Http, url: str) -> list[Action]:
    """To fill the store, or bring it up to date: an action for each of `DAYS`."""
    return [
        Action(
            f"Fetch the last {days} days of {repository}",
            _run(store, repository, http, url, days),
            f"Ask {url} for the performance data of the last {days} days, and keep it in {store}?",
        )
        for days in DAYS
    ]


def repairing(store: Path) -> Action:
    """To set damaged files aside, as `perf dataset repair` does."""

    def run(cancel: CancelToken, progress: Callable[[str], None]) -> str:
        from backends.treeherder.datasets.repair import repair

        progress("reading every file of the dataset")
        done = repair(store, cancel)
        if not done:
            return "Every file of the dataset is whole."
        named = ", ".join(one.name for one in done[:3])
        more = f" and {len(done) - 3:,} more" if len(done) > 3 else ""
        return f"{named}{more} set aside; fetching from this menu brings back what they held."

    return Action(
        "Set damaged files aside", run, f"Look through {store}, and set aside what is damaged, to be fetched again?"
    )


def _run(
    store: Path, repository: str, http: Http, url: str, days: int
) -> Callable[[CancelToken, Callable[[str], None]], str]:
    def run(cancel: CancelToken, progress: Callable[[str], None]) -> str:
        from backends.treeherder.datasets.asking import Pace, Treeherder
        from backends.treeherder.datasets.ledger import now
        from backends.treeherder.datasets.store import Store, checked
        from backends.treeherder.datasets.update import Update
        from backends.treeherder.datasets.wanted import DAY, Wanted

        server, until = Treeherder(http, url, checked(repository), Pace(RATE)), now()
        wanted = Wanted(repository, until - days * DAY, until)
        with Store(store, create=True) as opened:
            report = Update(
                opened, server, wanted, cancel=cancel,
                progress=lambda words: progress(f"{server.requests:,} requests: {words}"),
            ).run()  # fmt: skip
        failed = f" {len(report.problems):,} failed; the view `coverage` says why." if report.problems else ""
        return " ".join([report.sentence + failed, *report.notes])

    return run
