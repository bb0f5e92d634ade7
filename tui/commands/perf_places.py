"""What the words of `ciexplore perf` mean as locators: ids, revisions, days, and addresses in their place."""

from __future__ import annotations

import re
from dataclasses import replace

from backends.errors import UsageError
from backends.frames.formats import parse_quantity
from backends.frames.schema import Kind
from backends.locators import InvalidLocatorError, Locator
from backends.locators.pasted import PastedText
from backends.locators.perfherder import (
    AlertSummaries,
    AlertSummary,
    Compare,
    CompareByReference,
    ComparedValues,
    JobFailures,
    LandoPush,
    Pushes,
    PushJobs,
    PushOf,
    Series,
    SeriesRef,
    SimilarJobs,
)
from backends.locators.perfherder_api import HASH, NUMBER, REPOSITORY, REVISION
from backends.locators.taskcluster import Push
from backends.locators.treeherder_forms import push_of_page
from backends.systems import parse_locator

Period = tuple[int | None, int | None]


def period(start: str, end: str) -> Period:
    """Epoch seconds of two times as the filter language writes them; None for what is not given."""
    if end and not start:
        raise UsageError("--until belongs to --since.", "Give --since too, or --interval.")
    first, last = (int(parse_quantity(text, Kind.TIME)) if text else None for text in (start, end))
    if first is not None and last is not None and first >= last:
        raise UsageError("--since is not before --until.", "Swap them.")
    return first, last


def series_of(ids: tuple[str, ...], repository: str, interval: int | None, when: Period, replicates: bool) -> Series:
    if interval is not None and when[0] is not None:
        raise UsageError("--interval and --since both say since when.", "Give one of them.")
    refs: list[SeriesRef] = []
    for text in ids:
        found = _ref(text, repository)
        if found is not None:
            refs.append(found)
            continue
        opened = _parsed(text)
        if not isinstance(opened, Series):
            raise UsageError(f"{text[:60]!r} names no series.", "Write a signature's id, or REPOSITORY:ID.")
        if len(ids) == 1 and when[0] is None and interval is None:
            return Series(
                opened.series, opened.interval, opened.start, opened.end, replicates or opened.replicates, opened.server
            )
        refs += opened.series
    return Series(tuple(dict.fromkeys(refs)), interval, *when, replicates)


def _ref(text: str, repository: str) -> SeriesRef | None:
    name, colon, signature = text.rpartition(":")
    name = name if colon else repository
    if (NUMBER.fullmatch(signature) or HASH.fullmatch(signature)) and REPOSITORY.fullmatch(name):
        return SeriesRef(name, signature)
    return None


def alerts_of(text: str | None, given: AlertSummaries) -> AlertSummary | AlertSummaries:
    """What a number or an address names; without one, the summaries that fit what is `given`."""
    if text is None:
        return given
    opened = AlertSummary(int(text)) if NUMBER.fullmatch(text) else _parsed(text)
    names = ("repository", "framework", "status", "words", "assignee", "timerange", "signature", "flags")
    wanted = {name: value for name in names if (value := getattr(given, name))}
    if isinstance(opened, AlertSummaries):
        flags = tuple(sorted({*opened.flags, *given.flags}))
        return replace(opened, **{**wanted, "flags": flags})
    if isinstance(opened, AlertSummary) and wanted:
        raise UsageError(
            "These options choose alert summaries, not the alerts of one.", "Leave them out, or use --filter."
        )
    if isinstance(opened, AlertSummary):
        return opened
    raise UsageError(f"{text[:60]!r} names no alert summary.", "Write its number, or its Perfherder address.")


def jobs_of(text: str, repository: str, what: str) -> Locator:
    """A push by id, revision or address; with `what` similar or failures, a job's id."""
    number = NUMBER.fullmatch(text) is not None
    if what != "jobs":
        if not number:
            raise UsageError(f"{text[:60]!r} is no job's id.", "It is the number that `perf jobs` lists as job_id.")
        return SimilarJobs(repository, int(text)) if what == "similar" else JobFailures(repository, int(text))
    if (
        number and len(text) < 12
    ):  # as few digits as that are an id; no revision of 12 or more is all digits in practice
        return PushJobs(repository, int(text))
    name, colon, revision = text.rpartition(":")
    if REVISION.fullmatch(revision.lower()) and (not colon or REPOSITORY.fullmatch(name)):
        return PushOf(name or repository, revision.lower())
    opened = _push(text) or _parsed(text)
    if isinstance(opened, PushJobs | PushOf | LandoPush | SimilarJobs | JobFailures):
        return opened
    raise UsageError(
        f"{PastedText(text).quoted()} names no push.",
        "Write its id, its revision, REPOSITORY:REVISION, or its Treeherder address.",
    )


