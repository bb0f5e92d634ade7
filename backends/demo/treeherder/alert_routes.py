"""Alert summaries, paged by number and filtered; alerts, paged by cursor; and the jobs behind a summary."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from urllib.parse import parse_qs, quote

from backends.demo.treeherder.alert_texts import AlertTexts, sheriffed
from backends.demo.treeherder.alerts import DOWNSTREAM, INVALID, REASSIGNED, UNTRIAGED, Summary
from backends.demo.treeherder.answers import Refusal, detail, page
from backends.demo.treeherder.clock import NOW
from backends.demo.treeherder.queries import Query, whole
from backends.demo.treeherder.reference import REPOSITORY_IDS, SHERIFFED, Json
from backends.demo.treeherder.routing import Call, Route, route

_DEFAULT, _MOST = 10, 100
_ALERTS_A_PAGE = 10


def routes() -> list[Route]:
    return [
        route("performance/alertsummary/", _summaries),
        route("performance/alertsummary/<id>/", _summary),
        route("performance/alert/", _alerts),
        route("performance/alert/<id>/", _alert),
        route("performance/alertsummary-tasks/", _tasks),
    ]


def _summaries(call: Call) -> object:
    query, texts = call.query, call.world.alert_texts
    found = [summary for summary in call.world.summaries if _fits(query, summary)]
    found = _by_words(query, texts, found)
    _ordered(query, found)
    size = _number(query, "limit", _DEFAULT)
    size = min(size, _MOST) if size > 0 else _DEFAULT
    envelope = page(call.request, call.base, found, _number(query, "page", 1), size, {})
    assert isinstance(envelope, dict)
    envelope["results"] = [texts.summary(summary) for summary in envelope["results"]]
    return envelope


def _number(query: Query, name: str, absent: int) -> int:
    """What cannot be read is what is usual, but for the page, which then does not exist."""
    text = query.last(name)
    if not text:
        return absent
    return int(text) if text.isdecimal() else (absent if name == "limit" else 0)


def _wanted(query: Query, name: str) -> int | None:
    if not query.last(name):
        return None
    return whole(query.last(name), lambda: Refusal(400, {name: ["Enter a number."]}))


def _fits(query: Query, summary: Summary) -> bool:
    for name, value in (
        ("id", summary.id), ("status", summary.status), ("framework", summary.framework),
        ("repository", REPOSITORY_IDS["autoland"]),
    ):  # fmt: skip
        wanted = _wanted(query, name)
        if wanted is not None and wanted != value:
            return False
    span = _wanted(query, "timerange")
    if span is not None and summary.push.time < NOW - span:
        return False
    if query.true("monitored_alerts") == sheriffed(summary):
        return False
    return _fits_flags(query, summary)


def _fits_flags(query: Query, summary: Summary) -> bool:
    regressions = [alert.regression for alert in summary.alerts]
    if query.true("hide_improvements") and not any(regressions):
        return False
    if query.true("hide_related_and_invalid") and summary.status in (DOWNSTREAM, REASSIGNED, INVALID):
        return False
    if query.true("untriaged_regressions") and not (summary.status == UNTRIAGED and any(regressions)):
        return False
    if query.true("untriaged_improvements") and (summary.status != UNTRIAGED or all(regressions)):
        return False
    return not query.true("show_sheriffed_frameworks") or summary.framework in SHERIFFED


def _by_words(query: Query, texts: AlertTexts, found: list[Summary]) -> list[Summary]:
    """The filters that need what is written: a series, a person, and words, which must all be in one alert."""
    series, person = _wanted(query, "alerts__series_signature"), query.last("with_assignee")
    words = query.last("filter_text").split()
    if series is None and not person and not words:
        return found
    kept = []
    for summary in found:
        written = texts.summary(summary)
        alerts = written["alerts"]
        if series is not None and all(alert["series_signature"]["id"] != series for alert in alerts):
            continue
        if person and written["assignee_username"] != person:
            continue
        ends = f"{written['bug_number'] or ''} {written['revision']}"
        if words and not any(all(word in f"{_words(alert)} {ends}" for word in words) for alert in alerts):
            continue
        kept.append(summary)
    return kept


def _words(alert: Json) -> str:
    series = alert["series_signature"]
    return " ".join((series["suite"], series["test"], series["machine_platform"], *series["extra_options"]))


def _ordered(query: Query, found: list[Summary]) -> None:
    found.sort(key=lambda one: (-one.created, -one.id))
    name = query.last("ordering")
    keys = {"id": lambda one: one.id, "created": lambda one: one.created}
    if name.lstrip("-") in keys:
        found.sort(key=keys[name.lstrip("-")], reverse=name.startswith("-"))


def _summary(call: Call) -> Json:
    texts = call.world.alert_texts
    found = texts.summaries.get(int(call.parts["id"]))
    if found is None:
        raise detail(404, "No PerformanceAlertSummary matches the given query.")
    return texts.summary(found)


def _alert(call: Call) -> Json:
    texts, id_ = call.world.alert_texts, int(call.parts["id"])
    if id_ not in texts.alerts:
        raise detail(404, "No PerformanceAlert matches the given query.")
    return texts.alert(id_)


def _alerts(call: Call) -> Json:
    """Ten a page, whatever is asked for, newest first."""
    texts = call.world.alert_texts
    ids = sorted(texts.alerts, reverse=True)
    if (wanted := _wanted(call.query, "id")) is not None:
        ids = [id_ for id_ in ids if id_ == wanted]
    shown, more_before, more_after = _page_of(ids, call.query.last("cursor"))
    address = f"{call.base}{call.request.path}?cursor="
    return {
        "next": address + _cursor(f"p={shown[-1]}") if more_after else None,
        "previous": address + _cursor(f"r=1&p={shown[0]}") if more_before else None,
        "results": [texts.alert(id_) for id_ in shown],
    }


def _cursor(text: str) -> str:
    return quote(b64encode(text.encode()).decode())


def _page_of(ids: list[int], cursor: str) -> tuple[list[int], bool, bool]:
    """The ids of a page, and whether there are others before and after it."""
    if not cursor:
        return ids[:_ALERTS_A_PAGE], False, len(ids) > _ALERTS_A_PAGE
    try:
        parts = parse_qs(b64decode(cursor.encode(), validate=True).decode())
        position, back = int(parts["p"][0]), "r" in parts
    except (Error, UnicodeError, KeyError, ValueError):
        raise detail(404, "Invalid cursor") from None
    if back:
        before = [id_ for id_ in ids if id_ > position]
        shown = before[-_ALERTS_A_PAGE:]
        return shown, len(before) > len(shown), True
    after = [id_ for id_ in ids if id_ < position]
    return after[:_ALERTS_A_PAGE], True, len(after) > _ALERTS_A_PAGE


def _tasks(call: Call) -> Json:
    """The names of the jobs that measured what the alerts are about; null for those that are forgotten."""
    id_ = call.query.last("id")
    found = call.world.alert_texts.summaries.get(int(id_) if id_.isdecimal() else -1)
    if found is None:
        raise Refusal(400, {"message": ["PerformanceAlertSummary does not exist."]})
    names: set[str | None] = set()
    for alert in found.alerts:
        data = call.world.autoland.data(alert.signature, range(found.push.order, found.push.order + 1))
        live = [datum for datum in data if not datum.job.expired]
        names.add(alert.signature.lane.label.name if live else None)
    return {"id": found.id, "tasks": sorted(names, key=lambda name: (name is None, name or ""))}
