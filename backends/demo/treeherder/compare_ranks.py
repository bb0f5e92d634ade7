"""A row of the Mann-Whitney comparison: the tests in numbers, and the sentences that the server makes of them."""

from __future__ import annotations

from statistics import median

from backends.demo.treeherder import compare_statistics as statistics
from backends.demo.treeherder.reference import Json
from backends.demo.treeherder.signatures import Signature

_SIGNIFICANT = 0.05
_NO_EFFECT = "Effect cannot be interpreted"
_ONE_SIDE = "Empty data in one group, cannot compute Cliffs Delta"


def ranks_text(signature: Signature, base: list[float], new: list[float]) -> Json:
    middle_b, middle_n = median(base) if base else 0.0, median(new) if new else 0.0
    tests, warnings = _normal(base, new)
    return {
        "base_standard_stats": statistics.standard(base),
        "new_standard_stats": statistics.standard(new),
        "delta_value": round(middle_n - middle_b, 2),
        "delta_percentage": round(100 * (middle_n - middle_b) / middle_b, 2) if middle_b else 0.0,
        "shapiro_wilk_test_base": tests[0],
        "shapiro_wilk_test_new": tests[1],
        "shapiro_wilk_warnings": warnings,
        "silverman_kde": None,
        "silverman_warnings": [],
        "kde_warnings": [],
        "more_runs_are_needed": False,
        **(_both(signature, base, new) if base and new else _one_side()),
    }


def _one_side() -> Json:
    return {
        "cles": None,
        "ks_test": None,
        "ks_warning": None,
        "is_fit_good": None,
        "mann_whitney_test": None,
        "cliffs_delta": None,
        "cliffs_interpretation": _NO_EFFECT,
        "warning_c_delta": _ONE_SIDE,
        "direction_of_change": "no change",
        "is_new_better": None,
        "is_confident": False,
        "is_meaningful": False,
    }


def _both(signature: Signature, base: list[float], new: list[float]) -> Json:
    u, p = statistics.mann_whitney(base, new)
    distance, ks_p = statistics.kolmogorov_smirnov(base, new)
    cles = u / (len(base) * len(new))
    delta = 2 * cles - 1
    effect, significant, good = statistics.effect_size(delta), p <= _SIGNIFICANT, ks_p >= _SIGNIFICANT
    meaningful = effect != "negligible"
    better = (cles > 0.5) == signature.metric.lower if significant and meaningful else None
    direction = "no change" if better is None else "improvement" if better else "regression"
    return {
        "cles": _cles(cles, delta, effect, direction),
        "ks_test": {
            "test_name": "Kolmogorov-Smirnov",
            "stat": round(distance, 2),
            "pvalue": round(ks_p, 2),
            "interpretation": f"KS test p-value: {ks_p:.3f}, {'good fit' if good else 'poor fit'}",
        },
        "ks_warning": None if good else "KS test p-value is small: the two distributions differ.",
        "is_fit_good": good,
        "mann_whitney_test": {
            "test_name": "Mann-Whitney U",
            "stat": u,
            "pvalue": round(p, 2),
            "interpretation": "significant" if significant else "not significant",
        },
        "cliffs_delta": round(delta, 2),
        "cliffs_interpretation": effect,
        "warning_c_delta": None,
        "direction_of_change": direction,
        "is_new_better": better,
        "is_confident": significant,
        "is_meaningful": meaningful,
    }


def _cles(cles: float, delta: float, effect: str, direction: str) -> Json:
    more, less = ("base", "new") if cles >= 0.5 else ("new", "base")
    share = max(cles, 1 - cles)
    chance = f"{share * 100:.0f}% chance a"
    return {
        "cles": round(cles, 2),
        "cles_direction": direction,
        "cles_explanation": f"{chance} {more} value > {'a ' if less == 'new' else ''}{less} value",
        "mann_whitney_u_cles": f"{share:.2f} → {chance} value from `{more}` is greater than a value from `{less}`",
        "effect_size": effect,
        "cliffs_delta_cles": f"Cliff's Delta: {delta:.2f} → {effect}",
    }


def _normal(base: list[float], new: list[float]) -> tuple[list[Json], list[str]]:
    tests: list[Json] = []
    warnings = []
    for name, values in (("Base", base), ("New", new)):
        if len(values) < 3:
            warnings.append(f"Shapiro-Wilk test cannot be run on {name} with fewer than 3 data points.")
            text: Json = {"stat": None, "pvalue": None, "interpretation": "Not enough data for normality test."}
        else:
            statistic, p = statistics.normality(values)
            likely = p > _SIGNIFICANT
            if not likely:
                warnings.append(f"{name} is not normal{'.' if name == 'Base' else ''}")
            verdict = f"{name} Revision is {'likely normal' if likely else 'not normal'}"
            text = {
                "stat": round(statistic, 2),
                "pvalue": round(p, 2),
                "interpretation": f"Shapiro-Wilk result: {p:.2f}, {verdict}",
            }
        tests.append({"test_name": "Shapiro-Wilk", **text})
    return tests, warnings
