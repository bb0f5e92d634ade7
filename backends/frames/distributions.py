"""How probable a value this far out is: the tails of the normal, of Student's t and of the Mann-Whitney U distribution.

Closed forms and series only, so that the program needs no scipy (30 MB); the tests compare with scipy over the range in
which samples of measurements lie.
"""

from __future__ import annotations

import math
from functools import lru_cache

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
