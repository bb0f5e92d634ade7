"""Everything worth opening in the embedded CI: a name for it, and the text that a person would paste for it."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from backends.demo import submit
from backends.demo.options import DemoOptions


def locators(options: DemoOptions, root_url: str = "") -> dict[str, str]:
    """Texts by names that begin with the system. `root_url` of the synthetic Taskcluster; "" for the configured one."""
    by_system = {
        "taskcluster": _taskcluster(options, root_url), "prow": _prow(options.seed), "perf": _treeherder(options),
        "archive": _archives(options), "submit": submit.locators(),
    }  # fmt: skip
    return {f"{system}.{name}": text for system, found in by_system.items() for name, text in found.items()}


def _taskcluster(options: DemoOptions, root_url: str) -> dict[str, str]:
    """URLs of the web interface at `root_url`; without it the short forms, which mean the configured deployment."""
    from backends.demo.taskcluster.fixtures import Fixtures

    fixtures = Fixtures(options)
    finished, running = fixtures.finished, fixtures.running
    perf, big = fixtures.task_with_role("perf").id, fixtures.task_with_role("big").id
    data, log = "public/test_info/perfherder-data.json", "public/logs/live_backing.log"
    installer, index = "public/build/target.installer.exe", f"gecko.v2.{finished.project}"
    group, task = "taskcluster:group/", "taskcluster:task/"
    push = "https://treeherder.mozilla.org/jobs?repo={0.project}&revision={0.revision}"
    found = {
        "index": f"{index}.latest.taskgraph.decision", "namespace": index,
        "run": f"taskcluster:task/{perf}/0", "artifact": f"taskcluster:artifact/{perf}/0/{data}",
        "log": f"taskcluster:artifact/{perf}/0/{log}", "big-artifact": f"taskcluster:artifact/{big}/0/{installer}",
    }  # fmt: skip
    if root_url:
        group, task = f"{root_url}/tasks/groups/", f"{root_url}/tasks/"
        found = {
            "index": f"{root_url}/tasks/index/{index}.latest.taskgraph/decision",
            "namespace": f"{root_url}/tasks/index/{index}",
            "run": f"{task}{perf}/runs/0", "artifact": f"{task}{perf}/runs/0/{data}",
            "log": f"{task}{perf}/runs/0/logs/{quote(log, safe='')}", "big-artifact": f"{task}{big}/runs/0/{installer}",
        }  # fmt: skip
    roles = ("failed", "retried", "retried-empty", "unscheduled", "many-artifacts", "artifact-kinds")
    return {
        "finished-group": group + finished.id,
        "running-group": group + running.id,
        "empty-group": group + fixtures.empty.id,
        "hostile-group": group + fixtures.hostile.id,
        "push": push.format(finished),
        "running-push": push.format(running),
        "index": found["index"],
        "namespace": found["namespace"],
        "comparison": f"taskcluster:compare/{finished.id}..{running.id}" + (f"?root={root_url}" if root_url else ""),
        "task": task + perf,
        "run": found["run"],
        "artifact": found["artifact"],
        "log": found["log"],
        "big-artifact": found["big-artifact"],
        **{f"{role}-task": task + fixtures.task_with_role(role).id for role in roles},
    }


@cache
def _prow(seed: int) -> dict[str, str]:
    """Every form of URL occurs among the values."""
    from backends.demo.prow import builds as prow

    decks = {prow.OPENSHIFT_BUCKET: "https://prow.ci.openshift.org", prow.KUBERNETES_BUCKET: "https://prow.k8s.io"}
    gcsweb = "https://gcsweb-ci.apps.ci.l2s4.p1.openshiftapps.com/gcs"

    def gs(build: prow.Build, name: str = "") -> str:
        return f"gs://{build.bucket}/{build.folder}{name}"

    def deck(build: prow.Build) -> str:
        return f"{decks[build.bucket]}/view/gs/{build.bucket}/{build.folder.rstrip('/')}"

    openshift = {build.role: build for build in prow.openshift_builds(seed) if build.role}
    kubernetes = {build.role: build for build in prow.kubernetes_builds(seed) if build.role}
    pulls, storage = prow.pull_builds(seed), "https://storage.googleapis.com"
    complete = next(build for build in reversed(prow.completeness_builds(seed)) if build.passed)
    history = f"{decks[prow.KUBERNETES_BUCKET]}/job-history/gs/{prow.KUBERNETES_BUCKET}"
    found = {
        "job-openshift": f"gs://{prow.OPENSHIFT_BUCKET}/logs/{prow.OPENSHIFT_JOB}/",
        "job-kubernetes": f"{history}/logs/{prow.KUBERNETES_JOB}",
        "job-many": f"gs://{prow.KUBERNETES_BUCKET}/logs/{prow.LONG_JOB}/",
        "pull-job": f"{history}/pr-logs/directory/{prow.PULL_JOB}",
        "completeness-job": f"{gcsweb}/{prow.OPENSHIFT_BUCKET}/logs/{prow.COMPLETENESS_JOB}/",
        "build": deck(complete),
        "build-whole": gs(complete),
        "build-log": gs(openshift["failed"], "build-log.txt").replace("gs:/", storage),
        "build-big-log": gs(openshift["big-log"], "build-log.txt"),
        "build-big-plain-log": gs(kubernetes["big-log"], "build-log.txt"),
        "build-counter": gs(kubernetes["counter"]),
        "build-kubernetes": deck(prow.kubernetes_builds(seed)[-1]),
        "build-pull": deck(pulls[-1]),
        "build-pull-link": f"gs://{prow.KUBERNETES_BUCKET}/pr-logs/directory/{prow.PULL_JOB}/{pulls[-1].id}.txt",
        "build-batch": deck(next(build for build in pulls if build.role == "batch")),
        "build-many": deck(prow.long_build(seed, prow.LONG_BUILDS - 1)),
    }
    for role, build in openshift.items():
        found.setdefault(f"build-{role}", deck(build))
    return found


def _treeherder(options: DemoOptions) -> dict[str, str]:
    """The URLs that a person would copy from the real one; ids and revisions follow from the seed."""
    from backends.demo.taskcluster.fixtures import Fixtures
    from backends.demo.treeherder.repositories import (
        AUTOLAND,
        BASE_PUSH,
        FAVORITE_SUMMARY,
        NEW_PUSH,
        SPECS,
        TRY,
        revision,
        signature_id,
    )
    from backends.demo.treeherder.test_configs import ODD, SIGNATURES

    web, seed, autoland, fixtures = "https://treeherder.mozilla.org", options.seed, SPECS[0], Fixtures(options)
    base, new = revision(seed, TRY, BASE_PUSH), revision(seed, TRY, NEW_PUSH)

    def series(*indexes: int) -> str:
        return "&".join(f"series={AUTOLAND},{signature_id(autoland, index)},1,13" for index in indexes)

    graphs, on_try = f"{web}/perfherder/graphs?timerange=2592000", signature_id(SPECS[1], 0)
    sides = f"originalProject={TRY}&originalRevision={base}&newProject={TRY}&newRevision={new}&framework=13"
    return {
        "repository-autoland": f"perf:frameworks/{AUTOLAND}",
        "signatures": f"{web}/perfherder/tests?framework=13&project={AUTOLAND}",
        "series": f"{graphs}&{series(0)}",
        "three-series": f"{graphs}&{series(0, 1, 2)}",
        "hostile-series": f"{graphs}&{series(*range(SIGNATURES - ODD, SIGNATURES - ODD + 6))}",
        "alerts": f"{web}/perfherder/alerts?status=0&framework=13&page=1",
        "alert-summary": f"{web}/perfherder/alerts?id={FAVORITE_SUMMARY}",
        # Treeherder's own URL of a push means its task group; the short form means the push and its jobs.
        "push": f"perf:push/{AUTOLAND}/{fixtures.finished.revision}",
        "running-push": f"perf:push/{TRY}/{fixtures.running.revision}",
        "pushes": f"{web}/jobs?repo={AUTOLAND}",
        "compare": f"https://perf.compare/compare-results?baseRev={base}&baseRepo={TRY}"
        f"&newRev={new}&newRepo={TRY}&framework=13",
        "compare-perfherder": f"{web}/perfherder/compare?{sides}",
        "compare-subtests": f"{web}/perfherder/comparesubtest?{sides}&originalSignature={on_try}&newSignature={on_try}",
    }


def _archives(options: DemoOptions) -> dict[str, str]:
    """Short forms, which mean the configured hgweb."""
    from backends.demo.taskcluster.fixtures import Fixtures

    repository = "archive:integration/autoland"
    revision = f"{repository}@{Fixtures(options).finished.revision}"
    return {
        "repositories": "archive:repositories",
        "repository": repository,
        "revision": revision,
        "directory": f"{revision}/testing/mozharness",
        "kept": "archive:held",
    }
