"""Treeherder and Perfherder: signatures, series, alerts, pushes, jobs and comparisons, as resources."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backends.locators import InvalidLocatorError, Locator
from backends.locators.perfherder import (
    AlertSummaries,
    AlertSummary,
    Compare,
    CompareByReference,
    ComparedValues,
    Frameworks,
    JobFailures,
    LandoPush,
    PerfherderLocator,
    Pushes,
    PushJobs,
    PushOf,
    Repositories,
    Series,
    Signatures,
    SimilarJobs,
)
from backends.net import is_loopback

if TYPE_CHECKING:
    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http
    from backends.resources import Resource
    from backends.treeherder.listed import Where


def resolve(locator: Locator, http: Http, settings: Settings, cancel: CancelToken | None = None) -> Locator:
    """Only pushes by revision or landing job, and comparisons by hashes or landing jobs, have to be looked up;
    everything else says itself what to list."""
    if not isinstance(locator, PushOf | LandoPush | CompareByReference):
        return locator
    from backends.treeherder.client import Treeherder
    from backends.treeherder.lando import revision_of_landing_job

    treeherder = Treeherder(http, locator.server or settings.treeherder_url)
    if isinstance(locator, CompareByReference):
        if locator.kind == "lando":
            base, new = (
                revision_of_landing_job(http, int(number), locator.instance, cancel)
                for number in (locator.base, locator.new)
            )
        else:
            hashes, days = (locator.base, locator.new), (locator.base_day, locator.new_day)
            base, new = treeherder.revisions_of_hashes(locator.base_repository, hashes, days, cancel)
        return Compare(
            locator.base_repository, base, locator.new_repository, new, locator.framework,
            replicates=locator.replicates, server=locator.server,
        )  # fmt: skip
    revision = (
        locator.revision
        if isinstance(locator, PushOf)
        else revision_of_landing_job(http, locator.number, locator.instance, cancel)
    )
    push = treeherder.push_of(locator.repository, revision, cancel)
    return PushJobs(locator.repository, int(push["push_id"]), locator.server, str(push["revision"] or ""))


def resource_for(locator: Locator, http: Http, settings: Settings) -> Resource:
    """The list that a locator opens, on the server it names or else on the configured one."""
    from backends.treeherder.listed import Where

    if not isinstance(locator, PerfherderLocator):
        raise InvalidLocatorError(f"{locator.text()} does not belong to Treeherder.")
    server: str = getattr(locator, "server", "")
    base = server or settings.treeherder_url
    # A Treeherder on this machine (a demo, a development server) tells the public deployment for its repositories,
    # which does not know its tasks; the one on this machine does.
    local = _is_local(base) and _is_local(settings.taskcluster_root_url)
    dataset = ""
    if isinstance(locator, Repositories | Frameworks):
        from backends.treeherder.datasets.lists import last_dataset

        dataset = last_dataset(settings.state_path)
    where = Where(http, base, server, settings.taskcluster_root_url.rstrip("/") if local else "", dataset)
    return _measured(locator, where) or _others(locator, where) or _unknown(locator)


def _is_local(url: str) -> bool:
    return is_loopback((urlsplit(url).hostname or "") if "://" in url else "")


def _measured(locator: PerfherderLocator, where: Where) -> Resource | None:
    match locator:
        case Repositories():
            from backends.treeherder.signatures import RepositoryList

            return RepositoryList(locator, where)
        case Frameworks():
            from backends.treeherder.signatures import FrameworkList

            return FrameworkList(locator, where)
        case Signatures():
            from backends.treeherder.signatures import SignatureList, SubtestList

            return (SubtestList if locator.parent else SignatureList)(locator, where)
        case Series():
            from backends.treeherder.series import OneSeries, SeriesPoints

            return (SeriesPoints if len(locator.series) > 1 else OneSeries)(locator, where)
        case Compare():
            from backends.treeherder.compare import CompareList, SeveralCompareList, SubtestCompareList

            if len(locator.news) > 1:
                return SeveralCompareList(locator, where)
            whole = locator.base_parent is None and locator.new_parent is None
            return (CompareList if whole else SubtestCompareList)(locator, where)
        case ComparedValues():
            from backends.treeherder.compared_values import ValueList

            return ValueList(locator, where)
    return None


def _others(locator: PerfherderLocator, where: Where) -> Resource | None:
    match locator:
        case AlertSummaries():
            from backends.treeherder.alerts import AlertSummaryList

            return AlertSummaryList(locator, where)
        case AlertSummary():
            from backends.treeherder.alerts import AlertList

            return AlertList(locator, where)
        case Pushes():
            from backends.treeherder.pushes import PushList

            return PushList(locator, where)
        case PushJobs():
            from backends.treeherder.jobs import JobList

            return JobList(locator, where)
        case SimilarJobs():
            from backends.treeherder.jobs import SimilarJobList

            return SimilarJobList(locator, where)
        case JobFailures():
            from backends.treeherder.failures import FailureLines

            return FailureLines(locator, where)
    return None


def _unknown(locator: Locator) -> Resource:
    raise InvalidLocatorError(f"{locator.text()} has to be looked up before it can be listed.")
