"""Every shape of address that people paste opens the right thing."""

from __future__ import annotations

import pytest

from backends.locators import InvalidLocatorError
from backends.systems import accepted_forms, parse_locator
from backends.taskcluster.locators import (
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
    TaskDependents,
    TaskGroup,
    TaskMeasurements,
    TaskOrGroup,
    TaskRuns,
    TreeherderJob,
)

G = "fN1SbArXTPSVFNUvaOlinQ"
T = "A-mgp6ruSLWYD2BPAAQ_vQ"
MINUS = "-BCdefghQaCabcdefghijA"
REV = "0b445bf4228a963505183b157758c37664921791"
FX = "https://firefox-ci-tc.services.mozilla.com"
TH = "https://treeherder.mozilla.org"
LOG = "public/logs/live_backing.log"

FORMS = {
    G: TaskOrGroup(G),
    MINUS: TaskOrGroup(MINUS),
    f"{T}.2": Task(T, 2),
    f"{FX}/tasks/groups/{G}": TaskGroup(G, FX),
    f"{FX}/tasks/groups/{G}/": TaskGroup(G, FX),
    f"{FX}/tasks/groups/{G}/profiler": TaskGroup(G, FX),
    f"{FX}/tasks/groups/{G}?filter=failed#x": TaskGroup(G, FX, search="x"),
    f"{FX}/tasks/groups/{G}/tasks/{T}/runs/1": Task(T, 1, FX),
    f"{FX}/tasks/{T}": Task(T, None, FX),
    f"{FX}/tasks/{T}/definition": Task(T, None, FX),
    f"{FX}/tasks/{T}/runs/3": Task(T, 3, FX),
    f"{FX}/tasks/{T}/runs/0/logs/live/public%2Flogs%2Flive.log": Artifact(T, 0, "public/logs/live.log", FX),
    f"{FX}/tasks/{T}/runs/0/logs/live/{FX}/api/queue/v1/task/{T}/runs/0/artifacts/{LOG}": Artifact(T, 0, LOG, FX),
    f"{FX}/tasks/{T}/runs/0/logs/live/https%3A%2F%2Ffirefox-ci-tc.services.mozilla.com%2Fapi%2Fqueue%2Fv1%2Ftask%2F"
    f"{T}%2Fruns%2F0%2Fartifacts%2Fpublic%2Flogs%2Flive.log": Artifact(T, 0, "public/logs/live.log", FX),
    f"{FX}/tasks/{T}/runs/0/logs/live/https%3A%2F%2Felsewhere.example%2Fx.log": Task(T, 0, FX),
    f"{FX}/tasks/{T}/runs/0/logs/public%2Flogs%2Flive_backing.log#L12": Artifact(T, 0, LOG, FX, 12),
    f"{FX}/tasks/{T}/runs/0/logs/live/public%2Flogs%2Flive_backing.log#L120-L130": Artifact(T, 0, LOG, FX, 120, 130),
    f"{FX}/tasks/{T}/runs/0/logs/live/{FX}/api/queue/v1/task/{T}/runs/0/artifacts/{LOG}#L120-130": Artifact(
        T, 0, LOG, FX, 120, 130
    ),
    f"{FX}/tasks/{T}/runs/0/logs/{LOG}#L0": Artifact(T, 0, LOG, FX),
    f"{FX}/tasks/{T}/runs/0/logs/{LOG}#bottom": Artifact(T, 0, LOG, FX),
    f"{FX}/tasks/{T}/runs/0#L7": Task(T, 0, FX),
    f"https://firefoxci.taskcluster-artifacts.net/{T}/2/{LOG}#L7": Artifact(T, 2, LOG, FX, 7),
    f"taskcluster:artifact/{T}/0/{LOG}#L7": Artifact(T, 0, LOG, "", 7),
    f"taskcluster:artifact/{T}/0/{LOG}?root={FX}#L7-L9": Artifact(T, 0, LOG, FX, 7, 9),
    f"{FX}/tasks/groups/{T}#xpcshell": TaskGroup(T, FX, search="xpcshell"),
    f"{FX}/tasks/groups/{T}#linux64%2Fopt%20m": TaskGroup(T, FX, search="linux64/opt m"),
    f"{FX}/tasks/groups/{T}/profiler": TaskGroup(T, FX),
    f"{FX}/tasks/groups/{T}?limit=50": TaskGroup(T, FX),
    f"{FX}/tasks/groups/{T}?limit=50#xpcshell": TaskGroup(T, FX, search="xpcshell"),
    f"taskcluster:group/{T}#xpcshell": TaskGroup(T, search="xpcshell"),
    f"taskcluster:group/{T}/{T}?root={FX}": TaskGroup(T, FX, task=T),
    f"{FX}/tasks/index/gecko.v2.try.latest.firefox/linux64-opt/task-group": IndexedGroup(
        "gecko.v2.try.latest.firefox.linux64-opt", FX
    ),
    f"{FX}/tasks/index/gecko.v2.try/task-group": IndexPath("gecko.v2.try.task-group", FX),
    f"{TH}/jobs?revision={REV}": PushGroup("autoland", REV),
    f"{TH}/jobs?repo=&selectedJob=7": TreeherderJob("autoland", 7),
    f"{TH}/logviewer?job_id=123&repo=autoland": TreeherderJob("autoland", 123, log=True),
    f"{TH}/logviewer?job_id=123&repo=autoland&lineNumber=10-20": TreeherderJob("autoland", 123, True, line=10, last=20),
    f"{TH}/logviewer.html#?job_id=123&repo=autoland&lineNumber=9": TreeherderJob("autoland", 123, True, line=9),
    f"{TH}/jobs?repo=autoland&revision={REV}&selectedJob=123456": TreeherderJob("autoland", 123456, False, REV),
    f"{TH}/#/jobs?repo=autoland&selectedJob=123456": TreeherderJob("autoland", 123456),
    "https://treeherder.allizom.org/logviewer?job_id=5&repo=try": TreeherderJob(
        "try", 5, True, server="https://treeherder.allizom.org"
    ),
    f"[the log]({FX}/tasks/{T}/runs/0/logs/{LOG})": Artifact(T, 0, LOG, FX),
    f"Task failed: {FX}/tasks/{T}, please look.": Task(T, None, FX),
    f"$ curl -sSL -o x '{FX}/api/queue/v1/task/{T}/runs/0/artifacts/{LOG}'": Artifact(T, 0, LOG, FX),
    f"taskcluster:artifact/{T}/0/{LOG}%23L7": Artifact(T, 0, f"{LOG}#L7"),
    f"{FX}/tasks/{T}/runs/0/logs/{LOG}": Artifact(T, 0, LOG, FX),
    f"{FX}/tasks/{T}/runs/0/public/build/target.tar.xz": Artifact(T, 0, "public/build/target.tar.xz", FX),
    f"{FX}/tasks/{T}/runs/0/public%2Fa%20b": Artifact(T, 0, "public/a b", FX),
    f"{FX}/tasks/index/gecko.v2.autoland.latest.taskgraph/decision": IndexPath(
        "gecko.v2.autoland.latest.taskgraph.decision", FX
    ),
    f"{FX}/api/queue/v1/task/{T}": Task(T, None, FX),
    f"{FX}/api/queue/v1/task/{T}/status": Task(T, None, FX),
    f"{FX}/api/queue/v1/task/{T}/artifacts": Task(T, None, FX),
    f"{FX}/api/queue/v1/task/{T}/runs/1/artifacts": Task(T, 1, FX),
    f"{FX}/api/queue/v1/task/{T}/runs/1/artifacts/public%2Fx.log": Artifact(T, 1, "public/x.log", FX),
    f"{FX}/api/queue/v1/task/{T}/artifacts/public/test_info//raw.log": Artifact(
        T, None, "public/test_info//raw.log", FX
    ),
    f"{FX}/api/queue/v1/task/{T}/artifact-content/{LOG}": Artifact(T, None, LOG, FX),
    f"{FX}/api/queue/v1/task/{T}/runs/0/artifact-info/{LOG}": Artifact(T, 0, LOG, FX),
    f"{FX}/api/queue/v1/task-group/{G}": TaskGroup(G, FX),
    f"{FX}/api/queue/v1/task-group/{G}/list?limit=1000&continuationToken=abc": TaskGroup(G, FX),
    f"{FX}/api/index/v1/task/gecko.v2.try.x": IndexPath("gecko.v2.try.x", FX),
    f"{FX}/api/index/v1/task/gecko.v2.try.x/artifacts/public/task-graph.json": IndexPath(
        "gecko.v2.try.x", FX, "public/task-graph.json"
    ),
    f"https://firefoxci.taskcluster-artifacts.net/{T}/2/{LOG}": Artifact(T, 2, LOG, FX),
    f"https://queue.taskcluster.net/v1/task/{T}/artifacts/{LOG}": Artifact(T, None, LOG),
    f"https://queue.taskcluster.net/v1/task-group/{G}/list": TaskGroup(G),
    "https://index.taskcluster.net/v1/task/gecko.v2.try.x": IndexPath("gecko.v2.try.x"),
    f"https://tools.taskcluster.net/groups/{G}": TaskGroup(G),
    f"http://tools.taskcluster.net/groups/{G}/tasks/{T}/runs/1/artifacts": Task(T, 1),
    f"https://tools.taskcluster.net/groups/{G}/tasks/{T}/runs/0/logs/public%2Flogs%2Flive_backing.log": Artifact(
        T, 0, LOG
    ),
    f"https://tools.taskcluster.net/groups/{G}/tasks/{T}/details": Task(T),
    f"https://tools.taskcluster.net/tasks/{T}": Task(T),
    f"{TH}/jobs?repo=autoland&revision={REV}": PushGroup("autoland", REV),
    f"{TH}/#/jobs?repo=autoland&revision={REV}": PushGroup("autoland", REV),
    f"{TH}/#/jobs?repo=try&revision={REV[:12]}&selectedJob=1": TreeherderJob("try", 1, False, REV[:12]),
    f"http://{TH[8:]}/#/jobs?repo=try&revision={REV}": PushGroup("try", REV),
    f"{TH}/jobs?repo=autoland&revision={REV}&selectedTaskRun={T}.4": Task(T, 4),
    f"{TH}/jobs?repo=autoland&selectedTaskRun={MINUS}.0": Task(MINUS, 0),
    f"{TH}/jobs?repo=try&revision={REV}&selectedTaskRun={T}-0": Task(T, 0),
    f"https://treeherder.allizom.org/jobs?repo=try&revision={REV}&tier=1%2C2": PushGroup("try", REV),
    f"http://localhost:5000/jobs?repo=try&revision={REV}": PushGroup("try", REV),
    f"{TH}/logviewer?task={T}.1&lineNumber=10-20": TreeherderJob("", 0, log=True, line=10, last=20, task_id=T, run=1),
    f"{TH}/logviewer?job_id=1&repo=try&task={T}.1&lineNumber=9": TreeherderJob(
        "try", 1, log=True, line=9, task_id=T, run=1
    ),
    f"{TH}/logviewer?job_id=1&repo=try&task={T}.0&lineNumber=100-200": TreeherderJob(
        "try", 1, log=True, line=100, last=200, task_id=T, run=0
    ),
    f"{TH}/logviewer?job_id=1&repo=try&task={T}.1": TreeherderJob("try", 1, log=True, task_id=T, run=1),
    f"{TH}/logviewer?job_id=1&repo=try&task={T}.1#9": TreeherderJob("try", 1, log=True, task_id=T, run=1),
    "gecko.v2.autoland.latest.taskgraph.decision": IndexPath("gecko.v2.autoland.latest.taskgraph.decision"),
    "index.comm.v2.try.latest.x": IndexPath("comm.v2.try.latest.x"),
    "mobile.v2.fenix.latest": IndexPath("mobile.v2.fenix.latest"),
    "index.project.fuzzing.x": IndexPath("project.fuzzing.x"),
    f"taskcluster:group/{G}": TaskGroup(G),
    f"taskcluster:task/{T}": Task(T),
    f"taskcluster:task/{T}/1": Task(T, 1),
    f"taskcluster:artifact/{T}/latest/public/a%20b": Artifact(T, None, "public/a b"),
    f"taskcluster:artifact/{T}/3/public/x": Artifact(T, 3, "public/x"),
    f"taskcluster:artifacts/{T},{MINUS}": TaskArtifacts((T, MINUS)),
    f"taskcluster:measurements/{T},{MINUS}": TaskMeasurements((T, MINUS)),
    "taskcluster:index/gecko.v2.x": IndexPath("gecko.v2.x"),
    f"taskcluster:push/autoland/{REV}": PushGroup("autoland", REV),
    f"{FX}/tasks/index": IndexNamespace("", FX),
    f"{FX}/tasks/index/gecko.v2.autoland": IndexPath("gecko.v2.autoland", FX),
    f"{FX}/api/index/v1/namespaces/gecko.v2": IndexNamespace("gecko.v2", FX),
    f"{FX}/api/index/v1/tasks": IndexNamespace("", FX),
    "index:": IndexNamespace(""),
    "index:gecko.v2.autoland": IndexPath("gecko.v2.autoland"),
    "gecko.v2": IndexPath("gecko.v2"),
    "taskcluster:namespace/": IndexNamespace(""),
    f"taskcluster:group/{G}:{T},{MINUS}": TaskGroup(G, "", (T, MINUS)),
    f"taskcluster:runs/{T}": TaskRuns(T),
    f"taskcluster:dependents/{MINUS}?root={FX}": TaskDependents(MINUS, FX),
    f"taskcluster:breakdown/{G}/suite": GroupView("breakdown", G, "suite"),
    f"taskcluster:critical-path/{G}:{T}": GroupView("critical-path", G, "", (T,)),
    f"taskcluster:compare/{G}..{T}": GroupComparison(TaskGroup(G), TaskGroup(T)),
    f"taskcluster:compare-measurements/{G}:{T}..{G}:{MINUS}": GroupComparison(
        TaskGroup(G, "", (T,)), TaskGroup(G, "", (MINUS,)), True
    ),
    f"taskcluster:compare/taskcluster%3Apush%2Ftry%2F{REV}..{G}": GroupComparison(PushGroup("try", REV), TaskGroup(G)),
    f"taskcluster:archive/{T}/0/public/a.zip": ArtifactContents("archive", T, 0, "public/a.zip"),
    f"taskcluster:table/{T}/latest/public/a.csv": ArtifactContents("table", T, None, "public/a.csv"),
    f"http://127.0.0.1:8080/tasks/{T}": Task(T, None, "http://127.0.0.1:8080"),
    f"http://[::1]:8080/tasks/{T}": Task(T, None, "http://[::1]:8080"),
    f"HTTPS://Firefox-CI-TC.services.mozilla.com:443/tasks/{T}": Task(T, None, FX),
    f"firefox-ci-tc.services.mozilla.com/tasks/{T}": Task(T, None, FX),
    f"localhost:8080/tasks/{T}": Task(T, None, "http://localhost:8080"),
    f"https://tc.example:8443/tasks/{T}": Task(T, None, "https://tc.example:8443"),
}


