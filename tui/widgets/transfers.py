"""F6: running and finished downloads, file by file, with progress, rate and time left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
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
from tui.widgets.plain import PlainVertical
from tui.widgets.table import FrameTable

if TYPE_CHECKING:
    from backends.session import Session
    from tui.widgets.download_dialog import Finish

_TICK = 0.2  # seconds between two updates of the pane
_MAX_PROBLEMS = 3  # listed of the work after a download
_TABLE_EVERY = 3  # updates; the table of files follows at every third one
_STATE_ORDER = (
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
class DownloadJob:
    """One confirmed plan: waiting for another one on the same directory, running, or ended."""

    title: str
    plan: TransferPlan
    finish: Finish | None = None  # the work that comes after the files
    transfer: Transfer | None = None
    error: AppError | None = None
    starting: bool = False
    announced: bool = False  # a toast has said how it ended
    finish_cancel: CancelToken | None = None  # while that work runs
    finish_progress: str = ""
    finished: Finished | None = None

    @property
    def waiting(self) -> bool:
        return self.transfer is None and self.error is None

    @property
    def running(self) -> bool:
        return self.finish_cancel is not None or (self.transfer is not None and not self.transfer.finished)


class TransfersPane(PlainVertical):
    """Polls the running transfers; it knows nothing of how files are fetched."""

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
        self._jobs: list[DownloadJob] = []
        self._shown = -1
        self._updates = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="transfers-head")
        yield FilterLine(lambda: self.table, self.enter)
        yield Static(
            Text("No downloads since ciexplore was started.\n\nMark tasks or artifacts and press d."),
            id="transfers-empty",
        )
        yield FrameTable(TRANSFER_SCHEMA)
        yield Static("", id="transfers-why")

    def on_mount(self) -> None:
        self.set_interval(_TICK, self._update)

    @property
    def active(self) -> bool:
        return any(job.waiting or job.running for job in self._jobs)

    @property
    def job(self) -> DownloadJob | None:
        return self._jobs[self._shown] if self._jobs else None

    @property
    def table(self) -> FrameTable:
        return self.query_one(FrameTable)

    def enter(self) -> None:
        self.screen.set_focus(self.table if self._jobs else self)

    # ---- the jobs --------------------------------------------------------------------------------------------
    def add(self, title: str, plan: TransferPlan, finish: Finish | None = None) -> None:
        """Takes a confirmed plan; it starts at once unless another one still writes into its directory.

        `finish`: the work to do with the files when they have arrived.
        """
        self._jobs.append(DownloadJob(title, plan, finish))
        self._shown = len(self._jobs) - 1
        self.add_class("-any")
        self.table.replace(TRANSFER_SCHEMA.empty())
        self._start_waiting()
        self._update()

    def cancel_everything(self) -> None:
        """For leaving the app: what has arrived of a file stays, and the next run resumes it."""
        for job in self._jobs:
            self._stop(job)
        for job in self._jobs:
            if job.transfer is not None:
                job.transfer.wait(5)

    def _stop(self, job: DownloadJob) -> None:
        if job.finish_cancel is not None:
            job.finish_cancel.cancel()
        elif job.transfer is not None and job.running:
            job.transfer.cancel()

    def _start_waiting(self) -> None:
        busy = {job.plan.output for job in self._jobs if job.running or (job.waiting and job.starting)}
        for job in self._jobs:
            if job.waiting and not job.starting and job.plan.output not in busy:
                busy.add(job.plan.output)
                job.starting = True
                self.run_worker(partial(self._start, job), thread=True, group="begin", exit_on_error=False)

    def _start(self, job: DownloadJob) -> None:
        """In a worker thread: taking the directory and opening its manifest wait for the disk."""

        def start() -> Transfer:
            transfer = Transfer(
                job.plan,
                open_downloader=self._session.open_downloader,
                jobs=self._session.settings.jobs or None,
                settings=self._session.http.downloader_settings(),
                pause_when_full=True,
            )
            transfer.start()
            return transfer

        job.transfer, job.error = crash_log.attempt(start)

    def _finish(self, job: DownloadJob, finish: Finish, cancel: CancelToken) -> None:
        """In a worker thread: unpacking and the like, once the files are there."""

        def progress(text: str) -> None:
            job.finish_progress = text

        try:
            finished, error = crash_log.attempt(finish, cancel, progress)
            job.finished = finished if finished is not None else Finished("", (("", str(error)),))
        finally:
            job.finish_cancel = None

    # ---- updating --------------------------------------------------------------------------------------------
    def _update(self) -> None:
        self._start_waiting()
        for job in self._jobs:
            if job.error is not None and not job.announced:
                job.announced = True
                self.app.show_error(job.error)  # type: ignore[attr-defined]
            elif job.transfer is not None and not job.announced and not job.running:
                if job.finish is not None and job.finished is None and not _was_cancelled(job.transfer.snapshot()):
                    job.finish_cancel, job.finish_progress = CancelToken(), "processing the files"
                    work = partial(self._finish, job, job.finish, job.finish_cancel)
                    self.run_worker(work, thread=True, group="finish", exit_on_error=False)
                    continue
                job.announced = True
                self._announce_end(job)
        self._draw_progress()
        shown = self.job
        if shown is None or not self.display:
            return
        self.query_one("#transfers-head", Static).update(self._head(shown))
        self._updates += 1
        if shown.transfer is not None and (self._updates % _TABLE_EVERY == 0 or shown.announced):
            self._draw_table(shown)

    def _draw_table(self, job: DownloadJob) -> None:
        assert job.transfer is not None
        frame = job.transfer.frame()
        if not frame.equals(self.table.frame):
            self.table.replace(frame)

    def _draw_progress(self) -> None:
        running = [job.transfer.snapshot() for job in self._jobs if job.transfer is not None and job.running]
        text = ""
        if running:
            done, total = sum(shot.ended for shot in running), sum(shot.total for shot in running)
            rate = sum(shot.rate for shot in running)
            text = f"⇣ {done:,}/{total:,} {format_bytes(rate)}/s"
        self.app.show_transfer_progress(text)  # type: ignore[attr-defined]

    def _announce_end(self, job: DownloadJob) -> None:
        assert job.transfer is not None
        snapshot = job.transfer.snapshot()
        failed = snapshot.counts.get(TransferState.FAILED, 0)
        message = format_state_counts(snapshot)
        if snapshot.problem is not None:
            message = f"{snapshot.problem} {message}"
        if job.finished is not None:
            message = f"{message}\n{describe_finished(job.finished)}"
        self.app.notify(
            message,
            title="Download finished" if not failed else f"Download finished, {failed:,} failed (F6, R retries)",
            severity="warning" if failed or snapshot.problem is not None else "information",
            markup=False,
        )

    def _head(self, job: DownloadJob) -> Text:
        place = f" ({self._shown + 1} of {len(self._jobs)}, n: next)" if len(self._jobs) > 1 else ""
        text = Text(
            f"{safe_text(job.title)} → {job.plan.output}{place}\n", style="bold", no_wrap=True, overflow="ellipsis"
        )
        if job.error is not None:
            return text.append(f"✖ {job.error}", style="not bold")
        if job.transfer is None and job.starting:
            return text.append("◌ starting…", style="not bold")
        if job.transfer is None:
            return text.append("○ waits until another download into this directory ends", style="not bold")
        snapshot = job.transfer.snapshot()
        text.append(format_progress(snapshot, max(20, self.size.width - 2)), style="not bold")
        text.append(f"\n{format_state_counts(snapshot)}", style="not bold")
        if snapshot.waits:
            more = f" and {len(snapshot.waits) - 1:,} more" if len(snapshot.waits) > 1 else ""
            text.append(f"\n○ {safe_text(snapshot.waits[0].text)}{more}", style="not bold")
        if snapshot.problem is not None:
            text.append(f"\n✖ {snapshot.problem}", style="not bold")
        if job.finish_cancel is not None:
            text.append(f"\n◌ {safe_text(job.finish_progress)} (X stops)", style="not bold")
        if job.finished is not None:
            text.append(f"\n{describe_finished(job.finished)}", style="not bold")
        return text

    # ---- keys ------------------------------------------------------------------------------------------------
    def action_pause(self) -> None:
        if self.job is None or self.job.transfer is None:
            return
        if self.job.transfer.snapshot().paused:
            self.job.transfer.resume()
        else:
            self.job.transfer.pause()
        self._update()

    def action_cancel_one(self) -> None:
        if self.job is None or self.job.transfer is None:
            return
        under_cursor = self.table.cursor_key
        for key in self.table.marked_keys or ({under_cursor} if under_cursor is not None else set()):
            self.job.transfer.cancel_one(key)
        self._update()

    def action_cancel_all(self) -> None:
        for job in self._jobs:
            if job.waiting:
                job.error = AppError("Cancelled before it started.")
            else:
                self._stop(job)
        self._update()

    def action_retry(self) -> None:
        if self.job is not None and self.job.transfer is not None:
            self.job.transfer.retry_failed()
            self.job.announced, self.job.finished = False, None
            self._update()

    def action_next_transfer(self) -> None:
        if len(self._jobs) > 1:
            self._shown = (self._shown + 1) % len(self._jobs)
            self.table.replace(TRANSFER_SCHEMA.empty())
            self._update()
            if self.job is not None and self.job.transfer is not None:
                self._draw_table(self.job)

    async def action_back(self) -> None:
        await self.app.run_action("back_to_list")

    def action_export(self) -> None:
        from tui.widgets.export_dialog import export_table

        export_table(self.app, self.table, TRANSFER_SCHEMA, "transfer")

    def action_filter(self) -> None:
        self.query_one(FilterLine).enter()

    @on(FrameTable.RowHighlighted)
    @on(FrameTable.ViewChanged)
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


def describe_finished(finished: Finished) -> str:
    """How the work after a download went, with the first of what it could not do."""
    lines = [safe_text(finished.words)] if finished.words else []
    for what, why in finished.problems[:_MAX_PROBLEMS]:
        lines.append(f"✖ {safe_text(what + ': ' if what else '')}{safe_text(why)}")
    if len(finished.problems) > _MAX_PROBLEMS:
        lines.append(f"… and {len(finished.problems) - _MAX_PROBLEMS:,} more")
    return "\n".join(lines)


def format_state_counts(snapshot: TransferSnapshot) -> str:
    """Counts by state, the most important first: "310 verified · 2 failed"."""
    return " · ".join(f"{snapshot.counts[state]:,} {state}" for state in _STATE_ORDER if snapshot.counts.get(state))


def format_progress(snapshot: TransferSnapshot, width: int) -> str:
    """A bar by bytes where sizes are known, by files where not; then done, rate and time left."""
    done, total = snapshot.ended, max(1, snapshot.total)
    share = done / total
    if snapshot.bytes_known:
        share = max(0.0, min(1.0, snapshot.bytes_done / snapshot.bytes_known))
    text = f" {share:4.0%}  {done:,} of {snapshot.total:,} files  {format_bytes(snapshot.bytes_done)}"
    if snapshot.paused:
        text += "  paused (p resumes)"
    elif not snapshot.finished:
        text += f"  {format_bytes(snapshot.rate)}/s"
        text += f"  {_format_eta(snapshot.eta)} left" if snapshot.eta is not None else ""
    bar = max(4, width - len(text) - 1)
    full = round(bar * share)
    return "━" * full + "╌" * (bar - full) + text


def _format_eta(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
