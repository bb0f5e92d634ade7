"""Do the synthetic gcsweb pages have the form of the real ones, in both generations, and tell the same lies?"""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from backends.demo.prow.builds import COMPLETENESS_JOB, KUBERNETES_BUCKET, LONG_JOB, OPENSHIFT_BUCKET, OPENSHIFT_JOB
from tests.demo.archive_asking import Archive

ROW = re.compile(
    r'\n    <li class="pure-g grid-row">\n'
    r'\t    <div class="pure-u-2-5"><a href="([^\n]*)"><img src="/icons/(\w+)\.png"> ([^\n]*)</a></div>\n'
    r'\t    <div class="pure-u-1-5">([^<]*)</div>\n\t    <div class="pure-u-2-5">([^<]*)</div>\n\t</li>\n'
)


def page(archive: Archive, path: str, place: str = "gcsweb", bucket: str = OPENSHIFT_BUCKET) -> httpx.Response:
    return httpx.get(f"{archive.url}/{place}/gcs/{bucket}/{path}")


def test_rows_are_those_of_the_real_pages(archive: Archive, samples: Path) -> None:
    for place, folder in (("gcsweb", "rendered-current"), ("gcsweb-2019", "rendered-2019")):
        real = sorted((samples / "prow" / "gcsweb-html" / folder).glob("*1378441280396201984_.html"))[0].read_text()
        ours = page(archive, archive.folder("build-failed"), place).text
        assert len(ROW.findall(real)) == real.count("grid-row") - 1 == 4
        assert len(ROW.findall(ours)) == ours.count("grid-row") == 7
        for text in (real, ours):
            assert ROW.findall(text)[0][1] == "back"
            file = next(row for row in ROW.findall(text) if row[1] == "file")
            stamp = r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} UTC" if place == "gcsweb" else r"\d\d \w{3} \d{4} [\d:]{8}"
            assert re.fullmatch(stamp, file[4])
            assert file[3].isdigit()
        assert real.endswith("</body></html>")
        assert ours.endswith("</body></html>")
        assert ours.count("</details>") == real.count("</details>")


def test_a_missing_folder_is_a_page_with_nothing_but_the_way_up(archive: Archive) -> None:
    found = page(archive, "logs/does-not-exist/")
    assert found.status_code == 200
    assert [row[2] for row in ROW.findall(found.text)] == [".."]
    old = page(archive, "logs/does-not-exist/", "gcsweb-2019")
    assert old.status_code == 307
    assert httpx.get(old.headers["location"]).status_code == 404


def test_todays_pages_are_whole_and_the_old_ones_are_paged(archive: Archive) -> None:
    folder = f"logs/{LONG_JOB}/"
    whole = page(archive, folder, bucket=KUBERNETES_BUCKET).text
    assert whole.count("dir.png") == 5000
    first = page(archive, folder, "gcsweb-2019", KUBERNETES_BUCKET).text
    assert first.count("dir.png") == 1000
    buttons = re.findall(r'<a href="([^"]*\?marker=[^"]*)"\n\t   class="pure-button next-button">', first)
    assert len(buttons) == 2
    second = httpx.get(archive.url + buttons[0]).text
    assert second.count("dir.png") == 1000
    assert ROW.findall(first)[-1] not in ROW.findall(second)


def test_the_originals_way_of_reading_sees_seven_links_no_more(archive: Archive) -> None:
    folder = archive.folder("build-whole")
    assert COMPLETENESS_JOB in folder
    old = page(archive, folder, "gcsweb-2019").text
    assert len(re.findall("<a ", old)) == 7
    assert len(re.findall("<a ", page(archive, folder).text)) == 9


def test_files_come_unpacked_under_a_type_that_says_gzip(archive: Archive) -> None:
    name = archive.folder("build-failed") + "build-log.txt"
    found = page(archive, name)
    assert found.headers["content-type"] == "text/plain; charset=utf-8; charset=gzip"
    assert {"content-length", "etag", "content-encoding"}.isdisjoint(found.headers)
    assert found.content == archive.get(name).content
    assert httpx.get(str(found.url), headers={"Range": "bytes=0-9"}).status_code == 200
    old = page(archive, name, "gcsweb-2019")
    assert (old.status_code, old.headers["location"]) == (307, f"{archive.url}/{OPENSHIFT_BUCKET}/{name}")


def test_names_are_not_escaped_and_only_get_is_allowed(archive: Archive) -> None:
    text = page(archive, archive.folder("build-hostile") + "artifacts/").text
    assert '<b class="x">bold&amp;.html' in text
    assert httpx.post(f"{archive.gcsweb}/gcs/{OPENSHIFT_BUCKET}/").status_code == 405
    foreign = httpx.get(f"{archive.gcsweb}/gcs/another-bucket/")
    assert (foreign.status_code, foreign.headers["location"].split("/")[2]) == (303, "console.cloud.google.com")
    assert httpx.get(f"{archive.gcsweb}/gcs/another-bucket/file").status_code == 404


def test_a_folder_is_shown_without_its_slash_too(archive: Archive) -> None:
    assert len(ROW.findall(page(archive, f"logs/{OPENSHIFT_JOB}").text)) == 152
