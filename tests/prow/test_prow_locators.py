"""What a user would lose: a pasted Prow address that opens something else, or nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.locators import InvalidLocatorError, Locator
from backends.prow.locators import (
    JUnitView,
    LogSearchView,
    Place,
    ProwBuild,
    ProwJob,
    ProwPath,
    ProwPull,
    normal,
    route,
)
from backends.resources import Resource
from backends.systems import load, parse_locator

B = "test-platform-results"
JOB = "logs/periodic-ci-a"
ID = "1383510269677801472"
FORMS: list[tuple[str, Locator]] = [
    (f"gs://{B}", ProwPath(B)),
    (f"gs://{B}/logs/", ProwPath(B, "logs/")),
    (f"gs://{B}/{JOB}", ProwPath(B, f"{JOB}/")),
    (f"gs://{B}/{JOB}/1234/", ProwPath(B, f"{JOB}/1234/")),
    (f"gs://{B}/{JOB}/1234/build-log.txt", ProwPath(B, f"{JOB}/1234/build-log.txt")),
    (f"s3://{B}/{JOB}", ProwPath(B, f"{JOB}/", "s3")),
    (f"https://storage.googleapis.com/{B}/{JOB}/1234/a%2520b.txt", ProwPath(B, f"{JOB}/1234/a%20b.txt")),
    (f"https://{B}.storage.googleapis.com/{JOB}/1234", ProwPath(B, f"{JOB}/1234/")),
    (f"https://storage.cloud.google.com/{B}/{JOB}/1234/", ProwPath(B, f"{JOB}/1234/")),
    (f"https://console.cloud.google.com/storage/browser/{B}/{JOB}/1234;tab=objects?x=1", ProwPath(B, f"{JOB}/1234/")),
    (f"https://console.cloud.google.com/storage/browser/_details/{B}/{JOB}/1/x.txt", ProwPath(B, f"{JOB}/1/x.txt")),
    (f"https://storage.googleapis.com/storage/v1/b/{B}/o/{JOB.replace('/', '%2F')}%2F1%2Fa.txt?alt=media",
     ProwPath(B, f"{JOB}/1/a.txt")),
    (f"https://storage.googleapis.com/storage/v1/b/{B}/o?prefix=logs/", ProwPath(B, "logs/")),
    (f"https://gcsweb-ci.apps.ci.l2s4.p1.openshiftapps.com/gcs/{B}/{JOB}/1234/", ProwPath(B, f"{JOB}/1234/")),
    (f"https://gcsweb.k8s.io/gcs/kubernetes-jenkins/{JOB}", ProwPath("kubernetes-jenkins", f"{JOB}/")),
    (f"https://prow.ci.openshift.org/view/gs/{B}/{JOB}/1234", ProwPath(B, f"{JOB}/1234/")),
    (f"https://prow.ci.openshift.org/view/gcs/{B}/{JOB}/1234/", ProwPath(B, f"{JOB}/1234/")),
    (f"https://prow.k8s.io/view/gs/{B}/{JOB}/1234#1:build-log.txt%3A123",
     ProwPath(B, f"{JOB}/1234/build-log.txt", "", (123,))),
    (f"https://prow.k8s.io/view/gs/{B}/{JOB}/1234#build-log.txt:12-34",
     ProwPath(B, f"{JOB}/1234/build-log.txt", "", (12, 34))),
    (f"https://prow.ci.openshift.org/view/gs/{B}/{JOB}/{ID}#1:build-log.txt:101-103",
     ProwPath(B, f"{JOB}/{ID}/build-log.txt", "", (101, 103))),
    (f"https://prow.ci.openshift.org/view/gs/{B}/{JOB}/{ID}#2:artifacts%2Fe2e%2Fbuild-log.txt%3A7-7",
     ProwPath(B, f"{JOB}/{ID}/artifacts/e2e/build-log.txt", "", (7,))),
    (f"https://prow.ci.openshift.org/view/s3/{B}/{JOB}/{ID}", ProwPath(B, f"{JOB}/{ID}/", "s3")),
    ("kubevirt-e2e-k8s-1.31-sig-compute", ProwJob("kubevirt-e2e-k8s-1.31-sig-compute")),
    ("unit-tests_istio", ProwJob("unit-tests_istio")),
    ("aggregated-gcp-ovn-upgrade-4.20-minor-release-openshift-release-analysis-aggregator",
     ProwJob("aggregated-gcp-ovn-upgrade-4.20-minor-release-openshift-release-analysis-aggregator")),
    (f"kubevirt-e2e-k8s-1.31-sig-compute/{ID}", ProwJob("kubevirt-e2e-k8s-1.31-sig-compute", ID)),
    ("maintenance-ci-testgrid-autobump/17", ProwJob("maintenance-ci-testgrid-autobump", "17")),
    (ID, ProwBuild(ID)),
    (f"https://sippy.dptools.openshift.org/sippy-ng/job_runs/{ID}/periodic-a/intervals", ProwJob("periodic-a", ID)),
    (f"https://sippy.dptools.openshift.org/sippy-ng/job_runs/{ID}/pull-ci-a/openshift_origin/27600/events?kind=Pod",
     ProwJob("pull-ci-a", ID)),
    (f"https://sippy.dptools.openshift.org/sippy-ng/job_runs/{ID}/intervals", ProwBuild(ID)),
    (f"https://sippy.dptools.openshift.org/api/jobs/runs/events?prow_job_run_id={ID}&job_name=periodic-a",
     ProwJob("periodic-a", ID)),
    ("https://sippy.dptools.openshift.org/sippy-ng/jobs/4.20/runs?filters=%7B%22items%22%3A%5B%7B%22columnField%22%3A"
     "%22job%22%2C%22operatorValue%22%3A%22equals%22%2C%22value%22%3A%22periodic-a%22%7D%5D%7D&sortField=timestamp",
     ProwJob("periodic-a")),
    ("https://testgrid.k8s.io/redhat-openshift-ocp-release-4.8-informing#periodic-ci-openshift-a-4.8-e2e&width=20",
     ProwJob("periodic-ci-openshift-a-4.8-e2e")),
    ("https://prow.k8s.io/?repo=kubernetes%2Fkubernetes&pull=93714", ProwPull("kubernetes", "kubernetes", 93714)),
    (f"https://prow.k8s.io/job-history/gs/{B}/{JOB}?buildId=5", ProwPath(B, f"{JOB}/")),
    (f"https://prow.k8s.io/job-history/{B}/{JOB}", ProwPath(B, f"{JOB}/")),
    (f"https://prow.k8s.io/job-history/gs/{B}/pr-logs/directory/pull-x", ProwPath(B, "pr-logs/directory/pull-x/")),
    ("https://prow.k8s.io/view/prowjob/pull-x/77", ProwJob("pull-x", "77")),
    ("https://prow.k8s.io/?job=pull-x", ProwJob("pull-x")),
    ("https://prow.k8s.io/log?job=pull-x&id=77", ProwJob("pull-x", "77")),
    ("https://prow.k8s.io/pr-history/?org=kubernetes&repo=kubernetes&pr=93714",
     ProwPull("kubernetes", "kubernetes", 93714)),
    (f"https://gubernator.k8s.io/build/{B}/{JOB}/1234/", ProwPath(B, f"{JOB}/1234/")),
    (f"https://google.com/url?q=https://prow.k8s.io/view/gs/{B}/{JOB}/1234", ProwPath(B, f"{JOB}/1234/")),
    ("https://github.com/openshift/origin/pull/27600/files", ProwPull("openshift", "origin", 27600)),
    ("openshift/origin#27600", ProwPull("openshift", "origin", 27600)),
    ("periodic-ci-openshift-release-master-ci-4.8-e2e-gcp",
     ProwJob("periodic-ci-openshift-release-master-ci-4.8-e2e-gcp")),
    ("pull-kubernetes-e2e-gce", ProwJob("pull-kubernetes-e2e-gce")),
    (f"file:///home/me/dl/{B}/{JOB}/1234", ProwPath(B, f"{JOB}/1234/", "file:/home/me/dl")),
    (f"/home/me/dl/{B}/pr-logs/pull/12/pull-x/", ProwPath(B, "pr-logs/pull/12/pull-x/", "file:/home/me/dl")),
    (f"(https://prow.k8s.io/view/gs/{B}/{JOB}/1234).", ProwPath(B, f"{JOB}/1234/")),
    (f"/view/gs/{B}/{JOB}/1234", ProwPath(B, f"{JOB}/1234/")),  # as Deck's pages write them
    (f"https://prow.k8s.io/spyglass/lens/buildlog/iframe?req=%7B%22artifacts%22%3A%5B%22build-log.txt%22%5D%2C%22index%22"
     f"%3A2%2C%22src%22%3A%22gs%2F{B}%2F{JOB.replace('/', '%2F')}%2F1234%22%7D&lensIndex=2",
     ProwPath(B, f"{JOB}/1234/")),
    (f"https://console.cloud.google.com/storage/browser/{B};tab=objects?project=a&prefix={JOB}/1234/",
     ProwPath(B, f"{JOB}/1234/")),
    (f"https://console.cloud.google.com/storage/browser/{B}/{JOB};tab=objects?prefix=", ProwPath(B, f"{JOB}/")),
    (f"https://{B}.s3.amazonaws.com/{JOB}/1234/build-log.txt", ProwPath(B, f"{JOB}/1234/build-log.txt", "s3")),
    (f"https://{B}.s3.eu-west-1.amazonaws.com/{JOB}/1234/a%20b.txt", ProwPath(B, f"{JOB}/1234/a b.txt", "s3")),
    (f"https://s3.us-east-1.amazonaws.com/{B}/{JOB}/1234/", ProwPath(B, f"{JOB}/1234/", "s3")),
    (f"https://s3.amazonaws.com/{B}/?prefix={JOB}/&delimiter=/", ProwPath(B, f"{JOB}/", "s3")),
    (f"https://us-east-1.console.aws.amazon.com/s3/buckets/{B}?region=us-east-1&prefix={JOB}/1234/&showversions=false",
     ProwPath(B, f"{JOB}/1234/", "s3")),
    (f"https://s3.console.aws.amazon.com/s3/object/{B}?prefix={JOB}/1234/build-log.txt",
     ProwPath(B, f"{JOB}/1234/build-log.txt", "s3")),
    (f"https://sippy.dptools.openshift.org/api/job/run/summary?prow_job_run_id={ID}", ProwBuild(ID)),
    (f"https://sippy.dptools.openshift.org/api/job/run/intervals?prow_job_run_id={ID}&job_name=periodic-a",
     ProwJob("periodic-a", ID)),
    (f"gs://{B}/{JOB}/1234/build-log.txt#1699999999000001", ProwPath(B, f"{JOB}/1234/build-log.txt")),  # gsutil ls -a
    (f"https://prow.k8s.io/view/gs/{B}/{JOB}/1234#1:build-log.txt:103-101",
     ProwPath(B, f"{JOB}/1234/build-log.txt", "", (103,))),
]  # fmt: skip
REFUSED = [
    "prow:", "prow:at/", "prow:at/gs/", "prow:at/ftp/b/x", "prow:pull/a/b/c", "prow:nonsense/gs/b/x", "gs://", "gs://B!/x",
    "gs://b-1/logs/job/*/build-log.txt", "gsutil cp gs://b-1/logs/job/12/artifacts/*.xml .",
    "https://prow.k8s.io/prowjob?prowjob=0f0f", "https://testgrid.k8s.io/sig-release#master", "file:///",
]  # fmt: skip


@pytest.mark.parametrize(("text", "locator"), FORMS)
def test_every_form_in_use_opens_what_it_shows(text: str, locator: Locator) -> None:
    assert parse_locator(text) == locator
    assert parse_locator(locator.text()) == locator


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_opened_says_so(text: str) -> None:
    with pytest.raises(InvalidLocatorError):
        parse_locator(text)


@pytest.mark.parametrize(
    ("path", "place", "job", "build", "base"),
    [
        ("logs/j/123/", Place.BUILD, "j", "123", "logs/j/123/"),
        ("pr-logs/pull/27600/j/123/", Place.BUILD, "j", "123", "pr-logs/pull/27600/j/123/"),  # the default repository
        ("pr-logs/pull/test-infra/27816/j/123/", Place.BUILD, "j", "123", "pr-logs/pull/test-infra/27816/j/123/"),
        (
            "pr-logs/pull/kubernetes-sigs_kueue/5/j/1/",
            Place.BUILD,
            "j",
            "1",
            "pr-logs/pull/kubernetes-sigs_kueue/5/j/1/",
        ),
        ("pr-logs/pull/batch/j/123/", Place.BUILD, "j", "123", "pr-logs/pull/batch/j/123/"),
        ("pr-logs/directory/j/123.txt", Place.BUILD, "j", "123", ""),
        ("pr-logs/directory/j/123", Place.BUILD, "j", "123", ""),
        ("pr-logs/directory/j/latest-build.txt", Place.FILE, "j", "", ""),
        ("pr-logs/pull/27600/", Place.PULL, "", "", ""),
        ("pr-logs/pull/org_repo/27600", Place.PULL, "", "", ""),
        ("pr-logs/pull/27600/j/", Place.BUILDS, "j", "", ""),
        ("logs/j/123/artifacts/e2e/build-log.txt", Place.FILE, "j", "123", "logs/j/123/"),
        ("a/prefix/logs/j/123/", Place.BUILD, "j", "123", "a/prefix/logs/j/123/"),
        ("logs/j/latest-build.txt", Place.FILE, "j", "", ""),
        ("logs/", Place.JOBS, "", "", ""),
        ("pr-logs/directory/", Place.JOBS, "", "", ""),
        ("pr-logs/pull/", Place.FOLDER, "", "", ""),
        ("", Place.FOLDER, "", "", ""),
    ],
)
def test_a_path_says_what_it_is(path: str, place: Place, job: str, build: str, base: str) -> None:
    found = route(path)
    assert (found.place, found.job, found.build, found.base) == (place, job, build, base)


names = st.text(st.characters(), max_size=30) | st.sampled_from(
    ["..", "/", "a//b", "%23", "a#b?c", "x.", "\ud800", "logs/j/1"]
)
some = st.text(st.characters(), min_size=1, max_size=12)
lines = st.lists(st.integers(1, 10**9), max_size=2).map(tuple)
stores = st.sampled_from(["", "s3", "file:/", "file:/home/a b/ü#?"])
locators: st.SearchStrategy[Locator] = st.one_of(
    st.builds(ProwPath, some | st.just("bucket"), names, stores, lines),
    st.builds(ProwBuild, some, st.just("") | some),
    st.builds(ProwJob, some, st.just("") | some, st.just("") | some),
    st.builds(ProwPull, some, some, st.integers(0, 10**9), st.just("") | some),
    st.builds(LogSearchView, some, names, st.lists(some, max_size=3).map(tuple), stores, pattern=names, match=names),
    st.builds(JUnitView, some, names, st.lists(some, max_size=3).map(tuple), stores, test=names, suite=names),
)  # fmt: skip


@settings(deadline=None)
@given(locators)
def test_what_is_copied_opens_the_same(locator: Locator) -> None:
    assert parse_locator(locator.text()) == locator


@given(names)
def test_a_normal_path_stays_as_it_is(path: str) -> None:
    assert normal(normal(path)) == normal(path)
    route(path)


@settings(deadline=None)
@given(st.sampled_from(["gs://", "prow:", "prow:at/gs/", "https://h/view/gs/", "https://h/gcs/", "file:///"]), names)
def test_no_text_does_worse_than_a_problem(shape: str, text: str) -> None:
    with contextlib.suppress(InvalidLocatorError):
        parse_locator(shape + text)


# ---- places on this disk


@pytest.mark.parametrize(
    ("text", "locator"),
    [
        ("./tree/logs/job", ("cwd", "tree", "logs/job/")),
        ("../up/tree/logs/job/12", ("", "tree", "logs/job/12/")),
        ("~/tree/logs/job", ("home", "tree", "logs/job/")),
        ("/home/me/logs/dl/bucket/logs/job", ("/home/me/logs/dl", "bucket", "logs/job/")),
        ("/home/me/logs/dl/bucket/logs/job/12/artifacts/logs/x/y.txt",
         ("/home/me/logs/dl", "bucket", "logs/job/12/artifacts/logs/x/y.txt")),
        ("/var/logs/b/pr-logs/pull/12/pull-x/", ("/var/logs", "b", "pr-logs/pull/12/pull-x/")),
        ("file:///home/me/logs/dl/bucket/logs/job/latest-build.txt",
         ("/home/me/logs/dl", "bucket", "logs/job/latest-build.txt")),
        ("file:///home/me/logs/job", ("/home", "me", "logs/job/")),
        ("./junit_01.xml", ("", "cwd", "junit_01.xml")),
        ("/srv/reports/junit%20a.xml", ("/srv", "reports", "junit%20a.xml")),
    ],
)  # fmt: skip
def test_a_path_of_this_disk_opens_the_tree_that_it_is_in(
    text: str, locator: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    directory, bucket, path = locator
    store = directory if directory.startswith("/") else f"{tmp_path}/{directory}".rstrip("/")
    if text.startswith("../"):
        store += "/up"
    found = parse_locator(text)
    assert found == ProwPath(bucket, path, f"file:{store}")
    assert parse_locator(found.text()) == found


def test_a_downloaded_tree_is_told_from_a_directory_of_files(tmp_path: Path) -> None:
    (tmp_path / "logs" / "tree" / "logs" / "job").mkdir(parents=True)
    (tmp_path / "reports").mkdir()
    assert parse_locator(f"{tmp_path}/logs/tree") == ProwPath("tree", "", f"file:{tmp_path}/logs")
    assert parse_locator(f"{tmp_path}/reports") == ProwPath(tmp_path.name, "reports/", f"file:{tmp_path.parent}")


# ---- what the browser shows

NAMES = st.sampled_from(["x.", "a!", "%23", "a#b:1", "(b)"]) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=9
).filter(lambda name: "/" not in name and name.strip() == name)
JOBS = st.from_regex(r"[a-z][a-z0-9._-]{0,20}[a-z0-9]", fullmatch=True)
IDS = st.integers(1, 10**19).map(str)
PATHS = st.one_of(
    st.just(""), st.just("logs/"), st.just("pr-logs/directory/"), st.builds("logs/{}/".format, JOBS),
    st.builds("logs/{}/{}/".format, JOBS, IDS), st.builds("logs/{}/{}/{}".format, JOBS, IDS, NAMES),
    st.builds("logs/{}/{}/artifacts/{}/".format, JOBS, IDS, NAMES),
    st.builds("pr-logs/directory/{}/".format, JOBS),
    st.builds("pr-logs/pull/batch/{}/".format, JOBS), st.builds("pr-logs/pull/{}/".format, IDS),
    st.builds("pr-logs/pull/org_repo/7/{}/{}/".format, JOBS, IDS),
    st.builds("pr-logs/pull/org_repo/7/{}/".format, JOBS),
)  # fmt: skip


def page_of(place: ProwPath, gcsweb: str = "") -> str | None:
    from backends.config import Settings
    from backends.http import Http
    from backends.prow.bucket import open_bucket

    settings = Settings(gcsweb_url=gcsweb)
    with Http() as http:
        listing: Resource = load(place.listing())(place, open_bucket(place, http, settings))
        return listing.web_url()


@settings(deadline=None)
@given(
    st.sampled_from(["test-platform-results", "kubernetes-ci-logs", "my-bucket"]), PATHS,
    st.sampled_from(["", "https://gcsweb.example.org"]),
)  # fmt: skip
def test_the_page_of_a_place_opens_that_place(bucket: str, path: str, gcsweb: str) -> None:
    place = ProwPath(bucket, path)
    page = page_of(place, gcsweb)
    assert page is not None and parse_locator(page) == place


@settings(deadline=None)
@given(JOBS, IDS, NAMES, st.integers(1, 10**9), st.integers(0, 10**4))
def test_the_page_of_lines_opens_those_lines(job: str, build: str, name: str, line: int, more: int) -> None:
    first, last = min(line, 999_999_999), min(line + more, 999_999_999)
    lines = (first, last) if last > first else (first,)
    place = ProwPath("test-platform-results", f"logs/{job}/{build}/{name}", "", lines)
    page = page_of(place)
    assert page is not None and parse_locator(page) == place


@pytest.mark.parametrize(
    "text", ["./no-file.txt", "./no-directory/", "../a/b/c.txt", "~/nothing/x", "/nothing/here.txt"]
)
def test_a_path_that_is_not_there_is_said_and_not_taken_for_a_wrong_address(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidLocatorError) as problem:
        parse_locator(text)
    assert problem.value.sentence == f"No such file or directory: {text}."
