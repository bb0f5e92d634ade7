"""The dataset as the original's scripts left it: the same file names, columns, formats and definitions.

Where the original's documentation and code differ, this follows the code; docs/perfherder-datasets.md lists each such
place, and each where neither was possible.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from backends.atomic import disk_words
from backends.cancel import CancelToken
from backends.errors import FileError, UsageError
from backends.paths import expand_home
from backends.treeherder.datasets.dataset import Dataset, with_signatures
from backends.treeherder.datasets.legacy_export_files import (
    ExportFolder,
    can_plot,
    culprit_statistics,
    distribution,
    wait_statistics,
)
from backends.treeherder.datasets.signature_groups import signatures_per_job
from backends.treeherder.datasets.tables import EXPIRED, HIDDEN_STATUSES, JOB_NUMBERS, JOB_TEXTS
from backends.treeherder.datasets.update_plan import sample_jobs
from backends.treeherder.datasets.views import failing_signatures, regressed_tests

ListFormat = Literal["python", "json"]
SIGNATURES_PER_READ = 1000
SUMMARY_COLUMNS = (
    "id", "push_id", "prev_push_id", "original_revision", "created", "first_triaged", "triage_due_date", "repository",
    "framework", "alerts", "related_alerts", "status", "bug_number", "bug_due_date", "bug_updated", "issue_tracker",
    "notes", "revision", "push_timestamp", "prev_push_revision", "original_prev_push_revision", "assignee_username",
    "assignee_email", "performance_tags", "duplicated_summaries_ids",
)  # fmt: skip
BUG_COLUMNS = (
    "regression_bug_id", "reg_perf_tests_list", "perf_reg_alert_summary_id", "regressor_push_head_revision",
    "alert_creation_date",
)  # fmt: skip
FAILING_COLUMNS = ("alert_summary_id", "revision", "fail_perf_sig_ids", "num_fail_perf_sig_ids")
_JOB_FIELDS = (*sorted({"id", *JOB_NUMBERS, *JOB_TEXTS} - {"task_id", "retry_id", "platform_option"}), "task_id",
               "retry_id", "platform_option")  # fmt: skip
_ISO, _ISO_UTC = "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"


@dataclass
class LegacyExportResult:
    """`files`: (name, "written" or "unchanged"); `notes`: sentences about what is missing or special."""

    files: list[tuple[str, str]]
    notes: list[str]


def export(
    dataset: Dataset,
    directory: Path,
    *,
    lists: ListFormat = "python",
    structure: Path | None = None,
    overwrite: bool = False,
    cancel: CancelToken,
    progress: Callable[[str], None] = lambda message: None,
) -> LegacyExportResult:
    """Writes all files of the original into `directory`; the same store gives the same bytes.

    `lists`: how lists and objects are written in a cell of a CSV: as Python's repr, like the original, or as JSON.
    `structure`: a perf_llm_struc.jsonl to relabel. The PNG files need matplotlib. Raises `FileError`, `UsageError`,
    `OperationCancelledError`; files that were written before stay.
    """
    folder = ExportFolder(directory, overwrite=overwrite, cancel=cancel)
    png = can_plot()
    missing_jobs = list[str]()
    steps: list[tuple[str, Callable[[], object]]] = [
        ("alerts", lambda: write_alerts(dataset, folder, repr if lists == "python" else json.dumps)),
        ("signatures and their values", lambda: write_signatures(dataset, folder)),
        ("signatures per job and groups", lambda: write_groups(dataset, folder)),
        ("counts per revision", lambda: write_revisions(dataset, folder, png=png)),
        ("durations", lambda: write_durations(dataset, folder, png=png)),
        ("wait times", lambda: missing_jobs.append(write_waits(dataset, folder))),
    ]
    for name, step in steps:
        cancel.check()
        progress(name)
        with dataset.store.reading():
            step()
    if structure is not None:
        write_relabelled(dataset, structure, folder)
    notes = [] if png else ["The histograms (PNG) need matplotlib: install ciexplore[png]."]
    if dataset.options.commits is None:
        notes.append("Without --commits the revisions are the heads of pushes, each at the time of its push.")
    notes += filter(None, [*missing_jobs, _note_rounded(dataset)])
    if unfetched := len(dataset.unfetched):
        notes.append(f"The values of {unfetched:,} pushes were not fetched; they count as zero in the files.")
    return LegacyExportResult(folder.files, notes)


def _note_rounded(dataset: Dataset) -> str:
    """How many values have only two decimals, as a sentence, or ""."""
    exact = pl.col("exact").fill_null(False)
    known = dataset.table("pairs").filter(pl.col("value").is_not_null())
    total, rounded = known.select(pl.len(), (~exact).sum().alias("rounded")).collect(engine="streaming").row(0)
    if not rounded:
        return ""
    return (
        f"{rounded:,} of {total:,} values have two decimals, as the server returns them for pushes: "
        "`treeherder dataset update --digits all` fetches all digits."
    )


def _visible_summaries(dataset: Dataset) -> pl.LazyFrame:
    """The alert summaries that the original's request listed."""
    hidden = pl.col("status").is_in(HIDDEN_STATUSES).fill_null(False)
    return dataset.table("alert_summaries").filter(~pl.col("monitored"), ~hidden)


