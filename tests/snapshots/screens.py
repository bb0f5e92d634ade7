"""The screens of the snapshots: what is opened in the embedded CI, which keys are pressed, what is waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass

from textual.pilot import Pilot
from textual.widgets import Input

from tests.driving import PATIENCE, loaded, screen_text, until
from tui.app import Explorer

_CALM = 4  # equal looks at the screen, one after the other


@dataclass(frozen=True)
class Screen:
    """`start`: a name of the demo's locators, "" for the start screen; `ready`: words that are there at the end."""

    name: str
    start: str
    keys: tuple[str, ...] = ()
    ready: str = ""


_GROUP = "taskcluster.finished-group"
_JOB = "prow:matrix/gs/test-platform-results/logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp/"
SCREENS = (
    Screen("start", "", ready="A finished"),
    Screen("group", _GROUP, ready="failed first"),
    Screen("filter", _GROUP, ("slash", *"state:failed suite:web"), ready=" of 1,200"),
    Screen("no-match", _GROUP, ("slash", *"state:failed suite:nothing", "enter"), ready="alone has 35"),
    Screen("marked", _GROUP, ("space", "space", "j", "space"), ready="3 marked"),
    Screen("statistics", _GROUP, ("h", "h"), ready="median"),
    Screen("menu", _GROUP, ("x",), ready="This task"),
    Screen("columns", _GROUP, ("vertical_line",), ready="Columns"),
    Screen("help", _GROUP, ("question_mark",), ready="Help"),
    Screen("palette", _GROUP, ("ctrl+p",), ready="Commands"),
    Screen("locate", _GROUP, ("ctrl+o",), ready="Open"),
    Screen("download", "taskcluster.failed-task", ("d",), ready="to fetch"),
    Screen("log", _GROUP, ("l",), ready="Search"),
    Screen("artifacts", "taskcluster.artifact-kinds-task", ready="34 artifacts"),
    Screen("tree", "taskcluster.artifact-kinds-task", ("t",), ready="payload"),
    Screen("image", "taskcluster.failed-task", ("slash", *"fail-screenshot", "enter", "enter"), ready="switched off"),
    Screen("clusters", _GROUP, ("C",), ready="18 clusters"),
    Screen("builds", "prow.completeness-job", ready="140 builds · fetched"),
    Screen("files", "prow.build-failed", ready="6 files"),
    Screen("matrix", _JOB, ready=" tests"),
    Screen("signatures", "perf.signatures", ready="651 signatures"),
    Screen("series", "perf.series", ready="94 points"),
    Screen("alerts", "perf.alerts", ready="17 alert summaries"),
    Screen("compare", "perf.compare", ready="226 tests"),
    Screen("jobs", "perf.push", ready="1,220 jobs"),
    Screen("archives", "archive.repositories", ready="3 repositories"),
    Screen("lint", "submit.example-broken", ready="16 findings"),
    Screen("preview", "submit.example-preview", ready="8 jobs"),
)


async def settle(app: Explorer, pilot: Pilot[None], ready: str = "") -> str:
    """Waits until what was asked for is on the screen and nothing changes any more; the text of the screen."""
    await until(pilot, lambda: ready.lower() in screen_text(app).lower())
    for box in app.screen.query(Input):
        box.cursor_blink = False
    before, calm, deadline = "", 0, time.monotonic() + PATIENCE
    while calm < _CALM:
        assert time.monotonic() < deadline, f"it never comes to rest:\n{before}"
        await pilot.pause(0.03)
        now = screen_text(app)
        busy = app.current_list is not None and app.current_list.top is not None and not _is_loaded(app)
        before, calm = now, calm + 1 if now == before and not busy else 0
    return before


def _is_loaded(app: Explorer) -> bool:
    top = app.current_list.top if app.current_list is not None else None
    asks = any(worker.group in ("message", "complete") and not worker.is_finished for worker in app.workers)
    return not asks and "looking for" not in screen_text(app) and (loaded(app) if hasattr(top, "is_loading") else True)


async def show(app: Explorer, pilot: Pilot[None], screen: Screen) -> str:
    if screen.keys:
        await settle(app, pilot)
        await pilot.press(*screen.keys)
    return await settle(app, pilot, screen.ready)
