"""Before a download: the options of a special one, then its plan: which files, how much, where to, what exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Static

from backends.cancel import CancelToken
from backends.errors import AppError, FileError, OperationCancelledError
from backends.frames.formats import format_bytes, safe_text
from backends.paths import expand_home, explain_impossible
from backends.resources import DownloadWay, Finished, Prepared, Progress
from backends.transfers.files import RemoteFile, select_files
from backends.transfers.plan import TransferPlan, make_plan
from backends.transfers.states import PlanAction
from tui import crash_log
from tui.widgets.dialogs import FormDialog
from tui.widgets.inputs import TickBox
from tui.widgets.plain import is_present

_TREE_LINES = 400
Finish = Callable[[CancelToken, Progress], Finished]
Collect = Callable[[CancelToken], Iterator[list[RemoteFile]]]


@dataclass(frozen=True)
class ConfirmedDownload:
    """The plan that the user confirmed, and what to do when its files have arrived; None for nothing."""

    plan: TransferPlan
    finish: Finish | None = None


class DownloadDialog(FormDialog[ConfirmedDownload]):
    """Lists the files, plans them again as globs or directory change, and gives the plan that was confirmed.

    A `prepared` download has its directory and its files already, and something of its own to do with them. Listing
    and planning happen in worker threads; each plan has a number, and an older one is dropped.
    """

    DEFAULT_CSS = """
    DownloadDialog > .box { max-width: 110; }
    DownloadDialog #download-counts { height: auto; margin: 1 0; }
    DownloadDialog #download-tree-text { width: 100%; color: $ci-muted; text-wrap: nowrap;
        text-overflow: ellipsis; }
    """
    button = "Start"
    does = "starts"
    needs_time = True

    def __init__(self, title: str, collect: Collect, output: Path, prepared: Prepared | None = None) -> None:
        super().__init__(f"Download {title}")
        self._collect = collect
        self._output = output
        self._prepared = prepared
        self._files: list[RemoteFile] | None = None
        self._plan: TransferPlan | None = None
        self._cancel = CancelToken()
        self._number = 0
        self._confirmed = False
        self._is_planning = True
        self._said = ""  # what is listed or wrong, while there is no plan

    def compose_body(self) -> ComposeResult:
        fixed = self._prepared is not None
        with Horizontal(classes="field"):
            yield Label("Only")
            hint = "everything selected" if fixed else "globs, e.g. *.json !*_info.json (blank for all)"
            yield Input(placeholder=hint, id="download-globs", disabled=fixed)
        with Horizontal(classes="field"):
            yield Label("To")
            yield Input(str(self._output), id="download-output", disabled=fixed)
        yield TickBox("Replace files that ciexplore did not create", id="download-overwrite")
        if not fixed:
            yield TickBox("Unpack archives beside themselves", id="download-unpack")
        yield Static("", id="download-counts")
        yield Static("", id="download-tree-text")

    def on_mount(self) -> None:
        self._show_counts("Listing files…")
        self.run_worker(self._list_files, thread=True, group="collect", exit_on_error=False)

    def on_unmount(self) -> None:
        self._cancel.cancel()

    # ---- in worker threads -----------------------------------------------------------------------------------
    def _list_files(self) -> None:
        def collect() -> list[RemoteFile]:
            files: list[RemoteFile] = []
            for batch in self._collect(self._cancel):
                files += batch
                self._call(self._show_counts, f"Listing files… {len(files):,} so far")
            return files

        files, error = crash_log.attempt(collect)
        if files is not None:
            self._call(self._set_files, files)
        elif not isinstance(error, OperationCancelledError):
            self._call(self._show_error, str(error))

    def _make_plan(self, number: int, files: list[RemoteFile], globs: list[str], output: Path, overwrite: bool) -> None:
        def plan() -> tuple[TransferPlan, str]:
            made = make_plan(select_files(files, globs), output, overwrite=overwrite, cancel=self._cancel)
            return made, made.tree(_TREE_LINES)

        result, error = crash_log.attempt(plan)
        if not isinstance(error, OperationCancelledError):
            self._call(self._show_plan, number, result, str(error))

    def _call(self, method: Callable[..., None], *arguments: object) -> None:
        if not self._cancel.cancelled and self.app.is_running:
            self.app.call_from_thread(self._receive, method, *arguments)

    # ---- back on the interface's loop ------------------------------------------------------------------------
    def _receive(self, method: Callable[..., None], *arguments: object) -> None:
        if is_present(self):
            method(*arguments)

    def _show_counts(self, text: str) -> None:
        self._said = text
        soon = "\nStarts as soon as that is known. Esc cancels." if self._confirmed else ""
        self.query_one("#download-counts", Static).update(Text(text + soon))

    def _show_error(self, error: str) -> None:
        self._confirmed, self._is_planning = False, False
        self._show_counts(error)
        self.query_one("#download-tree-text", Static).update("")

    def _explain_no_files(self) -> str:
        globs = self.query_one("#download-globs", Input).value.split()
        if not self._files or not globs:
            return "There are no files to download."
        of = f"None of the {len(self._files):,} files matches" if len(self._files) > 1 else "The file does not match"
        return f"{of} {safe_text(' '.join(globs), 200)}. Globs match whole names, e.g. *.json or */logs/*."

    def _set_files(self, files: list[RemoteFile]) -> None:
        self._files = files
        self._start_plan(files)

    def _show_plan(self, number: int, result: tuple[TransferPlan, str] | None, error: str) -> None:
        if number != self._number:
            return
        if result is None:
            self._plan = None
            self.enable_button(False)
            self._show_error(error)
            return
        plan, tree = result
        self._plan = plan
        self.enable_button(bool(plan.rows))
        if not plan.rows:
            self._show_error(self._explain_no_files())
            return
        if self._confirmed:
            self.action_go()
        self.query_one("#download-counts", Static).update(describe_plan(plan))
        self.query_one("#download-tree-text", Static).update(Text(tree, no_wrap=True, overflow="ellipsis"))

    @on(Input.Changed)
    @on(TickBox.Changed, "#download-overwrite")
    def _replan(self) -> None:
        self._confirmed = False
        if self._files is not None:
            self._start_plan(self._files)

    def _start_plan(self, files: list[RemoteFile]) -> None:
        self._number += 1
        self._plan, self._said, self._is_planning = None, "Making the plan…", True
        globs = self.query_one("#download-globs", Input).value.split()
        overwrite = self.query_one("#download-overwrite", TickBox).value
        try:
            output = read_output(self.query_one("#download-output", Input).value)
        except AppError as error:
            self.enable_button(False)
            self._show_error(str(error))
            return
        work = partial(self._make_plan, self._number, files, globs, output, overwrite)
        self.run_worker(work, thread=True, group="plan", exit_on_error=False)

    def action_go(self) -> None:
        if self._is_planning and self._plan is None:
            self._confirmed = True  # it starts when the plan is ready
            self._show_counts(self._said)
        elif self._plan is not None and self._plan.rows:
            self.dismiss(ConfirmedDownload(self._plan, self._finish(self._plan)))

    def _finish(self, plan: TransferPlan) -> Finish | None:
        if self._prepared is not None:
            return self._prepared.finish
        if not self.query_one("#download-unpack", TickBox).value:
            return None
        return partial(unpack, plan.output, [row.file.key for row in plan.rows])


def read_output(text: str) -> Path:
    """The directory that was typed. Raises `FileError` for one that cannot be."""
    if why := explain_impossible(text.strip()):
        raise FileError(f"This is not a usable path: {why}.", "Write another one.")
    return expand_home(text.strip() or ".").absolute()


def unpack(output: Path, keys: Sequence[str], cancel: CancelToken, progress: Progress) -> Finished:
    """Unpacks the archives among what was downloaded. In a worker thread; raises `AppError`s."""
    from backends.extraction.extractor import extract_downloads

    result = extract_downloads(output, keys, cancel, lambda done, total: progress(f"unpacking, {done:,} of {total:,}"))
    sentence = f"{result.unpacked:,} archive{'s' * (result.unpacked != 1)} unpacked"
    sentence += f", {result.kept:,} already unpacked" if result.kept else ""
    left_out = tuple((f"{archive}: {member}", why) for archive, member, why in result.skipped)
    return Finished(sentence, (*result.problems, *left_out))


def describe_plan(plan: TransferPlan) -> Text:
    """The plan in a few lines: what is fetched, what exists, what is left out and why, free space, warnings."""
    unknown = f" and {plan.unknown_sizes:,} of unknown size" if plan.unknown_sizes else ""
    size = format_bytes(plan.bytes_to_fetch) + unknown
    if plan.unknown_sizes == plan.to_fetch > 0:
        size = "of unknown size"
    text = Text(f"{plan.to_fetch:,} file{'s' * (plan.to_fetch != 1)} to fetch, {size}", style="bold")
    if plan.free is not None:
        text.append(f" · {format_bytes(plan.free)} free there", style="not bold")
    states = {
        PlanAction.RESUME: "to resume",
        PlanAction.UNCHANGED: f"already there, {'verified' if not plan.unchecked else f'{plan.unchecked:,} unchecked'}",
        PlanAction.SKIP: "skipped",
        PlanAction.CONFLICT: "in conflict with other files",
    }
    parts = [f"{number:,} {state}" for action, state in states.items() if (number := plan.counts.get(action, 0))]
    if parts:
        text.append("\n" + " · ".join(parts), style="not bold")
    reasons = Counter(row.reason for row in plan.rows if row.action is PlanAction.SKIP)
    for reason, number in sorted(reasons.items()):
        text.append(f"\n  – skipped: {safe_text(reason)} ({number:,})", style="dim")
    for warning in plan.warnings:
        text.append(f"\n⚠ {safe_text(warning)}", style="not bold")
    return text


class DownloadOptionsDialog(FormDialog[Prepared]):
    """The options of a download of a special kind; invalid ones show their error. Gives the prepared download."""

    DEFAULT_CSS = """
    DownloadOptionsDialog .field Label { width: 14; }
    """
    button = "Show the plan"
    does = "shows it"

    def __init__(self, way: DownloadWay, output: Path) -> None:
        super().__init__(way.label.rstrip("…"))
        self._way = way
        self._output = output

    def compose_body(self) -> ComposeResult:
        for field in self._way.fields:
            if field.tick:
                yield TickBox(field.label, bool(field.value), id=f"way-{field.name}")
                continue
            with Horizontal(classes="field"):
                yield Label(field.label)
                yield Input(field.value, placeholder=field.hint, id=f"way-{field.name}")
        with Horizontal(classes="field"):
            yield Label("To")
            yield Input(str(self._output), id="way--output")
        yield Static("", classes="error")

    def action_go(self) -> None:
        values = {}
        for field in self._way.fields:
            if field.tick:
                values[field.name] = "yes" if self.query_one(f"#way-{field.name}", TickBox).value else ""
            else:
                values[field.name] = self.query_one(f"#way-{field.name}", Input).value
        try:
            output = read_output(self.query_one("#way--output", Input).value)
            prepared = self._way.prepare(values, output)
        except AppError as error:
            self.query_one(".error", Static).update(Text(str(error)))
            return
        self.dismiss(prepared)
