"""The push or build since which something fails, against the planted histories of the embedded CI."""

from __future__ import annotations

import json
import os

import pytest

from backends import config
from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer
from backends.demo.prow import builds as prow
from backends.demo.prow import junit
from backends.demo.taskcluster.failure_causes import planted_failures
from backends.demo.taskcluster.fixtures import Fixtures
from backends.demo.taskcluster.regressions import PlantedHistory, plan_histories
from backends.errors import UsageError
from backends.failures.locators import ClustersOf, FailuresOf, SinceOf
from backends.resources import Link, ListContents, Resource, read_list
from backends.session import Session
from tests.commands.calling import Caller
from tests.driving import loaded, running, screen_text, shown_view, until, view


@pytest.fixture
def session(demo: dict[str, str]) -> Session:
    return Session(config.load(dict(os.environ)), demo=True)


@pytest.fixture
def fixtures(demo_server: DemoServer) -> Fixtures:
    return Fixtures(demo_server.options)


def since(session: Session, of: str, **options: object) -> tuple[Resource, ListContents]:
    resource = session.resource(SinceOf(of, **options))  # type: ignore[arg-type]
    return resource, read_list(resource, CancelToken())


def task_of(history: PlantedHistory) -> str:
    return f"taskcluster:task/{history.like.id}"


def planted(fixtures: Fixtures, kind: str) -> PlantedHistory:
    """One whose label failed in all of its tasks of the finished group (an intermittent one may have passed, too)."""
    states: dict[str, set[str]] = {}
    for task in fixtures.finished.tasks:
        states.setdefault(task.label.name, set()).update(run.state for run in task.history[-1:])
    histories = plan_histories(fixtures.seed, fixtures.finished.tasks)
    return next(
        history
        for name, history in histories.items()
        if history.kind == kind and (kind == "intermittent" or states[name] == {"failed"})
    )


def name_of_test(fixtures: Fixtures, history: PlantedHistory) -> str:
    return planted_failures(fixtures.seed, history.like, 0)[0].test


def requests(contents: ListContents) -> int:
    return int(" ".join(contents.notes).rpartition("; ")[2].split()[0])


@pytest.mark.parametrize("by", ["task", "test", "cluster"])
@pytest.mark.parametrize("every", [False, True])
def test_the_planted_push_is_named(session: Session, fixtures: Fixtures, by: str, every: bool) -> None:
    history = planted(fixtures, "regression")
    of, options = task_of(history), {}
    if by == "test":
        options["test"] = name_of_test(fixtures, history)
    if by == "cluster":
        clusters = read_list(session.resource(ClustersOf(of)), CancelToken()).frame
        options["cluster"] = clusters["cluster"][0]
    resource, found = since(session, of, **options, every=every)
    culprit, before = (fixtures.before[history.begun + place] for place in (0, 1))
    assert found.frame["revision"].to_list() == [culprit.revision]
    row = found.frame.row(0, named=True)
    assert resource.title.startswith(f"fails since {culprit.revision[:12]}: ")
    assert row["state"] == "failed" and row["author"] and row["message"].startswith("Bug ") and row["commits"] >= 1
    note = " ".join(found.notes)
    assert f"first failed in {culprit.revision[:12]} (2026-11-" in note
    assert f"Last passed in {before.revision[:12]} (2026-11-" in note
    assert row["url"].endswith(f"/rev/{culprit.revision}") and culprit.revision in row["page"]
    assert f"last passed in {before.revision[:12]}" in resource.summary(found.frame)
    opened = resource.open(row)
    assert opened is not None and opened.text().startswith("treeherder:jobs/autoland/")
    # Of the task and its failures, its job and those like it, and the pushes 10; two for each job that is looked at.
    assert requests(found) <= 10 + 2 * (int(" ".join(found.notes).partition(" looked at")[0].split()[-1]))


def test_the_pushes_that_did_not_run_the_job_are_suspects_too(session: Session, fixtures: Fixtures) -> None:
    history = planted(fixtures, "gaps")
    _, found = since(session, task_of(history), test=name_of_test(fixtures, history))
    assert fixtures.before[history.begun].revision in found.frame["revision"].to_list()
    places = [history.begun - 1, history.begun, history.begun + 1]
    assert found.frame["revision"].to_list() == [fixtures.before[place].revision for place in places]
    assert found.frame["state"].to_list() == ["failed", "not run", "not run"]
    assert "2 pushes between did not run it" in " ".join(found.notes)


