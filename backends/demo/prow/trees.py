"""Which objects a synthetic bucket holds: names only, none of the contents.

Names are as the real uploaders make them: `#` became `%23`, steps nest folders that look like builds, and a folder may
have a marker object of its own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from backends.demo.prow.builds import (
    LONG_BUILDS,
    Build,
    completeness_builds,
    kubernetes_builds,
    long_build,
    openshift_builds,
    pull_builds,
)
from backends.demo.prow.names import (
    COMPLETENESS_JOB,
    KUBERNETES_JOB,
    LONG_JOB,
    NODES,
    OPENSHIFT_BUCKET,
    OPENSHIFT_JOB,
    PULL_JOB,
    STEPS,
    UPGRADE_STEPS,
)

HOSTILE = (
    "artifacts/[bold red]markup[/bold red] [@click=app.quit]q[/].txt",
    "artifacts/[unclosed.txt",
    "artifacts/\x1b[31mred\x1b[0m\x1b]0;title\x07.txt",
    "artifacts/../../../../etc/passwd",
    "artifacts/./dot.txt",
    "artifacts//doubled//slash.txt",
    "artifacts//",
    "/leading.txt",
    "artifacts/a",
    "artifacts/a/b",
    "artifacts/Case.txt",
    "artifacts/case.txt",
    "artifacts/odd name #1 & é?.txt",
    "artifacts/percent%2Fencoded%00%23.txt",
    'artifacts/<b class="x">bold&amp;.html',
    "artifacts/\u202etxt.exe",
    "artifacts/测试-🧪.log",
    "artifacts/" + "n" * 300,
    "artifacts/C:\\drive\\CON",
    "artifacts/-rf",
    "artifacts/=HYPERLINK(1)",
    "artifacts/trailing space ",
    "artifacts/folder/",
    "artifacts/junit_hostile.xml",
)


@dataclass(frozen=True)
class Entry:
    """One object. `kind` says what it holds (see contents.py), `build` whose it is, `detail` which step or part."""

    name: str
    kind: str
    build: Build
    detail: str = ""


def objects(seed: int, bucket: str) -> Iterator[Entry]:
    """Every object of one bucket, in no order."""
    if bucket == OPENSHIFT_BUCKET:
        for job, builds in ((OPENSHIFT_JOB, openshift_builds(seed)), (COMPLETENESS_JOB, completeness_builds(seed))):
            for build in builds:
                yield from build_objects(build)
            yield Entry(f"logs/{job}/latest-build.txt", "latest", builds[-1])
        return
    kubernetes = kubernetes_builds(seed)
    for build in kubernetes:
        yield from build_objects(build)
    # Real damage of 2025: a truncated id, which led readers to builds of months before.
    yield Entry(f"logs/{KUBERNETES_JOB}/latest-build.txt", "damaged-latest", kubernetes[-1])
    yield Entry(f"logs/{KUBERNETES_JOB}/jobResultsCache.json", "results-cache", kubernetes[-1])
    yield from _pull_objects(pull_builds(seed))
    for index in range(LONG_BUILDS):
        yield from build_objects(long_build(seed, index))
    yield Entry(f"logs/{LONG_JOB}/latest-build.txt", "latest", long_build(seed, LONG_BUILDS - 1))


def _pull_objects(builds: list[Build]) -> Iterator[Entry]:
    directory = f"pr-logs/directory/{PULL_JOB}/"
    latest: dict[str, Build] = {}
    for build in builds:
        yield from build_objects(build)
        if build.role == "batch":
            latest[directory] = build
            continue
        yield Entry(f"{directory}{build.id}.txt", "link", build)
        latest[directory] = latest[build.folder.removesuffix(f"{build.id}/")] = build
    # The build behind this one has been deleted since.
    gone = builds[0].id[:-3] + "017"
    yield Entry(f"{directory}{gone}.txt", "dangling-link", builds[0], gone)
    for folder, build in latest.items():
        yield Entry(f"{folder}latest-build.txt", "latest", build)


def build_objects(build: Build) -> Iterator[Entry]:
    for entry in build.entries:
        if entry != "artifacts/":
            yield Entry(build.folder + entry, entry, build)
        elif build.openshift:
            yield from _openshift_artifacts(build)
        else:
            yield from _kubernetes_artifacts(build)
    if build.role == "hostile":
        for name in HOSTILE:
            kind = "junit-hostile" if name.endswith(".xml") else "empty" if name.endswith("/") else "text"
            yield Entry(build.folder + name, kind, build)


def _openshift_artifacts(build: Build) -> Iterator[Entry]:
    base = f"{build.folder}artifacts/"
    for entry in build.artifacts:
        match entry:
            case "TEST/":
                yield from _steps(build, f"{base}{build.test}/")
            case "build-resources/":
                for name in ("builds.json", "events.json", "imagestreams.json", "pods.json"):
                    yield Entry(f"{base}{entry}{name}", "events" if name == "events.json" else "json", build, name)
            case "release/":
                yield Entry(f"{base}release/artifacts/release-payload-latest/image-references", "json", build, "images")
                yield Entry(f"{base}release/build-log.txt", "step-log", build, "release")
            case _:
                yield Entry(base + entry, entry, build)


def _steps(build: Build, base: str) -> Iterator[Entry]:
    stamp = datetime.fromtimestamp(build.created, UTC).strftime("%Y%m%d-%H%M%S")
    for step in UPGRADE_STEPS if build.test == "e2e-gcp-upgrade" else STEPS:
        folder = f"{base}{step}/"
        yield Entry(f"{folder}build-log.txt", "step-log", build, step)
        yield Entry(f"{folder}started.json", "started.json", build, step)
        yield Entry(f"{folder}finished.json", "finished.json", build, step)
        if step == "openshift-e2e-test":
            yield Entry(f"{folder}artifacts/junit/junit_e2e__{stamp}.xml", "junit", build, "0/1")
            yield Entry(f"{folder}artifacts/e2e-timelines_{stamp}.html", "html", build)
        elif step.startswith("gather-"):
            yield Entry(f"{folder}artifacts/", "empty", build)  # a marker, as some tools leave
            yield Entry(f"{folder}artifacts/nodes.json", "no-transform", build, "nodes.json")
            yield Entry(f"{folder}artifacts/must-gather.tar", "archive", build, "must-gather.tar")


def _kubernetes_artifacts(build: Build) -> Iterator[Entry]:
    base = f"{build.folder}artifacts/"
    for part in range(3):
        yield Entry(f"{base}junit_{part + 1:02}.xml", "junit", build, f"{part}/3")
    yield Entry(f"{base}junit_runner.xml", "junit-runner", build)
    yield Entry(f"{base}metadata.json", "metadata.json", build)
    yield Entry(f"{base}report%231.txt", "text", build)
    for node in NODES:
        for log in ("kubelet.log", "kube-proxy.log"):
            yield Entry(f"{base}{node}/{log}", "node-log", build, f"{node}/{log}")
