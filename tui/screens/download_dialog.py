"""What a download would do, shown before a byte moves: which files, how much, where to, what is already there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, ScrollableContainer, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import format_bytes, safe_text
from backends.resources import Finished, Prepared, Progress
from backends.transfers.files import RemoteFile, select_files
from backends.transfers.plan import TransferPlan, make_plan
from backends.transfers.states import PlanAction
from tui import crash_log
from tui.widgets.ticked import Tick

TREE_LINES = 400
Finish = Callable[[CancelToken, Progress], Finished]
Collect = Callable[[CancelToken], Iterator[list[RemoteFile]]]


@dataclass(frozen=True)
class Agreed:
    """The plan that the user agreed to, and what is to be done when its files are there; None if nothing."""

    plan: TransferPlan
    finish: Finish | None = None


class DownloadDialog(ModalScreen[Agreed | None]):
    """Lists the files, plans them anew as globs or directory change, and gives the plan that was agreed to.

    A `prepared` download has its directory and its files already, and something of its own to do with them.

    All of that happens in worker threads; each has a number, and what an older one says is dropped.
    """

    DEFAULT_CSS = """
    DownloadDialog { align: center middle; }
    DownloadDialog > Vertical { width: 96%; max-width: 130; height: 96%; max-height: 44; border: round $primary;
        background: $surface; padding: 0 1; }
    DownloadDialog #download-title { text-style: bold; }
    DownloadDialog .field { height: 1; }
    DownloadDialog .field Label { width: 12; color: $text-muted; }
    DownloadDialog Input, DownloadDialog Input:focus { border: none; height: 1; width: 1fr; padding: 0 1;
        background: $boost; }
    DownloadDialog #download-counts { height: auto; margin: 1 0; }
    DownloadDialog #download-tree { height: 1fr; min-height: 3; border-top: solid $panel; }
    DownloadDialog Tick, DownloadDialog Tick:focus { border: none; height: 1; padding: 0; background: transparent; }
    DownloadDialog #download-tree-text { width: auto; }
    DownloadDialog .buttons { height: 1; margin-top: 1; }
    DownloadDialog Button { margin-right: 2; height: 1; border: none; min-width: 12; }
    """
    BINDINGS = [Binding("escape", "give_up", "Cancel"), Binding("ctrl+j,f2", "go", "Start", show=False)]

    def __init__(self, what: str, collect: Collect, output: Path, prepared: Prepared | None = None) -> None:
        super().__init__()
        self._what = what
        self._collect = collect if prepared is None else prepared.files
        self._output = output if prepared is None else prepared.output
        self._prepared = prepared
        self._files: list[RemoteFile] | None = None
        self._plan: TransferPlan | None = None
        self._cancel = CancelToken()
        self._number = 0
        self._agreed = False

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(f"Download from {safe_text(self._what)}"), id="download-title")
            whole = self._prepared is not None
            with Horizontal(classes="field"):
                yield Label("Only")
                hint = "all that was chosen" if whole else "globs, such as *.json !*_info.json; empty is all"
                yield Input(placeholder=hint, id="download-globs", disabled=whole)
            with Horizontal(classes="field"):
                yield Label("To")
                yield Input(str(self._output), id="download-output", disabled=whole)
            yield Tick("Replace files there that ciexplore did not put there", id="download-overwrite")
            if not whole:
                yield Tick("Unpack archives, each beside itself", id="download-unpack")
            yield Static("", id="download-counts")
            with ScrollableContainer(id="download-tree", can_focus=True):
                yield Static("", id="download-tree-text")
            with Horizontal(classes="buttons"):
                yield Button("Start", id="download-go", variant="primary", disabled=True, compact=True)
                yield Button("Cancel (Esc)", id="download-no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#download-tree" if self._prepared is not None else "#download-globs").focus()
        self._say("Asking which files there are…")
        self.run_worker(self._gather, thread=True, group="collect", exit_on_error=False)

    def on_unmount(self) -> None:
        self._cancel.cancel()

    # ---- in worker threads -----------------------------------------------------------------------------------
    def _gather(self) -> None:
        files: list[RemoteFile] = []
        try:
            for batch in self._collect(self._cancel):
                files += batch
                self._tell(self._say, f"Asking which files there are… {len(files):,} so far")
            self._tell(self._gathered, files)
        except OperationCancelledError:
            pass
        except AppError as problem:
            self._tell(self._say, str(problem))
        except Exception as error:
            self._tell(self._say, str(crash_log.as_problem(error)))

    def _make(self, number: int, files: list[RemoteFile], globs: list[str], output: Path, overwrite: bool) -> None:
        try:
            plan = make_plan(select_files(files, globs), output, overwrite=overwrite, cancel=self._cancel)
            tree = plan.tree(TREE_LINES)
        except OperationCancelledError:
            return
        except AppError as problem:
            self._tell(self._failed, number, str(problem))
            return
        except Exception as error:
            self._tell(self._failed, number, str(crash_log.as_problem(error)))
            return
        self._tell(self._planned, number, plan, tree)

    def _tell(self, method: Callable[..., None], *arguments: object) -> None:
        if not self._cancel.cancelled and self.app.is_running:
            self.app.call_from_thread(method, *arguments)

    # ---- back on the interface's loop ------------------------------------------------------------------------
    def _say(self, words: str) -> None:
        if self.is_attached:
            self.query_one("#download-counts", Static).update(Text(words))

    def _gathered(self, files: list[RemoteFile]) -> None:
        self._files = files
        self._replan()

    def _failed(self, number: int, words: str) -> None:
        if number == self._number:
            self._plan = None
            self.query_one("#download-go", Button).disabled = True
            self._say(words)

    def _planned(self, number: int, plan: TransferPlan, tree: str) -> None:
        if number != self._number or not self.is_attached:
            return
        self._plan = plan
        go = self.query_one("#download-go", Button)
        go.disabled = not plan.rows
        if self._prepared is not None and self.focused is self.query_one("#download-tree"):
            go.focus()  # there is nothing to choose: Enter starts it
        if self._agreed:
            self.action_go()
        self.query_one("#download-counts", Static).update(counts(plan))
        self.query_one("#download-tree-text", Static).update(Text(tree, no_wrap=True))

    @on(Input.Changed)
    @on(Tick.Changed, "#download-overwrite")
    def _replan(self) -> None:
        if self._files is None:
            return
        self._number += 1
        self._plan, self._agreed = None, False
        globs = self.query_one("#download-globs", Input).value.split()
        output = Path(self.query_one("#download-output", Input).value or ".").expanduser().absolute()
        overwrite = self.query_one("#download-overwrite", Tick).value
        work = partial(self._make, self._number, self._files, globs, output, overwrite)
        self.run_worker(work, thread=True, group="plan", exit_on_error=False)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one("#download-go").focus()

    @on(Button.Pressed, "#download-go")
    def action_go(self) -> None:
        if self._plan is None and self._files is not None:
            self._agreed = True  # to the plan that is being made: it starts when it is there
        elif self._plan is not None and self._plan.rows:
            self.dismiss(Agreed(self._plan, self._finish(self._plan)))

    def _finish(self, plan: TransferPlan) -> Finish | None:
        if self._prepared is not None:
            return self._prepared.finish
        if not self.query_one("#download-unpack", Tick).value:
            return None
        return partial(unpacked, plan.output, [row.file.key for row in plan.rows])

    @on(Button.Pressed, "#download-no")
    def action_give_up(self) -> None:
        self.dismiss(None)


def unpacked(output: Path, keys: Sequence[str], cancel: CancelToken, progress: Progress) -> Finished:
    """Unpacks the archives among what was downloaded. In a worker thread; raises `AppError`s."""
    from backends.extraction.extractor import extract_downloads

    told = extract_downloads(output, keys, cancel, lambda done, total: progress(f"unpacking, {done:,} of {total:,}"))
    words = f"{told.unpacked:,} archive{'s' * (told.unpacked != 1)} unpacked"
    words += f", {told.kept:,} were already" if told.kept else ""
    left_out = tuple((f"{archive}: {member}", why) for archive, member, why in told.skipped)
    return Finished(words, (*told.problems, *left_out))


def counts(plan: TransferPlan) -> Text:
    """The plan in a few lines: what is fetched, what is there, what is left out and why, room, warnings."""
    unknown = f" and {plan.unknown_sizes:,} of unknown size" if plan.unknown_sizes else ""
    size = format_bytes(plan.bytes_to_fetch) + unknown
    if plan.unknown_sizes == plan.to_fetch > 0:
        size = "of unknown size"
    text = Text(f"{plan.to_fetch:,} file{'s' * (plan.to_fetch != 1)} to fetch, {size}", style="bold")
    if plan.free is not None:
        text.append(f" · {format_bytes(plan.free)} free there", style="not bold")
    words = {
        PlanAction.RESUME: "of them go on where they stopped",
        PlanAction.UNCHANGED: f"are already there, {f'{plan.unchecked:,} unchecked' if plan.unchecked else 'verified'}",
        PlanAction.SKIP: "are skipped",
        PlanAction.CONFLICT: "are in conflict with other files",
    }
    one = {
        PlanAction.RESUME: "of them goes on where it stopped",
        PlanAction.UNCHANGED: words[PlanAction.UNCHANGED].replace("are", "is", 1),
        PlanAction.SKIP: "is skipped",
        PlanAction.CONFLICT: "is in conflict with another file",
    }
    parts = [
        f"{number:,} {one[action] if number == 1 else what}"
        for action, what in words.items()
        if (number := plan.counts.get(action, 0))
    ]
    if parts:
        text.append("\n" + " · ".join(parts), style="not bold")
    reasons: dict[str, int] = {}
    for row in plan.rows:
        if row.action is PlanAction.SKIP:
            reasons[row.reason] = reasons.get(row.reason, 0) + 1
    for reason, number in sorted(reasons.items()):
        text.append(f"\n  – skipped: {safe_text(reason)} ({number:,})", style="dim")
    for warning in plan.warnings:
        text.append(f"\n⚠ {safe_text(warning)}", style="not bold")
    return text
