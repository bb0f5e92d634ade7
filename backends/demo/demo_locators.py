"""Everything worth opening in the embedded CI: a name for it, and the text that a person would paste for it.

locators.json has the texts with placeholders. Taskcluster's come in two forms: a URL of the web interface, and the
short form, which means the configured deployment. Treeherder's URL of a push means its task group; `perf:push/` means
the push and its jobs.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from string import Template
from urllib.parse import quote

from backends.demo.options import DemoOptions
from backends.demo.prow import builds as prow
from backends.demo.submit import EXAMPLES
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.pushes import SPECS, TRY, revision
from backends.demo.treeherder.repositories import BASE_PUSH, FAVORITE_SUMMARY, NEW_PUSH, signature_id
from backends.demo.treeherder.test_configs import ODD, SIGNATURES

_TEXTS: dict[str, str | list[str]] = json.loads((Path(__file__).parent / "locators.json").read_bytes())
_ROLES = (
    "perf", "big", "failed", "retried", "retried-empty", "unscheduled", "many-artifacts", "artifact-kinds",
)  # fmt: skip


def locators(options: DemoOptions, root_url: str = "") -> dict[str, str]:
    """Texts by names that begin with the system. `root_url` of the synthetic Taskcluster; "" for the configured one."""
    values = {"root": root_url, "examples": quote(str(EXAMPLES)), **_ids(options)}
    texts = {name: text if isinstance(text, str) else text[not root_url] for name, text in _TEXTS.items()}
    return {name: Template(text).substitute(values) for name, text in texts.items()}


@lru_cache(maxsize=4)
def _ids(options: DemoOptions) -> dict[str, str | int]:
    seed, fixtures, autoland = options.seed, Fixtures(options), SPECS[0]
    groups = {"finished": fixtures.finished, "running": fixtures.running, "empty": fixtures.empty}
    pulls = prow.pull_builds(seed)
    builds = {build.role: build for build in prow.openshift_builds(seed)} | {
        "complete": next(build for build in reversed(prow.completeness_builds(seed)) if build.passed),
        "kubernetes": prow.kubernetes_builds(seed)[-1],
        "pull": pulls[-1],
        "batch": next(build for build in pulls if build.role == "batch"),
        "many": prow.long_build(seed, prow.LONG_BUILDS - 1),
    }
    for build in prow.kubernetes_builds(seed):
        if build.role:
            builds["big-plain-log" if build.role == "big-log" else build.role] = build
    values: dict[str, str | int] = {
        **{name: group.id for name, group in groups.items()},
        "hostile": fixtures.hostile.id,
        "finished_revision": fixtures.finished.revision,
        "running_revision": fixtures.running.revision,
        **{role: fixtures.task_with_role(role).id for role in _ROLES},
        **{f"build_{name}": f"{build.bucket}/{build.folder.rstrip('/')}" for name, build in builds.items()},
        "pull_id": pulls[-1].id,
        **{f"signature_{index}": signature_id(autoland, index) for index in range(3)},
        **{f"odd_{place}": signature_id(autoland, SIGNATURES - ODD + place) for place in range(6)},
        "summary": FAVORITE_SUMMARY,
        "base": revision(seed, TRY, BASE_PUSH),
        "new": revision(seed, TRY, NEW_PUSH),
        "on_try": signature_id(SPECS[1], 0),
    }
    return {name.replace("-", "_"): value for name, value in values.items()}


# (title, name of the locator, what to try there): what `ciexplore demo` opens with.
_EXAMPLES = (
    ("A finished task group", "taskcluster.finished-group", "filter, read a log, download"),
    ("A task group that still runs", "taskcluster.running-group", "its rows change while they are looked at"),
    ("A failed task", "taskcluster.failed-task", "its artifacts; l opens its log"),
    ("Two task groups compared", "taskcluster.comparison", "what failed, what got slower"),
    ("A flaky Prow job", "prow.job-openshift", "its builds; x F: flakiest tests, l: log"),
    ("A failed Prow build", "prow.build-failed", "its tests, files and logs"),
    ("Alerts to triage", "perf.alerts", "from an alert to its series, job and log"),
    ("A performance series", "perf.series", "chart, change points, statistics"),
    ("Two revisions compared", "perf.compare", "significance, effect size, confidence"),
    ("Source archives of a revision", "archive.revision", "fetched, verified, cached"),
    ("Job data with mistakes", "submit.example-broken", "what Treeherder would lose, and why"),
)


def examples(texts: dict[str, str]) -> tuple[tuple[str, str, str], ...]:
    """(title, locator, what to try there) of a guided tour; `texts`: what `locators` returned."""
    return tuple((title, texts[name], note) for title, name, note in _EXAMPLES)
