"""Two groups of values compared: medians, Welch's t-test, Mann-Whitney U, effect sizes, bootstrap intervals,
verdicts."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from backends.frames.schema import Column, Effect, Kind

EXACT_SIDE = 8  # the smaller sample's size up to which the U distribution is counted, as scipy's "auto" does
EXACT_PAIRS = 200_000  # and n * m up to which counting takes less than 0.2 s: 8 against 25,000 values
_TINY = 1e-300
_LONGEST = 20_000  # steps of the continued fraction; it needs about sqrt(degrees of freedom)
_SERIES_FROM = 40.0  # where the series of the gamma ratio has reached a float's precision


def normal_two_sided(z: float) -> float:
    """P(|Z| >= |z|) of a standard normal Z."""
    return math.erfc(abs(z) / math.sqrt(2))


def t_two_sided(t: float, degrees: float) -> float:
    """P(|T| >= |t|) of Student's T with `degrees` > 0 of freedom, which need not be whole.

    It is the regularised incomplete beta function I_x(degrees/2, 1/2) at x = degrees / (degrees + t^2) (Abramowitz and
    Stegun 26.7.1 and 26.5.27).
    """
    if math.isnan(t) or not degrees > 0:
        return math.nan
    ratio = t / math.sqrt(degrees)
    odds = ratio * ratio  # t^2 / degrees, of which 1 - x must not be made by a subtraction
    if math.isinf(t) or odds == 0:
        return 0.0 if odds else 1.0
    a, x, rest = degrees / 2, 1 / (1 + odds), odds / (1 + odds) if math.isfinite(odds) else 1.0
    # x^a (1-x)^(1/2) / B(a, 1/2), in logarithms: x^a alone leaves the floats long before the product does.
    log_x = -math.log1p(odds) if math.isfinite(odds) else -2 * math.log(abs(ratio))
    front = math.exp(a * log_x + 0.5 * math.log(rest) + _log_gamma_ratio(a) - 0.5 * math.log(math.pi))
    if x < (a + 1) / (a + 2.5):
        return min(front * _beta_fraction(x, a, 0.5) / a, 1.0)
    return max(1 - front * _beta_fraction(rest, 0.5, a) / 0.5, 0.0)


def _log_gamma_ratio(a: float) -> float:
    """log(gamma(a + 1/2) / gamma(a)).

    The difference of two lgamma loses a digit for each digit of `a`; the asymptotic series (DLMF 5.11.13) does not.
    """
    if a < _SERIES_FROM:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    b = 1 / a
    series = 1 - b / 8 + b**2 / 128 + 5 * b**3 / 1024 - 21 * b**4 / 32768 - 399 * b**5 / 262144 + 869 * b**6 / 4194304
    return 0.5 * math.log(a) + math.log(series)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method as Thompson and Barnett
    changed it (J. Comput. Phys. 64, 1986, p. 490)."""
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or _TINY)
    fraction = d
    for m in range(1, _LONGEST):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / ((1 + even * d) or _TINY), (1 + even / c) or _TINY
        fraction *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / ((1 + odd * d) or _TINY), (1 + odd / c) or _TINY
        step = d * c
        fraction *= step
        if abs(step - 1) < 2e-16:
            break
    return fraction


def counts_exactly(n: int, m: int, ties: bool) -> bool:
    """Whether the U of these sample sizes is judged by counting: no ties, and one side small (scipy's "auto")."""
    return not ties and 0 < min(n, m) <= EXACT_SIDE and n * m <= EXACT_PAIRS


def u_two_sided_exact(u: float, n: int, m: int) -> float:
    """P of a U at least as far from n*m/2 as `u` on either side, without ties: twice the smaller tail, at most 1."""
    tail = _tail_counts(min(n, m), max(n, m))
    below = min(int(u), n * m - int(u))
    return min(2 * tail[below] / math.comb(n + m, n), 1.0)


@lru_cache(maxsize=256)
def _tail_counts(n: int, m: int) -> tuple[int, ...]:
    """How many of the C(n+m, n) orders of n and m distinct values have U <= u, for u = 0 ... n*m // 2.

    The number with U = u is the coefficient of q^u in the Gaussian binomial, the product over i = 1 ... n of
    (1 - q^(m+i)) / (1 - q^i) (Mann and Whitney 1947 give its recurrence); the other half is its mirror image.
    """
    size = n * m // 2 + 1
    ways = [1] + [0] * (size - 1)
    for i in range(1, n + 1):
        for u in range(i, size):
            ways[u] += ways[u - i]
        for u in range(size - 1, m + i - 1, -1):
            ways[u] -= ways[u - m - i]
    total = 0
    for u, count in enumerate(ways):
        total += count
        ways[u] = total
    return tuple(ways)


