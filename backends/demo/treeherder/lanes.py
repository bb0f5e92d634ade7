"""Which performance jobs there are: one lane for each label, with how often it runs and what it measures.

A lane's signatures are all measured by the same job, so they form one group of signatures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backends.demo.seeds import fraction
from backends.demo.taskcluster.catalogue import build, perf
from backends.demo.taskcluster.model import Label
from backends.demo.taskcluster.names import BENCHMARKS, BUILDS, PLATFORMS, SITES, TALOS

# The lane that everything with a name in the locators belongs to: it runs in the finished task group.
FAVOURITE = ("linux1804-64-shippable-qr", "browsertime-tp6-firefox-amazon-e10s")

# Of the pushes that run performance jobs at all, how many a lane of each cadence runs on.
SHARES = {"half": 0.5, "weekly": 0.12}
# Between which ages, in days, a lane ran: "gone" ones ended so long ago that all of their jobs are forgotten.
AGES = {"dead": (60, 999), "gone": (124, 999), "new": (0, 10)}
_CADENCES = (("dense", 0.6), ("half", 0.86), ("weekly", 0.93), ("dead", 0.955), ("gone", 0.97), ("new", 1.0))
_PERF_PLATFORMS = tuple(platform for platform in PLATFORMS if platform.perf_pool)
_DESKTOP = tuple(platform for platform in _PERF_PLATFORMS if not platform.name.startswith("android"))


@dataclass(frozen=True, slots=True)
class Lane:
    """`kind` decides which signatures it has, see signatures.py; `replicates` is how many one run measures."""

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


def plan(seed: int) -> list[Lane]:
    """In a fixed order, the favourite first; signatures.py takes of the last ones what fits."""
    lanes = [*_browsertime("firefox"), *_others(), *_browsertime("chrome")]
    lanes.sort(key=lambda lane: (lane.platform, lane.label.name) != (FAVOURITE[0], _name(*FAVOURITE)))
    return [replace(lane, index=index, cadence=_cadence(seed, index, lane)) for index, lane in enumerate(lanes)]


def _name(platform: str, suite: str) -> str:
    return f"test-{platform}/opt-{suite}"


def _cadence(seed: int, index: int, lane: Lane) -> str:
    if lane.cadence:
        return lane.cadence
    chance = fraction(seed, "cadence", index) if index else 0.0
    return next(name for name, end in _CADENCES if chance < end)


def _browsertime(application: str) -> Iterator[Lane]:
    for platform in _PERF_PLATFORMS:
        # The label says firefox on Android too; what is measured there is Fenix.
        measured = "fenix" if application == "firefox" and platform.name.startswith("android") else application
        for site in SITES:
            suite = f"browsertime-tp6-{application}-{site}-e10s"
            label = perf(platform, suite, site[:6], "browsertime", 12, 1 if len(site) < 9 else 2)
            yield Lane(0, 13, "pageload", site, label, "", measured, 5)
        for number, benchmark in enumerate(BENCHMARKS):
            suite = f"browsertime-benchmark-{application}-{benchmark}-e10s"
            label = perf(platform, suite, benchmark[:5], "browsertime", 8 + number % 5 * 3)
            cadence = "speedometer" if benchmark == "speedometer3" else ""
            yield Lane(0, 13, "benchmark", benchmark, label, cadence, measured, 10)


def _others() -> Iterator[Lane]:
    for platform in _DESKTOP:
        for suite in TALOS:
            label = perf(platform, f"talos-{suite}-e10s", suite[:6], "talos", 9)
            devtools = suite == "damp"
            yield Lane(0, 12 if devtools else 1, "damp" if devtools else "talos", suite, label, "", replicates=3)
        for number, variant in enumerate(("awsy", "awsy-base")):
            label = perf(platform, f"{variant}-e10s", "sy" if number == 0 else "ab", "talos", 14)
            label = replace(
                label, suite=variant, category="awsy", group_symbol="SY", group_name="Are we slim yet tests"
            )
            yield Lane(0, 4, "awsy", variant, label, "")
    for entry in BUILDS[:8]:
        yield Lane(0, 2, "build", entry[0], build(*entry), "build")
    for platform in _DESKTOP[:3]:
        yield Lane(0, 6, "micro", "gtest", _plain(platform.name, "gtest-1proc", "GTest", 6), "half", "", 0)
    for platform in _DESKTOP[:2]:
        yield Lane(0, 11, "shell", "jsshell-bench", _plain(platform.name, "jsshell-bench-all", "js", 20), "half", "", 0)
        yield Lane(0, 15, "mozperftest", "perftest", _plain(platform.name, "perftest-all", "perftest", 15), "dense")
    yield Lane(0, 16, "fxrecord", "fxrecord", _plain("windows11-64-24h2-shippable", "fxrecord", "fxr", 30), "weekly")
    yield Lane(0, 17, "telemetry", "telemetry", _plain("linux2404-64", "telemetry-probes", "tele", 5), "half")
    yield Lane(0, 18, "mozharness", "mozharness", _plain("linux2404-64", "mochitest-plain-1", "1", 14), "dense", "", 0)


def _plain(platform: str, suite: str, symbol: str, minutes: float) -> Label:
    machine = next(entry for entry in PLATFORMS if entry.name == platform)
    return Label(
        f"test-{platform}/opt-{suite}", "test", f"{platform}/opt", platform, "opt", machine.os,
        machine.perf_pool or machine.pool, machine.worker, minutes, symbol, "perf", "Other performance tests", 1, suite,
    )  # fmt: skip