def write_alerts(dataset: Dataset, folder: ExportFolder, format_cell: Callable[[Any], str]) -> None:
    """Raw summaries, the join table with bugs, failing signatures, time to culprit."""
    summaries, alerts = _visible_summaries(dataset), dataset.table("alerts")
    # As the API lists them: newest first.
    rows = summaries.sort(["created_ts", "summary_id"], descending=True, nulls_last=True).collect()
    objects = [msgspec.json.decode(raw) for raw in rows["raw"].to_list()]
    stats = _culprit_statistics(folder, objects)
    created = {summary["id"]: summary.get("created") for summary in objects}
    cells = _summary_cells(rows, objects, alerts, format_cell)
    folder.write_csv("alert_summaries.csv", SUMMARY_COLUMNS, cells, line_end="\n")
    order = {number: place for place, number in enumerate(rows["summary_id"].to_list())}
    regressions = sorted(
        regressed_tests(summaries, alerts).iter_rows(named=True), key=lambda row: order[row["summary_id"]]
    )
    bugs = (
        (
            row["bug_number"],
            format_cell(row["tests"] or []),
            row["summary_id"],
            row["revision"],
            created[row["summary_id"]],
        )
        for row in regressions
    )
    folder.write_csv("alerts_with_bug_and_test_info.csv", BUG_COLUMNS, bugs, line_end="\n")
    failing = failing_signatures(summaries, alerts).rows()
    folder.write_csv(
        "alert_summary_fail_perf_sigs.csv",
        FAILING_COLUMNS,
        ((number, revision, json.dumps(ids), len(ids)) for number, revision, ids in failing),
    )
    folder.write_json("time_to_culprit_stats.json", stats, sort_keys=True, line_end=True)


def _summary_cells(
    rows: pl.DataFrame, objects: list[dict[str, Any]], alerts: pl.LazyFrame, format_cell: Callable[[Any], str]
) -> Iterator[list[Any]]:
    listed: dict[tuple[int, bool], list[Any]] = {}
    raw_alerts = alerts.sort("listed_in", "related", "position").select("listed_in", "related", "raw").collect()
    for number, related, raw in raw_alerts.iter_rows():
        listed.setdefault((number, related), []).append(raw)
    for (number, repository), summary in zip(rows.select("summary_id", "repository").iter_rows(), objects, strict=True):
        complete = {
            "repository": repository,
            **summary,
            "alerts": [msgspec.json.decode(raw) for raw in listed.get((number, False), [])],
            "related_alerts": [msgspec.json.decode(raw) for raw in listed.get((number, True), [])],
        }
        if "duplicated_summaries_ids" not in complete:
            duplicates = complete.get("duplicated_summaries") or []
            complete["duplicated_summaries_ids"] = [item.get("id") for item in duplicates if isinstance(item, dict)]
        values = (complete.get(name) for name in SUMMARY_COLUMNS)
        yield [format_cell(value) if isinstance(value, list | dict) else value for value in values]


def _culprit_statistics(folder: ExportFolder, summaries: list[dict[str, Any]]) -> dict[str, Any]:
    seconds, invalid = list[float](), 0
    for summary in summaries:
        created, pushed = _parse_time(summary.get("created")), summary.get("push_timestamp")
        if created is None or not isinstance(pushed, int) or isinstance(pushed, bool):
            invalid += 1
        else:
            seconds.append((created - datetime.fromtimestamp(pushed, UTC)).total_seconds())
    return {
        "input_csv": str(folder.path / "alert_summaries.csv"),
        "definition": {"ttc_hours": "(created(UTC) - push_timestamp(UTC epoch seconds)) / 3600"},
        "stats": culprit_statistics(seconds, rows=len(summaries), invalid=invalid),
    }