def u_two_sided_normal(u: float, n: int, m: int, tie_term: float) -> float:
    """The same by the normal approximation, corrected for ties and for continuity.

    `tie_term`: the sum of t^3 - t over the groups of t equal values (of both samples together). Lehmann,
    Nonparametrics (1975), section 1.4; the numbers are scipy's. 1 where all values are equal.
    """
    total = n + m
    variance = n * m / 12 * ((total + 1) - tie_term / (total * (total - 1))) if total > 1 else 0.0
    if variance <= 0:
        return 1.0
    return normal_two_sided(max(abs(u - n * m / 2) - 0.5, 0.0) / math.sqrt(variance))


DRAWS = 1000
LEVEL = 0.95
SEED = 20_250_101
LARGEST = 5000  # values of a side; the draws of one are 1,000 times that many numbers
_BASE, _NEW = 1, 2


def median_shift(
    base: Sequence[float] | pl.Series,
    new: Sequence[float] | pl.Series,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = SEED,
) -> tuple[float, float] | None:
    """Lower and upper bound of median(new) - median(base); None where a side has fewer than two values.

    Depends on nothing but the arguments. Of more than `LARGEST` values a side, evenly spaced order statistics stand for
    all. Quantiles interpolate linearly.
    """
    sides = [_finite_floats(values) for values in (base, new)]
    if min(len(side) for side in sides) < 2:
        return None
    before, after = (
        _medians(side, _draw_indexes(len(side), draws, seed + which), draws)
        for side, which in zip(sides, (_BASE, _NEW), strict=True)
    )
    shifts = after - before
    tail = (1 - level) / 2
    low, high = shifts.quantile(tail, "linear"), shifts.quantile(1 - tail, "linear")
    return None if low is None or high is None else (low, high)


def _finite_floats(values: Sequence[float] | pl.Series) -> pl.Series:
    """Sorted, so that the order in which a server tells its values changes nothing."""
    given = pl.Series("v", values, dtype=pl.Float64)
    kept = given.filter(given.is_finite().fill_null(False)).sort()
    if len(kept) <= LARGEST:
        return kept
    return kept.gather([round(place * (len(kept) - 1) / (LARGEST - 1)) for place in range(LARGEST)])


def _medians(values: pl.Series, picked: pl.Series, draws: int) -> pl.Series:
    return values.gather(picked).reshape((draws, len(values))).arr.median()


@lru_cache(maxsize=32)
def _draw_indexes(size: int, draws: int, seed: int) -> pl.Series:
    """Which values each draw takes; kept by size, for making them is the slow part and a comparison has few sizes."""
    return pl.Series("pick", random.Random(seed).choices(range(size), k=size * draws), dtype=pl.UInt32)  # noqa: S311


LOW, HIGH = 3.0, 5.0  # t from which a change is looked at, and from which it is believed
ENOUGH_RUNS = 6  # runs a side from which t >= 3 is believed
ASSUMED_SPREAD = 0.15  # standard deviation of a single value, as a share of it
LEAST_RATIO = 1.02  # of the means; a smaller change is none, however sure
CERTAIN_T = 1000.0
ALPHA = 0.05
_TOO_FEW = {1: 39, 2: 8, 3: 5}  # smaller side -> larger side from which 2 / C(n + m, n), the least p, is <= 0.05
EFFECTS = ((0.15, "negligible"), (0.33, "small"), (0.47, "moderate"), (math.inf, "large"))  # of |Cliff's delta|

