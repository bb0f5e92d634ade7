"""10,000 suites, two sides, 20 values each: our comparison against a loop over scipy, and against scipy at its best.

    python benchmarks/comparison.py [--suites 10000] [--values 20] [--runs 3]

All three give n, mean, median, standard deviation, Mann-Whitney's U and p, Welch's t and p; ours also the effect sizes,
the words and the verdicts, and it starts from rows in no order, as they come from files. The loop is what a script
with scipy does, given its samples already sorted into arrays. "One call" hands scipy two matrices, which only works
where every suite has equally many values. The results are checked to be equal.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import scipy
from scipy import stats

from backends.frames.significance import compare

KEYS = ("framework", "suite", "subtest")


def samples(suites: int, values: int) -> tuple[pl.DataFrame, pl.DataFrame, Any, Any]:
    """Both sides as rows in no order, and as one array a suite (page load times, a twentieth of them tied)."""
    random = np.random.default_rng(7)
    level = random.lognormal(6, 0.5, (suites, 1))
    sides = [level * random.normal(1 + shift, 0.05, (suites, values)) for shift in (0.0, 0.02)]
    arrays = [np.where(random.random(side.shape) < 0.05, level.round(), side) for side in sides]
    frames = [
        pl.DataFrame(
            {
                "framework": "browsertime",
                "suite": np.repeat([f"suite-{number:05d}" for number in range(suites)], values),
                "subtest": "fcp",
                "value": array.ravel(),
            }
        ).sample(fraction=1, shuffle=True, seed=3)
        for array in arrays
    ]
    return frames[0], frames[1], arrays[0], arrays[1]


def looped(base: Any, new: Any) -> list[tuple[float, ...]]:
    found = []
    for before, after in zip(base, new, strict=True):
        described = [
            number
            for side in (before, after)
            for number in (len(side), np.mean(side), np.median(side), np.std(side, ddof=1))
        ]
        ranks = stats.mannwhitneyu(before, after)
        means = stats.ttest_ind(after, before, equal_var=False)
        found.append((*described, ranks.statistic, ranks.pvalue, abs(means.statistic), means.pvalue))
    return found


def one_call(base: Any, new: Any) -> tuple[Any, ...]:
    described = [
        number
        for side in (base, new)
        for number in (side.mean(axis=1), np.median(side, axis=1), side.std(axis=1, ddof=1))
    ]
    ranks = stats.mannwhitneyu(base, new, axis=1)
    means = stats.ttest_ind(new, base, axis=1, equal_var=False)
    return (*described, ranks.statistic, ranks.pvalue, np.abs(means.statistic), means.pvalue)


def timed(work: Callable[[], Any], runs: int) -> tuple[float, float, Any]:
    """Median wall and CPU seconds, and the last result."""
    wall, cpu, result = [], [], None
    for _ in range(runs):
        before, used = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - before)
        cpu.append(time.process_time() - used)
    return statistics.median(wall), statistics.median(cpu), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suites", type=int, default=10_000)
    parser.add_argument("--values", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    base, new, base_arrays, new_arrays = samples(asked.suites, asked.values)
    ours = timed(lambda: compare(base, new, KEYS), asked.runs)
    loop = timed(lambda: looped(base_arrays, new_arrays), 1)
    call = timed(lambda: one_call(base_arrays, new_arrays), asked.runs)
    found = ours[2].sort("suite")
    for name, place in (("u", 8), ("p", 9), ("t", 10), ("welch_p", 11)):
        expected = np.array([row[place] for row in loop[2]])
        np.testing.assert_allclose(found[name].to_numpy(), expected, rtol=1e-6, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(call[2][place - 2], expected, rtol=1e-6, atol=1e-12, err_msg=name)
    print(f"{asked.suites:,} suites x 2 x {asked.values} values, scipy {scipy.__version__}")
    for name, (wall, cpu, _) in (("ciexplore", ours), ("scipy, a loop", loop), ("scipy, one call", call)):
        print(f"{name:16} {wall:8.3f} s wall {cpu:8.3f} s CPU {wall / ours[0]:7.1f} x")


if __name__ == "__main__":
    main()