def _parse_time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def write_signatures(dataset: Dataset, folder: ExportFolder) -> None:
    """all_signatures.jsonl and the values of every signature: perf_jobs_by_signature.jsonl."""
    rows = dataset.table("signatures").sort("signature_id").select("raw").collect()
    folder.write_lines("all_signatures.jsonl", rows["raw"].to_list())
    folder.write_rows("perf_jobs_by_signature.jsonl", series_of_signatures(dataset))


def series_of_signatures(dataset: Dataset) -> Iterator[pl.DataFrame]:
    """signature_id, jobs (structs as in the original's cache, their fields and they themselves in Perfherder's order),
    by signature, in parts."""
    measurements = dataset.table("pairs")
    known = pl.concat([measurements.select("signature_id"), dataset.table("signatures").select("signature_id")])
    ids = known.unique().collect(engine="streaming")["signature_id"].sort()
    revisions = dataset.table("pushes").select("push_id", "revision").collect().lazy()
    machines = dataset.table("jobs").select("job_id", pl.col("machine_name").alias("job_machine")).collect().lazy()
    for part in ids.to_frame().iter_slices(SIGNATURES_PER_READ):
        numbers = part["signature_id"]
        series = (
            measurements.filter(pl.col("signature_id").is_between(numbers.min(), numbers.max()))
            .join(revisions, on="push_id", how="left")
            .join(machines, on="job_id", how="left")
            .sort("push_ts", "push_id", "job_id", "datum_id", nulls_last=True)
            .select(
                "signature_id",
                pl.struct(
                    "job_id", pl.col("datum_id").alias("id"), "value",
                    pl.from_epoch("push_ts", "s").dt.strftime(_ISO).alias("push_timestamp"), "push_id", "revision",
                    pl.from_epoch("submit_ts", "s").dt.strftime(_ISO).alias("submit_time"),
                    pl.coalesce("machine_name", "job_machine").alias("machine_name"),
                ).alias("jobs"),
            ).group_by("signature_id", maintain_order=True).agg("jobs").collect()
        )  # fmt: skip
        yield part.join(series, on="signature_id", how="left", maintain_order="left").with_columns(
            pl.col("jobs").fill_null([])
        )


def write_groups(dataset: Dataset, folder: ExportFolder) -> None:
    """The signatures of each job, what they have in common, and the groups."""
    jobs = signatures_per_job(dataset.shared, dataset.table("signatures"))
    folder.write_rows("sigs_by_job_id.jsonl", jobs.parts("signature_ids"))
    folder.write_rows("sigs_by_job_id_detailed.jsonl", jobs.parts("signature_ids", "common_sig_features"))
    groups = dataset.groups.group_by("position", maintain_order=True).agg(pl.col("signature_id").alias("signatures"))
    folder.write_rows("sig_groups.jsonl", [groups.rename({"position": "Sig_group_id"})])


def write_revisions(dataset: Dataset, folder: ExportFolder, *, png: bool) -> None:
    """The counts per revision, in signatures and, rectified, in groups."""
    time = pl.from_epoch("at", "s").dt.strftime(_ISO_UTC).alias("submit_time_iso")
    total = pl.col("total").alias("total_jobs")
    counts = with_signatures(dataset.counts, dataset.shared).select("revision", time, total, "signature_ids")
    columns = ("revision", "submit_time_iso", "total_jobs")
    folder.write_csv("perf_jobs_per_revision.csv", columns, counts.select(columns).rows())
    folder.write_rows("perf_jobs_per_revision_details.jsonl", [counts])
    totals = counts["total_jobs"].to_list()
    folder.write_json("perf_jobs_stats.json", distribution(totals, suffix="jobs", digits=2))
    if png:
        title = "Performance signatures per revision"
        folder.write_histogram("perf_jobs_per_revision_dist.png", totals, title, "signatures", "revisions")
    groups = dataset.rectified.select("revision", time, total, "signature_group_ids")
    folder.write_rows("perf_jobs_per_revision_details_rectified.jsonl", [groups])