def test_an_intermittent_test_gets_its_rate_and_no_culprit(session: Session, fixtures: Fixtures) -> None:
    history = planted(fixtures, "intermittent")
    expected = [history.outcome(fixtures.seed, place) for place in range(1, 25)]
    own = sum(task.label.name == history.label.name for task in fixtures.finished.tasks)
    resource, found = since(session, task_of(history), test=name_of_test(fixtures, history))
    failures, runs = expected.count("failed") + 1, len(expected) + 1
    assert int(found.frame["runs"].sum()) == runs + own - 1
    assert failures <= int(found.frame["failures"].sum()) <= failures + own - 1
    assert resource.title.startswith(f"intermittent: {int(found.frame['failures'].sum())} of {runs + own - 1} runs: ")
    assert found.frame["revision"].is_null().all() and found.frame["rate"].is_between(0, 100).all()
    assert found.frame["name"].to_list() == sorted(found.frame["name"].to_list(), reverse=True)  # days


def test_a_single_failure_and_one_without_a_pass_are_told(session: Session, fixtures: Fixtures) -> None:
    histories = plan_histories(fixtures.seed, fixtures.finished.tasks).values()
    once, always = (next(one for one in histories if one.kind == kind) for kind in ("once", "always"))
    resource, found = since(session, task_of(once))
    assert resource.title.startswith(f"failed once, in {fixtures.finished.revision[:12]}: ")
    assert "may be intermittent" in " ".join(found.notes)
    resource, found = since(session, task_of(always), test=name_of_test(fixtures, always))
    assert resource.title.startswith("no pass found in ") and found.frame["state"].to_list() == ["failed"] * len(
        found.frame
    )


