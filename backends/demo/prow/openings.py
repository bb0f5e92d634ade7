"""What can be opened: a name for each interesting job and build, and the text that a person would paste for it."""

from __future__ import annotations

from functools import cache

from backends.demo.options import DemoOptions
from backends.demo.prow.builds import (
    Build,
    completeness_builds,
    kubernetes_builds,
    long_build,
    openshift_builds,
    pull_builds,
)
from backends.demo.prow.names import (
    COMPLETENESS_JOB,
    KUBERNETES_BUCKET,
    KUBERNETES_JOB,
    LONG_JOB,
    OPENSHIFT_BUCKET,
    OPENSHIFT_JOB,
    PULL_JOB,
)

_DECKS = {OPENSHIFT_BUCKET: "https://prow.ci.openshift.org", KUBERNETES_BUCKET: "https://prow.k8s.io"}
_GCSWEB = "https://gcsweb-ci.apps.ci.l2s4.p1.openshiftapps.com/gcs"


def locators(options: DemoOptions) -> dict[str, str]:
    """Names that begin with `prow.`; every form of address is among the values."""
    return dict(_locators(options.seed))


@cache
def _locators(seed: int) -> dict[str, str]:
    openshift = {build.role: build for build in openshift_builds(seed) if build.role}
    kubernetes = {build.role: build for build in kubernetes_builds(seed) if build.role}
    pulls = pull_builds(seed)
    whole = next(build for build in reversed(completeness_builds(seed)) if build.passed)
    found = {
        "job-openshift": f"gs://{OPENSHIFT_BUCKET}/logs/{OPENSHIFT_JOB}/",
        "job-kubernetes": f"{_DECKS[KUBERNETES_BUCKET]}/job-history/gs/{KUBERNETES_BUCKET}/logs/{KUBERNETES_JOB}",
        "job-many": f"gs://{KUBERNETES_BUCKET}/logs/{LONG_JOB}/",
        "pull-job": f"{_DECKS[KUBERNETES_BUCKET]}/job-history/gs/{KUBERNETES_BUCKET}/pr-logs/directory/{PULL_JOB}",
        "completeness-job": f"{_GCSWEB}/{OPENSHIFT_BUCKET}/logs/{COMPLETENESS_JOB}/",
        "build": _deck(whole),
        "build-whole": f"gs://{whole.bucket}/{whole.folder}",
        "build-log": f"https://storage.googleapis.com/{openshift['failed'].bucket}/{openshift['failed'].folder}build-log.txt",
        "build-big-log": f"gs://{openshift['big-log'].bucket}/{openshift['big-log'].folder}build-log.txt",
        "build-big-plain-log": f"gs://{KUBERNETES_BUCKET}/{kubernetes['big-log'].folder}build-log.txt",
        "build-counter": f"gs://{KUBERNETES_BUCKET}/{kubernetes['counter'].folder}",
        "build-kubernetes": _deck(kubernetes_builds(seed)[-1]),
        "build-pull": _deck(pulls[-1]),
        "build-pull-link": f"gs://{KUBERNETES_BUCKET}/pr-logs/directory/{PULL_JOB}/{pulls[-1].id}.txt",
        "build-batch": _deck(next(build for build in pulls if build.role == "batch")),
        "build-many": _deck(long_build(seed, 4_999)),
    }
    for role, build in openshift.items():
        found.setdefault(f"build-{role}", _deck(build))
    return {f"prow.{name}": locator for name, locator in found.items()}


def _deck(build: Build) -> str:
    return f"{_DECKS[build.bucket]}/view/gs/{build.bucket}/{build.folder.rstrip('/')}"
