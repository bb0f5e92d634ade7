"""What a signature measured: a level with steps and drift, and noise of the kind that its machine and test have.

A series belongs to one signature and runs parallel to its lane's measured jobs.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import nan
from random import Random

from backends.demo.seeds import fraction, generator
from backends.demo.treeherder.jobs import Job
from backends.demo.treeherder.signatures import Signature

# Shares of the noises: most series behave, a tenth have two modes, some have outliers or a tail, few none at all.
_NOISES = (("plain", 0.68), ("bimodal", 0.79), ("outliers", 0.86), ("skewed", 0.93), ("flat", 0.96), ("wide", 1.0))
_DRIFTING, _GAPPY = 0.10, 0.03


def noise_of(seed: int, signature: Signature) -> str:
    if signature.metric.suite in ("constant", "zero"):
        return "flat"
    if signature.index == 0:
        return "plain"
    chance = fraction(seed, "noise", signature.index)
    return next(name for name, share in _NOISES if chance < share)


def values(
    seed: int, repository: str, signature: Signature, jobs: Sequence[Job], steps: Sequence[tuple[int, float]]
) -> array[float]:
    """One a job, NaN where this subtest gave nothing. `steps`: from which push on, and by which factor."""
    noise = noise_of(seed, signature)
    random = generator(seed, "series", repository, signature.index)
    spread = 0.0 if noise == "flat" else random.uniform(0.003, 0.012) * (5 if noise == "wide" else 1)
    drift = random.uniform(-0.0012, 0.0012) if fraction(seed, "drift", signature.index) < _DRIFTING else 0.0
    gaps = 0.06 if fraction(seed, "gaps", signature.index) < _GAPPY else 0.0
    mode = random.uniform(0.06, 0.14)
    typical, found = signature.metric.typical, array("d")
    ordered = sorted(steps)
    for job in jobs:
        level = typical * (1 + drift * job.push.order / 3)
        for begin, factor in ordered:
            if job.push.order < begin:
                break
            level *= factor
        value = level * (1 + _error(random, noise, spread, mode))
        missing = gaps and random.random() < gaps
        found.append(nan if missing else _stored(signature, value))
    return found


def _error(random: Random, noise: str, spread: float, mode: float) -> float:
    error = random.gauss(0, spread) if spread else 0.0
    if noise == "bimodal" and random.random() < 0.35:
        return error + mode
    if noise == "outliers" and random.random() < 0.04:
        return error + random.uniform(0.2, 0.7)
    if noise == "skewed":
        return error / 3 + random.expovariate(1 / (spread * 2))
    return error


def _stored(signature: Signature, value: float) -> float:
    """Bytes and counts are whole numbers."""
    return float(round(value)) if signature.metric.unit == "bytes" or signature.metric.typical == 118.0 else value


def replicates(seed: int, signature: Signature, job: Job, value: float) -> list[float]:
    """The measurements behind one value, which is their mean; a lane without replicates has the value alone."""
    count = signature.lane.replicates
    if not count:
        return [value]
    random = generator(seed, "replicates", signature.index, job.id)
    drawn = [random.gauss(1, 0.035) for _ in range(count)]
    middle = sum(drawn) / count
    return [value * one / middle for one in drawn]
