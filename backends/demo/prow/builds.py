"""The builds of each synthetic job: ids, times, results, and how much of each was uploaded.

The completeness of a job's finished builds is that of 140 real builds of 2021: 135 with all six entries (96.4 %), two
without podinfo.json and one each of three other sets; under artifacts/ 92 have the most common set (65.7 %).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from backends.demo.deterministic_random import generator, number

OPENSHIFT_BUCKET = "test-platform-results"
KUBERNETES_BUCKET = "kubernetes-ci-logs"
PRIVATE_BUCKET = "origin-ci-private"
BUCKETS = (OPENSHIFT_BUCKET, KUBERNETES_BUCKET)
OPENSHIFT_JOB = "periodic-ci-openshift-release-master-ci-4.8-e2e-gcp"
COMPLETENESS_JOB = "periodic-ci-openshift-release-master-ci-4.6-upgrade-from-stable-4.5-e2e-gcp-upgrade"
KUBERNETES_JOB = "ci-kubernetes-e2e-gci-gce"
PULL_JOB = "pull-kubernetes-e2e-gce"
LONG_JOB = "ci-kubernetes-unit"
# A job of which one test fails since a known build; another one fails now and then.
REGRESSION_JOB = "ci-kubernetes-e2e-storage"
STEPS = ("ipi-conf", "ipi-conf-gcp", "ipi-install-rbac", "ipi-install-install", "openshift-e2e-test", "gather-extra")
UPGRADE_STEPS = ("ipi-conf", "ipi-install-stableinitial", "openshift-e2e-test", "gather-must-gather")
CATALOGUE = json.loads((Path(__file__).parent / "catalogue.json").read_bytes())

REGRESSION_BUILDS, FIRST_REGRESSED = 40, 27  # how many, and which of them (the oldest is 0)
LOST_BEFORE_REGRESSION = 2  # builds right before it that were aborted
SNOWFLAKE_EPOCH = 1_288_834_974_657
NEWEST = 1_795_197_600  # 2026-11-20 18:00:00 UTC
LONG_BUILDS = 5_000

# How many of the 140 real builds have which entries, below the build and below artifacts/. TEST/ stands for the
# multi-stage test's folder; the two builds without artifacts/ complete the 140.
FIRST_LEVEL: list[tuple[int, list[str]]] = CATALOGUE["first_level"]
SECOND_LEVEL: list[tuple[int, list[str]]] = CATALOGUE["second_level"]
COMPLETE = tuple(FIRST_LEVEL[0][1])


@dataclass(frozen=True)
class Build:
    """One build. Times are UTC seconds; `ended` is None where finished.json is missing, `started` 0 where the start is.

    `folder` ends in a slash. `result` is that of finished.json. `role` names what is special about it, "" if nothing.
    `entries` are the first level, `artifacts` the second.
    """

    bucket: str
    job: str
    id: str
    index: int
    folder: str
    created: int
    started: int
    ended: int | None
    result: str
    entries: Sequence[str]
    artifacts: Sequence[str] = ()
    role: str = ""
    pull: int = 0
    repo: str = ""

    @property
    def openshift(self) -> bool:
        return self.bucket == OPENSHIFT_BUCKET

    @property
    def passed(self) -> bool:
        return self.result == "SUCCESS"

    @property
    def test(self) -> str:
        """The name of the multi-stage test."""
        return "e2e-gcp-upgrade" if self.job == COMPLETENESS_JOB else "e2e-gcp"

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the multi-stage test."""
        return UPGRADE_STEPS if self.job == COMPLETENESS_JOB else STEPS


def _snowflake(seconds: float, step: int = 0) -> str:
    """The build id of that moment, of node 1 as all of Prow's."""
    return str((round(seconds * 1000) - SNOWFLAKE_EPOCH) << 22 | 1 << 12 | step)


@lru_cache(maxsize=4)
def _make_build(seed: int, bucket: str, job: str, index: int, created: int, failing: float) -> Build:
    random = generator(seed, job, index)
    # Created to started: 1.4 to 575 s, median 2.9, over 837 real builds.
    started = created + 2 + int(random.expovariate(1 / 3)) % 570
    failed = random.random() < failing
    duration = random.randint(3_000, 7_500) if not failed else random.randint(600, 9_000)
    build_id = _snowflake(created + random.random(), random.randrange(3))
    return Build(
        bucket, job, build_id, index, f"logs/{job}/{build_id}/", created, started, started + duration,
        "FAILURE" if failed else "SUCCESS", COMPLETE,
    )  # fmt: skip


