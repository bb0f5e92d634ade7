"""Which panes of lists there are, behind which keys, and what each offers before anything is open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Home:
    """A pane of lists. `pane`: its id; `system`: whose locators it opens (`Locator.system`); `label`: in the top bar.

    `roots`: (title, locator) of lists to begin with, offered below what was opened before.
    """

    pane: str
    key: str
    system: str
    label: str
    greeting: str
    roots: tuple[tuple[str, str], ...] = ()


HOMES: tuple[Home, ...] = (
    Home(
        "taskcluster",
        "f1",
        "taskcluster",
        "Tasks",
        "Find, read, download and measure what CI produced",
        roots=(("Index: gecko.v2", "taskcluster:index/gecko.v2"),),
    ),
    Home(
        "prow",
        "f2",
        "prow",
        "Prow",
        "Jobs, builds and their files, completeness, logs and tests of Prow's archives",
        roots=(
            ("OpenShift: jobs", "gs://test-platform-results/logs/"),
            ("OpenShift: jobs of pull requests", "gs://test-platform-results/pr-logs/directory/"),
            ("Kubernetes: jobs", "gs://kubernetes-ci-logs/logs/"),
            ("Kubernetes: jobs of pull requests", "gs://kubernetes-ci-logs/pr-logs/directory/"),
        ),
    ),
    Home(
        "perf",
        "f3",
        "treeherder",
        "Perf",
        "Performance signatures, series, alerts and comparisons; pushes and jobs",
        roots=(
            ("Repositories", "perf:repositories"),
            ("Alerts", "perf:alerts/all/all"),
            ("autoland: signatures by framework", "perf:frameworks/autoland"),
            ("autoland: pushes", "perf:pushes/autoland"),
        ),
    ),
    Home(
        "archive",
        "f4",
        "archives",
        "Archives",
        "Source archives at a revision, verified and kept",
        roots=(("Repositories", "archive:repositories"), ("Archives kept here", "archive:held")),
    ),
    Home(
        "submit",
        "f5",
        "submit",
        "Submit",
        "Job data for Treeherder: checked, previewed and published",
        roots=(("Outbox", "submit:outbox"),),
    ),
)
BY_SYSTEM = {home.system: home for home in HOMES}
BY_PANE = {home.pane: home for home in HOMES}
