"""Runs a download on the command line and reports it: the same plan and transfer as in the app."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backends.cancel import CancelToken
from backends.frames.formats import format_bytes, safe_text
from backends.transfers.plan import TransferPlan, make_plan
from backends.transfers.progress import describe_transfer
from backends.transfers.states import PRESENT_STATES, PlanAction, TransferState
from backends.transfers.transfer import Transfer
from tui.commands.output import Progress, say

if TYPE_CHECKING:
    import polars as pl

    from backends.session import Session
    from backends.transfers.files import RemoteFile

MAX_LISTED = 20  # failures printed; the manifest has all of them


def run_download(
    session: Session,
    files: list[RemoteFile],
    output: Path,
    *,
    cancel: CancelToken,
    overwrite: bool,
    rehash: bool,
    dry: bool,
) -> int:
    """Plans, prints a preview, downloads. Returns the exit code: 0 if all files are complete, 1 if not, 130 if
    interrupted.
    """
    plan = make_plan(files, output, cancel=cancel, overwrite=overwrite, rehash=rehash)
    say(summary(plan))
    for warning in plan.warnings:
        say(f"note: {safe_text(warning)}")
    unlisted = print_skipped(plan)
    if dry:
        click.echo(plan.tree(200))
        return int(unlisted)
    transfer = Transfer(
        plan,
        open_downloader=session.open_downloader,
        jobs=session.settings.jobs or None,
        settings=session.http.downloader_settings(),
    )
    progress = Progress()
    with _interruptible(transfer) as interrupted:
        transfer.start()
        reported: set[str] = set()  # hosts
        while not transfer.wait(0.1):
            for wait in transfer.snapshot().waits:
                if wait.host not in reported:
                    reported.add(wait.host)
                    progress.clear()
                    say(f"note: {safe_text(wait.text)}; files of other servers continue")
            progress.show(lambda: describe_transfer(transfer.snapshot()))
        progress.clear()
    return _print_result(transfer, output, interrupted.is_set()) or int(unlisted)


def print_skipped(plan: TransferPlan) -> bool:
    """Prints how many files are skipped, by reason; returns whether some could not even be listed."""
    reasons = Counter(row.reason for row in plan.rows if row.action is PlanAction.SKIP)
    for reason, count in sorted(reasons.items()):
        say(f"skipped ({count:,}): {safe_text(reason)}")
    return any(row.file.unlisted for row in plan.rows)


@contextmanager
def _interruptible(transfer: Transfer) -> Iterator[threading.Event]:
    """Ctrl+C and SIGTERM cancel the transfer: the next run resumes it."""
    interrupted = threading.Event()

    def stop(*_: object) -> None:
        interrupted.set()
        # Not in the handler itself: the interrupted thread may hold the transfer's lock.
        threading.Thread(target=transfer.cancel, daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(plan: TransferPlan) -> str:
    """One line: "312 files to fetch (48 MB) into DIR; 12 unchanged, 3 skipped"."""
    words = {
        PlanAction.RESUME: "to resume",
        PlanAction.SKIP: "skipped",
        PlanAction.CONFLICT: "in conflict",
    }
    others = [
        f"{count:,} {words.get(action, action)}"
        for action, count in plan.counts.items()
        if count and action is not PlanAction.FETCH
    ]
    if plan.unchecked:
        others.append(f"{plan.unchecked:,} of the unchanged not verified (no digest or length was known)")
    known = format_bytes(plan.bytes_to_fetch) + (" and more" if plan.unknown_sizes else "")
    if plan.unknown_sizes == plan.to_fetch > 0:
        known = "size unknown"
    return f"{plan.to_fetch:,} file{'s' * (plan.to_fetch != 1)} to fetch ({known}) into {plan.output}" + (
        f"; {', '.join(others)}" if others else ""
    )


def _print_result(transfer: Transfer, output: Path, interrupted: bool) -> int:
    end = transfer.snapshot()
    say(", ".join(f"{count:,} {state}" for state, count in end.counts.items() if count) + f" in {output}")
    frame = transfer.frame()
    if end.counts.get(TransferState.VERIFIED):
        say(f"verified by {count_checks(frame)}")
    if end.counts.get(TransferState.UNCHECKED):
        say("note: unchecked files arrived without a length or digest, so they may be incomplete")
    noted = frame.filter(frame["state"].is_in(PRESENT_STATES) & (frame["detail"] != ""))
    for row in noted.head(MAX_LISTED).iter_rows(named=True):
        say(f"note: {row['target']}: {safe_text(row['detail'])}")
    if len(noted) > MAX_LISTED:
        say(
            f"… and {len(noted) - MAX_LISTED:,} more such notes; all are in {output / '.ciexplore' / 'manifest.sqlite'}"
        )
    failed = frame.filter(frame["state"] == TransferState.FAILED.value)
    for row in failed.head(MAX_LISTED).iter_rows(named=True):
        say(f"failed: {row['target']}: {row['reason']}. {safe_text(row['detail'])}")
    if len(failed) > MAX_LISTED:
        say(f"… and {len(failed) - MAX_LISTED:,} more; all are in {output / '.ciexplore' / 'manifest.sqlite'}")
    if end.problem is not None:
        say(str(end.problem))
    if interrupted:
        say("Interrupted. Run the same command again to resume.")
        return 130
    return 1 if end.failed or end.counts.get(TransferState.CANCELLED, 0) else 0


def count_checks(frame: pl.DataFrame) -> str:
    """Counts verified files by what verified them: "digest md5 (300), length (12)"."""
    counts = (
        frame.filter(frame["state"] == TransferState.VERIFIED.value)["checked_by"].value_counts().sort("checked_by")
    )
    return ", ".join(f"{what} ({count:,})" for what, count in counts.iter_rows())


def extract_archives(files: list[RemoteFile], output: Path, cancel: CancelToken) -> int:
    """Extracts the archives among these files and prints a summary. Returns the exit code: 1 if one failed."""
    from backends.extraction.extractor import extract_downloads

    progress = Progress()
    try:
        summary = extract_downloads(
            output, {file.key for file in files}, cancel, lambda done, of: progress.show(f"{done:,} of {of:,} unpacked")
        )
    finally:
        progress.clear()
    kept = f", {summary.kept:,} {'was' if summary.kept == 1 else 'were'} unpacked already" if summary.kept else ""
    say(f"{summary.unpacked:,} archive{'s' * (summary.unpacked != 1)} unpacked{kept}")
    for archive, name, why in summary.skipped[:MAX_LISTED]:
        say(f"note: {safe_text(archive)}: {safe_text(name)} was not extracted: {why}")
    for archive, why in summary.problems[:MAX_LISTED]:
        say(f"not unpacked: {safe_text(archive)}: {safe_text(why)}")
    for left in (summary.skipped[MAX_LISTED:], summary.problems[MAX_LISTED:]):
        if left:
            say(f"… and {len(left):,} more")
    return 1 if summary.problems else 0