def sampled_durations(dataset: Dataset) -> pl.DataFrame:
    """signature_id, minutes: the mean of up to three jobs of each signature, as the original samples them.

    First, middle and last of its values, the same job up to three times; those that have expired or lack a time are
    left out, whatever their result. Signatures without any are absent.
    """
    jobs = (
        dataset.table("jobs").filter(pl.col("start_timestamp") > 0, pl.col("end_timestamp") > 0)
        .select("job_id", ((pl.col("end_timestamp") - pl.col("start_timestamp")) / 60).alias("minutes"))
    )  # fmt: skip
    samples = sample_jobs(dataset.table("pairs").select("signature_id", "job_id", "push_id", "push_ts"))
    means = samples.join(jobs, on="job_id").group_by("signature_id").agg(pl.col("minutes").mean())
    return means.sort("signature_id").collect()


def write_durations(dataset: Dataset, folder: ExportFolder, *, png: bool) -> None:
    """Minutes per signature and per group, and their distribution over the groups."""
    # The original reads its own files: a group's mean is one of means with two decimals, and so is the distribution.
    means = [(number, f"{minutes:.2f}") for number, minutes in sampled_durations(dataset).rows()]
    folder.write_csv("job_durations.csv", ("signature_id", "duration_minutes"), means)
    group_of = dict(dataset.groups.select("signature_id", "position").rows())
    members: dict[int, list[float]] = {}
    for number, text in means:
        if number in group_of:
            members.setdefault(group_of[number], []).append(float(text))
    groups = [(group, f"{sum(values) / len(values):.2f}") for group, values in sorted(members.items())]
    folder.write_csv("sig_group_job_durations.csv", ("signature_group_id", "duration_minutes"), groups)
    minutes = [float(text) for _, text in groups]
    folder.write_json("sig_group_job_duration_stats.json", distribution(minutes), indent=4)
    if png:
        title = "Job duration per signature group"
        folder.write_histogram("job_durations.png", minutes, title, "minutes", "signature groups")


def write_waits(dataset: Dataset, folder: ExportFolder) -> str:
    """The jobs of the busiest push and how long they waited; returns what is missing, as a sentence, or ""."""
    number, revision, total = dataset.busiest_push or (None, "", 0)
    ids = (
        dataset.table("pairs").filter(pl.col("push_id") == (-1 if number is None else number))
        .filter(pl.col("job_id").is_not_null()).select("job_id").unique().sort("job_id").collect()
    )  # fmt: skip
    known = dataset.table("jobs").filter(pl.col("state") != EXPIRED).join(ids.lazy(), on="job_id", how="semi")
    jobs = known.sort("job_id").collect()
    folder.write_lines("max_revision_jobs.jsonl", map(_job_object, jobs.iter_rows(named=True)))
    times = jobs.filter(pl.col("start_timestamp") > 0, pl.col("submit_timestamp") > 0)
    waits = (times["start_timestamp"] - times["submit_timestamp"]).to_list()
    seconds = [wait for wait in waits if wait >= 0]
    statistics = wait_statistics(seconds)
    folder.write_json(
        "job_wait_time_stats.json",
        {
            "observations": len(seconds),
            "seconds": statistics,
            "minutes": {name: None if value is None else value / 60 for name, value in statistics.items()},
            "revision": revision,
            "total_jobs_from_csv": total,
            "unique_job_ids_in_cache": len(ids),
            "detailed_jobs_in_jsonl": len(jobs),
            "detailed_jobs_fetched_this_run": 0,
        },
    )
    if number is None:
        return "No job of a push in this window is known: max_revision_jobs.jsonl is empty, and there are no waits."
    if missing := len(ids) - len(jobs):
        return (
            f"The dataset lacks the details of {missing:,} of the {len(ids):,} jobs of the busiest push ({revision}), "
            "whose waits are in job_wait_time_stats.json: `treeherder dataset update --jobs all` fetches them."
        )
    return ""


def _job_object(row: dict[str, Any]) -> str:
    """A job as the project's jobs endpoint returns it, its fields in that order."""
    return json.dumps({name: row["job_id" if name == "id" else name] for name in _JOB_FIELDS})


