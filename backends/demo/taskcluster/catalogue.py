"""The tasks of a push: platforms, suites, benchmarks and builds of the synthetic Firefox (firefox.json) as labels.

The special tasks come first. Suites come with all of their chunks, in an order shuffled by the seed, so that a small
group is as varied as a large one. A group that is larger than the catalogue has more retriggers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from random import Random
from typing import NamedTuple

from backends.demo.deterministic_random import generator
from backends.demo.taskcluster.model import Label


class Platform(NamedTuple):
    """`perf_pool` is the hardware that performance tests run on, "" without any."""

    name: str
    os: str
    builds: list[str]
    pool: str
    worker: str
    perf_pool: str


class DemoSuite(NamedTuple):
    """A test suite with a `flavor` has the older {name, flavor} object as extra.suite."""

    name: str
    category: str
    group_symbol: str
    group_name: str
    symbol: str
    chunks: int
    minutes: float
    flavor: str
    variants: list[str]


_DATA = json.loads((Path(__file__).parent / "firefox.json").read_bytes())
PLATFORMS = tuple(Platform(*row) for row in _DATA["platforms"])
PERF_PLATFORMS = tuple(platform for platform in PLATFORMS if platform.perf_pool)
DESKTOP_PLATFORMS = tuple(platform for platform in PERF_PLATFORMS if not platform.name.startswith("android"))
SUITES = tuple(DemoSuite(*row) for row in _DATA["suites"])
SITES, BENCHMARKS, TALOS, OWNERS = (tuple(_DATA[name]) for name in ("sites", "benchmarks", "talos", "owners"))
BUILDS = tuple(tuple(row) for row in _DATA["builds"])  # kind-platform/buildtype, Treeherder machine, operating system
SOURCE_TESTS = tuple(_DATA["source_tests"])


class Planned(NamedTuple):
    """A task to create. `outcome` "" is drawn at random; `role` names a special task."""

    label: Label
    outcome: str = ""
    role: str = ""
    retrigger: bool = False


def decision_label() -> Label:
    return Label(
        "Gecko Decision Task", "decision-task", "gecko-decision/opt", "gecko-decision", "opt", "linux",
        "gecko-3/decision-gcp", "docker-worker", 2.5, "D",
    )  # fmt: skip


def action_label(symbol: str, name: str) -> Label:
    return Label(
        f"Action: {name}", "action-task", "gecko-decision/opt", "gecko-decision", "opt", "linux",
        "gecko-3/decision-gcp", "docker-worker", 1.5, symbol,
    )  # fmt: skip


def build_label(name: str, machine: str, os: str) -> Label:
    platform, buildtype = name.split("-", 1)[1].split("/")
    spidermonkey = name.startswith("spidermonkey")
    return Label(
        name, "spidermonkey" if spidermonkey else "build", f"{platform}/{buildtype}", machine, buildtype, os,
        "gecko-3/b-win2022" if os == "windows" else "gecko-3/b-linux-amd64",
        "generic-worker" if os == "windows" else "docker-worker", 26 if os == "windows" else 21,
        platform.split("-")[1] if spidermonkey else "B", "SM" if spidermonkey else "",
        "Spidermonkey builds" if spidermonkey else "", 1 if not platform.endswith("chains-clang") else 2,
    )  # fmt: skip


def source_test_label(name: str) -> Label:
    return Label(
        f"source-test-{name}", "source-test", "lint/opt", "lint", "opt", "linux", "gecko-t/t-linux-docker-amd64",
        "docker-worker", 4, name.split("-", 1)[1][:10], name.split("-")[0], f"{name.split('-')[0]} checks", 1,
    )  # fmt: skip


def test_label(platform: Platform, buildtype: str, suite: DemoSuite, variant: str, chunk: int) -> Label:
    name = f"test-{platform.name}/{buildtype}-{suite.name}"
    name += (f"-{variant}" if variant else "") + (f"-{chunk}" if suite.chunks > 1 else "")
    slow = 1.9 if buildtype == "debug" else 1.6 if "san" in platform.name else 1.0
    return Label(
        name, "test", f"{platform.name}/{buildtype}", platform.name, buildtype, platform.os, platform.pool,
        platform.worker, suite.minutes * slow, suite.symbol + (str(chunk) if suite.chunks > 1 else ""),
        suite.group_symbol + (f"-{variant}" if variant and suite.group_symbol else ""), suite.group_name,
        2 if variant or "ccov" in platform.name else 1, suite.name, suite.flavor, suite.category, variant, chunk,
        suite.chunks,
    )  # fmt: skip


def perf_label(platform: Platform, suite: str, symbol: str, category: str, minutes: float, tier: int = 1) -> Label:
    group = {"browsertime": ("Btime", "Browsertime performance tests on Firefox"), "talos": ("T", "Talos performance")}
    return Label(
        f"test-{platform.name}/opt-{suite}", "test", f"{platform.name}/opt", platform.name, "opt", platform.os,
        platform.perf_pool, "generic-worker", minutes, symbol, group[category][0], group[category][1], tier,
        suite.removesuffix("-e10s"), "", category,
    )  # fmt: skip


def browsertime_labels(platform: Platform, application: str = "firefox") -> Iterator[tuple[str, str, Label]]:
    """Kind ("pageload" or "benchmark"), name of the site or benchmark, and label."""
    for site in SITES:
        suite, tier = f"browsertime-tp6-{application}-{site}-e10s", 1 if len(site) < 9 else 2
        yield "pageload", site, perf_label(platform, suite, site[:6], "browsertime", 12, tier)
    for number, benchmark in enumerate(BENCHMARKS):
        suite = f"browsertime-benchmark-{application}-{benchmark}-e10s"
        yield "benchmark", benchmark, perf_label(platform, suite, benchmark[:5], "browsertime", 8 + number % 5 * 3)


def talos_labels(platform: Platform) -> list[tuple[str, Label]]:
    return [(suite, perf_label(platform, f"talos-{suite}-e10s", suite[:6], "talos", 9)) for suite in TALOS]


@lru_cache(maxsize=2)
def plan_tasks(seed: int, tasks: int) -> tuple[Planned, ...]:
    """The tasks of a push of that size: 3 % builds, 2 % source tests, 18 % performance, 6 % retriggers, else tests."""
    random = generator(seed, "catalogue", tasks)
    perf: list[Label] = []
    for platform in PERF_PLATFORMS:
        perf += [label for _, _, label in browsertime_labels(platform)]
        perf += [label for _, label in talos_labels(platform)] if platform in DESKTOP_PLATFORMS else []
    # Every suite on every platform, each with all of its chunks.
    suites = [
        [test_label(platform, buildtype, suite, variant, chunk) for chunk in range(1, suite.chunks + 1)]
        for platform in PLATFORMS
        for buildtype in platform.builds
        for suite in SUITES
        for variant in ("", *suite.variants)
    ]
    builds = [build_label(*entry) for entry in BUILDS]
    sources = [source_test_label(name) for name in SOURCE_TESTS]
    others = (decision_label(), action_label("rt", "Retrigger"))
    by_name = {label.name: label for label in chain(perf, *suites, builds, sources, others)}
    planned = [_special_task(by_name[name], *rest) for name, *rest in _DATA["special_tasks"]]
    special = {task.label.name for task in planned}
    perf = [label for label in perf if label.name not in special]
    random.shuffle(perf)
    random.shuffle(suites)
    room = tasks - len(planned)
    fixed = [*builds[2:][: room * 3 // 100], *sources[1:][: room * 2 // 100], *perf[: room * 18 // 100]]
    test_count = room - len(fixed) - room * 6 // 100
    tests = [label for label in chain.from_iterable(suites) if label.name not in special][:test_count]
    planned += [Planned(label) for label in chain(fixed, tests)]
    planned += _retriggers(random, planned, tasks - len(planned))
    return tuple(planned[:tasks])


def _special_task(label: Label, outcome: str, role: str = "", retrigger: bool = False, tier: int = 0) -> Planned:
    return Planned(replace(label, tier=tier) if tier else label, outcome, role, retrigger)


def _retriggers(random: Random, planned: list[Planned], count: int) -> list[Planned]:
    """Performance tasks are retriggered five at a time, others once or twice, some by an action task."""
    labels = [task.label for task in planned if task.label.kind == "test"]
    batches: list[Planned] = []
    while len(batches) < count:
        label = random.choice(labels)
        if random.random() < 0.25:
            batches.append(Planned(action_label("rt", "Retrigger"), "completed"))
        batches += [Planned(label, retrigger=True)] * (5 if label.is_perf else random.randint(1, 2))
    return batches[:count]
