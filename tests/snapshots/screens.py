"""The screens of the snapshots: what is opened in the embedded CI, which keys are pressed, what is waited for."""

from __future__ import annotations

from dataclasses import dataclass

from textual.pilot import Pilot

from tests.driving import loaded, screen_text, until
from tui.app import Explorer

_CALM = 4  # equal looks at the screen, one after the other


@dataclass(frozen=True)
class Screen:
    """`start`: a name of the demo's locators, "" for the start screen; `ready`: words that are there at the end."""

    name: str
    start: str
    keys: tuple[str, ...] = ()
    ready: str = ""


SCREENS = (
    Screen("start", "", ready="A finished task group"),
    Screen("group", "taskcluster.finished-group", ready="failed"),
    Screen("filter", "taskcluster.finished-group", ("slash", *"state:failed suite:"), ready="suite:"),
    Screen("statistics", "taskcluster.finished-group", ("h",), ready="median"),
    Screen("menu", "taskcluster.finished-group", ("x",), ready="This task"),
    Screen("columns", "taskcluster.finished-group", ("vertical_line",), ready="Columns"),
    Screen("help", "taskcluster.finished-group", ("question_mark",), ready="This help"),
    Screen("palette", "taskcluster.finished-group", ("ctrl+p",), ready="Every"),
    Screen("empty", "taskcluster.finished-group", ("slash", *"no-such-task", "enter"), ready="no-such-task"),
    Screen("task", "taskcluster.artifact-kinds-task", ready="artifact"),
    Screen("tree", "taskcluster.artifact-kinds-task", ("t",), ready="payload"),
    Screen("log", "taskcluster.failed-task", ("l",), ready="TEST-UNEXPECTED"),
    Screen("tasks-compared", "taskcluster.comparison"),
    Screen("clusters", "taskcluster.finished-group", ("C",), ready="clusters"),
    Screen("builds", "prow.job-openshift", ready="build"),
    Screen("files", "prow.build-failed", ready="file"),
    Screen("completeness", "prow.completeness-job", ready="build"),
    Screen("signatures", "perf.signatures"),
    Screen("series", "perf.series"),
    Screen("alerts", "perf.alerts"),
    Screen("compare", "perf.compare"),
    Screen("pushes", "perf.pushes"),
    Screen("jobs", "perf.push"),
    Screen("archive", "archive.repositories"),
    Screen("lint", "submit.example-broken"),
    Screen("preview", "submit.example-preview"),
)


async def settle(app: Explorer, pilot: Pilot[None], ready: str = "") -> str:
    """Waits until what was asked for is on the screen and nothing changes any more; the text of the screen."""
    await until(pilot, lambda: ready.lower() in screen_text(app).lower())
    before, calm = "", 0
    while calm < _CALM:
        await pilot.pause(0.03)
        now = screen_text(app)
        busy = app.current_list is not None and app.current_list.top is not None and not _is_loaded(app)
        before, calm = now, calm + 1 if now == before and not busy else 0
    return before


def _is_loaded(app: Explorer) -> bool:
    top = app.current_list.top if app.current_list is not None else None
    return loaded(app) if hasattr(top, "is_loading") else True


async def show(app: Explorer, pilot: Pilot[None], screen: Screen) -> str:
    if screen.keys:
        await settle(app, pilot)
        await pilot.press(*screen.keys)
    return await settle(app, pilot, screen.ready)
