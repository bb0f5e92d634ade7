"""What can be opened on the synthetic Treeherder: the addresses that a person would copy from the real one."""

from __future__ import annotations

from backends.demo.options import DemoOptions
from backends.demo.taskcluster.world import World as Tasks
from backends.demo.treeherder.alerts import FAVOURITE_SUMMARY
from backends.demo.treeherder.branches import BASE_PUSH, NEW_PUSH, SPECS, signature_id
from backends.demo.treeherder.pushes import revision
from backends.demo.treeherder.reference import AUTOLAND, TRY
from backends.demo.treeherder.signatures import ODD, SIGNATURES

_WEB = "https://treeherder.mozilla.org"


def locators(options: DemoOptions) -> dict[str, str]:
    """Nothing is made for them: ids and revisions follow from the seed."""
    seed, autoland, tasks = options.seed, SPECS[0], Tasks(options)
    base, new = revision(seed, TRY, BASE_PUSH), revision(seed, TRY, NEW_PUSH)
    favourite = signature_id(autoland, 0)
    three = "&".join(f"series={AUTOLAND},{signature_id(autoland, index)},1,13" for index in (0, 1, 2))
    sides = f"originalProject={TRY}&originalRevision={base}&newProject={TRY}&newRevision={new}&framework=13"
    odd = "&".join(f"series={AUTOLAND},{signature_id(autoland, SIGNATURES - ODD + place)},1,13" for place in range(6))
    return {
        "perf.repository-autoland": f"perf:frameworks/{AUTOLAND}",
        "perf.signatures": f"{_WEB}/perfherder/tests?framework=13&project={AUTOLAND}",
        "perf.series": f"{_WEB}/perfherder/graphs?timerange=2592000&series={AUTOLAND},{favourite},1,13",
        "perf.three-series": f"{_WEB}/perfherder/graphs?timerange=2592000&{three}",
        "perf.hostile-series": f"{_WEB}/perfherder/graphs?timerange=2592000&{odd}",
        "perf.alerts": f"{_WEB}/perfherder/alerts?status=0&framework=13&page=1",
        "perf.alert-summary": f"{_WEB}/perfherder/alerts?id={FAVOURITE_SUMMARY}",
        # Treeherder's own address of a push means its task group; the short form means the push and its jobs.
        "perf.push": f"perf:push/{AUTOLAND}/{tasks.finished.revision}",
        "perf.running-push": f"perf:push/{TRY}/{tasks.running.revision}",
        "perf.pushes": f"{_WEB}/jobs?repo={AUTOLAND}",
        "perf.compare": f"https://perf.compare/compare-results?baseRev={base}&baseRepo={TRY}"
        f"&newRev={new}&newRepo={TRY}&framework=13",
        "perf.compare-perfherder": f"{_WEB}/perfherder/compare?{sides}",
        "perf.compare-subtests": f"{_WEB}/perfherder/comparesubtest?{sides}"
        f"&originalSignature={signature_id(SPECS[1], 0)}&newSignature={signature_id(SPECS[1], 0)}",
    }
