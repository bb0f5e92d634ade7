"""The performance test configurations: one for each job label, how often it runs, and the four thousand signatures.

All signatures of a configuration are measured by the same job, so they form one group. metrics.json has the metrics of
the small frameworks, and the awkward ones that belong to the favorite configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from backends.demo.deterministic_random import fraction
from backends.demo.taskcluster.catalogue import (
    BUILDS,
    DESKTOP_PLATFORMS,
    PERF_PLATFORMS,
    PLATFORMS,
    browsertime_labels,
    build_label,
    perf_label,
    talos_labels,
)
from backends.demo.taskcluster.model import Label

SIGNATURES = 4000
ODD = 12  # the last signatures have awkward names or values and always exist
# The configuration of everything that the locators name: it runs in the finished task group.
FAVORITE = "test-linux1804-64-shippable-qr/opt-browsertime-tp6-firefox-amazon-e10s"
# The share of the pushes with performance jobs on which a configuration of this cadence runs.
SHARES = {"half": 0.5, "weekly": 0.12}
# The ages, in days, between which a configuration ran; of "gone" ones all jobs have been deleted since.
AGES = {"dead": (60, 999), "gone": (124, 999), "new": (0, 10)}
_CADENCES = (("dense", 0.6), ("half", 0.86), ("weekly", 0.93), ("dead", 0.955), ("gone", 0.97), ("new", 1.0))


@dataclass(frozen=True, slots=True)
class TestConfig:
    """`kind` decides which signatures it has; one run measures `replicates` replicates."""

    index: int
    framework: int
    kind: str
    suite: str
    label: Label
    cadence: str
    application: str = "firefox"
    replicates: int = 0

    @property
    def platform(self) -> str:
        return self.label.machine


class Metric(NamedTuple):
    """`test` is "" for the suite's own value; `typical` is in `unit`; an `orphan` is a subtest without a suite."""

    suite: str
    test: str
    unit: str | None
    typical: float
    options: Sequence[str] = ()
    lower: bool = True
    alerts: bool | None = None
    tags: Sequence[str] = ()
    orphan: bool = False


@dataclass(frozen=True, slots=True)
class PerfSignature:
    """`index` counts all signatures, `position` those of the configuration; `parent` is an index."""

    index: int
    config: TestConfig
    position: int
    metric: Metric
    hash: str
    parent: int | None
    has_subtests: bool

    @property
    def option_hash(self) -> str:
        return option_hash(self.config.label.collection)


