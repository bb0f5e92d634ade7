"""Saving what was looked at into a capsule: a dialog for the file, and the reading and writing in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input, Label, Static
from textual.worker import get_current_worker

from backends.cancel import CancelToken
from backends.capsules.creation import CapsuleOptions, CapsuleSummary, create_capsule
from backends.capsules.recorder import Recorder
from tui import crash_log
from tui.widgets.dialogs import REPLACE, FormDialog, explain_blocked, explain_write_error
from tui.widgets.inputs import TickBox

if TYPE_CHECKING:
    from backends.session import Session


@dataclass(frozen=True)
class CapsuleChoice:
    """`path` as typed, `~` not yet expanded. `logs`: also the log of each row."""

    path: Path
    logs: bool
    overwrite: bool


class CapsuleDialog(FormDialog[CapsuleChoice]):
    """Gives a `CapsuleChoice`, or None when it was left. Writes nothing itself."""

    DEFAULT_CSS = """
    CapsuleDialog #capsule-about { height: auto; color: $ci-muted; margin-bottom: 1; }
    CapsuleDialog TickBox { margin-top: 0; }
    """
    button = "Save"
    does = "saves"

    def __init__(self, lists: int, logs: int, files: int, path: Path, *, queries: bool = False) -> None:
        """`lists`, `logs`, `files`: how many were opened. `queries`: some of the lists are made of others. `path`: the
        file to suggest."""
        super().__init__("Save what I have looked at")
        self._counts = {"list": lists, "log": logs, "file": files}
        self._queries, self._path = queries, path

    def compose_body(self) -> ComposeResult:
        *first, last = (f"{count:,} {noun}{'s' * (count != 1)}" for noun, count in self._counts.items() if count)
        seen = f"{', '.join(first)} and {last}" if first else last
        about = f"{seen}, read again without your credentials: one file to open anywhere, also when CI is gone."
        if self._queries:
            about += " SQL and pivot queries are run again over their lists."
        yield Static(about, id="capsule-about", markup=False)
        with Horizontal(classes="field"):
            yield Label("To")
            yield Input(str(self._path), id="capsule-path")
        yield TickBox("Also the log of each row", id="capsule-logs")
        yield TickBox(REPLACE, id="capsule-overwrite")
        yield Static("", classes="error")

    @on(Input.Changed)
    def _check(self, event: Input.Changed) -> None:
        self.query_one("#go", Button).disabled = not event.value.strip()
        self.query_one(".error", Static).update("")

    def action_go(self) -> None:
        path = self.query_one("#capsule-path", Input).value.strip()
        overwrite = self.query_one("#capsule-overwrite", TickBox).value
        if path and (note := explain_blocked(Path(path), overwrite)):
            self.query_one(".error", Static).update(note)
        elif path:
            self.dismiss(CapsuleChoice(Path(path), self.query_one("#capsule-logs", TickBox).value, overwrite))


def save_capsule(app: App[None], session: Session) -> None:
    """Opens the dialog, then saves in a thread."""
    if session.capsule is not None:
        app.notify(f"This is a capsule already: copy {session.capsule.path}.", markup=False)
        return
    if not session.opened:
        app.notify("Nothing was opened yet.")
        return

    def start(choice: CapsuleChoice | None) -> None:
        if choice is not None:
            app.notify("Reading what was looked at again…", title="Saving")
            app.run_worker(partial(_save, app, session, choice), thread=True, group="capsule", exit_on_error=False)

    path = Path.cwd() / f"looked-at-{time.strftime('%Y%m%d-%H%M%S')}.capsule"
    counts = len(session.opened), len(session.opened_logs), len(session.opened_images)
    queries = any(locator.system == "query" for locator in session.opened.values())
    app.push_screen(CapsuleDialog(*counts, path, queries=queries), start)


def _save(app: App[None], session: Session, choice: CapsuleChoice) -> None:
    """In a worker thread, which ends early when the app is left."""
    worker, cancel = get_current_worker(), CancelToken()

    def progress(_: str) -> None:
        if worker.is_cancelled:
            cancel.cancel()

    made, error = crash_log.attempt(_create, session, choice, cancel, progress)
    if worker.is_cancelled:
        return
    if made is None:
        assert error is not None
        app.call_from_thread(
            partial(
                app.notify, explain_write_error(error), title="Not saved", severity="error", timeout=10, markup=False
            )
        )
        return
    message = f"{made.sentence} in {choice.path}"
    if made.notes:
        message += f"\n{len(made.notes):,} notes, e.g. {made.notes[0]}"
    app.call_from_thread(partial(app.notify, message, title="Saved", timeout=10, markup=False))


def _create(
    session: Session, choice: CapsuleChoice, cancel: CancelToken, progress: Callable[[str], None]
) -> CapsuleSummary:
    options = CapsuleOptions(
        logs=choice.logs,
        overwrite=choice.overwrite,
        opened_logs=tuple(session.opened_logs.values()),
        opened_images=tuple(session.opened_images.values()),
        lenient=True,
    )
    with Recorder() as recorder, session.recording_http(recorder) as http:
        return create_capsule(
            choice.path, list(session.opened.values()), recorder, http, session.settings, options, cancel, progress
        )
