"""What holds for every locator and for every text."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.locators import InvalidLocatorError, Locator
from backends.systems import parse_locator
from backends.taskcluster.locators import (
    CONTENT_VIEWS,
    SLUGID,
    Artifact,
    ArtifactContents,
    GroupComparison,
    GroupView,
    IndexedGroup,
    IndexNamespace,
    IndexPath,
    PushGroup,
    Task,
    TaskArtifacts,
    TaskDependencies,
    TaskDependents,
    TaskGroup,
    TaskMeasurements,
    TaskOrGroup,
    TaskRetriggers,
    TaskRuns,
    TreeherderJob,
)

slugs = st.from_regex(SLUGID, fullmatch=True)
roots = st.sampled_from(
    [
        "",
        "https://firefox-ci-tc.services.mozilla.com",
        "https://tc.example:8443",
        "http://localhost:1",
        "http://127.0.0.1:8080",
        "http://[::1]:9",
    ]
)
runs = st.integers(0, 1000)
# Anything that JSON can hold, lone surrogates too: names come from servers.
names = st.text(st.characters(), min_size=1, max_size=40) | st.sampled_from(
    ["..", "/", "//", "logs/live/x", "definition", "a/", "/a", "a//b", "%2F", "a?b#c", "a#L3", "x.", "\ud800", "é%"]
)

many = st.lists(slugs, min_size=1, max_size=5).map(tuple)
sides = st.one_of(
    st.builds(TaskGroup, slugs, roots, many | st.just(())),
    st.builds(TaskOrGroup, slugs, roots),
    st.builds(PushGroup, names, names, roots),
    st.builds(IndexPath, names, roots),
)

repositories = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
numbers = st.integers(1, 10**9)
servers = st.sampled_from(["", "https://treeherder.allizom.org", "http://localhost:8000"])
locators: st.SearchStrategy[Locator] = st.one_of(
    st.builds(TaskGroup, slugs, roots),
    st.builds(TaskGroup, slugs, roots, many | st.just(()), names.map(str.strip), slugs | st.just("")),
    st.builds(IndexedGroup, names, roots),
    st.builds(TreeherderJob, repositories, numbers, st.just(True), st.just(""), servers, numbers, st.none()),
    st.builds(TreeherderJob, repositories, numbers, st.just(False), st.from_regex("[0-9a-f]{12,40}", fullmatch=True)),
    st.builds(Artifact, slugs, runs, names, roots, st.integers(1, 999), st.integers(1000, 10**9)),
    st.builds(Task, slugs, st.none() | runs, roots),
    st.builds(TaskOrGroup, slugs, roots),
    st.builds(Artifact, slugs, st.none() | runs, names, roots, st.none() | st.integers(1, 10**9)),
    st.builds(TaskArtifacts, st.lists(slugs, min_size=1, max_size=5).map(tuple), roots),
    st.builds(TaskMeasurements, st.lists(slugs, min_size=1, max_size=5).map(tuple), roots),
    st.builds(IndexPath, names | st.from_regex(r"[a-z]{1,5}(\.[a-z0-9!'()~*_-]{1,5}){0,4}", fullmatch=True), roots),
    st.builds(IndexPath, names, roots, names),
    st.builds(TaskGroup, slugs, roots, many),
    *(st.builds(kind, slugs, roots) for kind in (TaskRuns, TaskDependencies, TaskDependents, TaskRetriggers)),
    st.builds(GroupView, st.just("breakdown"), slugs, names, many | st.just(()), roots),
    st.builds(GroupView, st.sampled_from(["timeline", "critical-path"]), slugs, st.just(""), many | st.just(()), roots),
    st.builds(IndexNamespace, names | st.just(""), roots),
    st.builds(ArtifactContents, st.sampled_from(CONTENT_VIEWS), slugs, st.none() | runs, names, roots),
    st.builds(GroupComparison, sides, sides, st.booleans(), st.just(()), roots),
    st.builds(GroupComparison, sides, sides, st.just(True), st.tuples(*[names | st.just("")] * 7), roots),
    st.builds(PushGroup, names, st.from_regex("[0-9a-f]{12,40}", fullmatch=True) | names, roots),
)

shapes = st.sampled_from(
    [
        "https://h.example/tasks/",
        "https://h.example/tasks/groups/",
        "https://h.example/api/queue/v1/task/",
        "https://treeherder.mozilla.org/jobs?repo=try&revision=",
        "https://treeherder.mozilla.org/#/jobs?repo=try&selectedTaskRun=",
        "https://firefoxci.taskcluster-artifacts.net/",
        "taskcluster:",
        "taskcluster:index/",
        "taskcluster:compare/",
        "taskcluster:compare/fN1SbArXTPSVFNUvaOlinQ..",
        "taskcluster:values/fN1SbArXTPSVFNUvaOlinQ..fN1SbArXTPSVFNUvaOlinQ/",
        "taskcluster:breakdown/fN1SbArXTPSVFNUvaOlinQ/",
        "taskcluster:namespace/",
        "taskcluster:archive/fN1SbArXTPSVFNUvaOlinQ/0/",
        "taskcluster:artifact/fN1SbArXTPSVFNUvaOlinQ/0/x#L",
        "https://h.example/tasks/fN1SbArXTPSVFNUvaOlinQ/runs/0/logs/x#L",
        "taskcluster:group/fN1SbArXTPSVFNUvaOlinQ?root=",
        "http://[",
        "https://",
        "gecko.v2.",
    ]
)


@settings(deadline=None)
@given(locators)
def test_a_copied_locator_pastes_as_itself(locator: Locator) -> None:
    assert parse_locator(locator.text()) == locator


@settings(deadline=None)
@given(st.text(st.characters()) | st.builds(str.__add__, shapes, st.text(st.characters())))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(InvalidLocatorError):
        locator = parse_locator(text)
        assert parse_locator(locator.text()) == locator


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_no_tail_of_a_task_address_leaves_the_deployment_that_it_names(tail: str) -> None:
    with contextlib.suppress(InvalidLocatorError):
        locator = parse_locator(f"https://h.example/tasks/fN1SbArXTPSVFNUvaOlinQ/{tail}")
        assert isinstance(locator, Task | Artifact)
        assert (locator.task_id, locator.root_url) == ("fN1SbArXTPSVFNUvaOlinQ", "https://h.example")
