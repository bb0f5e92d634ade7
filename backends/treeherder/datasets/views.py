"""The views of a dataset: for each one its columns, and how it is calculated from the tables.

A view function gets a `Dataset`, reads the store and may take seconds for 20 million measurements; it raises
`AppError`s. Durations are in seconds. A time that the server gives as 0 has not happened yet; a negative wait or run
time is a clock's fault and left out, as the original does with waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from backends.errors import UsageError
from backends.frames.schema import Column, Kind, Schema
from backends.treeherder.datasets.dataset import Dataset, count_per_push
from backends.treeherder.datasets.signature_groups import signatures_per_job
from backends.treeherder.datasets.tables import BUG_STATUSES, FRAMEWORK, SUMMARY_STATUS


@dataclass(frozen=True)
class ViewSpec:
    """`noun`: one row, several rows. `needs`: the tables it is calculated from, the one whose rows count first."""

    name: str
    about: str
    noun: tuple[str, str]
    schema: Schema
    build: Callable[[Dataset], pl.DataFrame]
    needs: tuple[str, ...]


VIEWS: dict[str, ViewSpec] = {}
Build = Callable[[Dataset], pl.DataFrame]


def _view(name: str, about: str, noun: tuple[str, str], schema: Schema, *needs: str) -> Callable[[Build], Build]:
    """Adds the function to `VIEWS`."""

    def add(build: Build) -> Build:
        VIEWS[name] = ViewSpec(name, about, noun, schema, build, needs)
        return build

    return add


def find_view(name: str) -> ViewSpec:
    """Raises `UsageError`."""
    try:
        return VIEWS[name]
    except KeyError:
        raise UsageError(f"There is no view {name[:40]!r}.", f"Views: {', '.join(VIEWS)}.") from None


def fit(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The columns of the schema, with its types."""
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.polars().items())


def build_frame(rows: Sequence[Mapping[str, object]], schema: Schema) -> pl.DataFrame:
    """A frame of rows whose times are epoch seconds."""
    times = [column.name for column in schema if column.kind is Kind.TIME]
    dtypes = {name: pl.Int64() if name in times else dtype for name, dtype in schema.polars().items()}
    return fit(pl.DataFrame(rows, schema=dtypes).with_columns(time_of(name) for name in times), schema)


def name_of(column: str, names: dict[int, str]) -> pl.Expr:
    """The name of each number, or the number itself if it has none."""
    number = pl.col(column)
    return number.replace_strict(names, default=number.cast(pl.String), return_dtype=pl.String)


def time_of(column: str) -> pl.Expr:
    """Epoch seconds as a time."""
    return pl.from_epoch(pl.col(column) * 1000, "ms").dt.replace_time_zone("UTC").alias(column)


def join_unique(column: str | pl.Expr, name: str) -> pl.Expr:
    """In a group: its different values, sorted, with commas between them."""
    values = pl.col(column) if isinstance(column, str) else column
    return values.drop_nulls().unique().sort().str.join(", ").alias(name)


