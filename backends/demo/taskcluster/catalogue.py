"""Which tasks a push consists of: the labels of the finished group, one of every special kind first.

Suites come whole (all chunks together) and in an order shuffled by the seed, so that a small group is as varied as a
large one. What a group larger than the catalogue holds beyond it are retriggers, as on a real sheriffed branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from random import Random
from typing import NamedTuple

from backends.demo.seeds import generator
from backends.demo.taskcluster.model import Label
from backends.demo.taskcluster.names import (
    BENCHMARKS,
    BUILDS,
    PLATFORMS,
    SITES,
    SOURCE_TESTS,
    SUITES,
    TALOS,
    Platform,
    Suite,
)


class Planned(NamedTuple):
    """One task to be: its label, the fate it is given (`""`: drawn by lot), and whether it is a retrigger."""

    label: Label
    fate: str = ""
    role: str = ""
    retrigger: bool = False


def decision() -> Label:
    return Label(
        "Gecko Decision Task", "decision-task", "gecko-decision/opt", "gecko-decision", "opt", "linux",
        "gecko-3/decision-gcp", "docker-worker", 2.5, "D",
    )  # fmt: skip


def action(symbol: str, name: str) -> Label:
    return Label(
        f"Action: {name}", "action-task", "gecko-decision/opt", "gecko-decision", "opt", "linux",
        "gecko-3/decision-gcp", "docker-worker", 1.5, symbol,
    )  # fmt: skip


def build(name: str, machine: str, os: str) -> Label:
    platform, buildtype = name.split("-", 1)[1].split("/")
    spidermonkey = name.startswith("spidermonkey")
    return Label(
        name, "spidermonkey" if spidermonkey else "build", f"{platform}/{buildtype}", machine, buildtype, os,
        "gecko-3/b-win2022" if os == "windows" else "gecko-3/b-linux-amd64",
        "generic-worker" if os == "windows" else "docker-worker", 26 if os == "windows" else 21,
        platform.split("-")[1] if spidermonkey else "B", "SM" if spidermonkey else "",
        "Spidermonkey builds" if spidermonkey else "", 1 if not platform.endswith("chains-clang") else 2,
    )  # fmt: skip


def source_test(name: str) -> Label:
    return Label(
        f"source-test-{name}", "source-test", "lint/opt", "lint", "opt", "linux", "gecko-t/t-linux-docker-amd64",
        "docker-worker", 4, name.split("-", 1)[1][:10], name.split("-")[0], f"{name.split('-')[0]} checks", 1,
    )  # fmt: skip


def test(platform: Platform, buildtype: str, suite: Suite, variant: str, chunk: int) -> Label:
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


def perf(platform: Platform, suite: str, symbol: str, category: str, minutes: float, tier: int = 1) -> Label:
    group = {"browsertime": ("Btime", "Browsertime performance tests on Firefox"), "talos": ("T", "Talos performance")}
    return Label(
        f"test-{platform.name}/opt-{suite}", "test", f"{platform.name}/opt", platform.name, "opt", platform.os,
        platform.perf_pool, "generic-worker", minutes, symbol, group[category][0], group[category][1], tier,
        suite.removesuffix("-e10s"), "", category,
    )  # fmt: skip


def _perf_labels() -> Iterator[Label]:
    for platform in (platform for platform in PLATFORMS if platform.perf_pool):
        for site in SITES:
            tier = 1 if len(site) < 9 else 2
            yield perf(platform, f"browsertime-tp6-firefox-{site}-e10s", site[:6], "browsertime", 12, tier)
        for number, benchmark in enumerate(BENCHMARKS):
            suite = f"browsertime-benchmark-firefox-{benchmark}-e10s"
            yield perf(platform, suite, benchmark[:5], "browsertime", 8 + number % 5 * 3)
        if not platform.name.startswith("android"):
            for suite in TALOS:
                yield perf(platform, f"talos-{suite}-e10s", suite[:6], "talos", 9)


def _test_units() -> list[list[Label]]:
    """Every suite on every platform, each with all its chunks."""
    return [
        [test(platform, buildtype, suite, variant, chunk) for chunk in range(1, suite.chunks + 1)]
        for platform in PLATFORMS
        for buildtype in platform.builds
        for suite in SUITES
        for variant in ("", *suite.variants)
    ]


def _platform(name: str) -> Platform:
    return next(platform for platform in PLATFORMS if platform.name == name)


def _suite(name: str) -> Suite:
    return next(suite for suite in SUITES if suite.name == name)


def special() -> list[Planned]:
    """The first tasks of the group, in a fixed order, so that any size of group has every one of them."""
    linux, windows = _platform("linux2404-64"), _platform("windows11-64-24h2")
    fast = _platform("linux1804-64-shippable-qr")
    mochitest, wpt, xpcshell = _suite("mochitest-plain"), _suite("web-platform-tests"), _suite("xpcshell")
    amazon = perf(fast, "browsertime-tp6-firefox-amazon-e10s", "amazon", "browsertime", 12)
    youtube = perf(fast, "browsertime-tp6-firefox-youtube-e10s", "youtub", "browsertime", 12, 2)
    return [
        Planned(decision(), "completed", "decision"),
        Planned(build(*BUILDS[0]), "completed"),
        Planned(build(*BUILDS[1]), "completed", "big"),
        Planned(source_test(SOURCE_TESTS[0]), "completed"),
        Planned(amazon, "completed", "perf"),
        Planned(amazon, "completed", retrigger=True),
        Planned(amazon, "completed", retrigger=True),
        Planned(test(linux, "opt", mochitest, "", 1), "failed", "failed"),
        Planned(test(linux, "opt", mochitest, "", 2), "retried-completed", "retried"),
        Planned(test(linux, "opt", mochitest, "", 3), "retried-lost", "retried-empty"),
        Planned(test(linux, "debug", xpcshell, "", 1), "intermittent"),
        Planned(test(linux, "debug", xpcshell, "", 2), "claim-expired"),
        Planned(test(linux, "debug", xpcshell, "", 3), "unscheduled", "unscheduled"),
        Planned(test(windows, "opt", wpt, "", 1), "completed", "many-artifacts"),
        Planned(test(windows, "opt", wpt, "", 2), "completed", "artifact-kinds"),
        Planned(action("rt", "Retrigger"), "completed"),
        Planned(perf(fast, "talos-tp5o-e10s", "tp5o", "talos", 9), "completed"),
        Planned(test(windows, "opt", wpt, "", 3), "deadline-exceeded"),
        Planned(youtube, "failed"),
        Planned(youtube, "completed", retrigger=True),
    ]


@lru_cache(maxsize=2)
def plan(seed: int, tasks: int) -> tuple[Planned, ...]:
    """The tasks of a push of that size: 3 % builds, 2 % source tests, 18 % performance, 6 % retriggers, else tests."""
    random = generator(seed, "catalogue", tasks)
    planned = special()
    taken = {entry.label.name for entry in planned}
    perf_labels = [label for label in _perf_labels() if label.name not in taken]
    random.shuffle(perf_labels)
    units = _test_units()
    random.shuffle(units)
    room = tasks - len(planned)
    builds = [build(*entry) for entry in BUILDS[2:]][: room * 3 // 100]
    sources = [source_test(name) for name in SOURCE_TESTS[1:]][: room * 2 // 100]
    some_perf = perf_labels[: room * 18 // 100]
    fixed = [*builds, *sources, *some_perf]
    wanted_tests = room - len(fixed) - room * 6 // 100
    tests = [label for label in chain.from_iterable(units) if label.name not in taken][:wanted_tests]
    planned += [Planned(label) for label in chain(fixed, tests)]
    planned += _retriggers(random, planned, tasks - len(planned))
    return tuple(planned[:tasks])


def _retriggers(random: Random, planned: list[Planned], count: int) -> list[Planned]:
    """People retrigger performance tasks five at a time, others once or twice; an action task makes a few batches."""
    candidates = [entry.label for entry in planned if entry.label.kind == "test"]
    batches: list[Planned] = []
    while len(batches) < count:
        label = random.choice(candidates)
        if random.random() < 0.25:
            batches.append(Planned(action("rt", "Retrigger"), "completed"))
        batches += [Planned(label, retrigger=True)] * (5 if label.is_perf else random.randint(1, 2))
    return batches[:count]
