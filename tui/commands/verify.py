"""`ciexplore verify`: compares a downloaded directory with its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from backends.paths import expand_home, is_directory
from tui.commands.output import Progress, emit, output_options, say


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also list unchanged files.")
@click.option("--extra", is_flag=True, help="Also list files in DIR that were not downloaded.")
@output_options
def verify(directory: Path, everything: bool, extra: bool, columns: str | None, **options: Any) -> int:
    """Verify a downloaded directory against its manifest, without network.

    DIR is the --output of a download. Lists files that are missing, changed or unchecked (they arrived without a length
    or digest, so they may be incomplete). Files that were extracted or linked from downloads are neither compared nor
    extra.
    Exits with 0 if every file is as recorded and with 1 if one is missing, changed or, with --extra, not in the
    manifest.
    """
    from backends.cancel import CancelToken
    from backends.frames.formats import format_bytes
    from backends.interrupts import cancel_on_sigint
    from backends.transfers.verification import VERIFICATION_SCHEMA, FileCheck, verify_directory

    output, cancel, progress = expand_home(directory).absolute(), CancelToken(), Progress()

    def show(done: int, of: int, read: int) -> None:
        progress.show(lambda: f"{done:,} of {of:,} files read, {format_bytes(read)}")

    with cancel_on_sigint(cancel):
        try:
            found = verify_directory(output, cancel, show, extra=extra, derived=_derived_paths(output) if extra else ())
        finally:
            progress.clear()
    frame = found.frame
    if not everything:
        frame = frame.filter(frame["state"] != FileCheck.UNCHANGED.value)
    emit(frame, VERIFICATION_SCHEMA, columns=columns, **options)
    counts = [f"{count:,} {finding}" for finding, count in found.counts.items() if count]
    say(f"{', '.join(counts) or 'no files recorded'} in {output} ({format_bytes(found.bytes)} read)")
    if found.absent:
        were = "was" if found.absent == 1 else "were"
        say(f"note: {found.absent:,} more {were} not downloaded (failed, cancelled or interrupted)")
    return 0 if found.is_right else 1


def _derived_paths(output: Path) -> set[str]:
    """Extracted trees, and in ArtifactDownloader's layout the data directories and the files about the run."""
    from backends.extraction.trees import read_result_paths
    from backends.taskcluster.artifact_downloader.placement import CONFIG_FILE, FILES_FILE, GROUP_FILE, TASKS_FILE
    from backends.transfers.names import OWN_DIRECTORY

    if not is_directory(output / OWN_DIRECTORY):
        return set()
    made = read_result_paths(output)
    for group, run in {tuple(path.split("/")[:2]) for path in made if path.count("/") >= 4}:
        names = (CONFIG_FILE, FILES_FILE, GROUP_FILE, TASKS_FILE)
        made |= {f"{group}/{GROUP_FILE}", *(f"{group}/{run}/{name}" for name in names)}
    return made
