"""What seldom changes: repositories, frameworks, options, tags and classifications, as the server lists them."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

Json = dict[str, Any]

AUTOLAND, TRY, CENTRAL = "autoland", "try", "mozilla-central"
FRAMEWORKS = {
    1: "talos", 2: "build_metrics", 4: "awsy", 6: "platform_microbench", 11: "js-bench", 12: "devtools",
    13: "browsertime", 15: "mozperftest", 16: "fxrecord", 17: "telemetry", 18: "mozharness",
}  # fmt: skip
# Only these show in a list of alert summaries that does not ask for the monitored ones.
SHERIFFED = (1, 2, 4, 11, 12, 13, 15)
CLASSIFICATIONS = (
    "not classified", "fixed by commit", "expected fail", "intermittent", "infra", "new failure not classified",
    "autoclassified intermittent", "intermittent needs bugid",
)  # fmt: skip
TAGS = (
    "harness", "regression-backedout", "improvement", "regression", "regression-ftr", "early-beta-or-earlier",
    "multi-commits", "nightly-only",
)  # fmt: skip
ISSUE_TRACKERS: list[Json] = [
    {"id": 1, "text": "Bugzilla", "issue_tracker_url": "https://bugzilla.mozilla.org/show_bug.cgi?id="},
    {"id": 2, "text": "Github - Servo", "issue_tracker_url": "https://github.com/servo/servo/pull/"},
]
OPTIONS = ("opt", "debug", "asan", "pgo")

_HG = "https://hg.mozilla.org"
_TC_ROOT = "https://firefox-ci-tc.services.mozilla.com"
_DEVELOPMENT = ("development", "Collection of repositories where code initially lands in the development process")
_RELEASE = ("release-stabilization", "Collection of repositories that are used to stabilize releases")
_OTHER = ("other", "Collection of smaller/independent projects")

# id, name, address, group, life cycle order, sends alerts, is a try repository
_REPOSITORIES: tuple[tuple[int, str, str, tuple[str, str], int | None, bool, bool], ...] = (
    (1, CENTRAL, f"{_HG}/mozilla-central", _DEVELOPMENT, 10, False, False),
    (4, TRY, f"{_HG}/try", _DEVELOPMENT, None, False, True),
    (6, "mozilla-beta", f"{_HG}/releases/mozilla-beta", _RELEASE, 20, True, False),
    (7, "mozilla-release", f"{_HG}/releases/mozilla-release", _RELEASE, 30, False, False),
    (77, AUTOLAND, f"{_HG}/integration/autoland", _DEVELOPMENT, 9, True, False),
    (101, "fenix", "https://github.com/mozilla-mobile/fenix", _OTHER, None, False, False),
    (108, "mozilla-vpn-client", "https://github.com/mozilla-mobile/mozilla-vpn-client", _OTHER, None, False, False),
    (127, "servo-auto", "https://github.com/servo/servo", _OTHER, None, False, False),
)
REPOSITORY_IDS = {row[1]: row[0] for row in _REPOSITORIES}


def repositories() -> list[Json]:
    return [_repository(*row) for row in _REPOSITORIES]


def _repository(
    id_: int, name: str, url: str, group: tuple[str, str], order: int | None, alerts: bool, is_try: bool
) -> Json:
    on_git = "github.com" in url
    return {
        "id": id_,
        "repository_group": {"name": group[0], "description": group[1]},
        "name": name,
        "dvcs_type": "git" if on_git else "hg",
        "url": url,
        "codebase": name if on_git else "gecko",
        "description": "",
        "active_status": "active",
        "life_cycle_order": order,
        "performance_alerts_enabled": alerts,
        "expire_performance_data": name not in (AUTOLAND, CENTRAL),
        "is_try_repo": is_try,
        "tc_root_url": "https://community-tc.services.mozilla.com" if "servo" in name else _TC_ROOT,
        "accepts_pull_requests": on_git,
    }


def frameworks() -> list[Json]:
    return [{"id": id_, "name": name} for id_, name in FRAMEWORKS.items()]


def numbered(names: tuple[str, ...], key: str = "name") -> list[Json]:
    return [{"id": id_, key: name} for id_, name in enumerate(names, 1)]


@cache
def option_hash(*names: str) -> str:
    """The id of a collection of build options: the SHA-1 of their sorted names."""
    return hashlib.sha1(" ".join(sorted(names)).encode(), usedforsecurity=False).hexdigest()


def option_collections() -> list[Json]:
    return [{"option_collection_hash": option_hash(name), "options": [{"name": name}]} for name in OPTIONS]
