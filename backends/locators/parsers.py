"""Which system's locator a text is.

A recogniser is a function of a `PastedText` that returns a locator, or None when the text is not its system's, or
raises
`InvalidLocatorError` when it is but cannot be opened; that one is shown only if no other recogniser knows better.
"""

from __future__ import annotations

from collections.abc import Callable

from backends.locators import (
    archives_forms,
    datasets,
    perfherder_forms,
    prow_forms,
    submit_forms,
    taskcluster_forms,
    treeherder_forms,
)
from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.pasted import SCHEME, PastedText

Recogniser = Callable[[PastedText], Locator | None]

PARSERS: tuple[Recogniser, ...] = (
    archives_forms.recognise_configured,
    taskcluster_forms.recognise,
    treeherder_forms.recognise,
    prow_forms.recognise,
    datasets.recognise,
    perfherder_forms.recognise,
    archives_forms.recognise,
    submit_forms.recognise,
    prow_forms.recognise_last,
)
LONGEST = 1 << 20  # characters: 45,000 task ids in one taskcluster:artifacts/… text; an artifact URL has at most 4,000


def parse_text(text: str) -> Locator:
    """The locator that `text` stands for. Raises `InvalidLocatorError`, and nothing else whatever the text."""
    if len(text) > LONGEST:
        raise InvalidLocatorError(
            f"A text of {len(text):,} characters is not an address or an id.", "Paste one address or one id."
        )
    pasted = PastedText(text)
    if not pasted.text:
        raise InvalidLocatorError("Nothing to open: the text is empty.", _hint())
    refusal: InvalidLocatorError | None = None
    if pasted.addresses > 1 and SCHEME.match(pasted.text):  # else the first would be opened under a wrong name
        raise _several(pasted)
    for recognise in PARSERS:
        try:
            found = recognise(pasted)
        except InvalidLocatorError as problem:
            refusal = refusal or problem
        else:
            if found is not None:
                return found
    if pasted.addresses:
        refusal = _several(pasted)
    raise refusal or InvalidLocatorError(f"Nothing is known that looks like {pasted.quoted()}.", _hint())


def _several(pasted: PastedText) -> InvalidLocatorError:
    return InvalidLocatorError(f"This text has {pasted.addresses:,} addresses in it.", "Paste one of them.")


def _hint() -> str:
    return (
        "Accepted: a task or task group id, an address of Taskcluster, Treeherder, Perfherder, perf.compare, Deck, "
        "gcsweb, hgweb or a bucket, an index path such as gecko.v2.autoland.latest.taskgraph.decision, a Prow job."
    )