def test_without_treeherder_the_index_leads_to_the_same_push(
    session: Session, fixtures: Fixtures, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = planted(fixtures, "regression")
    monkeypatch.setenv("CIEXPLORE_TREEHERDER_URL", os.environ["TASKCLUSTER_ROOT_URL"])  # it is no Treeherder
    other = Session(config.load(dict(os.environ)), demo=True)
    resource, found = since(other, task_of(history), test=name_of_test(fixtures, history))
    assert found.frame["revision"].to_list() == [fixtures.before[history.begun].revision]
    assert "The index was asked instead" in " ".join(found.notes)
    assert found.frame["author"].null_count() == 0
    opened = resource.open(found.frame.row(0, named=True))
    assert opened is not None and fixtures.before[history.begun].id in opened.text()


def test_the_planted_build_is_named(session: Session, demo_server: DemoServer) -> None:
    builds = prow.regression_builds(demo_server.options.seed)
    newest = f"gs://{builds[-1].bucket}/{builds[-1].folder}"
    first, last = builds[prow.FIRST_REGRESSED], builds[prow.FIRST_REGRESSED - prow.LOST_BEFORE_REGRESSION - 1]
    for of, test in ((newest, junit.REGRESSED_TEST), (newest, ""), (f"gs://{first.bucket}/logs/{first.job}/", "")):
        resource, found = since(session, of, test=test)
        assert found.frame["name"][0] == first.id and found.frame["state"].to_list() == ["failed", "unknown", "unknown"]
        assert resource.title.startswith(f"fails since {first.id}: ")
        note = " ".join(found.notes)
        assert f"Last passed in {last.id}" in note and "2 builds between gave no result" in note
        assert found.frame["url"].str.contains("https://github.com/kubernetes/kubernetes/com").all()
        # Listings and ends of builds; a test costs the list of files and the JUnit files of builds that failed, too.
        assert requests(found) <= (90 if test else 45)
    opened = resource.open(found.frame.row(0, named=True))
    assert opened is not None and first.id in opened.text()


def test_an_intermittent_test_of_builds(session: Session, demo_server: DemoServer) -> None:
    seed = demo_server.options.seed
    builds = prow.regression_builds(seed)
    failed = sum(prow.fails_now_and_then(seed, build.index) for build in builds)
    told = len(builds) - prow.LOST_BEFORE_REGRESSION
    resource, found = since(session, f"gs://{builds[-1].bucket}/{builds[-1].folder}", test=junit.INTERMITTENT_TEST)
    assert resource.title.startswith(f"intermittent: {failed} of {told} runs: ")
    assert int(found.frame["failures"].sum()) == failed and int(found.frame["runs"].sum()) == told
    assert "2 builds gave no result" in " ".join(found.notes)


def test_what_did_not_fail_and_what_is_not_one_thing(session: Session, demo: dict[str, str]) -> None:
    resource, found = since(session, demo["taskcluster.task"])
    assert found.frame.is_empty() and resource.title.startswith("not failing: ")
    with pytest.raises(UsageError, match="jobs failed there"):
        since(session, demo["taskcluster.finished-group"])
    with pytest.raises(UsageError, match="no failure of this test"):
        since(session, demo["taskcluster.failed-task"], test="no such test")
    with pytest.raises(UsageError, match="no failure of this cluster"):
        since(session, demo["taskcluster.failed-task"], cluster="0" * 16)
    assert since(session, demo["taskcluster.empty-group"])[1].frame.is_empty()
    resource, found = since(session, demo["taskcluster.retried-empty-task"])
    assert found.frame.is_empty() and resource.title.startswith("no result: ")


def test_rows_of_failures_lead_here(session: Session, demo: dict[str, str]) -> None:
    for locator in (FailuresOf(demo["taskcluster.failed-task"]), ClustersOf(demo["taskcluster.failed-task"])):
        resource = session.resource(locator)
        frame = read_list(resource, CancelToken()).frame
        menu = resource.menu(frame.row(0, named=True), frame)
        [link] = [entry for entry in menu if entry.letter == "S"]
        assert isinstance(link, Link) and isinstance(link.opens, SinceOf)
        assert read_list(session.resource(link.opens), CancelToken()).frame["state"].to_list() == ["failed"]


async def test_from_a_failed_task_to_the_push_that_began_it(demo: dict[str, str], fixtures: Fixtures) -> None:
    culprit = fixtures.before[planted(fixtures, "regression").begun]
    async with running(demo["taskcluster.failed-task"], size=(80, 24)) as (app, pilot):
        task = view(app)
        await pilot.press("x", "S")
        await until(pilot, lambda: view(app) is not task and loaded(app) and shown_view(app).resource is not None)
        await until(pilot, lambda: f"fails since {culprit.revision[:12]}" in screen_text(app))
        assert culprit.revision[:12] in screen_text(app)


def test_since_from_the_command_line(
    capsysbinary: pytest.CaptureFixture[bytes], demo: dict[str, str], fixtures: Fixtures
) -> None:
    ciexplore = Caller(capsysbinary)
    history = planted(fixtures, "regression")
    ended = ciexplore("since", demo["taskcluster.failed-task"], "--format", "jsonl")
    [row] = [json.loads(line) for line in ended.text.splitlines()]
    assert row["revision"] == fixtures.before[history.begun].revision
    assert "fails since" in ended.err and "first failed in" in ended.err and ended.code == 0
    test = name_of_test(fixtures, history)
    assert ciexplore("since", demo["taskcluster.finished-group"], "--test", test, "--format", "csv").rows
    assert ciexplore("since", demo["taskcluster.finished-group"], "--cluster", "nonsense").code == 2


def test_the_histories_are_the_same_for_other_sizes() -> None:
    """The regression of the start screen's failed task is planted at the same push for every number of tasks."""
    found = set()
    for tasks in (150, 400):
        fixtures = Fixtures(DemoOptions(tasks=tasks))
        histories = plan_histories(fixtures.seed, fixtures.finished.tasks)
        failed = fixtures.task_with_role("failed")
        found.add((histories[failed.label.name].kind, fixtures.before[histories[failed.label.name].begun].revision))
    assert len(found) == 1


def test_a_failure_in_a_build_that_passed_is_told_apart(session: Session, demo: dict[str, str]) -> None:
    build = demo["prow.build-pull"]
    frame = read_list(session.resource(ClustersOf(build)), CancelToken()).frame
    resource, found = since(session, build, cluster=str(frame["cluster"][0]))
    assert resource.title.startswith("no failed run: cluster ") and "\n" not in resource.title
    assert found.frame.is_empty() and "passed as a whole" in " ".join(found.notes)
