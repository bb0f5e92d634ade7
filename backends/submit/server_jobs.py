"""How jobs to be submitted differ from the ones that a Treeherder has under the same ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.cancel import CancelToken
from backends.http import Http
from backends.http.errors import NotFoundError
from backends.submit.forms import Entry
from backends.submit.hawk_route import seen
from backends.submit.preview import Drawn, drawn, symbol
from backends.submit.times import epoch_of


def changes(entries: Sequence[Entry], http: Http, server: str, cancel: CancelToken) -> dict[str, str]:
    """Job id -> "new", "same", or what would change, such as "running → success; tier 1 → 2".

    Raises the `AppError`s of the requests; a repository that the server does not know is "no such repository".
    """
    jobs: dict[str, dict[str, Drawn]] = {}
    for entry in entries:
        one = drawn(entry)
        if one is not None and one.project and entry.job_id:
            jobs.setdefault(one.project, {})[entry.job_id] = one
    found: dict[str, str] = {}
    for project, ours in jobs.items():
        try:
            theirs = seen(http, server, project, list(ours), cancel)
        except NotFoundError:
            found.update(dict.fromkeys(ours, "no such repository"))
            continue
        for job_id, one in ours.items():
            row = theirs.get(job_id)
            found[job_id] = "new" if row is None else _difference(one, row)
    return found


def _difference(ours: Drawn, row: dict[str, Any]) -> str:
    state, result = str(row.get("state")), str(row.get("result"))
    theirs = result if state == "completed" else state
    if state == "completed" and theirs != ours.shown:
        return f"stays {theirs}: a completed job never changes"
    options = str(row.get("platform_option") or "")
    platform = f"{row.get('platform')} {options}".strip()
    pairs = [
        ("", theirs, ours.shown),
        ("", symbol(str(row.get("job_group_symbol")), str(row.get("job_type_symbol"))), ours.symbol),
        ("", platform, ours.platform),
        ("tier ", str(row.get("tier")), str(ours.tier)),
        ("started ", _second(row.get("start_timestamp")), _second(ours.started)),
        ("ended ", _second(row.get("end_timestamp")), _second(ours.ended)),
    ]
    differing = [f"{name}{before} → {after}" for name, before, after in pairs if before != after]
    return "; ".join(differing) or "same"


def _second(value: Any) -> str:
    seconds = epoch_of(value)
    return str(int(seconds)) if seconds else "-"
