"""How many requests each list takes, and how few the API would allow: `python benchmarks/requests.py [WORD]`.

The embedded CI counts what it is asked by each verb: a process of its own, with an empty cache. With WORD only the
commands that hold it. What the API would allow is worked out by hand from its documentation; where it depends on how
many rows come out, it is a function of them.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from backends.demo import DemoOptions, DemoServer, locators
from benchmarks.measuring import clean_environment, print_table

TASKS = 2000


@dataclass(frozen=True)
class View:
    """`least`: requests that the API needs for so many rows, in order of what they are; `why` says which."""

    what: str
    command: str
    least: Callable[[int], int]
    why: str


VIEWS = (
    View("Prow: builds of a job, newest 100", "prow builds {prow.job-many}", lambda rows: 1 + 2 * rows,
         "a list; how a build ended stands in two files"),
    View("the same, ids alone", "prow builds {prow.job-many} --fast", lambda rows: 1, "a list"),
    View("the same, with the pull request", "prow builds {prow.job-many} --columns build,state,pull",
         lambda rows: 1 + 3 * rows, "a third file"),
    View("the same, every column", "prow builds {prow.job-many} --columns state,pull,log_size",
         lambda rows: 1 + 4 * rows, "three files and the list of the folder"),
    View("builds of a pull request's job, 100", "prow builds {prow.pull-job}", lambda rows: 1 + 2 * rows,
         "links stand in the list"),
    View("all 5,000 ids", "prow builds {prow.job-many} --fast --count 0", lambda rows: -(-rows // 1000),
         "1,000 a page"),
    View("jobs", "prow jobs gs://test-platform-results/logs/", lambda rows: 1, "a list"),
    View("files of a build", "prow files {prow.build-whole}", lambda rows: 1, "a list without delimiter"),
    View("completeness, 100 builds", "prow completeness {prow.completeness-job} --count 100", lambda rows: 201,
         "two levels of each build"),
    View("over time, 100 builds", "prow over-time {prow.job-many} --count 100", lambda rows: 201, "two files a build"),
    View("reasons, 100 builds", "prow reasons {prow.job-openshift} --count 100", lambda rows: 257,
         "two files a build, a third of each of the 56 that failed; the rest says why where Prow does not"),
    View("tests of 10 builds", "prow junit {prow.job-openshift} --count 10", lambda rows: 41,
         "a tree of a build and its JUnit files (3 here)"),
    View("log statistics, 10 builds", "prow stats {prow.job-openshift} --count 10", lambda rows: 41,
         "a list, two files and the log of a build"),
    View("search in 10 logs", "prow search {prow.job-openshift} --count 10 --text failed", lambda rows: 11,
         "a log a build"),
    View("a log", "prow log {prow.build-log}", lambda rows: 1, "its media"),
    View("a job's newest log", "prow log {prow.job-openshift} --tail 2", lambda rows: 5,
         "a list, how the build ended, its folder, the log"),
    View(f"Taskcluster: a group of {TASKS:,} tasks", "taskcluster tasks {taskcluster.finished-group}",
         lambda rows: -(-rows // 1000), "1,000 a page"),
    View("artifacts of a task", "taskcluster artifacts {taskcluster.task}", lambda rows: 2, "its status, then its run"),
    View("a task's log", "taskcluster log {taskcluster.task}", lambda rows: 2, "its status, then the text"),
    View("comparison of two groups", "taskcluster compare {taskcluster.finished-group} {taskcluster.running-group}",
         lambda rows: 2 * -(-TASKS // 1000), "both groups"),
    View("an index namespace", "taskcluster list {taskcluster.namespace}", lambda rows: 2, "tasks and namespaces"),
    View("Treeherder: signatures", "treeherder signatures --repository autoland --framework browsertime",
         lambda rows: 2, "the framework's id, then all of them"),
    View("alerts", "treeherder alerts", lambda rows: 2, "the summaries, the frameworks' names"),
    View("pushes, 10", "treeherder pushes --repository autoland --count 10", lambda rows: 12,
         "a list, a repository; counts of jobs a push"),
    View("pushes, 10, without counts", "treeherder pushes --repository autoland --count 10 --columns revision,author",
         lambda rows: 1, "a list"),
    View("jobs of a push", "treeherder jobs {perf.push}", lambda rows: 2, "the push, then 2,000 jobs a page"),
    View("values of a series", "treeherder list {perf.series}", lambda rows: 3, "its signature, values and alerts"),
    View("Archives: repositories", "archives repositories", lambda rows: 1, "a page"),
    View("revisions", "archives revisions mozilla-central", lambda rows: 1, "a page"),
)  # fmt: skip


def run(arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """The number of rows (0 where it prints none) and the last line of what went wrong."""
    with tempfile.TemporaryDirectory() as home:
        own = {name: f"{home}/{name}" for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
        is_list = arguments[1] not in ("log", "show")
        command = [sys.executable, "-m", "ciexplore", *arguments, *(("--format", "csv") if is_list else ())]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600, check=False, env={**environment, **own, "HOME": home}
        )
    rows = sum(1 for _ in csv.reader(io.StringIO(done.stdout))) - 1 if is_list else 0
    return max(rows, 0), done.stderr.strip().splitlines()[0][:60] if done.returncode else ""


def kinds(paths: list[str]) -> str:
    """What was asked for more than once, as short as can be: `finished.json 100`."""
    names = ("list" if path.endswith("/o") else path.rstrip("/").rpartition("/")[2][-24:] for path in paths)
    return ", ".join(f"{name} {count}" for name, count in Counter(names).most_common(4))


def main() -> None:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    options, rows = DemoOptions(tasks=TASKS), []
    with DemoServer(options) as server:
        texts = {f"{{{name}}}": text for name, text in locators(options, server.settings.get("ROOT_URL", "")).items()}
        environment = clean_environment(**server.settings)
        environment.setdefault("PYTHONPATH", os.getcwd())
        for view in VIEWS:
            if word not in view.command and word not in view.what:
                continue
            server.requests.clear()
            count, problem = run([texts.get(part, part) for part in view.command.split()], environment)
            asked = [one.path for one in server.requests]
            least = view.least(count)
            rows.append((view.what, count or "", len(asked), least, problem or kinds(asked), view.why))
    print_table(("view", "rows", "requests", "the API allows", "most of them", "which these would be"), rows)


if __name__ == "__main__":
    main()