_SUMMARY = ("alert summary", "alert summaries")
ALERTS = Schema(
    (
        Column("summary", Kind.ID, "Summary"),
        Column("status", Kind.STATE, "Status"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("repository", Kind.TEXT, "Repository", hidden=True),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("pushed", Kind.TIME, "Pushed"),
        Column("created", Kind.TIME, "Created"),
        Column("bug", Kind.ID, "Bug"),
        Column("regressions", Kind.COUNT, "Regressions"),
        Column("improvements", Kind.COUNT, "Improvements"),
        Column("related", Kind.COUNT, "Related"),
        Column("largest", Kind.NUMBER, "Largest change", "%"),
        Column("suites", Kind.TEXT, "Suites"),
        Column("platforms", Kind.TEXT, "Platforms"),
        Column("assignee", Kind.TEXT, "Assignee"),
        Column("monitored", Kind.TEXT, "Monitored", hidden=True),
        Column("original_revision", Kind.ID, "Original revision", hidden=True),
        Column("notes", Kind.TEXT, "Notes", hidden=True),
    ),
    key="summary",
)


@_view("alerts", "Alert summaries", _SUMMARY, ALERTS, "alert_summaries", "alerts")
def alerts(dataset: Dataset) -> pl.DataFrame:
    """Newest first; counts of a summary's own alerts, `related` of others'."""
    rows = dataset.table("alert_summaries").join(
        _count_alerts(dataset.table("alerts")), left_on="summary_id", right_on="listed_in", how="left"
    )
    counts = pl.col("regressions", "improvements", "related").fill_null(0)
    return _summary_rows(rows.with_columns(counts, pl.col("bug_number").cast(pl.String).alias("bug")), ALERTS)


def _count_alerts(alerts: pl.LazyFrame) -> pl.LazyFrame:
    own, regression = ~pl.col("related"), pl.col("is_regression").fill_null(False)
    return alerts.group_by("listed_in").agg(
        (own & regression).sum().alias("regressions"),
        (own & ~regression).sum().alias("improvements"),
        pl.col("related").sum().alias("related"),
        pl.col("amount_pct").filter(own).max().alias("largest"),
        join_unique(pl.col("suite").filter(own), "suites"),
        join_unique(pl.col("machine_platform").filter(own), "platforms"),
    )


def _summary_rows(rows: pl.LazyFrame, schema: Schema) -> pl.DataFrame:
    """Newest first, with names for numbers."""
    ordered = rows.sort("created_ts", "summary_id", descending=True, nulls_last=True)
    named = ordered.with_columns(
        pl.col("summary_id").cast(pl.String).alias("summary"),
        name_of("status", SUMMARY_STATUS).alias("status"),
        name_of("framework_id", FRAMEWORK).alias("framework"),
        time_of("push_ts").alias("pushed"),
        time_of("created_ts").alias("created"),
        _yes_no(pl.col("monitored")).alias("monitored"),
    )
    return fit(named.collect(), schema)


def _yes_no(flag: pl.Expr) -> pl.Expr:
    return pl.when(flag).then(pl.lit("yes")).otherwise(pl.lit("no"))


BUGS = Schema(
    (
        Column("bug", Kind.ID, "Bug"),
        Column("summary", Kind.ID, "Summary"),
        Column("status", Kind.STATE, "Status"),
        Column("revision", Kind.ID, "Regressor", width=12),
        Column("created", Kind.TIME, "Created"),
        Column("count", Kind.COUNT, "Regressed"),
        Column("tests", Kind.TEXT, "Tests"),
        Column("platforms", Kind.TEXT, "Platforms"),
        Column("framework", Kind.TEXT, "Framework"),
    ),
    key="summary",
)


@_view("bugs", "Regressions with a bug: tests, platforms, regressor", ("bug", "bugs"), BUGS,
       "alert_summaries", "alerts")  # fmt: skip
def bugs(dataset: Dataset) -> pl.DataFrame:
    """`regressed_tests`, newest first."""
    rows = regressed_tests(dataset.table("alert_summaries"), dataset.table("alerts"))

    def join_field(field: str) -> pl.Expr:
        values = pl.col("tests").list.eval(pl.element().struct.field(field)).list.unique().list.sort()
        return values.list.eval(pl.element().filter(pl.element() != "")).list.join(", ")

    count = pl.col("tests").list.len().fill_null(0).alias("count")
    bug = pl.col("bug_number").cast(pl.String).alias("bug")
    described = rows.with_columns(
        count, bug, join_field("platform").alias("platforms"), join_field("test").alias("tests")
    )
    return _summary_rows(described.lazy(), BUGS)


def regressed_tests(summaries: pl.LazyFrame, alerts: pl.LazyFrame) -> pl.DataFrame:
    """The original's join table: summaries with a bug whose status is wontfix, fixed or backedout, by id.

    summary_id, bug_number, revision, created_ts, status, framework_id, tests: a list of {test, platform}, of all
    regressions among their own and their related alerts, unique and sorted, without those that have neither.
    """
    settled = summaries.filter(pl.col("status").is_in(BUG_STATUSES) & pl.col("bug_number").is_not_null())
    test, platform = pl.col("test").fill_null(""), pl.col("machine_platform").fill_null("")
    regressions = alerts.filter(pl.col("is_regression")).filter((test != "") | (platform != ""))
    pairs = pl.struct(test, platform.alias("platform")).unique().sort().alias("tests")
    tests = regressions.group_by("listed_in").agg(pairs)
    return (
        settled.join(tests, left_on="summary_id", right_on="listed_in", how="left").sort("summary_id")
        .select("summary_id", "bug_number", "revision", "created_ts", "status", "framework_id", "repository", "tests",
                "push_ts", "monitored")
        .collect()
    )  # fmt: skip


FAILING = Schema(
    (
        Column("summary", Kind.ID, "Summary"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("count", Kind.COUNT, "Signatures"),
        Column("signatures", Kind.TEXT, "Signature ids"),
    ),
    key="summary",
)


@_view("failing", "Failing signatures per alert summary", _SUMMARY, FAILING, "alert_summaries", "alerts")
def failing(dataset: Dataset) -> pl.DataFrame:
    """`failing_signatures`, by summary."""
    return failing_signatures(dataset.table("alert_summaries"), dataset.table("alerts")).select(
        pl.col("summary_id").cast(pl.String).alias("summary"),
        "revision",
        pl.col("signature_ids").list.len().cast(pl.Int64).alias("count"),
        pl.col("signature_ids").cast(pl.List(pl.String)).list.join(" ").alias("signatures"),
    )


def failing_signatures(summaries: pl.LazyFrame, alerts: pl.LazyFrame) -> pl.DataFrame:
    """summary_id, revision, signature_ids (sorted, unique; of regressions among its own alerts), by summary: those of
    `regressed_tests`."""
    settled = regressed_tests(summaries, alerts).select("summary_id", "revision")
    own = alerts.filter(pl.col("is_regression") & ~pl.col("related")).filter(pl.col("signature_id").is_not_null())
    ids = own.group_by("listed_in").agg(pl.col("signature_id").unique().sort().alias("signature_ids")).collect()
    return (
        settled.join(ids, left_on="summary_id", right_on="listed_in", how="left")
        .with_columns(pl.col("signature_ids").fill_null([]), pl.col("revision").fill_null(""))
        .sort("summary_id")
    )  # fmt: skip


CULPRIT = Schema(
    (
        Column("summary", Kind.ID, "Summary"),
        Column("status", Kind.STATE, "Status"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("repository", Kind.TEXT, "Repository", hidden=True),
        Column("regression", Kind.TEXT, "Regression"),
        Column("culprit", Kind.DURATION, "Alert after push"),
        Column("detect", Kind.DURATION, "… first push"),
        Column("triage", Kind.DURATION, "Triage"),
        Column("bug", Kind.DURATION, "Bug"),
        Column("landed_to_bug", Kind.DURATION, "Landed to bug"),
        Column("moved", Kind.TEXT, "Moved"),
        Column("created", Kind.TIME, "Created"),
        Column("pushed", Kind.TIME, "Pushed"),
    ),
    key="summary",
)


@_view("culprit", "Time to culprit: detect, triage, bug", _SUMMARY, CULPRIT, "alert_summaries", "alerts")
def time_to_culprit(dataset: Dataset) -> pl.DataFrame:
    """How long each step took, newest first; negative if a step came before the one it is counted from.

    culprit: from the summary's push to the alert, the original's figure: the push is the one that sheriffs moved the
    alert to, so it says little about finding it. detect: the same from the push that the alert was first made for, null
    if that push is not in the store. triage: from the alert to its first triage. bug: from the alert to the last change
    of its bug. landed_to_bug: from the summary's push. `moved`: sheriffs changed the push.
    """
    first_pushes = dataset.table("pushes").select(
        pl.col("revision").alias("original_revision"), pl.col("push_ts").alias("first_push")
    )
    first_pushes = first_pushes.unique("original_revision", keep="first", maintain_order=True)
    moved = pl.col("original_revision").is_not_null() & (pl.col("original_revision") != pl.col("revision"))
    created, pushed, bug = pl.col("created_ts"), pl.col("push_ts"), pl.col("bug_updated_ts")
    rows = (
        dataset.table("alert_summaries")
        .join(first_pushes, on="original_revision", how="left")
        .join(_count_alerts(dataset.table("alerts")), left_on="summary_id", right_on="listed_in", how="left")
        .with_columns(
            (created - pushed).alias("culprit"),
            (created - pl.when(moved).then("first_push").otherwise("push_ts")).alias("detect"),
            (pl.col("first_triaged_ts") - created).alias("triage"),
            (bug - created).alias("bug"),
            (bug - pushed).alias("landed_to_bug"),
            _yes_no(moved).alias("moved"),
            _yes_no(pl.col("regressions") > 0).alias("regression"),
        )
    )
    return _summary_rows(rows, CULPRIT)


REVISIONS = Schema(
    (
        Column("push", Kind.ID, "Push"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("pushed", Kind.TIME, "Pushed"),
        Column("state", Kind.STATE, "State"),
        Column("total", Kind.COUNT, "Signatures"),
        Column("groups", Kind.COUNT, "Groups"),
        Column("jobs", Kind.COUNT, "Jobs"),
        Column("late", Kind.COUNT, "Submitted late"),
        Column("job_expired", Kind.COUNT, "Job expired"),
        Column("commits", Kind.COUNT, "Commits"),
        Column("author", Kind.TEXT, "Author"),
    ),
    key="push",
)


@_view("revisions", "Performance jobs per push", ("push", "pushes"), REVISIONS, "pushes", "pairs")
def revisions(dataset: Dataset) -> pl.DataFrame:
    """`count_per_push`, newest first."""
    window = dataset.counted_window
    counts = count_per_push(dataset.table("pushes"), dataset.shared, dataset.groups, dataset.fetch_status(), window)
    named = counts.with_columns(pl.col("push_id").cast(pl.String).alias("push"), time_of("push_ts").alias("pushed"))
    return fit(named.reverse(), REVISIONS)


COMMITS = Schema(
    (
        Column("revision", Kind.ID, "Revision", width=12),
        Column("committed", Kind.TIME, "Committed"),
        Column("total", Kind.COUNT, "Signatures"),
    ),
    key="revision",
)


@_view("commits", "Performance jobs per commit of a list", ("commit", "commits"), COMMITS, "pushes", "pairs")
def commits(dataset: Dataset) -> pl.DataFrame:
    """`count_per_commit`, newest first. Raises `UsageError` without a list of commits."""
    if dataset.options.commits is None:
        raise UsageError(
            "Treeherder does not list commits, only pushes.",
            "Name the list with --commits all_commits.jsonl, or use the view `revisions`.",
        )
    counts = dataset.nullify_unfetched(dataset.counts, "total")
    return fit(counts.with_columns(time_of("at").alias("committed")).reverse(), COMMITS)


SIGNATURES = Schema(
    (
        Column("signature", Kind.ID, "Signature"),
        Column("framework", Kind.TEXT, "Framework"),
        Column("suite", Kind.TEXT, "Suite"),
        Column("test", Kind.TEXT, "Test"),
        Column("platform", Kind.TEXT, "Platform"),
        Column("application", Kind.TEXT, "Application"),
        Column("options", Kind.TEXT, "Options"),
        Column("unit", Kind.TEXT, "Unit"),
        Column("lower_is_better", Kind.TEXT, "Lower is better"),
        Column("has_subtests", Kind.TEXT, "Subtests"),
        Column("should_alert", Kind.TEXT, "Alerts"),
        Column("hash", Kind.ID, "Hash", hidden=True),
        Column("parent", Kind.ID, "Parent", hidden=True),
        Column("tags", Kind.TEXT, "Tags", hidden=True),
    ),
    key="signature",
)


@_view("signatures", "Signatures and what they measure", ("signature", "signatures"), SIGNATURES, "signatures")
def signatures(dataset: Dataset) -> pl.DataFrame:
    """By id."""
    rows = dataset.table("signatures").sort("signature_id")
    yes_no = {True: "yes", False: "no"}
    flags = (
        pl.col(name).replace_strict(yes_no, return_dtype=pl.String).alias(name)
        for name in ("lower_is_better", "has_subtests", "should_alert")
    )
    return (
        rows.unique("signature_id", keep="first", maintain_order=True)
        .select(
            pl.col("signature_id").cast(pl.String).alias("signature"),
            name_of("framework_id", FRAMEWORK).alias("framework"),
            "suite", "test", pl.col("machine_platform").alias("platform"), "application",
            pl.col("extra_options").list.join(" ").alias("options"), pl.col("measurement_unit").alias("unit"), *flags,
            pl.col("signature_hash").alias("hash"), pl.col("parent_signature").alias("parent"),
            pl.col("tags").list.join(" ").alias("tags"),
        ).collect()
    )  # fmt: skip


JOBS = Schema(
    (
        Column("job", Kind.ID, "Job"),
        Column("signatures", Kind.COUNT, "Signatures"),
        Column("features", Kind.TEXT, "Common features"),
        Column("ids", Kind.TEXT, "Signature ids", hidden=True),
    ),
    key="job",
)


@_view("jobs", "Signatures per job and their common features", ("job", "jobs"), JOBS, "pairs", "signatures")
def jobs(dataset: Dataset) -> pl.DataFrame:
    """`signatures_per_job`, by id."""
    found = signatures_per_job(dataset.shared, dataset.table("signatures"))
    sets = found.sets.select(
        "signatures",
        pl.col("common_sig_features").list.join(", ").alias("features"),
        pl.col("signature_ids").cast(pl.List(pl.String)).list.join(" ").alias("ids"),
    )
    jobs = found.jobs.select(pl.col("job_id").cast(pl.String).alias("job"))
    return jobs.hstack(sets[found.jobs["set"]])  # its texts are the sets', and take no memory a second time


GROUPS = Schema(
    (
        Column("size", Kind.COUNT, "Signatures"),
        Column("jobs", Kind.COUNT, "Jobs"),
        Column("suites", Kind.TEXT, "Suites"),
        Column("platforms", Kind.TEXT, "Platforms"),
        Column("frameworks", Kind.TEXT, "Frameworks"),
        Column("position", Kind.COUNT, "Group"),
        Column("group_id", Kind.ID, "Group id"),
        Column("signatures", Kind.TEXT, "Signature ids", hidden=True),
    ),
    key="group_id",
)


@_view("groups", "Signatures that always come from the same jobs", ("group", "groups"), GROUPS, "pairs", "signatures")
def groups(dataset: Dataset) -> pl.DataFrame:
    """`signature_groups`, one row per group, by position."""
    metadata = dataset.table("signatures").select(
        "signature_id", "suite", "machine_platform", name_of("framework_id", FRAMEWORK).alias("framework")
    )
    rows = (
        dataset.groups.lazy().join(metadata.unique("signature_id"), on="signature_id", how="left")
        .group_by("position").agg(
            pl.col("size", "jobs", "group_id").first(),
            join_unique("suite", "suites"), join_unique("machine_platform", "platforms"),
            join_unique("framework", "frameworks"),
            pl.col("signature_id").sort().cast(pl.String).str.join(" ").alias("signatures"),
        ).sort("position").collect()
    )  # fmt: skip
    return fit(rows, GROUPS)


_SPREAD = ("mean", "median", "p90", "p95", "p99", "min", "max")
_SPREAD_COLUMNS = tuple(Column(name, Kind.DURATION, name.capitalize()) for name in _SPREAD)
_DURATIONS = (
    Column("result", Kind.STATE, "Result"),
    Column("jobs", Kind.COUNT, "Jobs"),
    *_SPREAD_COLUMNS,
    Column("suites", Kind.TEXT, "Suites"),
)


def _spread(column: str) -> list[pl.Expr]:
    """In a group: the number of rows and the columns of `_SPREAD`."""
    value = pl.col(column)
    quantiles = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    return [
        pl.len().cast(pl.Int64).alias("jobs"),
        value.mean().alias("mean"),
        *(value.quantile(share, "linear").alias(name) for name, share in quantiles.items()),
        value.min().alias("min"),
        value.max().alias("max"),
    ]


def with_durations(jobs: pl.LazyFrame) -> pl.LazyFrame:
    """The jobs with `wait` (submission to start) and `duration` (start to end) in seconds, null if a time is not known
    or the span is negative."""
    submit, start, end = (
        pl.when(pl.col(f"{name}_timestamp") > 0).then(pl.col(f"{name}_timestamp"))
        for name in ("submit", "start", "end")
    )

    def span(earlier: pl.Expr, later: pl.Expr) -> pl.Expr:
        return pl.when(later >= earlier).then((later - earlier).cast(pl.Float64))

    return jobs.with_columns(span(submit, start).alias("wait"), span(start, end).alias("duration"))


def _durations(dataset: Dataset, rows: pl.LazyFrame, by: str) -> pl.DataFrame:
    """Per value of `by` and result, and for all results together. `rows`: job_id and `by`."""
    timed = with_durations(dataset.table("jobs")).filter(pl.col("duration").is_not_null())
    each = (
        rows.filter(pl.col("job_id").is_not_null()).select(by, "job_id").unique()
        .join(timed.select("job_id", "result", "duration"), on="job_id").collect(engine="streaming")
    )  # fmt: skip
    every = each.with_columns(pl.lit("all").alias("result"))
    both = pl.concat([every, each.with_columns(pl.col("result").fill_null("unknown"))])
    return both.lazy().group_by(by, "result").agg(_spread("duration")).collect()


DURATIONS = Schema(
    (
        Column("position", Kind.COUNT, "Group"),
        Column("size", Kind.COUNT, "Signatures"),
        *_DURATIONS,
        Column("group_id", Kind.ID, "Group id"),
    ),
    key="key",
)


@_view("durations", "Job durations per signature group", ("group", "groups"), DURATIONS, "pairs", "jobs")
def durations(dataset: Dataset) -> pl.DataFrame:
    """One row per group and result, and one for all its results, of every known job."""
    members = dataset.groups.lazy()
    rows = dataset.shared.rows.select("signature_id", "job_id")
    spread = _durations(dataset, rows.join(members.select("signature_id", "position"), on="signature_id"), "position")
    suites = dataset.table("signatures").select("signature_id", "suite")
    described = (
        members.join(suites, on="signature_id", how="left").group_by("position")
        .agg(pl.col("group_id").first(), pl.col("size").first(), join_unique("suite", "suites")).collect()
    )  # fmt: skip
    named = spread.join(described, on="position").sort("position", "result")
    return fit(named.with_columns(pl.format("{}/{}", "position", "result").alias("key")), DURATIONS)


DURATIONS_BY_SIGNATURE = Schema((Column("signature", Kind.ID, "Signature"), *_DURATIONS), key="key")


@_view("durations-by-signature", "Job durations per signature", ("signature", "signatures"), DURATIONS_BY_SIGNATURE,
       "pairs", "jobs")  # fmt: skip
def durations_by_signature(dataset: Dataset) -> pl.DataFrame:
    """One row per signature and result, and one for all its results."""
    spread = _durations(dataset, dataset.table("pairs"), "signature_id")
    suites = dataset.table("signatures").select("signature_id", pl.col("suite").alias("suites")).unique("signature_id")
    rows = spread.join(suites.collect(), on="signature_id", how="left").sort("signature_id", "result").with_columns(
        pl.col("signature_id").cast(pl.String).alias("signature"),
        pl.format("{}/{}", "signature_id", "result").alias("key"),
    )  # fmt: skip
    return fit(rows, DURATIONS_BY_SIGNATURE)


def _job_waits(dataset: Dataset) -> pl.LazyFrame:
    """The jobs that gave values, with their waits and the push that they were for; expired ones are absent."""
    measured = dataset.shared.rows.filter(pl.col("job_id").is_not_null())
    pushes = measured.group_by("job_id").agg(pl.col("push_id").min())
    return with_durations(dataset.table("jobs").drop("push_id")).join(pushes, on="job_id")


_HOUR = pl.col("submit_timestamp") // 3600 % 24
_WAITS = (Column("jobs", Kind.COUNT, "Jobs"), *_SPREAD_COLUMNS)
WAITS = Schema(
    (
        Column("job", Kind.ID, "Job"),
        Column("wait", Kind.DURATION, "Wait"),
        Column("duration", Kind.DURATION, "Duration"),
        Column("result", Kind.STATE, "Result"),
        Column("name", Kind.TEXT, "Name", width=44, keeps_end=True),
        Column("platform", Kind.TEXT, "Platform"),
        Column("submitted", Kind.TIME, "Submitted"),
        Column("hour", Kind.COUNT, "Hour"),
        Column("revision", Kind.ID, "Revision", width=12),
        Column("machine", Kind.TEXT, "Machine", hidden=True),
        Column("task", Kind.ID, "Task", hidden=True),
    ),
    key="job",
)


@_view("waits", "Job wait times", ("job", "jobs"), WAITS, "pairs", "jobs")
def waits(dataset: Dataset) -> pl.DataFrame:
    """One row per job, the latest first."""
    rows = (
        _job_waits(dataset)
        .join(dataset.table("pushes").select("push_id", "revision"), on="push_id", how="left")
        .filter(pl.col("submit_timestamp") > 0)
        .sort(["submit_timestamp", "job_id"], descending=True)
        .with_columns(
            pl.col("job_id").cast(pl.String).alias("job"),
            pl.col("job_type_name").alias("name"),
            time_of("submit_timestamp").alias("submitted"),
            _HOUR.alias("hour"),
            pl.col("machine_name").alias("machine"),
            pl.col("task_id").alias("task"),
        )
    )
    return fit(rows.select(WAITS.names).collect(), WAITS)


WAITS_BY_PUSH = Schema(
    (Column("push", Kind.ID, "Push"), Column("revision", Kind.ID, "Revision", width=12),
     Column("pushed", Kind.TIME, "Pushed"), *_WAITS),
    key="push",
)  # fmt: skip


@_view("waits-by-push", "Job wait times per push", ("push", "pushes"), WAITS_BY_PUSH, "pairs", "jobs")
def waits_by_push(dataset: Dataset) -> pl.DataFrame:
    """One row per push that has a job with a known wait, the latest first."""
    spread = _job_waits(dataset).filter(pl.col("wait").is_not_null()).group_by("push_id").agg(_spread("wait"))
    pushes = dataset.table("pushes").select("push_id", "revision", "push_ts")
    rows = spread.join(pushes, on="push_id", how="left").sort("push_ts", "push_id", descending=True, nulls_last=True)
    named = rows.with_columns(pl.col("push_id").cast(pl.String).alias("push"), time_of("push_ts").alias("pushed"))
    return fit(named.collect(), WAITS_BY_PUSH)


WAITS_BY_PLATFORM = Schema((Column("platform", Kind.TEXT, "Platform"), *_WAITS), key="platform")


@_view("waits-by-platform", "Job wait times per platform", ("platform", "platforms"), WAITS_BY_PLATFORM,
       "pairs", "jobs")  # fmt: skip
def waits_by_platform(dataset: Dataset) -> pl.DataFrame:
    """One row per platform, the longest median first."""
    known = _job_waits(dataset).filter(pl.col("wait").is_not_null()).with_columns(pl.col("platform").fill_null(""))
    rows = known.group_by("platform").agg(_spread("wait")).collect()
    return fit(rows.sort(["median", "platform"], descending=[True, False]), WAITS_BY_PLATFORM)


WAITS_BY_HOUR = Schema((Column("hour", Kind.COUNT, "Hour (UTC)"), *_WAITS), key="key")


@_view("waits-by-hour", "Job wait times per hour of the day", ("hour", "hours"), WAITS_BY_HOUR, "pairs", "jobs")
def waits_by_hour(dataset: Dataset) -> pl.DataFrame:
    """One row per hour of the day (UTC) in which jobs were submitted."""
    known = _job_waits(dataset).filter(pl.col("wait").is_not_null())
    rows = known.group_by(_HOUR.alias("hour")).agg(_spread("wait")).sort("hour").collect()
    return fit(rows.with_columns(pl.col("hour").cast(pl.String).alias("key")), WAITS_BY_HOUR)


RECTIFIED = Schema(
    (
        Column("revision", Kind.ID, "Revision", width=12),
        Column("pushed", Kind.TIME, "Time"),
        Column("total", Kind.COUNT, "Groups"),
        Column("signatures", Kind.COUNT, "Signatures"),
        Column("unknown", Kind.COUNT, "Without group"),
    ),
    key="revision",
)


@_view("rectified", "Signature groups per revision, some frameworks left out", ("revision", "revisions"), RECTIFIED,
       "pushes", "pairs", "signatures")  # fmt: skip
def rectified(dataset: Dataset) -> pl.DataFrame:
    """`count_groups`, newest first."""
    counts = dataset.rectified.rename({"all": "signatures"})
    known = dataset.nullify_unfetched(counts, "total", "signatures", "unknown")
    return fit(known.with_columns(time_of("at").alias("pushed")).reverse(), RECTIFIED)


COVERAGE = Schema(
    (
        Column("endpoint", Kind.TEXT, "Fetched"),
        Column("ok", Kind.COUNT, "With rows"),
        Column("empty", Kind.COUNT, "Empty"),
        Column("failed", Kind.COUNT, "Failed"),
        Column("since", Kind.TIME, "Covers from"),
        Column("until", Kind.TIME, "to"),
        Column("fetched", Kind.TIME, "Last fetched"),
        Column("reasons", Kind.TEXT, "Failure reasons"),
    ),
    key="endpoint",
)


@_view("coverage", "What was fetched, and what is missing", ("request", "requests"), COVERAGE)
def coverage(dataset: Dataset) -> pl.DataFrame:
    """The fetch log, one row per endpoint."""
    reasons: dict[str, set[str]] = {}
    for repository, endpoint, _, _, reason in dataset.store.log.failures():
        if repository == dataset.repository:
            reasons.setdefault(endpoint, set()).add(reason)
    names = ("endpoint", "ok", "empty", "failed", "since", "until", "fetched")
    rows = [
        {**dict(zip(names, row, strict=True)), "reasons": ", ".join(sorted(reasons.get(str(row[0]), ())))}
        for repository, *row in dataset.store.log.summary()
        if repository == dataset.repository
    ]
    return build_frame(rows, COVERAGE)
