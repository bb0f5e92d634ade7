"""What a push is about, in its own words: Taskcluster does not know it, the Treeherder that shows the push does."""

from __future__ import annotations

from urllib.parse import urlsplit

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.http.policies import CachePolicy
from backends.lenient_json import as_dict
from backends.taskcluster.client import Client, parse_json
from backends.taskcluster.locators import PUBLIC_TREEHERDER
from backends.taskcluster.urls import PROFILES, quote_segment

_KEPT = 7 * 86_400.0  # seconds; what a push says never changes
_LONGEST = 500  # characters
_TRY_SYNTAX = "try:"  # the tip of a push to try may be nothing but its options


def fetch_push_message(client: Client, project: str, revision: str, cancel: CancelToken) -> str:
    """The first line of the message of the push's tip, below the options of a push to try; "" where it is not known.

    The public Treeherder is asked about the public deployments only: a revision of another one is nobody's business.
    """
    is_public = urlsplit(client.treeherder).hostname == PUBLIC_TREEHERDER
    if not client.treeherder or (is_public and client.root not in PROFILES.values()):
        return ""
    url = f"{client.treeherder.rstrip('/')}/api/project/{quote_segment(project)}/push/"
    try:
        response = client.http.get(
            url, policy=CachePolicy.short(_KEPT), cancel=cancel, params={"revision": revision, "count": 1}
        )
        pushes = as_dict(parse_json(response)).get("results")
    except OperationCancelledError:
        raise
    except AppError:
        return ""
    push = as_dict(pushes[0]) if isinstance(pushes, list) and pushes else {}
    commits = push.get("revisions")
    texts = [str(as_dict(commit).get("comments") or "") for commit in commits] if isinstance(commits, list) else []
    lines = [text.strip().partition("\n")[0].strip() for text in texts]
    about = next((line for line in lines if line and not line.startswith(_TRY_SYNTAX)), "")
    return (about or next(filter(None, lines), ""))[:_LONGEST]
