"""The original's files about jobs and signatures: caches, counts per revision, groups, durations, waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from backends.treeherder.datasets.compat_files import Folder
from backends.treeherder.datasets.compat_statistics import distribution, waiting
from backends.treeherder.datasets.plots import histogram
from backends.treeherder.datasets.revisions import with_signatures
from backends.treeherder.datasets.signature_sets import signatures_per_job
from backends.treeherder.datasets.tables import EXPIRED, JOB_NUMBERS, JOB_TEXTS
from backends.treeherder.datasets.views import Dataset
from backends.treeherder.datasets.wanted import sampled

SIGNATURES_AT_ONCE = 1000
_ISO, _ISO_UTC = "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"


def write_signatures(dataset: Dataset, folder: Folder) -> None:
    """all_signatures.jsonl and, of every signature, its values: perf_jobs_by_signature.jsonl."""
    rows = dataset.table("signatures").sort("signature_id").select("raw").collect()
    folder.texts("all_signatures.jsonl", rows["raw"].to_list())
    folder.lines("perf_jobs_by_signature.jsonl", series_of(dataset))


def series_of(dataset: Dataset) -> Iterator[pl.DataFrame]:
    """signature_id, jobs (structs as in the original's cache, their fields and they themselves in Perfherder's order),
    by signature, in parts."""
    pairs = dataset.table("pairs")
    known = pl.concat([pairs.select("signature_id"), dataset.table("signatures").select("signature_id")])
    ids = known.unique().collect(engine="streaming")["signature_id"].sort()
    revisions = dataset.table("pushes").select("push_id", "revision").collect().lazy()
    machines = dataset.table("jobs").select("job_id", pl.col("machine_name").alias("job_machine")).collect().lazy()
    for part in ids.to_frame().iter_slices(SIGNATURES_AT_ONCE):
        some = part["signature_id"]
        found = (
            pairs.filter(pl.col("signature_id").is_between(some.min(), some.max()))
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
        yield part.join(found, on="signature_id", how="left", maintain_order="left").with_columns(
            pl.col("jobs").fill_null([])
        )


def write_revisions(dataset: Dataset, folder: Folder, *, png: bool) -> None:
    """The counts per revision, in signatures and, rectified, in groups."""
    time = pl.from_epoch("at", "s").dt.strftime(_ISO_UTC).alias("submit_time_iso")
    counted = with_signatures(dataset.counted, dataset.shared).with_columns(time)
    keys = ("revision", "submit_time_iso", "total")
    folder.rows(
        "perf_jobs_per_revision.csv", ("revision", "submit_time_iso", "total_jobs"), counted.select(keys).rows()
    )
    named = counted.select("revision", "submit_time_iso", pl.col("total").alias("total_jobs"), "signature_ids")
    folder.lines("perf_jobs_per_revision_details.jsonl", named)
    totals = counted["total"].to_list()
    folder.json("perf_jobs_stats.json", distribution(totals, names="jobs", digits=2))
    if png:
        title = "Performance signatures per revision"
        histogram(folder, "perf_jobs_per_revision_dist.png", totals, title, "signatures", "revisions")
    groups = dataset.rectified.with_columns(time)
    folder.lines(
        "perf_jobs_per_revision_details_rectified.jsonl",
        groups.select("revision", "submit_time_iso", pl.col("total").alias("total_jobs"), "signature_group_ids"),
    )


def write_groups(dataset: Dataset, folder: Folder) -> None:
    """The signatures of each job, what they have in common, and the groups."""
    detailed = signatures_per_job(dataset.shared, dataset.table("signatures"))
    folder.lines("sigs_by_job_id.jsonl", detailed.select("job_id", "signature_ids"))
    folder.lines("sigs_by_job_id_detailed.jsonl", detailed.select("job_id", "signature_ids", "common_sig_features"))
    groups = dataset.groups.group_by("position", maintain_order=True).agg(pl.col("signature_id").alias("signatures"))
    folder.lines("sig_groups.jsonl", groups.rename({"position": "Sig_group_id"}))


def sampled_durations(dataset: Dataset) -> pl.DataFrame:
    """signature_id, minutes: the mean of up to three jobs of each signature, as the original samples them.

    First, middle and last of its values, the same job up to three times; those that have expired or lack a time are
    left out, whatever their result. Signatures without any are absent.
    """
    jobs = (
        dataset.table("jobs").filter(pl.col("start_timestamp") > 0, pl.col("end_timestamp") > 0)
        .select("job_id", ((pl.col("end_timestamp") - pl.col("start_timestamp")) / 60).alias("minutes"))
    )  # fmt: skip
    samples = sampled(dataset.table("pairs").select("signature_id", "job_id", "push_id", "push_ts"))
    means = samples.join(jobs, on="job_id").group_by("signature_id").agg(pl.col("minutes").mean())
    return means.sort("signature_id").collect()


def write_durations(dataset: Dataset, folder: Folder, *, png: bool) -> None:
    """Minutes per signature and per group, and their distribution over the groups."""
    # The original reads its own files: a group's mean is one of means with two decimals, and so is the distribution.
    means = [(number, f"{minutes:.2f}") for number, minutes in sampled_durations(dataset).rows()]
    folder.rows("job_durations.csv", ("signature_id", "duration_minutes"), means)
    group_of = dict(dataset.groups.select("signature_id", "position").rows())
    members: dict[int, list[float]] = {}
    for number, said in means:
        if number in group_of:
            members.setdefault(group_of[number], []).append(float(said))
    groups = [(group, f"{sum(found) / len(found):.2f}") for group, found in sorted(members.items())]
    folder.rows("sig_group_job_durations.csv", ("signature_group_id", "duration_minutes"), groups)
    minutes = [float(said) for _, said in groups]
    folder.json("sig_group_job_duration_stats.json", distribution(minutes), indent=4)
    if png:
        title = "Job duration per signature group"
        histogram(folder, "job_durations.png", minutes, title, "minutes", "signature groups")


def write_waits(dataset: Dataset, folder: Folder) -> str:
    """The jobs of the busiest push, and how long they waited; gives what is missing, as a sentence, or ""."""
    number, revision, total = dataset.busiest or (None, "", 0)
    ids = (
        dataset.table("pairs").filter(pl.col("push_id") == (-1 if number is None else number))
        .filter(pl.col("job_id").is_not_null()).select("job_id").unique().sort("job_id").collect()
    )  # fmt: skip
    known = dataset.table("jobs").filter(pl.col("state") != EXPIRED).join(ids.lazy(), on="job_id", how="semi")
    jobs = known.sort("job_id").collect()
    folder.texts("max_revision_jobs.jsonl", map(_job_object, jobs.iter_rows(named=True)))
    times = jobs.filter(pl.col("start_timestamp") > 0, pl.col("submit_timestamp") > 0)
    waits = (times["start_timestamp"] - times["submit_timestamp"]).to_list()
    seconds = [wait for wait in waits if wait >= 0]
    folder.json(
        "job_wait_time_stats.json",
        {
            "observations": len(seconds),
            "seconds": waiting(seconds),
            "minutes": {name: None if one is None else one / 60 for name, one in waiting(seconds).items()},
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
            "whose waits job_wait_time_stats.json tells: `perf dataset update --jobs all` asks for them."
        )
    return ""


_JOB_FIELDS = (*sorted({"id", *JOB_NUMBERS, *JOB_TEXTS} - {"task_id", "retry_id", "platform_option"}), "task_id",
               "retry_id", "platform_option")  # fmt: skip


def _job_object(row: dict[str, Any]) -> str:
    """A job as the project's jobs endpoint gives it, its fields in that order."""
    return json.dumps({name: row["job_id" if name == "id" else name] for name in _JOB_FIELDS})