COMPARED = (
    Column("verdict", Kind.STATE, "Verdict", width=13),
    Column("n_base", Kind.COUNT, "n base"),
    Column("n_new", Kind.COUNT, "n new"),
    Column("median_base", Kind.NUMBER, "Median base"),
    Column("median_new", Kind.NUMBER, "Median new"),
    Column("delta", Kind.NUMBER, "Δ median"),
    Column("delta_percent", Kind.NUMBER, "Δ %", effect=Effect("verdict", "direction")),
    Column("direction", Kind.TEXT, "Direction"),
    Column("p", Kind.NUMBER, "p (ranks)"),
    Column("cliffs_delta", Kind.NUMBER, "Cliff's δ"),
    Column("effect", Kind.TEXT, "Effect"),
    Column("cles", Kind.NUMBER, "P(base > new)"),
    Column("t", Kind.NUMBER, "t"),
    Column("confidence", Kind.TEXT, "Confidence"),
    Column("welch_p", Kind.NUMBER, "p (Welch)"),
    Column("t_verdict", Kind.STATE, "Verdict by t"),
    Column("more_runs", Kind.TEXT, "Needs more runs"),
    Column("mean_base", Kind.NUMBER, "Mean base"),
    Column("mean_new", Kind.NUMBER, "Mean new"),
    Column("mean_delta", Kind.NUMBER, "Δ mean"),
    Column("mean_delta_percent", Kind.NUMBER, "Δ mean %"),
    Column("std_base", Kind.NUMBER, "Std base"),
    Column("std_new", Kind.NUMBER, "Std new"),
    Column("runs_base", Kind.COUNT, "Runs base", hidden=True),
    Column("runs_new", Kind.COUNT, "Runs new", hidden=True),
    Column("u", Kind.NUMBER, "U base", hidden=True),
)


@dataclass(frozen=True)
class Comparison:
    """One group. What needs values of both sides is None where one has none; a std and Welch's p need two values.

    `delta` is new - base of the medians, `mean_delta` of the means; percentages are None from a base of 0. `verdict`
    (ranks) and `t_verdict` (means): improvement, regression or no change; `verdict` also too few, where so few values
    cannot be significant however they lie; `t_verdict` also warning, a change for the worse with 3 <= t < 5.
    `direction`: better or worse, by the sign of `delta` alone, None for no difference. `u` is the base's: the number
    of pairs in which base > new, ties counting half; `cles` its share of all pairs, and `cliffs_delta` 2 * cles - 1,
    so both are high where base is greater. `more_runs`: "yes" or None.
    """

    verdict: str | None
    n_base: int
    n_new: int
    median_base: float | None
    median_new: float | None
    delta: float | None
    delta_percent: float | None
    direction: str | None
    p: float | None
    cliffs_delta: float | None
    effect: str | None
    cles: float | None
    t: float | None
    confidence: str | None
    welch_p: float | None
    t_verdict: str | None
    more_runs: str | None
    mean_base: float | None
    mean_new: float | None
    mean_delta: float | None
    mean_delta_percent: float | None
    std_base: float | None
    std_new: float | None
    runs_base: int
    runs_new: int
    u: float | None


def compare_samples(
    base: Sequence[float] | pl.Series, new: Sequence[float] | pl.Series, *, lower_is_better: bool = True
) -> Comparison:
    """The comparison of two samples; values that are not finite are missing."""
    base_frame, new_frame = (pl.DataFrame({"value": side}, schema={"value": pl.Float64}) for side in (base, new))
    found = compare(
        base_frame.with_columns(group=pl.lit(0)),
        new_frame.with_columns(group=pl.lit(0)),
        ["group"],
        lower_is_better=lower_is_better,
    )
    row = found.select(column.name for column in COMPARED).row(0, named=True) if len(found) else _nothing()
    return Comparison(**row)


def _nothing() -> dict[str, int | None]:
    """Of no values at all."""
    return {column.name: 0 if column.kind is Kind.COUNT else None for column in COMPARED}


def compare(
    base: pl.DataFrame,
    new: pl.DataFrame,
    by: Sequence[str],
    *,
    value: str = "value",
    lower_is_better: bool | str = True,
    run: str | None = None,
) -> pl.DataFrame:
    """One row a group, in the order in which the groups first come: `by`, then the columns of `COMPARED`.

    A null is a group like any other. `lower_is_better` is one answer for all or names a Boolean column (of a group the
    first answer counts; null is True). `run` names the column that tells runs apart where a run has several values;
    without it each value is a run. A group without finite values on either side is left out.
    """
    samples = pl.concat(
        [_side(base, by, value, lower_is_better, run, True), _side(new, by, value, lower_is_better, run, False)]
    )
    described = samples.lazy().group_by(by, maintain_order=True).agg(_describe_side(run is not None)).collect()
    return (
        described.lazy()
        .with_columns(_differences())
        .with_columns(_effect())
        .with_columns(_t())
        .collect()
        .pipe(_with_probabilities)
        .with_columns(_verdicts())
        .with_columns(_finite())
        .select(*by, *(column.name for column in COMPARED))
    )


