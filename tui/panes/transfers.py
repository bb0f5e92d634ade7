"""F6: downloads under way and done, file by file, with progress, rate and time left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.frames.formats import format_bytes, safe_text
from backends.resources import Finished
from backends.transfers.plan import TransferPlan
from backends.transfers.progress import TRANSFER_SCHEMA, TransferSnapshot
from backends.transfers.states import TransferState
from backends.transfers.transfer import Transfer
from tui import crash_log
from tui.keymap import bindings
from tui.widgets.filter_line import FilterLine
from tui.widgets.frame_table import FrameTable
from tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from backends.session import Session
    from tui.screens.download_dialog import Finish

TICK = 0.2  # seconds between looks at a transfer; the eye asks for no more
PROBLEMS = 3  # named of the work after a download
TABLE_EVERY = 3  # the table of files follows at every third look
ORDER = (
    TransferState.VERIFIED,
    TransferState.UNCHECKED,
    TransferState.UNCHANGED,
    TransferState.FAILED,
    TransferState.SKIPPED,
    TransferState.CANCELLED,
    TransferState.STORED,
    TransferState.RUNNING,
    TransferState.PLANNED,
)


@dataclass
class Job:
    """One agreed plan: waiting for another one on the same directory, running, or ended."""

    title: str
    plan: TransferPlan
    transfer: Transfer | None = None
    problem: AppError | None = None
    starting: bool = False
    told: bool = False
    finish: Finish | None = None
    finishing: CancelToken | None = None  # what stops the work that comes after the files
    how_far: str = ""
    finished: Finished | None = None

    @property
    def output(self) -> Path:
        return self.plan.output

    @property
    def waiting(self) -> bool:
        return self.transfer is None and self.problem is None

    @property
    def running(self) -> bool:
        return self.finishing is not None or (self.transfer is not None and not self.transfer.finished)


class TransfersPane(Vertical):
    """Polls the running transfer; it knows nothing of how files are fetched."""

    DEFAULT_CSS = """
    TransfersPane { height: 1fr; }
    TransfersPane #transfers-head { height: auto; max-height: 8; padding: 0 1; background: $boost;
        text-wrap: nowrap; text-overflow: ellipsis; }
    TransfersPane #transfers-empty { padding: 2 4; height: 1fr; }
    TransfersPane FrameTable { display: none; }
    TransfersPane #transfers-why { height: auto; max-height: 4; padding: 0 1; background: $panel; display: none; }
    TransfersPane #transfers-why.-shown { display: block; }
    TransfersPane.-any FrameTable { display: block; }
    TransfersPane.-any #transfers-empty { display: none; }
    """
    BINDINGS = bindings("transfers")
    can_focus = True

    def __init__(self, session: Session, *, id: str) -> None:
        super().__init__(id=id)
        self._session = session
        self._jobs: list[Job] = []
        self._shown = -1
        self._looks = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="transfers-head")
        yield FilterLine(lambda: self.table, self.enter)
        yield Static(
            Text("Nothing has been downloaded since ciexplore was started.\n\nMark tasks or artifacts and press d."),
            id="transfers-empty",
        )
        yield FrameTable(TRANSFER_SCHEMA)
        yield Static("", id="transfers-why")

    def on_mount(self) -> None:
        self.set_interval(TICK, self._look)

    @property
    def active(self) -> bool:
        return any(job.waiting or job.running for job in self._jobs)

    @property
    def job(self) -> Job | None:
        return self._jobs[self._shown] if self._jobs else None

    @property
    def table(self) -> FrameTable:
        return self.query_one(FrameTable)

    def enter(self) -> None:
        self.screen.set_focus(self.table if self._jobs else self)

    # ---- the jobs --------------------------------------------------------------------------------------------
    def add(self, title: str, plan: TransferPlan, finish: Finish | None = None) -> None:
        """Takes an agreed plan; it runs at once unless another one still writes into its directory.

        `finish` is what is to be done with the files when they are there.
        """
        self._jobs.append(Job(title, plan, finish=finish))
        self._shown = len(self._jobs) - 1
        self.add_class("-any")
        self.table.replace(TRANSFER_SCHEMA.empty())
        self._start_waiting()
        self._look()

    def cancel_everything(self) -> None:
        """For leaving the app: what has arrived of a file stays and is gone on with by the next run."""
        for job in self._jobs:
            self._stop(job)
        for job in self._jobs:
            if job.transfer is not None:
                job.transfer.wait(5)

    def _stop(self, job: Job) -> None:
        if job.finishing is not None:
            job.finishing.cancel()
        elif job.transfer is not None and job.running:
            job.transfer.cancel()

    def _start_waiting(self) -> None:
        busy = {job.output for job in self._jobs if job.running or (job.waiting and job.starting)}
        for job in self._jobs:
            if job.waiting and not job.starting and job.output not in busy:
                busy.add(job.output)
                job.starting = True
                self.run_worker(partial(self._begin, job), thread=True, group="begin", exit_on_error=False)

    def _begin(self, job: Job) -> None:
        """In a worker thread: taking the directory and opening its manifest wait for the disk."""
        try:
            transfer = Transfer(
                job.plan,
                open_downloader=self._session.open_downloader,
                jobs=self._session.settings.jobs or None,
                settings=self._session.http.downloader_settings(),
                pause_when_full=True,
            )
            transfer.start()
        except AppError as problem:
            job.problem = problem
        except Exception as error:
            job.problem = crash_log.as_problem(error)
        else:
            job.transfer = transfer

    def _finish(self, job: Job, finish: Finish, cancel: CancelToken) -> None:
        """In a worker thread: unpacking and the like, once the files are there."""

        def progress(words: str) -> None:
            job.how_far = words

        try:
            job.finished = finish(cancel, progress)
        except AppError as problem:
            job.finished = Finished("", (("", str(problem)),))
        except Exception as error:
            job.finished = Finished("", (("", str(crash_log.as_problem(error))),))
        finally:
            job.finishing = None

    # ---- looking ---------------------------------------------------------------------------------------------
    def _look(self) -> None:
        self._start_waiting()
        for job in self._jobs:
            if job.problem is not None and not job.told:
                job.told = True
                self.app.tell(job.problem)  # type: ignore[attr-defined]
            elif job.transfer is not None and not job.told and not job.running:
                if job.finish is not None and job.finished is None and not _was_cancelled(job.transfer.snapshot()):
                    job.finishing, job.how_far = CancelToken(), "working on the files"
                    work = partial(self._finish, job, job.finish, job.finishing)
                    self.run_worker(work, thread=True, group="finish", exit_on_error=False)
                    continue
                job.told = True
                self._ended(job)
        self._draw_bar()
        shown = self.job
        if shown is None or not self.display:
            return
        self.query_one("#transfers-head", Static).update(self._head(shown))
        self._looks += 1
        if shown.transfer is not None and (self._looks % TABLE_EVERY == 0 or shown.told):
            self._draw_table(shown)

    def _draw_table(self, job: Job) -> None:
        assert job.transfer is not None
        frame = job.transfer.frame()
        if not frame.equals(self.table.frame):
            self.table.replace(frame)

    def _draw_bar(self) -> None:
        running = [job.transfer.snapshot() for job in self._jobs if job.transfer is not None and job.running]
        words = ""
        if running:
            done, total = sum(one.ended for one in running), sum(one.total for one in running)
            rate = sum(one.rate for one in running)
            words = f"⇣ {done:,}/{total:,} {format_bytes(rate)}/s"
        self.app.query_one(TopBar).show(transfers=words)

    def _ended(self, job: Job) -> None:
        assert job.transfer is not None
        snapshot = job.transfer.snapshot()
        failed = snapshot.counts.get(TransferState.FAILED, 0)
        words = state_words(snapshot)
        if snapshot.problem is not None:
            words = f"{snapshot.problem} {words}"
        if job.finished is not None:
            words = f"{words}\n{finished_words(job.finished)}"
        self.app.notify(
            words,
            title="Download ended" if not failed else f"Download ended, {failed:,} failed (F6, R tries again)",
            severity="warning" if failed or snapshot.problem is not None else "information",
            markup=False,
        )

    def _head(self, job: Job) -> Text:
        place = f" ({self._shown + 1} of {len(self._jobs)}, n shows the next)" if len(self._jobs) > 1 else ""
        text = Text(f"{safe_text(job.title)} → {job.output}{place}\n", style="bold", no_wrap=True, overflow="ellipsis")
        if job.problem is not None:
            return text.append(f"✖ {job.problem}", style="not bold")
        if job.transfer is None and job.starting:
            return text.append("◌ starting…", style="not bold")
        if job.transfer is None:
            return text.append("○ waits until another download into this directory has ended", style="not bold")
        snapshot = job.transfer.snapshot()
        text.append(progress_line(snapshot, max(20, self.size.width - 2)), style="not bold")
        text.append(f"\n{state_words(snapshot)}", style="not bold")
        if snapshot.waits:
            more = f" and {len(snapshot.waits) - 1:,} more" if len(snapshot.waits) > 1 else ""
            text.append(f"\n○ {safe_text(snapshot.waits[0].text)}{more}", style="not bold")
        if snapshot.problem is not None:
            text.append(f"\n✖ {snapshot.problem}", style="not bold")
        if job.finishing is not None:
            text.append(f"\n◌ {safe_text(job.how_far)} (X stops)", style="not bold")
        if job.finished is not None:
            text.append(f"\n{finished_words(job.finished)}", style="not bold")
        return text

    # ---- keys ------------------------------------------------------------------------------------------------
    def action_pause(self) -> None:
        if self.job is None or self.job.transfer is None:
            return
        if self.job.transfer.snapshot().paused:
            self.job.transfer.resume()
        else:
            self.job.transfer.pause()
        self._look()

    def action_cancel_one(self) -> None:
        if self.job is None or self.job.transfer is None:
            return
        under_cursor = self.table.cursor_key
        for key in self.table.marked_keys or ({under_cursor} if under_cursor is not None else set()):
            self.job.transfer.cancel_one(key)
        self._look()

    def action_cancel_all(self) -> None:
        for job in self._jobs:
            if job.waiting:
                job.problem = AppError("Cancelled before it began.")
            else:
                self._stop(job)
        self._look()

    def action_retry(self) -> None:
        if self.job is not None and self.job.transfer is not None:
            self.job.transfer.retry_failed()
            self.job.told, self.job.finished = False, None
            self._look()

    def action_next_transfer(self) -> None:
        if len(self._jobs) > 1:
            self._shown = (self._shown + 1) % len(self._jobs)
            self.table.replace(TRANSFER_SCHEMA.empty())
            self._look()
            if self.job is not None and self.job.transfer is not None:
                self._draw_table(self.job)

    async def action_back(self) -> None:
        await self.app.run_action("back_to_list")

    def action_export(self) -> None:
        from tui.exporting import export_table

        export_table(self.app, self.table, TRANSFER_SCHEMA, "transfer")

    def action_filter(self) -> None:
        self.query_one(FilterLine).enter()

    @on(FrameTable.Highlighted)
    @on(FrameTable.Shown)
    def _explain(self, event: Message) -> None:
        """Why the file under the cursor failed or was skipped, and where it belongs."""
        event.stop()
        row = self.table.cursor_row
        line = self.query_one("#transfers-why", Static)
        line.set_class(row is not None, "-shown")
        if row is not None:
            text = Text(safe_text(str(row["target"])), no_wrap=True, overflow="ellipsis")
            if row["detail"]:
                text.append(f"\n{safe_text(str(row['detail']))}", style="bold")
            line.update(text)


def _was_cancelled(snapshot: TransferSnapshot) -> bool:
    return bool(snapshot.counts.get(TransferState.CANCELLED))


def finished_words(finished: Finished) -> str:
    """How the work after a download went, with the first of what it could not do."""
    words = safe_text(finished.words)
    for what, why in finished.problems[:PROBLEMS]:
        words += ("\n" if words else "") + f"✖ {safe_text(what + ': ' if what else '')}{safe_text(why)}"
    if len(finished.problems) > PROBLEMS:
        words += f"\n… and {len(finished.problems) - PROBLEMS:,} more"
    return words


def state_words(snapshot: TransferSnapshot) -> str:
    """Counts by state, the most wanted first: "310 verified · 2 failed"."""
    return " · ".join(f"{snapshot.counts[state]:,} {state}" for state in ORDER if snapshot.counts.get(state))


def progress_line(snapshot: TransferSnapshot, width: int) -> str:
    """A bar by bytes where sizes are known, by files where not; then done, rate and time left."""
    done, total = snapshot.ended, max(1, snapshot.total)
    share = done / total
    if snapshot.bytes_known:
        share = max(0.0, min(1.0, snapshot.bytes_done / snapshot.bytes_known))
    words = f" {share:4.0%}  {done:,} of {snapshot.total:,} files  {format_bytes(snapshot.bytes_done)}"
    if snapshot.paused:
        words += "  paused, p goes on"
    elif not snapshot.finished:
        words += f"  {format_bytes(snapshot.rate)}/s"
        words += f"  {_left(snapshot.eta)} left" if snapshot.eta is not None else ""
    bar = max(4, width - len(words) - 1)
    full = round(bar * share)
    return "━" * full + "╌" * (bar - full) + words


def _left(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
