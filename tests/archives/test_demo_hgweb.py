"""The embedded CI's hgweb answers as Mercurial's own does."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import httpx
import pytest

from backends.demo import DemoServer
from tests.archives.mercurial_server import Hgweb


@pytest.fixture
def url(demo_server: DemoServer) -> str:
    return demo_server.settings["CIEXPLORE_HG_URL"]


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize(
    "path", ["?style=json", "REPOSITORY/json-log/tip?revcount=1", "REPOSITORY/json-log/nosuch?revcount=1",
             "REPOSITORY/json-branches", "REPOSITORY/json-nosuch"]
)  # fmt: skip
def test_its_json_has_the_shape_of_mercurial_s(url: str, hgweb: Hgweb, path: str) -> None:
    ours = httpx.get(f"{url}/{path.replace('REPOSITORY', 'integration/autoland')}")
    theirs = httpx.get(f"{hgweb.url}/{path.replace('REPOSITORY', 'projects/ash')}")
    assert ours.status_code == theirs.status_code
    told, spec = shape(ours.json()), shape(theirs.json())
    if "changesets" in told:  # hg.mozilla.org's pushlog adds these
        for name in ("pushid", "pushdate"):
            told["changesets"][0].pop(name)
    assert told == spec


@pytest.mark.parametrize(
    "path", ["archive/tip.tar.gz", "archive/tip.rar", "archive/nosuch.zip", "archive/tip.zip/no/such"]
)
def test_its_refusals_have_the_status_of_mercurial_s(url: str, zip_only: Hgweb, path: str) -> None:
    ours = httpx.get(f"{url}/integration/autoland/{path}")
    theirs = httpx.get(f"{zip_only.url}/projects/ash/{path}")
    assert ours.status_code == theirs.status_code >= 400
    assert httpx.get(f"{url}/nosuch/json-log/tip").status_code == 404


def test_its_archives_come_without_a_length_and_say_their_name(url: str) -> None:
    answer = httpx.get(f"{url}/try/archive/tip.zip/")
    assert "content-length" not in answer.headers
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    top = answer.headers["content-disposition"].partition("filename=")[2].removesuffix(".zip")
    assert {name.partition("/")[0] for name in archive.namelist()} == {top}
    assert httpx.get(f"{url}/try/archive/tip.zip/").content == answer.content