def _side(
    frame: pl.DataFrame, by: Sequence[str], value: str, lower: bool | str, run: str | None, base: bool
) -> pl.DataFrame:
    number = pl.col(value).cast(pl.Float64)
    lower_is_better = pl.col(lower).fill_null(True) if isinstance(lower, str) else pl.lit(lower)
    return frame.select(
        *(pl.col(name) for name in by),
        number.alias("_v"),
        lower_is_better.alias("_lower"),
        pl.lit(base).alias("_base"),
        *([pl.col(run).alias("_run")] if run is not None else []),
    ).filter(pl.col("_v").is_finite())


def _describe_side(with_runs: bool) -> list[pl.Expr]:
    v, is_base = pl.col("_v"), pl.col("_base")
    least, most = v.rank("min").cast(pl.Int64), v.rank("max").cast(pl.Int64)
    found = [
        # Of t equal values each adds t^2 - 1: together t^3 - t, the tie term of the rank test.
        ((most - least + 1).pow(2) - 1).sum().cast(pl.Float64).alias("_ties"),
        (least + most).filter(is_base).sum().cast(pl.Float64).alias("_twice_ranks"),
        pl.col("_lower").first(),
    ]
    for side, of_side in (("base", is_base), ("new", ~is_base)):
        values = v.filter(of_side)
        # Taken off first: the mean of values around 10^15 is not exact, and what they differ by would be lost.
        rest = values - values.first()
        runs = pl.col("_run").filter(of_side).n_unique() if with_runs else values.len()
        found += [
            values.len().cast(pl.Int64).alias(f"n_{side}"),
            runs.cast(pl.Int64).alias(f"runs_{side}"),
            (values.first() + rest.mean()).alias(f"mean_{side}"),
            values.median().alias(f"median_{side}"),
            rest.std(ddof=1).alias(f"std_{side}"),
        ]
    return found


def _differences() -> list[pl.Expr]:
    n, m = pl.col("n_base").cast(pl.Float64), pl.col("n_new").cast(pl.Float64)
    both = (n > 0) & (m > 0)
    found = [pl.when(both).then(pl.col("_twice_ranks") / 2 - n * (n + 1) / 2).alias("u")]
    for name, middle in (("delta", "median"), ("mean_delta", "mean")):
        before, after = pl.col(f"{middle}_base"), pl.col(f"{middle}_new")
        found += [
            (after - before).alias(name),
            pl.when(before != 0).then(100 * (after - before) / before.abs()).alias(f"{name}_percent"),
        ]
    return found


def _effect() -> list[pl.Expr]:
    cles = pl.col("u") / (pl.col("n_base") * pl.col("n_new"))
    delta = 2 * cles - 1
    words = pl.coalesce(pl.when(delta.abs() < limit).then(pl.lit(word)) for limit, word in EFFECTS)
    return [cles.alias("cles"), delta.alias("cliffs_delta"), words.alias("effect")]


def _t() -> list[pl.Expr]:
    """Perfherder's t: Welch's, with an assumed spread for a single value."""
    spread = {side: _spread(side, other) for side, other in (("base", "new"), ("new", "base"))}
    error = (spread["base"].pow(2) / pl.col("n_base") + spread["new"].pow(2) / pl.col("n_new")).sqrt()
    difference = pl.col("mean_delta").abs()
    certain = pl.when(difference > 0).then(CERTAIN_T).otherwise(0.0)
    return [
        pl.when(difference.is_null()).then(None).when(error > 0).then(difference / error).otherwise(certain).alias("t")
    ]


def _spread(side: str, other: str) -> pl.Expr:
    """A single value is taken to vary as the other side does, or by 15 % where that is not known."""
    single, several = pl.col(f"n_{side}") == 1, pl.col(f"n_{other}") > 1
    share = pl.col(f"std_{other}") / pl.col(f"mean_{other}").abs()
    assumed = pl.when(several & share.is_finite()).then(share).otherwise(ASSUMED_SPREAD)
    return pl.when(single).then(pl.col(f"mean_{side}").abs() * assumed).otherwise(pl.col(f"std_{side}"))


