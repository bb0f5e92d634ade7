"""What a Treeherder can be asked about alerts: summaries by its filters, page by page, and one summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from backends.http.errors import NotFoundError
from backends.http.policies import CachePolicy
from backends.http.response import Freshness
from backends.treeherder.alert_rows import alert_frame, summary_frame
from backends.treeherder.answers import NotTreeherder, entries, lenient, value_of
from backends.treeherder.asking import NoSuchThing
from backends.treeherder.reference_client import ReferenceClient
from backends.treeherder.structs import AlertSummary

if TYPE_CHECKING:
    from backends.cancel import CancelToken

SOON = CachePolicy.short(120)
SUMMARIES_A_PAGE = 100  # more is cut to 100 without a word


@dataclass(frozen=True)
class AlertPage:
    """One page of alert summaries: `summaries` (schema `SUMMARIES`), `alerts` (schema `ALERTS`), how many there are."""

    summaries: pl.DataFrame
    alerts: pl.DataFrame
    total: int | None
    origin: Freshness
    note: str = ""


@dataclass(frozen=True)
class AlertFilters:
    """The filters that alert summaries have on the server. `repository` is a number there; the client looks it up.

    `status`: 0-9; `timerange`: seconds, of the push; `text`: all words must occur in suite, test, platform, options,
    bug or revision, with regard to case; `signature`: a signature's id; `monitored`: those that are not sheriffed.
    """

    repository: str = ""
    framework: int | None = None
    status: int | None = None
    text: str = ""
    timerange: int | None = None
    signature: int | None = None
    assignee: str = ""
    hide_improvements: bool = False
    hide_related_and_invalid: bool = False
    untriaged_regressions: bool = False
    untriaged_improvements: bool = False
    sheriffed_frameworks: bool = False
    monitored: bool = False


class AlertsClient(ReferenceClient):
    """The part of the client that is about alerts."""

    def alert_summaries(self, filters: AlertFilters, cancel: CancelToken | None = None) -> Iterator[AlertPage]:
        """Alert summaries, newest alert first, 100 a page. New ones shift the pages: a row may come twice."""
        names = self.framework_names(cancel)
        params = {**self._alert_params(filters, cancel), "limit": SUMMARIES_A_PAGE}
        page, seen = 1, 0
        while True:
            answer = self.asker.ask("performance/alertsummary", {**params, "page": page}, policy=SOON, cancel=cancel)
            read = entries(answer, AlertSummary, member="results")
            count = read.envelope.get("count")
            total = count if isinstance(count, int) else None
            yield AlertPage(summary_frame(read.items, names), alert_frame(read.items), total, answer.origin, read.note)
            seen += len(read.items)
            # `next` is an address of the server's own making, behind a proxy of another host: only its presence counts.
            if not read.envelope.get("next") or not read.items or (total is not None and seen >= total):
                return
            page += 1

    def alert_summary(self, number: int, cancel: CancelToken | None = None) -> AlertPage:
        """One summary by its own address: the list's `id=` would have the server ask Taskcluster for profiles."""
        try:
            answer = self.asker.ask(f"performance/alertsummary/{int(number)}", policy=SOON, cancel=cancel)
        except NotFoundError:
            raise NoSuchThing(f"Treeherder has no alert summary {number}.", "Check its number.") from None
        value = value_of(answer)
        if not isinstance(value, dict) or "alerts" not in value:
            raise NotTreeherder(answer.url, "it describes no alert summary")
        found = [lenient(AlertSummary, value)]
        return AlertPage(summary_frame(found, self.framework_names(cancel)), alert_frame(found), 1, answer.origin)

    def _alert_params(self, filters: AlertFilters, cancel: CancelToken | None) -> dict[str, Any]:
        return {
            "repository": self.repository_id(filters.repository, cancel) if filters.repository else None,
            "framework": filters.framework,
            "status": filters.status,
            "filter_text": filters.text or None,
            "timerange": filters.timerange,
            "alerts__series_signature": filters.signature,
            "with_assignee": filters.assignee or None,
            "hide_improvements": filters.hide_improvements or None,
            "hide_related_and_invalid": filters.hide_related_and_invalid or None,
            "untriaged_regressions": filters.untriaged_regressions or None,
            "untriaged_improvements": filters.untriaged_improvements or None,
            "show_sheriffed_frameworks": filters.sheriffed_frameworks or None,
            "monitored_alerts": 1 if filters.monitored else None,
        }