@cache
def option_hash(name: str) -> str:
    """The id of a collection of build options."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


# Configurations


def plan_configs(seed: int) -> list[TestConfig]:
    """In a fixed order, the favorite first."""
    configs = [*_browsertime_configs("firefox"), *_other_configs(), *_browsertime_configs("chrome")]
    configs.sort(key=lambda config: config.label.name != FAVORITE)
    return [
        replace(config, index=index, cadence=config.cadence or _draw_cadence(seed, index))
        for index, config in enumerate(configs)
    ]


def _draw_cadence(seed: int, index: int) -> str:
    chance = fraction(seed, "cadence", index) if index else 0.0
    return next(name for name, end in _CADENCES if chance < end)


def _browsertime_configs(application: str) -> Iterator[TestConfig]:
    for platform in PERF_PLATFORMS:
        # The label says firefox on Android too; what is measured there is Fenix.
        measured = "fenix" if application == "firefox" and platform not in DESKTOP_PLATFORMS else application
        for kind, name, label in browsertime_labels(platform, application):
            cadence = "speedometer" if name == "speedometer3" else ""
            yield TestConfig(0, 13, kind, name, label, cadence, measured, 5 if kind == "pageload" else 10)


def _other_configs() -> Iterator[TestConfig]:
    for platform in DESKTOP_PLATFORMS:
        for suite, label in talos_labels(platform):
            framework, kind = (12, "damp") if suite == "damp" else (1, "talos")
            yield TestConfig(0, framework, kind, suite, label, "", replicates=3)
        for variant, symbol in (("awsy", "sy"), ("awsy-base", "ab")):
            label = perf_label(platform, f"{variant}-e10s", symbol, "talos", 14)
            label = replace(
                label, group_symbol="SY", group_name="Are we slim yet tests", category="awsy", suite=variant
            )
            yield TestConfig(0, 4, "awsy", variant, label, "")
    for entry in BUILDS[:8]:
        yield TestConfig(0, 2, "build", entry[0], build_label(*entry), "build")
    for platform in DESKTOP_PLATFORMS[:3]:
        yield TestConfig(0, 6, "micro", "gtest", _label(platform.name, "gtest-1proc", "GTest", 6), "half", "")
    for platform in DESKTOP_PLATFORMS[:2]:
        shell = _label(platform.name, "jsshell-bench-all", "js", 20)
        yield TestConfig(0, 11, "shell", "jsshell-bench", shell, "half", "")
        perftest = _label(platform.name, "perftest-all", "perftest", 15)
        yield TestConfig(0, 15, "mozperftest", "perftest", perftest, "dense")
    fxrecord = _label("windows11-64-24h2-shippable", "fxrecord", "fxr", 30)
    yield TestConfig(0, 16, "fxrecord", "fxrecord", fxrecord, "weekly")
    telemetry = _label("linux2404-64", "telemetry-probes", "tele", 5)
    yield TestConfig(0, 17, "telemetry", "telemetry", telemetry, "half")
    mochitest = _label("linux2404-64", "mochitest-plain-1", "1", 14)
    yield TestConfig(0, 18, "mozharness", "mozharness", mochitest, "dense", "")


def _label(platform: str, suite: str, symbol: str, minutes: float) -> Label:
    machine = next(entry for entry in PLATFORMS if entry.name == platform)
    return Label(
        f"test-{platform}/opt-{suite}", "test", f"{platform}/opt", platform, "opt", machine.os,
        machine.perf_pool or machine.pool, machine.worker, minutes, symbol, "perf", "Other performance tests", 1, suite,
    )  # fmt: skip


# Metrics of each kind of configuration

_PAGELOAD = (
    ("fcp", 0.6), ("loadtime", 1.4), ("largestContentfulPaint", 1.0), ("ContentfulSpeedIndex", 0.8),
    ("PerceptualSpeedIndex", 0.9), ("SpeedIndex", 0.85), ("FirstVisualChange", 0.55), ("LastVisualChange", 1.7),
)  # fmt: skip
_PARTS = {
    "speedometer3": ("TodoMVC-React", "TodoMVC-Vue", "Editor-TipTap", "Charts-chartjs", "Perf-Dashboard", "NewsSite"),
    "jetstream2": ("3d-cube-SP", "async-fs", "gcc-loops-wasm", "regexp", "WSL"),
}
_MEMORY = ("Explicit Memory", "Heap Unclassified", "JS", "Images", "Resident Memory", "Base Content Explicit")
_MOMENTS = ("Fresh start", "Tabs open", "Tabs closed", "Tabs closed [+30s, forced GC]")
_DAMP = tuple(
    f"{page}.{tool}.{act}.DAMP"
    for page in ("simple", "complicated", "custom")
    for tool in ("inspector", "webconsole", "jsdebugger", "netmonitor")
    for act in ("open", "reload", "close")
)
_SHELL = (("ares6", "ms", True), ("octane", "score", False), ("six-speed", "ms", True), ("embenchen", "score", False))
_TALOS_OPTIONS = ("e10s", "fission", "stylo", "webrender")
_TABLES = json.loads((Path(__file__).parent / "metrics.json").read_bytes())


def _metrics(config: TestConfig) -> Iterator[Metric]:
    suite = config.suite
    match config.kind:
        case "pageload":
            size = 300 + 1500 * fraction("size", suite)
            for load, share, tests in (("cold", 1.0, 4), ("warm", 0.45, 2)):
                options = (*(("bytecode-cached",) if load == "warm" else ()), load, "fission", "webrender")
                options = tuple(sorted(options))
                yield Metric(suite, "", "ms", size * share, options)
                for test, part in _PAGELOAD[:tests]:
                    yield Metric(suite, test, "ms", size * share * part, options)
                if load == "cold" and len(suite) % 5 == 0:  # so small that two decimals are not enough
                    yield Metric(suite, "jank", None, 0.0123, options, tags=("responsiveness",))
        case "benchmark":
            options, typical = ("fission", "webrender"), 20 + 200 * fraction("score", suite)
            yield Metric(suite, "", "score", typical, options, False, tags=("interactive",))
            times = suite == "speedometer3"
            for test in _PARTS.get(suite, ("part1", "part2", "part3")):
                name, unit = (f"{test}/total", "ms") if times else (test, "score")
                yield Metric(suite, name, unit, typical * 1.3, options, times)
            yield Metric(suite, "cpuTime", "ms", 9000.0, options, True, False)
        case "talos":
            typical, faster = 40 + 900 * fraction("talos", suite), suite in ("dromaeojs", "motionmark", "webgl")
            unit = "score" if faster else "ms"
            yield Metric(suite, "", unit, typical, _TALOS_OPTIONS, not faster)
            for number in range(6):
                name = f"{suite}-page{number}.html"
                yield Metric(suite, name, unit, typical * (0.6 + 0.2 * number), _TALOS_OPTIONS, not faster)
        case "damp":
            yield Metric("damp", "", "ms", 500.0, _TALOS_OPTIONS)
            for number, test in enumerate(_DAMP):
                yield Metric("damp", test, "ms", 80.0 + 15 * number, _TALOS_OPTIONS)
        case "awsy":
            base = suite == "awsy-base"
            options = ("fission",) if base else ("fission", "tp6")
            for number, memory in enumerate(_MEMORY):
                typical = 4e7 * (1 + number)
                yield Metric(memory, "", "bytes", typical, options)
                for moment in _MOMENTS[: 2 if base else 4]:
                    yield Metric(memory, f"{memory} {moment}", "bytes", typical * 0.9, options)
        case "micro":
            for number in range(28):
                yield Metric("gtest", f"PerfStrip_{number:02d}", "μs", 3.0 * (1 + number), alerts=True, orphan=True)
        case "shell":
            for name, unit, lower in _SHELL:
                yield Metric(name, "", unit, 4000.0, ("shell",), lower)
                for number in range(9):
                    yield Metric(name, f"{name}-part{number}", unit, 500.0 * (1 + number), ("shell",), lower)
        case kind:
            for row in _TABLES[kind]:
                yield Metric(**row)


def plan_signatures(configs: Sequence[TestConfig]) -> list[PerfSignature]:
    """Exactly `SIGNATURES`; the odd ones belong to the favorite configuration and are the last."""
    signatures: list[PerfSignature] = []
    for config in configs:
        room = SIGNATURES - ODD - len(signatures)
        if room <= 0:
            break
        signatures += _signatures_of(config, list(_metrics(config))[:room], len(signatures), 0)
    used = sum(signature.config is configs[0] for signature in signatures)
    odd = [Metric(**row) for row in _TABLES["odd"]]
    return signatures + _signatures_of(configs[0], odd, len(signatures), used)


def _signatures_of(config: TestConfig, metrics: Sequence[Metric], index: int, position: int) -> list[PerfSignature]:
    signatures: list[PerfSignature] = []
    parent: PerfSignature | None = None
    for offset, metric in enumerate(metrics):
        if metric.test == "" or metric.orphan:
            parent = None
        following = metrics[offset + 1] if offset + 1 < len(metrics) else None
        has_subtests = metric.test == "" and following is not None and following.test != "" and not following.orphan
        signature = PerfSignature(
            index + offset, config, position + offset, metric, _hash(config, metric, parent.hash if parent else ""),
            parent.index if parent else None, has_subtests,
        )  # fmt: skip
        signatures.append(signature)
        parent = signature if has_subtests else parent
    return signatures


def _hash(config: TestConfig, metric: Metric, parent: str) -> str:
    # Without the application: Firefox and Chrome signatures of one test share a hash and differ in their id only.
    options = option_hash(config.label.collection)
    parts = (metric.suite, metric.test, options, config.platform, *metric.options, parent)
    return hashlib.sha1("\0".join(parts).encode(), usedforsecurity=False).hexdigest()