def _with_probabilities(frame: pl.DataFrame) -> pl.DataFrame:
    """The two columns that polars has no functions for: one Python call a group and test, not one a value."""
    ranks = frame.select("u", "n_base", "n_new", "_ties").iter_rows()
    means = frame.select("mean_delta", "n_base", "n_new", "std_base", "std_new").iter_rows()
    return frame.with_columns(
        pl.Series("p", [rank_p(*row) for row in ranks], pl.Float64),
        pl.Series("welch_p", [welch_p(*row) for row in means], pl.Float64),
    )


def rank_p(u: float | None, n: int, m: int, tie_term: float) -> float | None:
    """Mann-Whitney's two-sided p from U; counted where scipy's "auto" counts, else by the normal approximation."""
    if u is None:
        return None
    if counts_exactly(n, m, tie_term > 0):
        return u_two_sided_exact(u, n, m)
    return u_two_sided_normal(u, n, m, tie_term)


def welch_p(delta: float | None, n: int, m: int, std_base: float | None, std_new: float | None) -> float | None:
    """Welch's two-sided p with the degrees of freedom of Welch and Satterthwaite; None where neither side varies."""
    if delta is None or std_base is None or std_new is None:
        return None
    scale = max(std_base, std_new)
    if not 0 < scale < math.inf:
        return None
    # In units of the larger spread, so that no square leaves the floats.
    base, new = (std_base / scale) ** 2 / n, (std_new / scale) ** 2 / m
    degrees = (base + new) ** 2 / (base**2 / (n - 1) + new**2 / (m - 1))
    return t_two_sided(delta / scale / math.sqrt(base + new), degrees)


def _verdicts() -> list[pl.Expr]:
    known = (pl.col("n_base") > 0) & (pl.col("n_new") > 0)
    t, lower = pl.col("t"), pl.col("_lower")
    fewest = pl.min_horizontal("runs_base", "runs_new")
    confident = ((fewest > 1) & (t >= HIGH)) | ((fewest >= ENOUGH_RUNS) & (t >= LOW))
    needs = known & ~confident & (pl.col("runs_base") < ENOUGH_RUNS)
    stronger = (pl.col("p") <= ALPHA) & (pl.col("cliffs_delta").abs() >= EFFECTS[0][0])
    n, m = pl.min_horizontal("n_base", "n_new"), pl.max_horizontal("n_base", "n_new")
    too_few = pl.any_horizontal((n == size) & (m < enough) for size, enough in _TOO_FEW.items())
    fell = pl.col("mean_delta") < 0
    small = pl.min_horizontal(pl.col("mean_base").abs(), pl.col("mean_new").abs())
    large = pl.max_horizontal(pl.col("mean_base").abs(), pl.col("mean_new").abs())
    same_sign = pl.col("mean_base").sign() == pl.col("mean_new").sign()
    sure = (t >= LOW) & ~(same_sign & (large < LEAST_RATIO * small))
    better = fell == lower
    return [
        pl.when(~known).then(None)
        .when(~stronger & too_few).then(pl.lit("too few"))
        .when(~stronger).then(pl.lit("no change"))
        .when((pl.col("cles") > 0.5) == lower).then(pl.lit("improvement"))
        .otherwise(pl.lit("regression")).alias("verdict"),
        pl.when(~known).then(None)
        .when(~sure | ((t < HIGH) & better)).then(pl.lit("no change"))
        .when(t < HIGH).then(pl.lit("warning"))
        .when(better).then(pl.lit("improvement"))
        .otherwise(pl.lit("regression")).alias("t_verdict"),
        pl.when(pl.col("delta") == 0).then(None)
        .when((pl.col("delta") < 0) == lower).then(pl.lit("better"))
        .when(known).then(pl.lit("worse")).alias("direction"),
        pl.when(t == 0).then(None)
        .when(t < LOW).then(pl.lit("Low"))
        .when(t < HIGH).then(pl.lit("Medium"))
        .when(t >= HIGH).then(pl.lit("High")).alias("confidence"),
        pl.when(needs).then(pl.lit("yes")).alias("more_runs"),
    ]  # fmt: skip


def _finite() -> list[pl.Expr]:
    """What no float can hold is missing, not infinite: exports have no sign for it."""
    numbers = [column.name for column in COMPARED if column.kind is Kind.NUMBER]
    return [pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in numbers]