def pushes_of(address: str | None, given: Pushes) -> Pushes:
    """The list of pushes that an address names, with what is `given` beside it; without one, what is given."""
    if address is None:
        if not given.repository:
            raise UsageError("Which repository?", "Add --repository autoland, or another, or the address of a page.")
        return given
    one = _push(address)
    opened = (
        _parsed(address)
        if one is None
        else Pushes(one.repository, "", "", "", "", None, one.server, one.revision, one.revision)
    )
    if isinstance(opened, LandoPush):
        raise UsageError(
            "This address is of one push, that of a landing job.", "`ciexplore perf jobs ADDRESS` lists its jobs."
        )
    if not isinstance(opened, Pushes):
        raise UsageError(
            f"{PastedText(address).quoted()} names no list of pushes.",
            "Copy the address of Treeherder's page of jobs, such as https://treeherder.mozilla.org/jobs?repo=autoland.",
        )
    names = ("repository", "author", "words", "start", "end", "count", "from_revision", "to_revision")
    return replace(opened, **{name: value for name in names if (value := getattr(given, name))})


def revision_of(text: str) -> str:
    if text and not REVISION.fullmatch(text.lower()):
        raise UsageError(f"{text[:60]!r} is not a revision.", "Write 8 to 40 hex digits.")
    return text.lower()


def counts_asked_for(columns: str | None, filter_text: str) -> bool:
    """Whether the output or the filter needs the counts of jobs, which cost one request a push."""
    from backends.treeherder.job_rows import COUNTS

    if columns is None:
        return True
    named = {name.strip() for name in columns.split(",")}
    return bool(named & set(COUNTS)) or any(re.search(rf"\b{name}\b", filter_text) for name in COUNTS)


def compared(
    base: str,
    news: tuple[str, ...],
    repository: str,
    framework: str,
    interval: int | None,
    replicates: bool | None,
    parent: int | None,
) -> Compare | CompareByReference | ComparedValues:
    """`replicates` None: as the address says, or else one value a run. `parent`: a suite's id in any repository."""
    if not news:
        opened = _parsed(base)
        if isinstance(opened, Compare | CompareByReference):
            if replicates is not None:
                opened = replace(opened, replicates=replicates)
            opened = replace(opened, framework=framework or opened.framework)
            if isinstance(opened, CompareByReference):
                if parent is not None or interval is not None:
                    raise UsageError(
                        "--subtests-of and --interval need revisions, which this address does not name.",
                        "Open the address without them first.",
                    )
                return opened
            if parent is not None:
                opened = replace(opened, base_parent=parent, new_parent=parent)
            return opened if interval is None else replace(opened, interval=interval)
        if isinstance(opened, ComparedValues):
            return opened
        raise UsageError("There is nothing to compare BASE with.", "Give NEW too, or the address of a comparison.")
    before, after = _side(base, repository), tuple(_side(new, repository) for new in news)
    if not all(revision for _, revision in after):
        raise UsageError("NEW must be a revision.", "Only BASE can be history.")
    if before[1] and interval is not None:
        raise UsageError("--interval belongs to BASE history.", "Leave it out, or write history for BASE.")
    servers = {server for text in (base, *news) if (server := _server(text))}
    if len(servers) > 1:
        raise UsageError("These addresses are of two servers.", "Compare pushes of one Treeherder.")
    return Compare(
        *before, *after[0], framework, parent, parent, interval, bool(replicates), "".join(servers), after[1:]
    )


_HISTORY = re.compile(r"(?:([^:]+):)?history")


def _side(text: str, repository: str) -> tuple[str, str]:
    """(repository, revision); the revision is "" for history."""
    history = _HISTORY.fullmatch(text)
    if history is not None:
        return history[1] or repository, ""
    name, colon, revision = text.rpartition(":")
    name, revision = name if colon else repository, revision.lower()
    if REPOSITORY.fullmatch(name) and REVISION.fullmatch(revision):
        return name, revision
    opened = _push(text) or _parsed(text)
    if isinstance(opened, PushOf):
        return opened.repository, opened.revision
    raise UsageError(
        f"{text[:60]!r} is no revision.", "Write 8 to 40 hex digits, REPOSITORY:REVISION, or a Treeherder push address."
    )


def _push(text: str) -> PushOf | None:
    """The push that an address names, whatever is selected on its page, on the server of the address."""
    opened = push_of_page(PastedText(text)) or _parsed(text)
    if isinstance(opened, Push):
        return PushOf(opened.repository, opened.revision)
    return opened if isinstance(opened, PushOf) else None


def _server(text: str) -> str:
    """The server that an address names, "" for the configured one and for what is no address."""
    found = _push(text) if "://" in text else None
    return "" if found is None else found.server


def _parsed(text: str) -> Locator | None:
    try:
        return parse_locator(text)
    except InvalidLocatorError:
        if "://" in text:  # a URL says itself what is wrong with it
            raise
        return None
