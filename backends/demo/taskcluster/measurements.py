"""What the synthetic performance tests measured: perfherder-data as Treeherder's performance-artifact schema has it."""

from __future__ import annotations

from random import Random
from statistics import geometric_mean, median
from typing import Any

from backends.demo.seeds import generator
from backends.demo.taskcluster.model import Task

Json = dict[str, Any]

# name, unit, lower is better, typical value, relative spread between replicates
_PAGE_LOAD = (
    ("fcp", "ms", True, 420.0, 0.05),
    ("ContentfulSpeedIndex", "ms", True, 900.0, 0.06),
    ("PerceptualSpeedIndex", "ms", True, 980.0, 0.06),
    ("SpeedIndex", "ms", True, 940.0, 0.07),
    ("FirstVisualChange", "ms", True, 450.0, 0.05),
    ("LastVisualChange", "ms", True, 2100.0, 0.12),
    ("largestContentfulPaint", "ms", True, 760.0, 0.08),
    ("loadtime", "ms", True, 1500.0, 0.09),
    ("timeToFirstByte", "ms", True, 130.0, 0.15),
    ("cpuTime", "ms", True, 3100.0, 0.03),
    ("totalTransferSize", "bytes", True, 2_400_000.0, 0.002),
)
_BENCHMARK = (
    ("TodoMVC-React", "ms", True, 38.0, 0.03),
    ("TodoMVC-Vue", "ms", True, 27.0, 0.03),
    ("TodoMVC-Angular", "ms", True, 41.0, 0.04),
    ("Charts-chartjs", "ms", True, 33.0, 0.05),
    ("Editor-CodeMirror", "ms", True, 24.0, 0.04),
)
_REPLICATES = 25


def perfherder(seed: int, task: Task, run_id: int) -> Json:
    """The suites of one run. The level belongs to the label, the noise to the run: retriggers differ only by noise."""
    label = task.label
    level = generator(seed, label.name, "level")
    noise = generator(seed, task.id, run_id, "noise")
    framework = "talos" if label.category == "talos" else "browsertime"
    name = label.suite.removeprefix("browsertime-tp6-firefox-").removeprefix("browsertime-benchmark-firefox-")
    options = ["fission", "webrender"] if label.variant != "nofis" else ["webrender"]
    metrics = _BENCHMARK if "benchmark" in label.suite else _PAGE_LOAD
    suites = []
    for kind in ("cold", "warm") if "tp6" in label.suite else ("",):
        subtests = [_subtest(level, noise, metric, 0.7 if kind == "warm" else 1.0) for metric in metrics]
        suites.append(
            {
                "name": name.removeprefix("talos-"),
                "type": "benchmark" if "benchmark" in label.suite else "pageload",
                "extraOptions": [*options, *([kind] if kind else [])],
                "tags": ["synthetic"],
                "lowerIsBetter": True,
                "unit": "ms",
                "alertThreshold": 2.0,
                "value": round(geometric_mean([subtest["value"] for subtest in subtests]), 4),
                "subtests": subtests,
            }
        )
    if "benchmark" in label.suite:
        suites.append(_score(level, noise, name, options))
    return {
        "framework": {"name": framework},
        "application": {"name": "firefox", "version": "147.0a1"},
        "os": {"name": label.os, "platform_version": "1"},
        "suites": suites,
    }


def _subtest(level: Random, noise: Random, metric: tuple[str, str, bool, float, float], factor: float) -> Json:
    name, unit, lower, typical, spread = metric
    centre = typical * factor * level.lognormvariate(0, 0.35)
    drift = noise.gauss(1, spread / 3)
    # A slow replicate now and then: real page loads are skewed to the right.
    replicates = [
        round(centre * drift * noise.gauss(1, spread) * (1.6 if noise.random() < 0.03 else 1.0), 3)
        for _ in range(_REPLICATES)
    ]
    return {
        "name": name,
        "value": round(median(replicates), 4),
        "unit": unit,
        "lowerIsBetter": lower,
        "alertThreshold": 2.0,
        "shouldAlert": unit == "ms",
        "replicates": replicates,
    }


def _score(level: Random, noise: Random, name: str, options: list[str]) -> Json:
    subtest = _subtest(level, noise, ("score", "score", False, 24.0, 0.01), 1.0)
    return {
        "name": f"{name}-score",
        "extraOptions": options,
        "lowerIsBetter": False,
        "unit": "score",
        "value": subtest["value"],
        "replicates": subtest["replicates"],
        "subtests": [subtest],
    }


def build_metrics(seed: int, task: Task, run_id: int) -> Json:
    """What a build reports about itself: sizes and times, in the framework `build_metrics`."""
    level = generator(seed, task.label.name, "build level")
    noise = generator(seed, task.id, run_id, "build noise")
    sizes = [
        {"name": name, "value": int(level.uniform(1e6, 9e7)), "unit": "bytes", "lowerIsBetter": True}
        for name in ("libxul.so", "omni.ja", "browser/omni.ja", "installer")
    ]
    seconds = round(level.uniform(900, 2000) * noise.gauss(1, 0.06), 2)
    times = [{"name": f"tier-{tier}", "value": round(seconds * share, 2), "unit": "s"} for tier, share in _TIERS]
    return {
        "framework": {"name": "build_metrics"},
        "suites": [
            {
                "name": "installer size", "value": sum(int(size["value"]) for size in sizes),
                "lowerIsBetter": True, "subtests": sizes,
            },
            {"name": "build times", "value": seconds, "unit": "s", "lowerIsBetter": True, "subtests": times},
        ],
    }  # fmt: skip


_TIERS = (("export", 0.05), ("compile", 0.75), ("libs", 0.12), ("package", 0.08))
