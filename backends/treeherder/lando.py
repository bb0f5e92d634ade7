"""Lando: which revision a landing job became. Treeherder's and perf.compare's pages ask it in the same way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backends.http.errors import NotFoundError
from backends.http.policies import CachePolicy
from backends.http.response import Response
from backends.treeherder.answers import NotTreeherder, is_page, value_of
from backends.treeherder.asking import DAY, NoSuchThing

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.http import Http

# ui/helpers/url.js and perfcompare's logic/lando.ts; no other host is ever asked.
HOSTS = {
    "lando-dev": "api.dev.lando.nonprod.cloudops.mozgcp.net",
    "lando-dev-2025": "lando-dev.allizom.org",
    "lando-prod": "api.lando.services.mozilla.com",
    "lando-prod-2025": "lando.moz.tools",
}
USUAL = "lando-prod"
_LANDED = re.compile(rb'"commit_id"\s*:\s*"[0-9a-f]')


def revision_of_landing_job(http: Http, number: int, instance: str = "", cancel: CancelToken | None = None) -> str:
    """The revision that a landing job became. Raises `NoSuchThing` with the job's status where it has not (yet)."""
    url = f"https://{HOSTS.get(instance, HOSTS[USUAL])}/landing_jobs/{int(number)}"
    try:
        answer = http.get(url, policy=_hold, cap=1 << 20, cancel=cancel)
    except NotFoundError:
        raise NoSuchThing(
            f"Lando has no landing job {number}.", "Check the number, and landoInstance= if given."
        ) from None
    found = None if is_page(answer) else value_of(answer)
    if not isinstance(found, dict):
        raise NotTreeherder(url, "it describes no landing job of Lando")
    revision = str(found.get("commit_id") or "")
    if revision:
        return revision
    status = str(found.get("status") or "unknown").lower().replace("_", " ")[:40]
    reason = str(found.get("error") or "").strip().split("\n")[0][:200]
    if reason:
        raise NoSuchThing(f"Landing job {number} became no push: it is {status} ({reason}).", "Ask Lando why.")
    raise NoSuchThing(f"Landing job {number} has not become a push yet: it is {status}.", "Try again in a few minutes.")


def _hold(answer: Response) -> CachePolicy:
    """A job that has landed never changes again."""
    return CachePolicy.short(DAY) if _LANDED.search(answer.body) else CachePolicy.never()
