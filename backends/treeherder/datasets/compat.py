"""The whole dataset as the original's scripts left it: the same names, columns, formats and definitions.

Where the original's documentation and its code differ, its code is followed; docs/perfherder-datasets.md lists each
such place, and each where neither could be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.treeherder.datasets import compat_jobs
from backends.treeherder.datasets.alert_views import failing_signatures
from backends.treeherder.datasets.compat_alerts import Lists, write_alerts
from backends.treeherder.datasets.compat_files import Folder
from backends.treeherder.datasets.names import HIDDEN_STATUSES
from backends.treeherder.datasets.plots import can_plot
from backends.treeherder.datasets.relabel import Relabelling
from backends.treeherder.datasets.views import Dataset


@dataclass
class Exported:
    """`files`: (name, "written" or "unchanged"); `notes`: sentences about what is missing or special."""

    files: list[tuple[str, str]]
    notes: list[str] = field(default_factory=list)


def export(
    dataset: Dataset,
    directory: Path,
    *,
    lists: Lists = "python",
    structure: Path | None = None,
    histograms: bool = True,
    overwrite: bool = False,
    cancel: CancelToken,
    progress: Callable[[str], None] = lambda words: None,
) -> Exported:
    """Writes all files of the original into `directory`; the same store gives the same bytes.

    `structure`: a perf_llm_struc.jsonl to relabel. `histograms`: the PNG files, too, where matplotlib is there. Raises
    `FileError`, `UsageError`, `OperationCancelledError`; files that were written before stay.
    """
    folder = Folder(directory, overwrite=overwrite, cancel=cancel)
    missing_jobs = list[str]()
    png = histograms and can_plot()
    steps: Sequence[tuple[str, Callable[[], None]]] = (
        ("alerts", lambda: write_alerts(dataset, folder, lists)),
        ("signatures and their values", lambda: compat_jobs.write_signatures(dataset, folder)),
        ("signatures per job and groups", lambda: compat_jobs.write_groups(dataset, folder)),
        ("counts per revision", lambda: compat_jobs.write_revisions(dataset, folder, png=png)),
        ("durations", lambda: compat_jobs.write_durations(dataset, folder, png=png)),
        ("wait times", lambda: missing_jobs.append(compat_jobs.write_waits(dataset, folder))),
    )
    try:
        for words, step in steps:
            cancel.check()
            progress(words)
            with dataset.store.reading():
                step()
        if structure is not None:
            relabelled(dataset, structure, folder)
    finally:
        folder.close()
    notes = [] if png or not histograms else ["The histograms (PNG) need matplotlib: install ciexplore[png]."]
    if dataset.options.commits is None:
        notes.append("Without --commits the revisions are the heads of pushes, each at the time of its push.")
    notes += filter(None, [*missing_jobs, _rounded(dataset)])
    if missing := len(dataset.unasked):
        notes.append(
            f"{missing:,} pushes were not asked for their values, or in vain; they count as zero in the files."
        )
    return Exported(folder.written, notes)


def _rounded(dataset: Dataset) -> str:
    """How many values have but two decimals, as a sentence, or ""."""
    exact = pl.col("exact").fill_null(False)
    known = dataset.table("pairs").filter(pl.col("value").is_not_null())
    total, rounded = known.select(pl.len(), (~exact).sum().alias("rounded")).collect(engine="streaming").row(0)
    if not rounded:
        return ""
    return (
        f"{rounded:,} of {total:,} values have two decimals, as the server gives them for whole pushes: "
        "`perf dataset update --digits all` asks for all digits."
    )


def relabelling(dataset: Dataset) -> Relabelling:
    """What is needed to relabel: the failing signatures of each revision and the framework of each signature."""
    found = dataset.table("alert_summaries").filter(
        ~pl.col("monitored"), ~pl.col("status").is_in(HIDDEN_STATUSES).fill_null(False)
    )
    failing: dict[str, set[int]] = {}
    for _, revision, ids in failing_signatures(found, dataset.table("alerts")).rows():
        failing.setdefault(revision, set()).update(ids)
    frameworks = dataset.table("signatures").filter(pl.col("framework_id").is_not_null())
    rows = frameworks.select("signature_id", "framework_id").collect().rows()
    return Relabelling(failing, dict(rows), frozenset(dataset.options.excluded))


def relabelled(dataset: Dataset, structure: Path, folder: Folder, limit: int | None = None) -> dict[str, Any]:
    """Writes the relabelled file (perf_llm_struc_no_fw_2_6_18.jsonl) and its report, which it gives, too."""
    work = relabelling(dataset)
    name = "perf_llm_struc_no_fw_" + "_".join(map(str, sorted(dataset.options.excluded)))
    try:
        with structure.expanduser().open("rb") as lines:
            folder.write(f"{name}.jsonl", lambda stream: stream.writelines(work.lines(lines, limit)))
    except OSError as problem:
        raise FileError(f"{structure} cannot be read: {disk_words(problem)}.") from problem
    report = work.report()
    folder.json(f"{name}_report.json", report, sort_keys=True, line_end=True)
    return report
