"""Reports: one page with all that was promised, in which whatever a server named is text and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import FileError, UsageError
from backends.frames.charts import Chart
from backends.frames.formats import safe_text
from backends.frames.heat import HEAT_COLORS, Heat, HeatRole
from backends.frames.reports import MOST_ROWS, ReportHeading, is_web_url, render_report, write_report
from backends.frames.schema import Column, Kind, Schema

SCHEMA = Schema(
    (
        Column("state", Kind.STATE, "State"),
        Column("name", Kind.TEXT, "Name", is_name=True),
        Column("took", Kind.DURATION, "Took", "s"),
        Column("at", Kind.TIME, "At"),
        Column("url", Kind.TEXT, "URL"),
        Column("hash", Kind.ID, "Hash", hidden=True),
    ),
    key="key",
)
MADE = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
SCRIPT = "<script>document.title='x'</script>"
NASTY = (SCRIPT, "</style><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)",
         "]]>--><b>", "&lt;b&gt;", "\u202egnp.exe", "\x00\x1b[31m")  # fmt: skip


def rows(names: list[str], url: str | None = None) -> pl.DataFrame:
    count = len(names)
    values = {
        "key": [str(number) for number in range(count)],
        "state": ["failed" if number % 3 == 0 else "completed" for number in range(count)],
        "name": names,
        "took": [float(number * 60) for number in range(count)],
        "at": [datetime(2026, 11, 1 + number % 28, tzinfo=UTC) for number in range(count)],
        "url": [url] * count,
        "hash": ["0123"] * count,
    }
    return pl.DataFrame(values, schema=SCHEMA.polars())


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_what_is_not_finite_is_counted_apart(number: float) -> None:
    frame = rows(["a", "b", "c"])
    odd = frame.with_columns(pl.Series("took", [1.0, number, None]))
    page = render_report(odd, SCHEMA, ReportHeading("List"), made=MADE)
    assert '<th class="n">not finite</th>' in page and "1 values, 1 missing, 1 not finite" in page
    assert '<td>Took</td><td class="n">1</td><td class="n">1</td><td class="n">1</td>' in page
    assert "not finite" not in render_report(frame, SCHEMA, ReportHeading("List"), made=MADE)
    only = frame.with_columns(pl.lit(number).alias("took"))
    page = render_report(only, SCHEMA, ReportHeading("List"), made=MADE)
    assert '<td>Took</td><td class="n">0</td><td class="n">0</td><td class="n">3</td>' in page


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, and the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.headings: list[str] = []
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("td", "th", "h1", "dd"):
            self._open = tag
            (self.headings if tag == "h1" else self.cells).append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = "" if tag == self._open else self._open

    def handle_data(self, data: str) -> None:
        if self._open:
            (self.headings if self._open == "h1" else self.cells)[-1] += data

    @property
    def links(self) -> list[str]:
        return [value or "" for name, value in self.attributes if name in ("href", "src", "xlink:href")]


def test_a_page_says_what_its_rows_are_and_what_is_left_out() -> None:
    heading = ReportHeading(
        "A group", "taskcluster:group/abc", "https://ci.example/abc", "state:failed", ("2 tasks are missing.",),
        chart=Chart(x="at", y="took"), row_url=lambda row: f"https://ci.example/row/{row['key']}",
    )  # fmt: skip
    frame = rows([f"task-{number}" for number in range(7)])
    text = render_report(frame, SCHEMA, heading, made=MADE, most_rows=5)
    page = Page(text)
    for words in ("taskcluster:group/abc", "state:failed", "2 tasks are missing.", "2026-11-30 16:00:00 UTC", "7"):
        assert words in page.cells
    assert "The first 5 of 7 rows" in text and "task-4" in page.cells and "task-5" not in page.cells
    assert page.headings == ["A group"] and text.count("<svg ") == 3  # chart, histogram, states
    assert "https://ci.example/row/4" in page.links and "Hash" not in page.cells and "URL" not in page.cells
    assert "3m 00s" in page.cells  # the median is of all rows
    assert "prefers-color-scheme: dark" in text and set(re.findall(r"var\(--(\w+)\)", text)) <= set(
        re.findall(r"--(\w+): #", text)
    )


def test_the_same_rows_and_time_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(rows(["one"]), SCHEMA, tmp_path / name, ReportHeading("x"), made=MADE)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_columns_asked_for_are_those_shown() -> None:
    page = Page(render_report(rows(["one"]), SCHEMA, ReportHeading("x"), made=MADE, columns=["hash", "name"]))
    assert page.cells[-4:] == ["Hash", "Name", "0123", "one"]
    with pytest.raises(UsageError, match="no column"):
        render_report(rows([]), SCHEMA, ReportHeading("x"), made=MADE, columns=["nosuch"])


def test_no_rows_make_a_page_too() -> None:
    text = render_report(rows([]), SCHEMA, ReportHeading("x", chart=Chart(x="at", y="took")), made=MADE)
    assert "There are no rows." in text and "<svg" not in text


def test_a_long_list_says_how_much_of_it_stands_there() -> None:
    text = render_report(rows(["x"] * (MOST_ROWS + 1)), SCHEMA, ReportHeading("x"), made=MADE)
    assert f"The first {MOST_ROWS:,} of {MOST_ROWS + 1:,} rows" in text


TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.text("<>&\"'/=;:scriptonhfjavh \n", max_size=60))


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_a_server_names_stays_text(name: str, url: str, title: str) -> None:
    name, url, title = (text.encode("utf-8", "replace").decode() for text in (name, url, title))
    heading = ReportHeading(title, url, url, name, (title,), row_url=lambda row: str(row["url"]))
    plain = Page(render_report(rows(["a", "b"], "c"), SCHEMA, ReportHeading("t", "l", "w", "f", ("n",)), made=MADE))
    page = Page(render_report(rows([name, "b"], url), SCHEMA, heading, made=MADE))
    assert {tag for tag in page.tags if tag != "a"} <= set(plain.tags)
    assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")]
    assert all(link.startswith(("http://", "https://")) for link in page.links)
    assert safe_text(name) in page.cells or not name
    assert page.headings == [safe_text(title) or "Report"]


@pytest.mark.parametrize(
    ("text", "is_url"),
    [
        ("https://ci.example/a?b=c#d", True),
        ("http://127.0.0.1:8080/", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("https://user:secret@ci.example/", False),
        ("https://ci.example/ and more", False),
        ("https://ci.example/\"onclick='x'", False),
        ("https://ci.example/\u202e", False),
        ("data:text/html,<script>", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_plain_urls_become_links(text: str, is_url: bool) -> None:
    assert is_web_url(text) == is_url


def test_a_file_is_not_replaced_unless_asked_and_no_link_is_followed(tmp_path: Path) -> None:
    target, victim, link = (tmp_path / name for name in ("a.html", "victim", "link.html"))
    target.write_text("before")
    victim.write_text("precious")
    link.symlink_to(victim)
    with pytest.raises(FileError, match="exists"):
        write_report(rows(["x"]), SCHEMA, target, ReportHeading("x"))
    assert target.read_text() == "before"
    for overwrite in (False, True):
        with pytest.raises(FileError, match="symbolic link"):
            write_report(rows(["x"]), SCHEMA, link, ReportHeading("x"), overwrite=overwrite)
    assert victim.read_text() == "precious" and link.is_symlink()
    write_report(rows(["x"]), SCHEMA, target, ReportHeading("x"), overwrite=True)
    assert target.read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(UsageError, match=r"\.html"):
        write_report(rows(["x"]), SCHEMA, tmp_path / "a.txt", ReportHeading("x"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "link.html", "victim"]


def test_a_browser_shows_the_page_and_runs_nothing(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed (on Debian: apt install chromium)")
    target = tmp_path / "page.html"
    heading = ReportHeading(f"Title {SCRIPT}", "taskcluster:group/abc", "javascript:document.title='x'", SCRIPT)
    write_report(rows([*NASTY[:6], "plain"], "javascript:document.title='x'"), SCHEMA, target, heading, made=MADE)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
               "--virtual-time-budget=2000", "--dump-dom", f"file://{target}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if done.returncode and not done.stdout:
        pytest.skip(f"Chromium does not start here: {done.stderr.decode(errors='replace')[-200:]}")
    text = done.stdout.decode()
    page = Page(text)
    assert f"<title>Title {SCRIPT.replace('<', '&lt;').replace('>', '&gt;')}</title>" in text
    assert "<script" not in text and "<img" not in text and page.links == []
    for name in (*NASTY[:6], "plain"):
        assert name in page.cells
    assert text.count("<svg ") == 2 and "Statistics" in text


def test_a_name_without_a_directory_is_in_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for name in ("a.html", "../b.HTM"):
        write_report(rows(["x"]), SCHEMA, Path(name), ReportHeading("x"))
    assert (tmp_path / "below" / "a.html").exists() and (tmp_path / "b.HTM").exists()
    with pytest.raises(FileError, match="cannot be written"):
        write_report(rows(["x"]), SCHEMA, Path("nosuch/a.html"), ReportHeading("x"))


def test_cells_with_a_heat_have_the_colour_of_their_step_on_light_and_dark_pages() -> None:
    heat = Heat((0, 10, 25, 50), HeatRole.FAILED)
    schema = Schema(
        (Column("suite", Kind.TEXT, "Suite"), Column("share", Kind.NUMBER, "Share", "%", heat=heat)), "suite"
    )
    frame = pl.DataFrame({"suite": ["a", "b", "c"], "share": [0.0, 30.0, None]}, schema=schema.polars())
    page = render_report(frame, schema, ReportHeading("Shares"), made=MADE)
    assert '<td class="n">0</td>' in page and '<td class="n heat-failed-3">30</td>' in page
    for side in HEAT_COLORS[HeatRole.FAILED]:
        ground, ink = side[2]
        assert f"--heat-failed-3: {ground}; --on-heat-failed-3: {ink};" in page
