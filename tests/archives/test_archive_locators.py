"""What is pasted from an hgweb, GitHub or an Archiver opens that source, and other systems keep their texts."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import config
from backends.archives.locators import (
    COMMANDS,
    GITHUB,
    CachedArchives,
    SourceRepositories,
    SourceRepository,
    SourceRevision,
)
from backends.archives.urls import of_project
from backends.cancel import CancelToken
from backends.http import Http
from backends.locators import InvalidLocatorError, Locator
from backends.resources import read_list
from backends.systems import open_resource, parse_locator
from tests.archives.mercurial_server import Hgweb
from tests.commands.calling import Caller

HG = "https://hg.mozilla.org"
REV = "0b445bf4228a963505183b157758c37664921791"
SHORT = REV[:12]

FORMS: dict[str, Locator] = {
    f"{HG}/": SourceRepositories(HG),
    f"{HG}/mozilla-central": SourceRepository("mozilla-central", HG),
    f"{HG}/integration/autoland/": SourceRepository("integration/autoland", HG),
    f"{HG}/integration/autoland/shortlog": SourceRepository("integration/autoland", HG),
    f"{HG}/try/pushloghtml?changeset={SHORT}": SourceRevision("try", SHORT, root=HG),
    f"{HG}/try/json-pushes?version=2": SourceRepository("try", HG),
    f"{HG}/mozilla-central/rev/{REV}": SourceRevision("mozilla-central", REV, root=HG),
    f"{HG}/mozilla-central/rev/tip": SourceRevision("mozilla-central", "tip", root=HG),
    f"{HG}/mozilla-central/archive/{SHORT}.zip": SourceRevision("mozilla-central", SHORT, "", "zip", HG),
    f"{HG}/projects/ash/archive/{SHORT}.tar.gz/testing/mozharness": SourceRevision(
        "projects/ash", SHORT, "testing/mozharness", "tar.gz", HG
    ),
    f"{HG}/projects/ash/archive/FIREFOX_1.0.tar.bz2/": SourceRevision("projects/ash", "FIREFOX_1.0", "", "tar.bz2", HG),
    f"{HG}/mozilla-central/file/{SHORT}/testing/mozharness/": SourceRevision(
        "mozilla-central", SHORT, "testing/mozharness", root=HG
    ),
    f"{HG}/mozilla-central/file/tip": SourceRevision("mozilla-central", "tip", root=HG),
    f"https://hg.example:8443/a/b/rev/{SHORT}": SourceRevision("a/b", SHORT, root="https://hg.example:8443"),
    f"https://code.example/a/b/rev/{SHORT}": SourceRevision("a/b", SHORT, root="https://code.example"),
    f"https://code.example/a/archive/{SHORT}.zip/sub/dir": SourceRevision(
        "a", SHORT, "sub/dir", "zip", "https://code.example"
    ),
    f"http://127.0.0.1:8000/x/rev/{SHORT}": SourceRevision("x", SHORT, root="http://127.0.0.1:8000"),
    f"https://archiver.example/archiver/hgmo/projects/ash/{SHORT}?subdir=testing/mozharness&preferred_region=x": (
        SourceRevision("projects/ash", SHORT, "testing/mozharness")
    ),
    f"http://127.0.0.1:8010/archiver/hgmo/try/{SHORT}?suffix=zip": SourceRevision("try", SHORT, "", "zip"),
    "https://github.com/mozilla/gecko-dev": SourceRepository("mozilla/gecko-dev", GITHUB),
    f"https://github.com/mozilla/gecko-dev/commit/{REV}": SourceRevision("mozilla/gecko-dev", REV, root=GITHUB),
    f"https://github.com/a/b/archive/{REV}.zip": SourceRevision("a/b", REV, "", "zip", GITHUB),
    "https://github.com/a/b/archive/refs/tags/v1.2.tar.gz": SourceRevision("a/b", "v1.2", "", "tar.gz", GITHUB),
    "https://github.com/a/b/archive/refs/heads/x/y.zip": SourceRevision("a/b", "x/y", "", "zip", GITHUB),
    f"https://codeload.github.com/a/b/zip/{REV}": SourceRevision("a/b", REV, "", "zip", GITHUB),
    f"https://github.com/a/b/pull/7/commits/{REV}": SourceRevision("a/b", REV, root=GITHUB),
    f"https://github.com/a/b/tree/{REV}/docs/x": SourceRevision("a/b", REV, "docs/x", root=GITHUB),
    "archive:repositories": SourceRepositories(),
    "archive:held": CachedArchives(),
    "archive:mozilla-central": SourceRepository("mozilla-central"),
    "archive:integration/autoland": SourceRepository("integration/autoland"),
    f"archive:integration/autoland/{REV}": SourceRevision("integration/autoland", REV),
    f"archive:integration/autoland@{SHORT}/testing": SourceRevision("integration/autoland", SHORT, "testing"),
    "archive:try@feature%2Fx?suffix=tar.gz&root=https://hg.example/hg": SourceRevision(
        "try", "feature/x", "", "tar.gz", "https://hg.example/hg"
    ),
}

OTHERS = [
    "https://storage.googleapis.com/bucket/logs/job/1/artifacts/archive/x.zip",
    "https://gcsweb.k8s.io/gcs/bucket/logs/job/1/file/x",
    "https://prow.k8s.io/view/gs/bucket/logs/job/1",
    "https://prow.k8s.io/log?job=x&id=1",
    "https://treeherder.mozilla.org/perfherder/graphs?series=x",
    "https://github.com/settings/profile",
    f"https://github.com/a/b/issues/{SHORT}",
    "https://example.org/archive/x.zip",
    "https://firefox-ci-tc.services.mozilla.com/tasks/groups/x",
    "hello",
    "hg",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMS)
def test_a_pasted_source_address_opens_that_source(text: str) -> None:
    assert parse_locator(text) == FORMS[text]


@pytest.mark.parametrize("text", FORMS)
def test_a_source_locator_can_be_copied_and_pasted_again(text: str) -> None:
    assert parse_locator(parse_locator(text).text()) == FORMS[text]


@pytest.mark.parametrize("text", OTHERS)
def test_the_addresses_of_other_systems_are_left_to_them(text: str) -> None:
    with contextlib.suppress(InvalidLocatorError):
        assert parse_locator(text).system != "archives"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("archive:", "Unrecognized"),
        ("archive:x@", "Incomplete"),
        ("archive:x?suffix=rar", "suffix="),
        ("archive:x?root=http://hg.example", "plain http"),
        (f"http://hg.mozilla.org/try/rev/{SHORT}", "plain http"),
        (f"https://me:secret@hg.mozilla.org/try/rev/{SHORT}", "password"),
    ],
)
def test_a_source_address_that_cannot_be_asked_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidLocatorError, match=said):
        parse_locator(text)


def test_the_push_of_a_task_leads_to_the_repository_where_hg_has_it() -> None:
    assert of_project("autoland", REV).repository == "integration/autoland"
    assert of_project("mozilla-esr140", REV).repository == "releases/mozilla-esr140"
    assert of_project("mozilla-central", REV).repository == "mozilla-central"


roots = st.sampled_from(
    ["", HG, "https://hg.example:8443/hg", "https://code.example", "http://localhost:1", "http://[::1]:9", GITHUB]
)
names = st.text(st.characters(), min_size=1, max_size=30) | st.sampled_from(
    ["held", "repositories", f"x/{SHORT}", "a/rev/b", "a@b", "a?b", "..", "//", "x.", "\ud800", "%40", f"{REV}", "a/b"]
)
revisions = names | st.from_regex("[0-9a-f]{12,40}", fullmatch=True)
suffixes = st.sampled_from(["", "zip", "tar.gz", "tar.bz2"])
locators: st.SearchStrategy[Locator] = st.one_of(
    st.builds(SourceRepositories, roots),
    st.builds(SourceRepository, names, roots),
    st.builds(SourceRevision, names, revisions, st.just("") | names, suffixes, roots),
)


@settings(deadline=None)
@given(locators)
def test_a_copied_source_pastes_as_itself(locator: Locator) -> None:
    assert parse_locator(locator.text()) == locator


@settings(deadline=None)
@given(
    st.builds(
        str.__add__,
        st.sampled_from(
            ["archive:", f"{HG}/", f"{HG}/x/archive/", "https://github.com/a/b/", "http://localhost/a/rev/"]
        ),
        st.text(st.characters()),
    )
)
def test_no_text_breaks_the_recogniser_of_sources(text: str) -> None:
    with contextlib.suppress(InvalidLocatorError):
        locator = parse_locator(text)
        assert parse_locator(locator.text()) == locator


@pytest.fixture
def ciexplore(capsysbinary: pytest.CaptureFixture[bytes]) -> Caller:
    return Caller(capsysbinary)


def settings_with(hg_url: str) -> config.Settings:
    return replace(config.load({}), hg_url=hg_url)


# An hgweb below a path of a host that does not call itself hg.
CODE = "https://code.example.org/sources/hg"
AT_CODE = settings_with(CODE + "/")


@pytest.mark.parametrize(
    ("path", "locator"),
    [
        ("", SourceRepositories()),
        ("/", SourceRepositories()),
        ("/integration/autoland", SourceRepository("integration/autoland")),
        ("/integration/autoland/", SourceRepository("integration/autoland")),
        ("/integration/autoland/shortlog", SourceRepository("integration/autoland")),
        ("/integration/autoland/pushloghtml", SourceRepository("integration/autoland")),
        ("/integration/autoland/rev/abc", SourceRevision("integration/autoland", "abc")),
        ("/integration/autoland/rev/tip", SourceRevision("integration/autoland", "tip")),
        ("/integration/autoland/file/tip/testing/", SourceRevision("integration/autoland", "tip", "testing")),
        ("/try/archive/tip.tar.gz", SourceRevision("try", "tip", "", "tar.gz")),
        (f"/try/json-pushes?changeset={SHORT}", SourceRevision("try", SHORT)),
    ],
)
def test_pages_of_the_configured_hgweb_are_known_at_any_host_and_path(path: str, locator: Locator) -> None:
    expected = replace(locator, root=CODE)  # type: ignore[type-var]
    assert parse_locator(CODE + path, AT_CODE) == expected
    assert parse_locator(f"  <{CODE.removeprefix('https://')}{path or '/'}> ", AT_CODE) == expected
    assert parse_locator(expected.text(), AT_CODE) == expected


@pytest.mark.parametrize(
    "text", ["https://code.example.org/other/rev/tip", "https://code.example.org/sources/hgx/a",
             "https://other.example.org/sources/hg/a", "http://code.example.org/sources/hg/a"],
)  # fmt: skip
def test_its_neighbours_are_not_taken_for_the_configured_hgweb(text: str) -> None:
    with pytest.raises(InvalidLocatorError):
        parse_locator(text, AT_CODE)


def test_the_session_tells_the_parser_which_hgweb_is_configured(ciexplore: Caller, tmp_path: Path) -> None:
    call = ("archives", "get", "http://127.0.0.1:9/below/x/rev/tip", "--yes", "--output", str(tmp_path))
    refused = ciexplore(*call)
    assert refused.code == 2
    done = ciexplore(*call, "--hg-url", "http://127.0.0.1:9/below")
    assert done.code == 3 and "127.0.0.1:9" in done.err, "not asked"


known_roots = st.sampled_from(
    [HG, "https://hg.example:8443", "https://code.example.org/sources/hg", "http://127.0.0.1:8000", GITHUB]
)
plain = st.from_regex(r"[A-Za-z0-9é _+@-]{1,12}", fullmatch=True).filter(lambda text: text == text.strip())
paths = st.lists(plain | st.sampled_from(sorted(COMMANDS)), min_size=1, max_size=3).map("/".join)


@settings(deadline=None)
@given(known_roots, paths, st.from_regex("[0-9a-f]{12,40}", fullmatch=True), st.just("") | paths, suffixes)
def test_what_a_browser_shows_of_a_source_opens_the_same_source_when_pasted(
    root: str, repository: str, revision: str, subdirectory: str, suffix: str
) -> None:
    chosen = settings_with(root if root != GITHUB else HG)
    if root == GITHUB:
        repository, suffix = "mozilla/gecko-dev", "" if subdirectory or suffix == "tar.bz2" else suffix
    for locator in (
        SourceRepository(repository, root),
        SourceRevision(repository, revision, subdirectory, suffix, root),
    ):
        assert parse_locator(locator.web_url(), chosen) == locator, locator.web_url()
    if root != GITHUB:
        assert parse_locator(SourceRepositories(root).web_url(), chosen) == SourceRepositories(root)


@pytest.mark.parametrize("name", ["tip", "FIREFOX_1.0", "feature/x", "a b", "é", "v1.zip", "x.tar.gz", "a%b"])
@pytest.mark.parametrize("suffix", ["", "zip", "tar.gz"])
def test_a_named_revision_s_page_opens_the_same_name(name: str, suffix: str) -> None:
    for root in (CODE, HG):
        locator = SourceRevision("integration/autoland", name, "", suffix, root)
        assert parse_locator(locator.web_url(), AT_CODE) == locator


def test_open_in_browser_leads_to_what_was_opened(hgweb: Hgweb) -> None:
    """On a real hgweb: the address that the lists give exists, and pasted it opens the same list."""

    chosen, http, first = replace(config.load(), hg_url=hgweb.url), Http(tries=1), hgweb.repositories.first
    try:
        for locator in (
            SourceRepositories(hgweb.url), SourceRepository("projects/ash", hgweb.url),
            SourceRevision("projects/ash", first, root=hgweb.url),
            SourceRevision("projects/ash", "REL_1", root=hgweb.url),
            SourceRevision("projects/ash", first, "testing/café", "", hgweb.url),
            SourceRevision("projects/ash", first[:12], "testing", "zip", hgweb.url),
        ):  # fmt: skip
            resource = open_resource(locator, http, chosen, CancelToken())
            frame = read_list(resource, CancelToken()).frame
            url = resource.web_url()
            assert url is not None and parse_locator(url, chosen) == locator
            assert httpx.get(url, timeout=60).status_code == 200, url
            row = frame.row(0, named=True)
            url = resource.web_url(row)
            assert url is not None and httpx.get(url, timeout=60).status_code == 200, url
            if isinstance(locator, SourceRevision):  # not the page of the whole revision where a directory is listed
                assert parse_locator(url, chosen) == SourceRevision(
                    "projects/ash", first, locator.subdirectory, root=hgweb.url
                )
    finally:
        http.close()


def test_the_page_of_a_directory_on_github_is_that_directory_although_only_the_whole_can_be_fetched() -> None:

    locator = SourceRevision("mozilla/example", "a" * 40, "docs/a b.", root=GITHUB)
    http = Http(transport=httpx.MockTransport(lambda request: httpx.Response(500)))
    url = open_resource(locator, http, config.load({}), CancelToken()).web_url()
    assert url is not None and parse_locator(url) == locator