def write_relabelled(dataset: Dataset, structure: Path, folder: ExportFolder) -> None:
    """Writes the relabelled file (perf_llm_struc_no_fw_2_6_18.jsonl) and its report."""
    failing: dict[str, set[int]] = {}
    for _, revision, ids in failing_signatures(_visible_summaries(dataset), dataset.table("alerts")).rows():
        failing.setdefault(revision, set()).update(ids)
    known = dataset.table("signatures").filter(pl.col("framework_id").is_not_null())
    frameworks = dict(known.select("signature_id", "framework_id").collect().rows())
    work = Relabelling(failing, frameworks, frozenset(dataset.options.excluded))
    name = "perf_llm_struc_no_fw_" + "_".join(map(str, sorted(dataset.options.excluded)))
    try:
        with expand_home(structure).open("rb") as lines:
            folder.write(f"{name}.jsonl", lambda stream: stream.writelines(work.relabel(lines)))
    except OSError as error:
        raise FileError(f"{structure} cannot be read: {disk_words(error)}.") from error
    folder.write_json(f"{name}_report.json", work.report(), sort_keys=True, line_end=True)


@dataclass
class Relabelling:
    """Which commits of perf_llm_struc.jsonl still count as regressors if some frameworks do not.

    A row {"commit_id", "prompt", "response": "0"|"1"} with response "1" becomes "0" if the failing signatures of its
    revision are known, at least one, and all of them belong to excluded frameworks. Nothing else changes, not a byte.

    `failing`: revision -> ids of its failing signatures; `frameworks`: signature -> framework. `counters`
    say what `relabel` has done.
    """

    failing: Mapping[str, Collection[int]]
    frameworks: Mapping[int, int]
    excluded: Collection[int]
    counters: Counter[str] = field(default_factory=Counter)

    def relabel(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines, each with its line end, without blank ones. Raises `UsageError` for what is not JSON."""
        for number, line in enumerate(lines, 1):
            stripped = line.strip()
            if not stripped:
                continue
            self.counters["input_lines_total"] += 1
            try:
                row = msgspec.json.decode(stripped)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsageError(
                    f"Line {number} is not JSON: {error}.", "Fix it, or generate the file again."
                ) from error
            self.counters["output_records_written"] += 1
            yield self._relabel_row(row, stripped) + b"\n"

    def _relabel_row(self, row: Any, line: bytes) -> bytes:
        if not isinstance(row, dict):
            return line
        if str(row.get("response")) != "1":
            self.counters["non_regressor_records_total"] += 1
            return line
        self.counters["regressor_records_total"] += 1
        revision = str(row.get("commit_id"))
        if self._is_clean(revision):
            self.counters["regressor_flipped_to_clean"] += 1
            return msgspec.json.encode({**row, "response": "0"})
        self.counters["regressor_kept_as_regressor"] += 1
        return line

    def _is_clean(self, revision: str) -> bool:
        failing = self.failing.get(revision)
        if not failing:
            self.counters["regressor_missing_fail_sig_mapping"] += 1
            return False
        self.counters["regressor_with_fail_sig_mapping"] += 1
        excluded = sum(self.frameworks.get(number) in self.excluded for number in failing)
        self.counters["regressor_fail_sig_count_sum"] += len(failing)
        self.counters["regressor_fail_sig_removed_sum"] += excluded
        return excluded == len(failing)

    def report(self) -> dict[str, Any]:
        """What the original's --report-json has, without the paths of its inputs."""
        excluded = Counter(framework for framework in self.frameworks.values() if framework in self.excluded)
        ids = {number for numbers in self.failing.values() for number in numbers}
        counters = (
            "input_lines_total regressor_records_total regressor_with_fail_sig_mapping "
            "regressor_missing_fail_sig_mapping regressor_fail_sig_count_sum regressor_fail_sig_removed_sum "
            "regressor_flipped_to_clean regressor_kept_as_regressor non_regressor_records_total output_records_written"
        )
        return {
            "excluded_framework_ids": sorted(self.excluded),
            "excluded_signatures": {
                "known_signatures": len(self.frameworks),
                "excluded": excluded.total(),
                "excluded_by_framework": {str(framework): count for framework, count in sorted(excluded.items())},
            },
            "failing_signatures": {
                "unique_revisions": len(self.failing),
                "unique_signature_ids": len(ids),
                "excluded": sum(self.frameworks.get(number) in self.excluded for number in ids),
                "missing_metadata": sum(number not in self.frameworks for number in ids),
            },
            "relabel": {name: self.counters[name] for name in counters.split()},
        }
