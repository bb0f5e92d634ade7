"""What a Treeherder can be asked: one typed function an endpoint, each giving a frame.

No endpoint needs a login. Answers carry neither ETag nor Cache-Control, so how long each holds is said here: reference
data a day, signatures by the interval that they are asked for, what is past as long as it cannot change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from backends.http.errors import BadRequestError, NotFoundError
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.treeherder.alerts_client import AlertFilters as AlertFilters
from backends.treeherder.alerts_client import AlertPage as AlertPage
from backends.treeherder.alerts_client import AlertsClient
from backends.treeherder.answers import NotTreeherder, Rows, entries, lenient, value_of
from backends.treeherder.asking import DAY, Asker, NoSuchRepository, NoSuchThing, Params, project
from backends.treeherder.columns import DATA, VALUES
from backends.treeherder.job_rows import push_frame
from backends.treeherder.jobs_client import JobsClient
from backends.treeherder.signature_rows import datum_frame, series_frame, signature_frame, value_frame
from backends.treeherder.structs import (
    Datum,
    Push,
    Signature,
    Summary,
)

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http import Http

SOON = CachePolicy.short(120)
PUSHES_A_PAGE = 1000  # more is refused
SECOND = timedelta(seconds=1)
FULL = 40  # hex digits
LATE = 4 * DAY  # seconds after which a push gets no more scheduled jobs; retriggers are rare and need --refresh


class Treeherder(AlertsClient, JobsClient):
    """One server, asked through `http`. All methods raise `AppError`s and may be called from any thread.

    `base`: its address, without /api. `interval`s are seconds back from now; `start` and `end` are aware datetimes and
    exclude an interval.
    """

    def __init__(self, http: Http, base: str, clock: Callable[[], float] = time.time) -> None:
        super().__init__(Asker(http, base))
        self.base = self.asker.base
        self._clock = clock

    # Performance

    def signatures(
        self,
        repository: str,
        *,
        frameworks: Sequence[int] = (),
        interval: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        subtests: bool | None = None,
        parent: str = "",
        platform: str = "",
        ids: Sequence[int] = (),
        hashes: Sequence[str] = (),
        cancel: CancelToken | None = None,
    ) -> Rows:
        """Signatures (schema `SIGNATURES`) that had a value in the interval, all of them in one answer.

        `subtests` False: suites only; `parent`: the HASH of a suite, for its subtests.
        """
        self.check_repository(repository, cancel)
        params: Params = {
            "framework": list(frameworks),
            "id": list(ids),
            "signature": list(hashes),
            "parent_signature": parent or None,
            "platform": platform or None,
            "subtests": None if subtests is None else int(subtests),  # "false" is a 500
            **_period(interval, start, end),
        }
        hold = CachePolicy.short(min(max((interval or DAY * 14) / 100, 300), 3600))
        options, names = self.option_names(cancel), self.framework_names(cancel)

        def framed(found: Sequence[Signature]) -> pl.DataFrame:
            return signature_frame(found, repository, options, names)

        path = project(repository, "performance/signatures")
        return self._listed(path, params, hold, Signature, framed, cancel, keyed=True)

    def performance_data(
        self,
        repository: str,
        *,
        signature_ids: Sequence[int] = (),
        push_ids: Sequence[int] = (),
        job_ids: Sequence[int] = (),
        frameworks: Sequence[int] = (),
        interval: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        no_retriggers: bool = False,
        cancel: CancelToken | None = None,
    ) -> Rows:
        """Values (schema `DATA`) of signatures, pushes or jobs, ROUNDED to two decimals; `series` has them in full."""
        if not (signature_ids or push_ids or job_ids):
            return Rows(DATA.empty())
        self.check_repository(repository, cancel)
        params: Params = {
            "signature_id": list(signature_ids),
            "push_id": list(push_ids),
            "job_id": list(job_ids),
            "framework": list(frameworks),
            "no_retriggers": no_retriggers or None,
            **_period(interval, start, end),
        }
        answer = self.asker.ask(project(repository, "performance/data"), params, policy=SOON, cancel=cancel)
        value = value_of(answer)
        if not isinstance(value, dict):
            raise NotTreeherder(answer.url, "its JSON is no object of series")
        listed = [one for rows in value.values() if isinstance(rows, list) for one in rows]
        found = [lenient(Datum, one) for one in listed if isinstance(one, dict)]
        return Rows(datum_frame(found), answer.origin, _lost(len(listed) - len(found)))

    def series(
        self,
        repository: str,
        signature_id: int,
        *,
        interval: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        revision: str = "",
        replicates: bool = False,
        cancel: CancelToken | None = None,
    ) -> tuple[Summary | None, Rows]:
        """What one signature is, and its values (schema `DATA`) in full, over a period or of one revision.

        None and no rows where the repository has no such signature. `end` is now by default.
        """
        params: Params = {
            "repository": repository,
            "signature": signature_id,
            "all_data": True,
            "replicates": replicates or None,
            **self._span(interval, start, end, revision),
        }
        answer = self.asker.ask("performance/summary", params, policy=SOON, cancel=cancel)
        read = entries(answer, Summary)
        summary = next((one for one in read.items if one.signature_id == signature_id), None)
        if summary is None:
            return None, Rows(DATA.empty(), answer.origin, read.note)
        return summary, Rows(series_frame(summary.data, signature_id, replicates=replicates), answer.origin, read.note)

    def values(
        self,
        repository: str,
        *,
        frameworks: Sequence[int] = (),
        interval: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        revision: str = "",
        subtests: bool = False,
        parent: int | None = None,
        replicates: bool = False,
        cancel: CancelToken | None = None,
    ) -> Rows:
        """Values (schema `VALUES`, one row a value, ROUNDED to two decimals) of a revision or a period.

        The endpoint gives either suites or subtests, never both: suites by default; `parent` (the ID of a suite) asks
        for its subtests.
        """
        params: Params = {
            "repository": repository,
            "framework": list(frameworks),
            "no_subtests": None if subtests or parent is not None else True,
            "parent_signature": parent,
            "replicates": replicates or None,
            **self._span(interval, start, end, revision),
        }
        answer = self.asker.ask("performance/summary", params, policy=SOON, cancel=cancel)
        read = entries(answer, Summary)
        return Rows(value_frame(read.items) if read.items else VALUES.empty(), answer.origin, read.note)

    # Pushes

    def pushes(
        self, repository: str, *, count: int = 100, before: int | None = None, since: int | None = None,
        search: Mapping[str, str] | None = None, cancel: CancelToken | None = None,
    ) -> Rows:  # fmt: skip
        """The newest pushes (schema `PUSHES`), or those from the second `since` up to the second `before`; pages
        overlap by that second's.

        `search`: revision (full or its beginning, of the tip), commit_revision (any commit, full), author,
        author_contains, search, startdate, enddate (YYYY-MM-DD).
        """
        params: Params = {
            "count": min(max(count, 1), PUSHES_A_PAGE),
            "push_timestamp__lte": before,
            "push_timestamp__gte": since,
            **(search or {}),
        }
        past = before is not None and before < self._clock() - LATE
        hold = CachePolicy.short(DAY) if past else CachePolicy.short(60)
        answer = self._of_repository(repository, project(repository, "push"), params, hold, cancel)
        read = entries(answer, Push, member="results")
        return Rows(push_frame(read.items), answer.origin, read.note)

    def push_by_revision(self, repository: str, revision: str, cancel: CancelToken | None = None) -> int:
        """The id of the push with this revision, see `push_of`."""
        return int(self.push_of(repository, revision, cancel)["push_id"])

    def push_of(self, repository: str, revision: str, cancel: CancelToken | None = None) -> dict[str, Any]:
        """The push (a row of `PUSHES`) with this revision, or its beginning, at its tip, or in full within it."""
        for member in ("revision", "commit_revision")[: 2 if len(revision) == FULL else 1]:
            frame = self.pushes(repository, count=2, search={member: revision}, cancel=cancel).frame
            known = frame.filter(pl.col("revision").is_not_null())
            if not known.is_empty():
                return known.row(0, named=True)
        raise NoSuchThing(
            f"Treeherder has no push {revision[:40]} in {repository}.",
            "A commit inside a push is found by its full 40 digits only; the push may also be in another repository.",
        )

    def revisions_of_hashes(
        self, repository: str, hashes: tuple[str, str], days: tuple[str, str], cancel: CancelToken | None = None
    ) -> tuple[str, str]:
        """The revisions of the pushes (base, new) that `mach try perf` marked with these hashes on these days.

        The server looks in the commits of the day before to the day after. Where it finds none, or where the days are
        not known, the hashes are searched for in the newest pushes' messages.
        """
        names = ("basehash", "newhash", "basehashdate", "newhashdate")
        params = {name: value for name, value in zip(names, (*hashes, *days), strict=True) if value}
        try:
            found = value_of(self.asker.ask(project(repository, "hash/tocommit"), params, policy=SOON, cancel=cancel))
        except (BadRequestError, NotFoundError):
            found = {}
        told = found if isinstance(found, dict) else {}
        base, new = (str(told.get(f"{side}Revision") or "") for side in ("base", "new"))
        if base and new:
            return base, new
        return self._search_hash(repository, hashes[0], cancel), self._search_hash(repository, hashes[1], cancel)

    def _search_hash(self, repository: str, hash_: str, cancel: CancelToken | None) -> str:
        frame = self.pushes(repository, count=1, search={"search": hash_}, cancel=cancel).frame
        revisions = frame["revision"].drop_nulls()
        if revisions.is_empty():
            raise NoSuchThing(
                f"Treeherder has no push in {repository} with the hash {hash_} in its message (yet).",
                "Pushes of today may still be on their way; otherwise copy the address with baseRev= and newRev=.",
            )
        return str(revisions[0])

    def _span(
        self, interval: int | None, start: datetime | None, end: datetime | None, revision: str
    ) -> dict[str, Any]:
        """What the summary endpoint needs one of: a revision, an interval, or a start and an end (both exclusive)."""
        if revision:
            return {"revision": revision}
        if start is None:
            return {"interval": interval if interval is not None else int(14 * DAY)}
        last = end if end is not None else datetime.fromtimestamp(self._clock(), UTC)
        return {"startday": _naive(start - SECOND), "endday": _naive(last + SECOND)}

    def _of_repository(
        self, repository: str, path: str, params: Params, hold: CachePolicy, cancel: CancelToken | None
    ) -> Response:
        try:
            return self.asker.ask(path, params, policy=hold, cancel=cancel)
        except NotFoundError:
            raise NoSuchRepository(repository, self.repositories(cancel).frame["name"].to_list()) from None


def _lost(count: int) -> str:
    return f"{count:,} entries of the answer could not be read and are not shown." if count else ""


def _period(interval: int | None, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """An interval or dates; both together are refused by the server."""
    if start is None:
        return {"interval": interval}
    return {
        "start_date": _naive(start),
        "end_date": None if end is None else _naive(end),
    }


def _naive(moment: datetime) -> str:
    """UTC without a zone, as the server's own times are; it refuses some spellings of zones."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
