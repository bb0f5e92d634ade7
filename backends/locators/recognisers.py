"""Which system's locator a text is.

A recogniser is a function of a `Pasted` that returns a locator, or None when the text is not its system's, or raises
`LocatorProblem` when it is but cannot be opened; that one is shown only if no other recogniser knows better.
"""

from __future__ import annotations

from collections.abc import Callable

from backends.locators import (
    archive_forms,
    datasets,
    perfherder_forms,
    prow_forms,
    submission_forms,
    taskcluster_forms,
    treeherder_forms,
)
from backends.locators.base import Locator, LocatorProblem
from backends.locators.pasted import SCHEME, Pasted

Recogniser = Callable[[Pasted], Locator | None]

RECOGNISERS: tuple[Recogniser, ...] = (
    archive_forms.recognise_configured,
    taskcluster_forms.recognise,
    treeherder_forms.recognise,
    prow_forms.recognise,
    datasets.recognise,
    perfherder_forms.recognise,
    archive_forms.recognise,
    submission_forms.recognise,
    prow_forms.recognise_last,
)
LONGEST = 1 << 20  # characters: 45,000 task ids in one taskcluster:artifacts/… text; an artifact URL has at most 4,000


def recognised(text: str) -> Locator:
    """The locator that `text` stands for. Raises `LocatorProblem`, and nothing else whatever the text."""
    if len(text) > LONGEST:
        raise LocatorProblem(
            f"A text of {len(text):,} characters is not an address or an id.", "Paste one address or one id."
        )
    pasted = Pasted(text)
    if not pasted.text:
        raise LocatorProblem("Nothing to open: the text is empty.", _hint())
    refusal: LocatorProblem | None = None
    if pasted.addresses > 1 and SCHEME.match(pasted.text):  # else the first would be opened under a wrong name
        raise _several(pasted)
    for recognise in RECOGNISERS:
        try:
            found = recognise(pasted)
        except LocatorProblem as problem:
            refusal = refusal or problem
        else:
            if found is not None:
                return found
    if pasted.addresses:
        refusal = _several(pasted)
    raise refusal or LocatorProblem(f"Nothing is known that looks like {pasted.quoted()}.", _hint())


def _several(pasted: Pasted) -> LocatorProblem:
    return LocatorProblem(f"This text has {pasted.addresses:,} addresses in it.", "Paste one of them.")


def _hint() -> str:
    return (
        "Accepted: a task or task group id, an address of Taskcluster, Treeherder, Perfherder, perf.compare, Deck, "
        "gcsweb, hgweb or a bucket, an index path such as gecko.v2.autoland.latest.taskgraph.decision, a Prow job."
    )
