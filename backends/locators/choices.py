"""What a text can mean that names no single locator: a bare revision, or several URLs and ids at once.

A revision alone does not say which repository it is of, and no server is asked which: what can be opened is offered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backends.locators.pasted import PastedText, find_addresses

REPOSITORIES = {"autoland": "integration/autoland", "try": "try", "mozilla-central": "mozilla-central"}  # -> on hgweb
MOST = 50  # URLs and ids that are offered
LONGEST = 20_000  # characters that are looked through

REVISION = re.compile(r"[0-9a-f]{12,40}")
_DIGITS = 40  # of a full revision: Taskcluster's index has no other
_BUILD = re.compile(r"[0-9]{15,20}")  # of Prow, not a revision
# As Taskcluster makes ids; a word of a sentence is none.
_SLUGID = re.compile(
    r"(?<![\w./=-])[A-Za-z0-9_-]{8}[Q-T][A-Za-z0-9_-][CGKOSWaeimquy26-][A-Za-z0-9_-]{10}[AQgw](?![\w/=-])"
)


@dataclass(frozen=True)
class Choice:
    """One of several meanings. `text`: the text of its locator, `section`: a heading over it and its like."""

    section: str
    title: str
    text: str


def find_revision(text: str) -> str:
    """The only word of the text that is a revision (12 to 40 hexadecimal digits), "" if there is none or several."""
    words = text[:LONGEST].lower().split()
    found = [word for word in words if REVISION.fullmatch(word) and not _BUILD.fullmatch(word)]
    return found[0] if len(found) == 1 else ""


def revision_choices(revision: str, known: Sequence[str] = ()) -> list[Choice]:
    """Its push, what it measured and its source, in the repositories that it may be of. `known`: texts that name the
    revision; a repository that they name comes first."""
    repositories = sorted(REPOSITORIES, key=lambda name: not any(name in text for text in known))
    sections = (
        ("The tasks of the push", "taskcluster:push/{0}/{1}"),
        ("The jobs of the push, from Treeherder", "treeherder:push/{0}/{1}"),
        ("What the push measured, compared with the week before", "treeherder:compare/{0}/history/{0}/{1}"),
        ("Source archives", "archives:{2}@{1}"),
    )
    return [
        Choice(section, name, form.format(name, revision, REPOSITORIES[name]))
        for section, form in sections[len(revision) < _DIGITS :]
        for name in repositories
    ]


def several_choices(text: str) -> list[Choice]:
    """The URLs and the ids of tasks and groups in a text that has more than one; none if it has one, or means one."""
    if len(text) > LONGEST:
        return []
    urls = find_addresses(text)
    if len(urls) > 1 and PastedText(text).addresses < 2:  # a command that copies one to another, a long URL in a URL
        return []
    rest = text
    for url in urls:
        rest = rest.replace(url, " ")
    ids = list(dict.fromkeys(match[0] for match in _SLUGID.finditer(rest)))
    found = sorted([*urls, *ids], key=text.find)
    if len(found) < 2:
        return []
    count = f"{len(found)}" if len(found) <= MOST else f"The first {MOST} of {len(found):,}"
    section = f"{count} {'URLs' if not ids else 'URLs and ids' if urls else 'ids of tasks or task groups'}"
    choices = [Choice(section, _title(one), one) for one in found[:MOST]]
    if len(ids) == len(found) == 2:
        title = "The two task groups compared"
        choices.append(Choice(section, title, f"taskcluster:compare/{ids[0]}..{ids[1]}"))
    return choices


def _title(text: str) -> str:
    """The end of a URL, by which it differs from others of its server."""
    return "/".join(text.rstrip("/").split("/")[-2:])
