"""What a user would lose: a pasted Prow address that opens something else, or nothing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.locators import Locator, LocatorProblem, parse
from backends.locators.prow import Place, ProwJob, ProwPath, ProwPull, ProwView, View, normal, route

B = "test-platform-results"
JOB = "logs/periodic-ci-a"
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
     ProwPath(B, f"{JOB}/1234/build-log.txt", "", 123)),
    (f"https://prow.k8s.io/view/gs/{B}/{JOB}/1234#build-log.txt:12-34",
     ProwPath(B, f"{JOB}/1234/build-log.txt", "", 12)),
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
]  # fmt: skip
REFUSED = [
    "prow:", "prow:at/", "prow:at/gs/", "prow:at/ftp/b/x", "prow:pull/a/b/c", "prow:nonsense/gs/b/x", "gs://", "gs://B!/x",
    "https://prow.k8s.io/prowjob?prowjob=0f0f", "https://testgrid.k8s.io/sig-release#master", "file:///",
]  # fmt: skip


@pytest.mark.parametrize(("text", "locator"), FORMS)
def test_every_form_in_use_opens_what_it_shows(text: str, locator: Locator) -> None:
    assert parse(text) == locator
    assert parse(locator.text()) == locator


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_opened_says_so(text: str) -> None:
    with pytest.raises(LocatorProblem):
        parse(text)


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
stores = st.sampled_from(["", "s3", "file:/", "file:/home/a b/ü#?"])
locators: st.SearchStrategy[Locator] = st.one_of(
    st.builds(ProwPath, some | st.just("bucket"), names, stores, st.none() | st.integers(1, 10**9)),
    st.builds(ProwJob, some, st.just("") | some, st.just("") | some),
    st.builds(ProwPull, some, some, st.integers(0, 10**9), st.just("") | some),
    st.builds(
        ProwView, st.sampled_from(View), some, names, st.lists(some, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["text", "match", "by"]), names, max_size=2).map(lambda d: tuple(d.items())),
        stores,
    ),
)  # fmt: skip


@settings(deadline=None)
@given(locators)
def test_what_is_copied_opens_the_same(locator: Locator) -> None:
    assert parse(locator.text()) == locator


@given(names)
def test_a_normal_path_stays_as_it_is(path: str) -> None:
    assert normal(normal(path)) == normal(path)
    route(path)


@settings(deadline=None)
@given(st.sampled_from(["gs://", "prow:", "prow:at/gs/", "https://h/view/gs/", "https://h/gcs/", "file:///"]), names)
def test_no_text_does_worse_than_a_problem(shape: str, text: str) -> None:
    with contextlib.suppress(LocatorProblem):
        parse(shape + text)
