"""Which Taskcluster thing one of our own short forms names: what `y` copies and a session keeps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from backends.locators.base import InvalidLocatorError, Locator
from backends.locators.pasted import SCHEME, PastedText, split_url, unescape
from backends.locators.taskcluster import (
    SLUGID,
    Artifact,
    IndexPath,
    Push,
    Task,
    TaskArtifacts,
    TaskclusterLocator,
    TaskGroup,
    TaskMeasurements,
    TaskOrGroup,
    TreeherderJob,
)
from backends.locators.taskcluster_views import (
    CONTENTS,
    RELATIONS,
    VIEWS,
    Comparison,
    Contents,
    GroupView,
    IndexNamespace,
    TaskRelation,
)

RUN = re.compile(r"[0-9]{1,4}", re.ASCII)
# What the UI's log viewer puts behind the #: a line, or a range.
LINES = re.compile(r"L([1-9][0-9]{0,11})(?:-L?([0-9]{1,12}))?", re.ASCII)
FORMS = (
    "group/ID[:TASK,TASK][/TASK][#TERM], task/ID[/RUN], artifact/ID/RUN|latest/NAME[#LLINE], artifacts/ID,ID, "
    "measurements/ID,ID, index/PATH, index-group/PATH, namespace/PATH, push/REPOSITORY/REVISION, runs/ID, "
    "dependencies/ID, dependents/ID, copies/ID, "
    "breakdown/GROUP/COLUMN, timeline/GROUP, critical-path/GROUP, compare/BASE..NEW, compare-measurements/BASE..NEW, "
    "archive/ID/RUN/NAME, table/ID/RUN/NAME"
)
SERIES_PARTS = 7  # of `group_comparison.SERIES`
_MARK = re.compile(r"\.\.(?!\.)")
Recognise = Callable[[PastedText], TaskclusterLocator | None]


def short_form(text: str, recognise: Recognise) -> TaskclusterLocator:
    """The locator of what stands behind `taskcluster:`. `recognise` reads the sides of a comparison.

    Raises `InvalidLocatorError` for everything else.
    """
    before, _, fragment = text.rpartition("#")
    if LINES.fullmatch(fragment) and isinstance(named := _named(before, recognise), Artifact):
        return at_lines(named, fragment)
    return _named(text, recognise)


def _named(text: str, recognise: Recognise) -> TaskclusterLocator:
    search = ""
    if text.startswith("group/"):
        text, _, fragment = text.partition("#")
        search = unescape(fragment).strip()
    body, _, query = text.partition("?")
    root = ""
    if query:
        key, _, value = query.partition("=")
        if key != "root" or SCHEME.match(unescape(value)) is None:
            raise InvalidLocatorError("A taskcluster: text may end in ?root=https://HOST and in nothing else.")
        root = split_url(unescape(value)).server()
    kind, _, rest = body.partition("/")
    parts = rest.split("/")
    found = _of_ids(kind, parts, root) or _of_names(kind, parts, root) or _compared(kind, parts, root, recognise)
    if found is None:
        raise InvalidLocatorError(
            "This taskcluster: text is incomplete or its id is not one.", f"Forms, after taskcluster: {FORMS}."
        )
    return replace(found, search=search) if search and isinstance(found, TaskGroup) else found


def _of_ids(kind: str, parts: list[str], root: str) -> TaskclusterLocator | None:
    first = parts[0]
    match kind, len(parts):
        case "group", 1 if group := _group(first):
            return TaskGroup(group[0], root, group[1])
        case "group", 2 if SLUGID.fullmatch(parts[1]) and (group := _group(first)):
            return TaskGroup(group[0], root, group[1], task=parts[1])
        case "task", 1 if SLUGID.fullmatch(first):
            return Task(first, None, root)
        case "task", 2 if SLUGID.fullmatch(first) and RUN.fullmatch(parts[1]):
            return Task(first, int(parts[1]), root)
        case "artifacts", 1 if ids := _ids(first):
            return TaskArtifacts(ids, root)
        case "measurements", 1 if ids := _ids(first):
            return TaskMeasurements(ids, root)
        case relation, 1 if relation in RELATIONS and SLUGID.fullmatch(first):
            return TaskRelation(relation, first, root)
        case view, count if view in VIEWS and count == 1 + (view == "breakdown") and (group := _group(first)):
            return GroupView(view, group[0], unescape("".join(parts[1:])), group[1], root)
        case slug, 1 if not first and SLUGID.fullmatch(slug):
            return TaskOrGroup(slug, root)
    return None


def _of_names(kind: str, parts: list[str], root: str) -> TaskclusterLocator | None:
    first = parts[0]
    match kind, len(parts):
        case "artifact", count if count > 2 and SLUGID.fullmatch(first):
            return artifact_or_run(first, parts[1], parts[2:], root)
        case view, count if count > 2 and view in CONTENTS and SLUGID.fullmatch(first):
            found = artifact_or_run(first, parts[1], parts[2:], root)
            return Contents(view, found.task_id, found.run, found.name, root) if isinstance(found, Artifact) else None
        case "index-group", 1 if first:
            return IndexPath(unescape(first), root, group=True)
        case "index", _ if first:
            return IndexPath(unescape(first), root, unescape("/".join(parts[1:])))
        case "namespace", 1:
            return IndexNamespace(unescape(first), root)
        case "push", 2 if first and parts[1]:
            return Push(unescape(first), unescape(parts[1]), root)
    return None


def _compared(kind: str, parts: list[str], root: str, recognise: Recognise) -> Comparison | None:
    series = tuple(unescape(part) for part in parts[1:])
    if kind not in ("compare", "compare-measurements", "values"):
        return None
    if len(series) != (SERIES_PARTS if kind == "values" else 0):
        return None
    sides = _MARK.split(parts[0])
    if len(sides) != 2:
        return None
    base, new = (_side(side, recognise) for side in sides)
    if base is None or new is None:
        return None
    return Comparison(base, new, kind != "compare", series, root)


def _side(text: str, recognise: Recognise) -> TaskclusterLocator | None:
    if group := _group(text):
        return TaskGroup(group[0], "", group[1])
    inner = unescape(text)
    # A comparison of comparisons would be read for ever, one inside the other.
    if not inner or inner.startswith(("taskcluster:compare", "taskcluster:values")):
        return None
    found = recognise(PastedText(inner))
    if isinstance(found, TaskGroup):
        return replace(found, search="", task="")  # how a list is first shown is nothing that is compared
    return None if isinstance(found, Comparison | TreeherderJob) else found


def as_side(locator: Locator) -> TaskclusterLocator:
    """What a person names as one side of a comparison. Raises `InvalidLocatorError` for what holds no tasks."""
    if isinstance(locator, TaskGroup | Task | TaskOrGroup | Push | IndexPath):
        return locator
    raise InvalidLocatorError(
        f"{locator.text()[:80]} is no task group.", "Name a group, a push, an index path or a task, by any address."
    )


def _group(text: str) -> tuple[str, tuple[str, ...]] | None:
    """(group id, the tasks of it that are meant: none for all)."""
    group, colon, tasks = text.partition(":")
    if not SLUGID.fullmatch(group) or (colon and not _ids(tasks)):
        return None
    return group, _ids(tasks)


def _ids(text: str) -> tuple[str, ...]:
    ids = tuple(text.split(","))
    return ids if all(SLUGID.fullmatch(one) for one in ids) else ()


def artifact_or_run(task: str, run: str, name: list[str], root: str) -> Artifact | Task | None:
    """The artifact, or the run where no name is given; None where the run is not one."""
    if not SLUGID.fullmatch(task) or not (run == "latest" or RUN.fullmatch(run)):
        return None
    number = None if run == "latest" else int(run)
    decoded = unescape("/".join(name))
    return Artifact(task, number, decoded, root) if decoded else Task(task, number, root)


def at_lines(artifact: Artifact, fragment: str) -> Artifact:
    """The artifact at the line or the lines that the log viewer's fragment names, if it names any."""
    match = LINES.fullmatch(fragment)
    if match is None:
        return artifact
    line, last = int(match[1]), int(match[2] or 0)
    return replace(artifact, line=line, last=last if last > line else None)
