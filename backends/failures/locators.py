"""Locators of failures: `of` is whatever names tasks or builds, as its own text.

Light: no polars, no HTTP client. Other systems link to these lists by their texts (`failures_of`, `clusters_of`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from backends.locators.declared import DeclaredLocator, param
from backends.locators.pasted import escape, unescape
from backends.locators.template import KINDS, FieldKind


class FailureLocator(DeclaredLocator):
    """Base of the locators of failures."""

    system: ClassVar[str] = "failures"
    kinds: ClassVar[Mapping[str, FieldKind]] = {
        **KINDS,
        "locator": FieldKind(r"(?s:.+)", "a locator or a URL", "LOCATOR", unescape, escape, raw=True, rest=True),
        "side": FieldKind(r"(?s:.+)", "a locator or a URL", "LOCATOR", unescape, escape, raw=True),
        "cluster": FieldKind("[0-9a-f]{16}", "a cluster's id (16 hex digits)", "CLUSTER"),
    }

    @property
    def is_local(self) -> bool:
        """Whether one of the lists that it is asked of is."""
        from backends.systems import is_any_local

        return is_any_local(getattr(self, name, "") for name in ("of", "base", "new"))


class FailuresOf(
    FailureLocator,
    template="failures:of/{of:locator}?cluster={cluster:cluster}",
    opens="backends.failures.lists:FailureList",
):
    """What failed in tasks or builds, one row a failure."""

    of: str = param()
    cluster: str = param(default="", help="Only the failures of this cluster.")


class ClustersOf(
    FailureLocator, template="failures:clusters/{of:locator}", opens="backends.failures.lists:ClusterList"
):
    """The failures of tasks or builds grouped by cause, the largest group first."""

    of: str = param()


class ClusterChanges(
    FailureLocator,
    template="failures:changes/{base:side}/{new:side}",
    opens="backends.failures.cluster_changes:ClusterChangeList",
):
    """Clusters of failures that are new, gone, grown or shrunk from one side to the other."""

    base: str = param()
    new: str = param()


class SinceOf(
    FailureLocator,
    template="failures:since/{of:locator}?test={test}&cluster={cluster:cluster}&every={every}",
    opens="backends.failures.since:SinceList",
):
    """The pushes or builds that may have begun what fails in a task, a build, a test or a cluster of failures."""

    of: str = param()
    test: str = param(default="", help="Only this test.")
    cluster: str = param(default="", help="Only failures of this cluster.")
    every: bool = param(default=False, help="Look at every earlier run, not only at those that decide.")


LOCATORS = (FailuresOf, ClustersOf, ClusterChanges, SinceOf)
