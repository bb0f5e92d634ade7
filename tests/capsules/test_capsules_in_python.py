"""`ciexplore.open(..., capsule=FILE)`: the same lists as from the servers, which are gone; no connection is made."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

import ciexplore
from backends.errors import UsageError
from tests.capsules.conftest import TASKS, SavedDemo

pytestmark = pytest.mark.usefixtures("no_network")


def test_a_group_is_the_same(saved_demo: SavedDemo, tmp_path: Path) -> None:
    group = saved_demo.names["taskcluster.finished-group"]
    before = pl.read_parquet(
        io.BytesIO(saved_demo.before[("taskcluster", "tasks", group, "--format", "parquet", "-o", "-")])
    )
    with ciexplore.open(group, capsule=saved_demo.group) as tasks:
        frame = tasks.frame()
        assert frame.select(before.columns).equals(before) and frame.height == TASKS
        failed = frame.filter(pl.col("state") == "failed")[0]
        log = tasks.log(failed)
        printed = saved_demo.before[("taskcluster", "log", saved_demo.names["taskcluster.failed-task"])]
        with ciexplore.open(saved_demo.names["taskcluster.failed-task"], capsule=str(saved_demo.group)) as task:
            assert [line.rstrip() for line in task.log()] == [line.rstrip() for line in printed.decode().splitlines()]
        assert log.errors() and log.search("INFO")
        states = tasks.sql("SELECT state, count(*) AS n FROM rows GROUP BY state")
        assert states["n"].sum() == TASKS
        assert [path.suffix for path in tasks.download(tmp_path / "out", match=["*perfherder-data.json"])] != []
        tasks.report(tmp_path / "a.html")


def test_lists_of_other_systems_are_the_same(saved_demo: SavedDemo) -> None:
    for name in ("prow.build", "perf.push", "perf.alerts", "perf.series", "archive.repository"):
        with ciexplore.open(saved_demo.names[name], capsule=saved_demo.others) as listing:
            assert listing.frame().height > 0, name


def test_a_capsule_of_one_list_needs_no_locator(saved_demo: SavedDemo) -> None:
    with ciexplore.open(capsule=saved_demo.group) as tasks:
        assert tasks.frame().height == TASKS
        assert tasks.locator.text() == saved_demo.names["taskcluster.finished-group"]
    with pytest.raises(ciexplore.AppError, match=r"holds 6 lists\. Name one of them: gs://"):
        ciexplore.open(capsule=saved_demo.others)


def test_what_it_lacks_and_what_is_no_capsule_is_said(saved_demo: SavedDemo, tmp_path: Path) -> None:
    group = saved_demo.names["taskcluster.running-group"]
    with (
        ciexplore.open(group, capsule=saved_demo.group) as tasks,
        pytest.raises(ciexplore.AppError, match="is not in this capsule"),
    ):
        tasks.frame()
    for odd in (5, 0, b"a.capsule", ["a.capsule"]):
        with pytest.raises(UsageError, match=rf"capsule is a {type(odd).__name__}, not the path of a file"):
            ciexplore.open(group, capsule=odd)  # type: ignore[arg-type]
    with pytest.raises(ciexplore.AppError, match="is not a file"):
        ciexplore.open(group, capsule=tmp_path / "missing.capsule")
    with pytest.raises(ciexplore.AppError, match="exclude each other"):
        ciexplore.open(group, capsule=saved_demo.group, mode="refresh")
    with pytest.raises(ciexplore.AppError, match="the text is empty"):
        ciexplore.open()
