"""Checks that `tui` and `backends` are this installation's own: their names are common, and PYTHONPATH comes first."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PACKAGES = ("backends", "tui")


def find_shadowed() -> str:
    """One sentence that names the package that another one shadows, and both paths; "" while there is none."""
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        own = home / name
        spec = importlib.util.find_spec(name)
        found = (
            [Path(path).resolve() for path in (spec.submodule_search_locations or [spec.origin or ""])] if spec else []
        )
        if own not in found[:1]:
            other = found[0] if found else "nothing"
            return (
                f"The package {name!r} of ciexplore in {own} is shadowed by {other}; remove that one "
                "from PYTHONPATH or the current directory, or install ciexplore in an environment of its own."
            )
    return ""