@pytest.mark.parametrize("text", FORMS)
def test_a_pasted_address_opens_what_its_page_shows(text: str) -> None:
    assert parse_locator(text) == FORMS[text]


@pytest.mark.parametrize("text", FORMS)
def test_what_was_parsed_can_be_copied_and_pasted_again(text: str) -> None:
    assert parse_locator(parse_locator(text).text()) == FORMS[text]


@pytest.mark.parametrize("around", ["  {}\n", "<{}>", '"{}"', "'{}'", "`{}`", "({}).", "“{}”,", "{}!", "see: {}"[5:]])
@pytest.mark.parametrize("text", [G, MINUS, f"{FX}/tasks/groups/{G}", f"{TH}/jobs?repo=try&revision={REV}"])
def test_what_stands_around_an_address_in_a_chat_message_does_no_harm(around: str, text: str) -> None:
    assert parse_locator(around.format(text)) == FORMS.get(text, parse_locator(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("hello", "Unrecognized"),
        (G[:-1], "Unrecognized"),
        (f"{G[:-1]}b", "Unrecognized"),  # the last character of a slugid holds two bits
        ("https://example.org/", "Unrecognized"),
        (f"{FX}/tasks/{T[:-1]}", "Unrecognized"),
        (f"{FX}/tasks/{T}/runs/x", "Unrecognized"),
        (f"http://firefox-ci-tc.services.mozilla.com/tasks/{T}", "plain http"),
        (f"http://10.0.0.1/tasks/{T}", "plain http"),
        (f"http://127.0.0.1.evil.example/tasks/{T}", "plain http"),
        (f"https://me:secret@tc.example/tasks/{T}", "password"),
        (f"https://me@tc.example/tasks/{T}", "user name"),
        (f"https://[::1/tasks/{T}", "well-formed"),
        (f"https://tc.example:99999/tasks/{T}", "well-formed"),
        (f"https:///tasks/{T}", "host"),
        (f"{TH}/jobs?repo=autoland&selectedJob=x", "neither one push nor one task"),
        (f"{TH}/logviewer?job_id=0&repo=try", "neither one push nor one task"),
        ("taskcluster:x/y", "Incomplete"),
        ("taskcluster:group/x", "Incomplete"),
        (f"taskcluster:task/{T}/x", "Incomplete"),
        (f"taskcluster:group/{G}?root=http://tc.example", "plain http"),
        (f"taskcluster:group/{G}?other=1", "root="),
    ],
)
def test_what_cannot_be_opened_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidLocatorError, match=said):
        parse_locator(text)


def test_a_refused_address_never_shows_the_password_in_it() -> None:
    with pytest.raises(InvalidLocatorError) as raised:
        parse_locator(f"https://me:hunter2@tc.example/tasks/{T}")
    assert "hunter2" not in str(raised.value)


def test_an_unknown_text_is_answered_with_what_is_accepted_and_without_its_escapes() -> None:
    with pytest.raises(InvalidLocatorError) as raised:
        parse_locator("\x1b[31mred")
    assert "\x1b" not in str(raised.value)
    assert "task group" in raised.value.hint


def test_a_paste_of_a_whole_log_is_refused_by_its_length() -> None:
    with pytest.raises(InvalidLocatorError, match="10,000,000 characters"):
        parse_locator("a." * 5_000_000)


def test_the_forms_of_the_help_are_told_with_their_meaning() -> None:
    forms = accepted_forms()
    assert len({form for form, _ in forms}) == len(forms)
    assert all(form and meaning for form, meaning in forms)
