"""F6: running and finished downloads, file by file, with progress, rate and time left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import chop_cells
from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Input, Static

from backends.cancel import CancelToken
from backends.downloads import ContentKind, DownloadedFile, inspect_file, read_image_file
from backends.errors import AppError
from backends.frames.formats import format_bytes, safe_text, state_glyph
from backends.loading import format_seconds_left
from backends.locators import Locator
from backends.logs import sources
from backends.resources import Document, Finished, ImageFile
from backends.transfers.plan import TransferPlan
from backends.transfers.progress import TRANSFER_SCHEMA, TransferSnapshot, order_for_table
from backends.transfers.states import PRESENT_STATES, TransferState
from backends.transfers.transfer import Transfer
from tui import crash_log
from tui.input_queue import call_after_input
from tui.keymap import bindings, explain_foreign_key, find_key
from tui.widgets.filter_line import FilterLine
from tui.widgets.plain import PlainVertical, is_present
from tui.widgets.reader_pane import ReaderPane
from tui.widgets.state_bar import StateBar
from tui.widgets.table import FrameTable

if TYPE_CHECKING:
    import polars as pl

    from backends.session import Session
    from tui.widgets.download_dialog import Finish

_TICK = 0.2  # seconds between two updates of the pane
_LOW = 18  # lines of the pane below which the table needs them
_MAX_PROBLEMS = 3  # listed of the work after a download
_LOGS = (".log", ".log.gz", ".log.zst")  # texts that are read from their first error on
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
    start_announced: bool = False
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
    TransfersPane #transfers-path, TransfersPane #transfers-head { height: auto; max-height: 6; padding: 0 1;
        text-wrap: nowrap; text-overflow: ellipsis; display: none; }
    TransfersPane #transfers-empty { padding: 2 4; height: 1fr; }
    TransfersPane FrameTable, TransfersPane StateBar { display: none; }
    TransfersPane #transfers-why { height: auto; min-height: 2; max-height: 8; padding: 0 1; display: none; }
    TransfersPane #transfers-why.-shown { display: block; }
    TransfersPane #transfers-why.-low { text-wrap: nowrap; text-overflow: ellipsis; }
    TransfersPane.-any > FrameTable, TransfersPane.-any > StateBar, TransfersPane.-any > #transfers-path,
    TransfersPane.-any > #transfers-head { display: block; }
    TransfersPane.-any > #transfers-empty { display: none; }
    TransfersPane.-reading > * { display: none; }
    TransfersPane.-reading > ReaderPane { display: block; }
    """
    BINDINGS = bindings("transfers")
    can_focus = True

    class FilesRead(Message):
        """How far the files of a download are, in the order of the table; None: that could not be read."""

        def __init__(self, job: DownloadJob, frame: pl.DataFrame | None) -> None:
            super().__init__()
            self.job, self.frame = job, frame

    def __init__(self, session: Session, *, id: str) -> None:
        super().__init__(id=id)
        self._session = session
        self._jobs: list[DownloadJob] = []
        self._shown = -1
        self._updates = 0
        self._is_reading_files = False
        self._told = Text(), Text()  # the path and the head that are shown
        self._offered: tuple[bool, ...] = ()  # which actions the footer offers

    def compose(self) -> ComposeResult:
        yield Static("", id="transfers-path")
        yield StateBar()
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

    def on_show(self) -> None:
        """At once, not with the next update but one."""
        self._update()
        if self.job is not None:
            self._read_files(self.job)

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
        if self.reader is not None:
            self.reader.focus_view()
        else:
            self.screen.set_focus(self.table if self._jobs else self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What cannot act now is not offered; over a reader none of these keys is the table's."""
        if self.reader is not None:
            return False
        job = self.job
        if action in ("pause", "cancel_one", "cancel_all"):
            return job is not None and (job.waiting or job.running)
        if action == "retry":
            return job is not None and job.transfer is not None and job.transfer.snapshot().failed > 0
        if action in ("filter", "export", "open_source"):
            return job is not None
        return len(self._jobs) > 1 if action == "next_transfer" else True

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
        if not self._jobs[-1].starting:
            waits = "It waits until another download into this directory ends. F6 shows it."
            self.app.notify(waits, title=title, markup=False)
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
        if job.transfer is not None:
            job.transfer.frame()  # it keeps the names of the files, which take long to find: F6 is not to wait for them

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
            if job.transfer is not None and not job.start_announced:  # not before it has its directory
                job.start_announced = True
                self.app.notify("Started. F6 shows it file by file.", title=job.title, markup=False)
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
        told = self._path(shown), self._head(shown)
        if told != self._told:  # what has ended is not drawn again and again
            self._told = told
            for line, text in zip(("#transfers-path", "#transfers-head"), told, strict=True):
                _update_line(self.query_one(line, Static), text, text.plain.count("\n") + 1)
        self.query_one(StateBar).show(_count_states(shown))
        offered = tuple(bool(self.check_action(action, ())) for action in ("pause", "retry"))
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()
        self._updates += 1
        if self._updates % _TABLE_EVERY == 0:
            self._read_files(shown)

    def _read_files(self, job: DownloadJob) -> None:
        """In a thread, once at a time: of 5,000 files it takes 30 ms, in which no key would be handled."""
        transfer = job.transfer
        if transfer is None or self._is_reading_files:
            return
        self._is_reading_files = True

        def read() -> None:
            frame, _ = crash_log.attempt(lambda: order_for_table(transfer.frame()))
            self.post_message(self.FilesRead(job, frame))

        self.run_worker(read, thread=True, group="files", exit_on_error=False)

    @on(FilesRead)
    def _show_files(self, event: FilesRead) -> None:
        event.stop()
        self._is_reading_files = False
        if event.job is not self.job and self.job is not None:  # another one was chosen meanwhile
            self._read_files(self.job)
        elif event.frame is not None:
            call_after_input(self.app, partial(self._replace_files, event.job, event.frame))

    def _replace_files(self, job: DownloadJob, frame: pl.DataFrame) -> None:
        if is_present(self) and job is self.job and not frame.equals(self.table.frame):
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
        how = f"finished, {failed:,} failed (F6, R retries)" if failed else "finished"
        self.app.notify(
            message,
            title=f"Download {how}: {job.title}",
            severity="warning" if failed or snapshot.problem is not None else "information",
            markup=False,
        )

    def _head(self, job: DownloadJob) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        if job.error is not None:
            return text.append(f"✖ {job.error}")
        if job.transfer is None and job.starting:
            return text.append("◌ starting…")
        if job.transfer is None:
            return text.append("○ waits until another download into this directory ends")
        snapshot = job.transfer.snapshot()
        text.append(format_progress(snapshot))
        if snapshot.waits:
            more = f" and {len(snapshot.waits) - 1:,} more" if len(snapshot.waits) > 1 else ""
            text.append(f"\n○ {safe_text(snapshot.waits[0].text)}{more}")
        if snapshot.problem is not None:
            text.append(f"\n✖ {snapshot.problem}")
        if job.finish_cancel is not None:
            text.append(f"\n◌ {safe_text(job.finish_progress)} (X stops)")
        if job.finished is not None:
            text.append(f"\n{describe_finished(job.finished)}")
        return text

    def _path(self, job: DownloadJob) -> Text:
        """Which download is shown and where its files go; the number of downloads is never cut."""
        place = f" {self._shown + 1} of {len(self._jobs)}, n: next" if len(self._jobs) > 1 else ""
        text = Text("Transfers › ", no_wrap=True).append(safe_text(job.title), "bold")
        text.append(f" → {safe_text(str(job.plan.output))}")
        text.truncate(max(0, self.size.width - 2 - len(place)), overflow="ellipsis", pad=bool(place))
        return text.append(place)

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
            self.run_worker(partial(self._retry, self.job), thread=True, group="begin", exit_on_error=False)

    def _retry(self, job: DownloadJob) -> None:
        """In a worker thread: a run that has ended takes its directory again."""
        assert job.transfer is not None
        count, error = crash_log.attempt(job.transfer.retry_failed)
        if count:
            job.announced, job.finished = False, None
        if error is not None:
            self.app.call_from_thread(self.app.show_error, error)  # type: ignore[attr-defined]

    def action_next_transfer(self) -> None:
        if len(self._jobs) > 1:
            self._shown = (self._shown + 1) % len(self._jobs)
            self.table.replace(TRANSFER_SCHEMA.empty())
            self._update()
            if self.job is not None:
                self._read_files(self.job)

    def on_key(self, event: events.Key) -> None:
        """A key that other lists have says so, where it would otherwise do nothing."""
        if isinstance(self.screen.focused, Input) or event.key in self.screen.active_bindings:
            return
        remapped = self._session.settings.keys
        if (key := find_key(event.key, ("transfers",), remapped)) is not None:
            belongs = "can do nothing now: there is no file to do it with."
        elif (key := find_key(event.key, ("view",), remapped)) is not None:
            belongs = "is a key of other lists. ? shows the keys of Transfers."
        else:
            return
        event.stop()
        self.app.notify(explain_foreign_key(event.key, key, belongs))

    async def action_back(self) -> None:
        if not (self.query_one(FilterLine).clear() or self.table.unmark()):
            await self.app.run_action("back_to_list")

    def action_export(self) -> None:
        from tui.widgets.export_dialog import export_table

        export_table(self.app, self.table, TRANSFER_SCHEMA, "transfer")

    def action_filter(self) -> None:
        self.query_one(FilterLine).enter()

    def on_resize(self) -> None:
        if is_present(self):
            self._explain_row()

    @on(FrameTable.RowHighlighted)
    @on(FrameTable.ViewChanged)
    def _rows_changed(self, event: Message) -> None:
        event.stop()
        self._explain_row()

    def _explain_row(self) -> None:
        """What became of the file under the cursor, and what can be done about it."""
        self.query_one(FilterLine).show_hits(self.table.row_count, self.table.total_count)
        row = self.table.cursor_row
        line = self.query_one("#transfers-why", Static)
        line.set_class(row is not None, "-shown")
        if row is not None and self.job is not None:
            happened, advice = describe_file(row, self.job.plan.output)
            is_low = self.size.height < _LOW  # else the reason of a failure is shown whole
            width = max(1, self.size.width - 2)  # of the line, which has its own only once it is shown
            if row["state"] in PRESENT_STATES and not is_low:
                # A path has no blanks: wrapped by words, its sign would stand alone above it.
                happened = "\n".join(chop_cells(happened, width))
            line.set_class(is_low, "-low")
            text = Text(happened, "bold", overflow="fold")
            text.append(f"\n{advice}", "not bold")
            _update_line(line, text, 2 if is_low else len(text.wrap(self.app.console, width)))

    # ---- opening ---------------------------------------------------------------------------------------------
    @property
    def reader(self) -> ReaderPane | None:
        """The file that is read over the table."""
        found = self.query(ReaderPane)
        return found.first() if found else None

    @on(FrameTable.RowSelected)
    def _open_row(self, event: FrameTable.RowSelected) -> None:
        event.stop()
        row, job = self.table.cursor_row, self.job
        if row is None or job is None:
            return
        if row["state"] in PRESENT_STATES:
            self._open_file(job.plan.output / row["target"], f"{row['name']} of {row['origin']}")
        else:
            self.action_open_source()

    @work(group="open", exit_on_error=False)
    async def _open_file(self, path: Path, title: str) -> None:
        """A text in the log reader, JSON as a tree, an image; of anything else it is said where it is."""
        found, error = await asyncio.to_thread(crash_log.attempt, inspect_file, path)
        if found is None:
            self.app.show_error(error)  # type: ignore[attr-defined]
        elif found.kind is ContentKind.MISSING:
            self.app.notify(f"{path} is not there any more. Download it again.", severity="warning", markup=False)
        elif found.kind is ContentKind.OTHER:
            self.app.notify(f"It is not text. It is in {path}", title=title, timeout=10, markup=False)
        elif self.reader is None and self.is_attached:
            self.add_class("-reading")
            await self.mount(_make_reader(found, title, self._session.settings.images))
            self.refresh_bindings()
            self.enter()

    async def close_reader(self) -> bool:
        """Back to the table; False if nothing is read over it."""
        reader = self.reader
        if reader is None:
            return False
        await reader.remove()
        self.remove_class("-reading")
        self.refresh_bindings()
        self.enter()
        return True

    async def on_reader_pane_closed(self, event: ReaderPane.Closed) -> None:
        event.stop()
        await self.close_reader()

    def action_open_source(self) -> None:
        """The list that has the file under the cursor."""
        key, job = self.table.cursor_key, self.job
        files = (row.file for row in job.plan.rows) if job is not None else ()
        source: Locator | None = next((file.listed_in for file in files if file.key == key), None)
        if source is not None:
            self.app.open_locator(source)  # type: ignore[attr-defined]
        elif key is not None:
            self.app.notify("No list leads to this file. R retries what failed.")

    @on(StateBar.Selected)
    def _filter_by_state(self, event: StateBar.Selected) -> None:
        event.stop()
        filter_line = self.query_one(FilterLine)
        filter_line.clear()
        filter_line.set_initial(f"state:{event.state}")


def _make_reader(found: DownloadedFile, title: str, images: str) -> ReaderPane:
    """`images`: how they are shown, of the settings."""
    if found.kind is ContentKind.IMAGE:
        from tui.widgets.image_pane import ImagePane

        return ImagePane(ImageFile(title, None, lambda cancel: read_image_file(found.path)), images)
    if found.kind is ContentKind.JSON:
        from tui.widgets.tree import TreePane

        return TreePane(Document(title, None, lambda cancel: found.value))
    from tui.widgets.log_pane import LogPane

    return LogPane(sources.from_path(found.path), title, failed=found.path.name.lower().endswith(_LOGS))


def _count_states(job: DownloadJob) -> dict[str, int]:
    """How many files of a download are in each state; before it starts all are planned."""
    if job.transfer is None:
        return {} if job.error is not None else {TransferState.PLANNED: len(job.plan.rows)}
    counts = {str(state): count for state, count in job.transfer.snapshot().counts.items()}
    counts[TransferState.RUNNING] += counts.pop(TransferState.STORED)  # all but renamed
    return counts


def describe_file(row: Mapping[str, Any], output: Path) -> tuple[str, str]:
    """Two lines about a row of the table: what became of the file, and what can be done about it."""
    state, sign = row["state"], state_glyph(row["state"])
    why = safe_text(row["detail"] or row["reason"] or "")
    source = "t opens its task or build"
    if state in PRESENT_STATES:
        return f"{sign} {safe_text(str(output / row['target']))}", f"⏎ opens it · {source}{f' · {why}' if why else ''}"
    if state == TransferState.FAILED:
        reason = f"{row['reason']}. " if row["reason"] and row["detail"] else ""
        return f"{sign} {safe_text(reason)}{why}", "R retries all that failed · ⏎ opens its task or build"
    if state == TransferState.SKIPPED:
        return f"{sign} skipped: {why}", "⏎ opens its task or build"
    if state == TransferState.CANCELLED:
        return f"{sign} cancelled: {why}", "The same download again resumes it · ⏎ opens its task or build"
    if state == TransferState.PLANNED:
        return f"{sign} waits {f'for its next try: {why}' if why else 'to start'}", f"x cancels it · {source}"
    size = f" of {format_bytes(row['size'])}" if row["size"] is not None else ""
    return f"{sign} {format_bytes(row['bytes'] or 0)}{size} have arrived", f"x cancels it · p pauses all · {source}"


def _update_line(line: Static, text: Text, lines: int) -> None:
    """Without a new layout, which draws all of the screen again, where the text takes as many lines as before."""
    line.update(text, layout=line.size.height != lines)


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


def format_progress(snapshot: TransferSnapshot) -> str:
    """Files and bytes so far, rate and time left: "395 of 537 files · 51.2 of 69.7 MB · 4.1 MB/s · 5 s left"."""
    size = format_bytes(snapshot.bytes_done)
    if not snapshot.finished and snapshot.bytes_known > snapshot.bytes_done:
        size += f" of {format_bytes(snapshot.bytes_known)}"
        size += " and more" if snapshot.unknown_sizes else ""
    parts = [f"{snapshot.ended:,} of {snapshot.total:,} file{'s' * (snapshot.total != 1)}", size]
    if snapshot.paused:
        parts.append("paused (p resumes)")
    elif not snapshot.finished:
        parts.append(f"{format_bytes(snapshot.rate)}/s")
        parts += [f"{format_seconds_left(snapshot.eta)} left"] if snapshot.eta is not None else []
    return " · ".join(parts)