def _series(seed: int, bucket: str, job: str, count: int, spacing: int, failing: float) -> list[Build]:
    """`count` builds, oldest first, `spacing` seconds apart give or take a quarter."""
    times = [
        NEWEST - (count - 1 - index) * spacing - number(seed, job, index, "jitter") % (spacing // 4)
        for index in range(count)
    ]
    return [_make_build(seed, bucket, job, index, created, failing) for index, created in enumerate(times)]


def _with_real_completeness(seed: int, builds: list[Build]) -> list[Build]:
    """140 builds with the real distribution of their first and second level."""
    random = generator(seed, builds[0].job, "completeness")
    first = [entries for count, entries in FIRST_LEVEL for _ in range(count)]
    random.shuffle(first)
    second = [entries for count, entries in SECOND_LEVEL for _ in range(count)]
    random.shuffle(second)
    builds_of_job = []
    for build, entries in zip(builds, first, strict=True):
        artifacts = second.pop() if "artifacts/" in entries else []
        ended = build.ended if "finished.json" in entries else None
        # A build whose log or test is missing has not passed.
        result = build.result if tuple(entries) == COMPLETE and "TEST/" in artifacts else "FAILURE"
        builds_of_job.append(replace(build, entries=entries, artifacts=artifacts, ended=ended, result=result))
    return builds_of_job


def completeness_builds(seed: int) -> list[Build]:
    return _with_real_completeness(seed, _series(seed, OPENSHIFT_BUCKET, COMPLETENESS_JOB, 140, 43_200, 0.4))


# The ten newest builds have one peculiarity each: which members of `Build` differ from a complete failed build's. Crier
# writes "error", the ProwJob's state in lower case, when no pod utility could write a result.
_SPECIAL: dict[str, dict[str, Any]] = CATALOGUE["special_builds"]


@lru_cache(maxsize=4)
def openshift_builds(seed: int) -> tuple[Build, ...]:
    """150 builds: 140 of the usual completeness, then the special ones."""
    builds = _series(seed, OPENSHIFT_BUCKET, OPENSHIFT_JOB, 140 + len(_SPECIAL), 28_800, 0.3)
    special = [
        replace(build, **{"role": role, "artifacts": SECOND_LEVEL[0][1], "result": "FAILURE", **differences})
        for build, (role, differences) in zip(builds[140:], _SPECIAL.items(), strict=True)
    ]
    return (*_with_real_completeness(seed, builds[:140]), *special)


_CLONED = ("artifacts/", "build-log.txt", "clone-log.txt", "clone-records.json", "finished.json", "podinfo.json",
           "prowjob.json", "started.json")  # fmt: skip


def kubernetes_builds(seed: int) -> list[Build]:
    """44 builds: four of an old counter, whose ids do not sort as text, then forty snowflakes."""
    found = []
    for build in _series(seed, KUBERNETES_BUCKET, KUBERNETES_JOB, 44, 21_600, 0.35):
        if build.index < 4:
            build_id = str(8 + build.index)
            folder = f"logs/{KUBERNETES_JOB}/{build_id}/"
            old = ("artifacts/", "build-log.txt", "finished.json", "started.json")
            found.append(replace(build, id=build_id, folder=folder, entries=old, role="counter"))
        else:
            role = "big-log" if build.index == 42 else ""
            found.append(replace(build, entries=_CLONED, role=role, result="FAILURE" if role else build.result))
    return found


def pull_builds(seed: int) -> list[Build]:
    """30 builds of a dozen pull requests of two repositories, and two batches."""
    found = []
    for build in _series(seed, KUBERNETES_BUCKET, PULL_JOB, 32, 7_200, 0.4):
        random = generator(seed, PULL_JOB, build.index, "pull")
        pull, repo, place = 93_714 + random.randrange(12), "kubernetes", ""
        if build.index % 10 == 3:
            pull, repo, place = 27_816, "test-infra", "test-infra/"
        where = f"{place}{pull}"
        role = ""
        if build.index in (12, 22):
            where, role = "batch", "batch"
        folder = f"pr-logs/pull/{where}/{PULL_JOB}/{build.id}/"
        found.append(replace(build, folder=folder, entries=_CLONED, pull=pull, repo=repo, role=role))
    return found


def regression_builds(seed: int) -> list[Build]:
    """40 builds of REGRESSION_JOB; a build's commit is that of the build before it every other time."""
    found = []
    for build in _series(seed, KUBERNETES_BUCKET, REGRESSION_JOB, REGRESSION_BUILDS, 14_400, 0.0):
        entries: tuple[str, ...] = _CLONED
        result = "SUCCESS"
        if build.index >= FIRST_REGRESSED or fails_now_and_then(seed, build.index):
            result = "FAILURE"
        elif build.index >= FIRST_REGRESSED - LOST_BEFORE_REGRESSION:
            result, entries = "ABORTED", tuple(entry for entry in _CLONED if entry != "artifacts/")
        found.append(replace(build, entries=entries, repo="kubernetes", result=result))
    return found


def fails_now_and_then(seed: int, index: int) -> bool:
    """Whether the intermittent test of REGRESSION_JOB fails in that build: in the newest, and in a third of the others
    that ran it."""
    is_lost = FIRST_REGRESSED - LOST_BEFORE_REGRESSION <= index < FIRST_REGRESSED
    chosen = index in (REGRESSION_BUILDS - 1, 20) or number(seed, REGRESSION_JOB, index, "now and then") % 3 == 0
    return chosen and not is_lost


def long_build(seed: int, index: int) -> Build:
    """One of the 5,000 small builds of a unit test job, one every 40 minutes."""
    created = NEWEST - (LONG_BUILDS - 1 - index) * 2_400 - number(seed, LONG_JOB, index, "jitter") % 600
    entries = ("build-log.txt", "finished.json", "prowjob.json", "started.json")
    return replace(_make_build(seed, KUBERNETES_BUCKET, LONG_JOB, index, created, 0.08), entries=entries)
