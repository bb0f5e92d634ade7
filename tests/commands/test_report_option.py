"""--report: the rows of any command as one HTML page, and a wrong name is refused before anything is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.calling import Caller


def test_a_group_becomes_a_page(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    page, group = tmp_path / "group.html", demo["taskcluster.finished-group"]
    done = ciexplore("taskcluster", "tasks", group, "--filter", "state:failed", "--report", str(page))
    assert (done.code, done.out) == (0, b""), done.err
    text = page.read_text("utf-8")
    assert "state:failed" in text and "autoland" in text and group.rpartition("/")[2] in text
    assert "<svg " in text and "Statistics" in text and "<script" not in text
    done = ciexplore("taskcluster", "tasks", group, "--report", str(page))
    assert done.code == 1 and "exists" in done.err and page.read_text("utf-8") == text
    done = ciexplore("taskcluster", "tasks", group, "--report", str(page), "--overwrite", "--format", "csv")
    assert done.code == 0 and done.rows and page.read_text("utf-8") != text


def test_hostile_names_stay_text_and_secrets_are_left_out(
    ciexplore: Caller, demo: dict[str, str], tmp_path: Path
) -> None:
    page = tmp_path / "hostile.html"
    done = ciexplore("taskcluster", "list", demo["taskcluster.hostile-group"], "--report", str(page))
    assert done.code == 0, done.err
    assert "<script" not in page.read_text("utf-8").lower() and "\x1b" not in page.read_text("utf-8")
    done = ciexplore(
        "taskcluster", "stats", demo["taskcluster.finished-group"] + "?token=canary",
        "--report", str(page), "--overwrite",
    )  # fmt: skip
    assert done.code == 0 and "canary" not in page.read_text("utf-8")


def test_what_is_no_list_of_a_locator_has_a_report_too(ciexplore: Caller, demo: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "sql.html"
    query = "SELECT state, count(*) AS n FROM tasks GROUP BY state"
    source = f"tasks={demo['taskcluster.finished-group']}"
    done = ciexplore("sql", query, "--from", source, "--report", str(page))
    assert done.code == 0 and query in page.read_text("utf-8"), done.err
    done = ciexplore("prow", "builds", demo["prow.job-openshift"], "--count", "5", "--report", str(page), "--overwrite")
    assert done.code == 0 and "prow builds" in page.read_text("utf-8"), done.err


@pytest.mark.parametrize("name", ["a.txt", "a"])
def test_another_ending_is_refused(ciexplore: Caller, demo: dict[str, str], name: str) -> None:
    done = ciexplore("taskcluster", "list", demo["taskcluster.finished-group"], "--report", name)
    assert done.code == 2 and ".html" in done.err
