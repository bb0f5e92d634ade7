"""What a search would lose: a line that matches, its number, or the interface while it runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import UsageError
from backends.logs import search, sources
from backends.logs.patterns import has_capital, parse_pattern
from backends.logs.search import LogSearcher, Matches
from backends.logs.spool import LogSpool

LINES = st.lists(
    st.sampled_from(["", "error here", "Error: 12ms", "took 7ms", "é漢字 ok", "a.b", "  x", "ab\tab"]), max_size=40
)
PATTERNS = st.sampled_from(
    [
        "error",
        "Error",
        r"\d+ms",
        "^$",
        "^a",
        "b$",
        "é",
        r"a\.b",
        "(took|ok)",
        r"\bx",
        "x",
        "[a-c]+b",
        "漢",
        r"^\s+x$",
        "zzz",
    ]
)


def filled(content: bytes) -> LogSpool:
    spool = LogSpool(sources.from_bytes(content))
    spool.fill()
    return spool


def found(spool: LogSpool, text: str, start: int = 0) -> list[int]:
    search = LogSearcher(spool, text, start)
    search.run()
    assert search.complete
    return [line for line in range(spool.line_count) if line in search]


@given(LINES, PATTERNS, st.integers(0, 45), st.integers(8, 200), st.booleans())
def test_a_search_finds_what_pythons_re_finds_line_by_line(
    lines: list[str], text: str, start: int, window: int, returns: bool
) -> None:
    content = ("\r\n" if returns else "\n").join(lines).encode()
    spool = filled(content)
    compiled = re.compile(text, 0 if has_capital(text) else re.IGNORECASE)
    shown = [line.decode().rstrip("\r") for line in content.split(b"\n")][: spool.line_count]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "WINDOW", window)
        assert found(spool, text, start) == [number for number, line in enumerate(shown) if compiled.search(line)]


@given(LINES, st.integers(0, 45))
def test_next_and_previous_visit_every_match_once_around(lines: list[str], start: int) -> None:
    spool = filled("\n".join(lines).encode())
    search = LogSearcher(spool, "error", start)
    search.run()
    expected = [number for number, line in enumerate(lines) if "error" in line.lower()]
    assert search.count == len(expected)
    for step, order in ((search.next, expected), (search.previous, expected[::-1])):
        seen: list[int] = []
        at: int | None = -1 if step == search.next else len(lines) + 1
        for _ in expected:
            at = step(at)  # type: ignore[arg-type]
            assert at is not None
            seen.append(at)
        assert seen == order
        if expected:
            assert step(seen[-1]) == order[0]
    assert [search.rank(line) for line in expected] == list(range(1, len(expected) + 1))


def test_colours_do_not_hide_a_match() -> None:
    assert found(filled(b"\x1b[31mERRO\x1b[0m[2021] x\nplain\n\x1b]0;title\x07ERRO[\n"), r"^ERRO\[") == [0, 2]


def test_bytes_that_are_not_utf8_do_not_stop_a_search() -> None:
    assert found(filled(b"\xff\xfe bad\n\x00bad\nfine\n" * 3), "bad") == [0, 1, 3, 4, 6, 7]


def test_a_match_at_the_end_of_ten_megabytes_without_a_newline_is_found_once() -> None:
    spool = filled(b"first\n" + b"x" * 10_000_000 + b"needle" + b"y" * 5_000_000 + b"needle\nlast needle\n")
    search = LogSearcher(spool, "needle")
    search.run()
    assert [line for line in range(3) if line in search] == [1, 2] and search.count == 2


@pytest.mark.parametrize("text", ["(a+)+$", "(a|a)*b", "(.*)*x$"])
def test_a_pattern_that_would_hang_pythons_re_does_not(text: str) -> None:
    assert found(filled(b"a" * 60_000 + b"!\n"), text) in ([], [0])


@pytest.mark.parametrize("text", ["(", "[a", "*", "a{2,1}", "\\", "(?=x)", r"(a)\1", "a{99999}{9999}", ""])
def test_a_wrong_pattern_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_pattern(text)
    words = str(refused.value)
    assert words.endswith(".") and "\n" not in words and "polars" not in words and "col(" not in words


def test_capitals_count_only_if_there_are_any() -> None:
    spool = filled(b"Error\nerror\nERROR\n")
    assert found(spool, "error") == [0, 1, 2]
    assert found(spool, "Error") == [0]
    assert found(spool, r"\S[Rr]r") == [0, 1]


@pytest.mark.parametrize(("text", "capital"), [(r"\S\W\pL\x4A", False), (r"(?P<Name>a)", False), (r"\\A", True)])
def test_a_capital_is_one_that_is_searched_for(text: str, capital: bool) -> None:
    assert has_capital(text) is capital


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(["ab", "漢", "x", "aXb", ""]), max_size=6),
    st.sampled_from(["a", "b|漢", "x*", r"\b", "."]),
)
def test_the_marks_are_where_the_matches_are(words: list[str], text: str) -> None:
    line = " ".join(words)
    spans = parse_pattern(text).spans([line])[0]
    compiled = re.compile(text, re.IGNORECASE)
    assert [line[start:end] for start, end in spans] == [m[0] for m in compiled.finditer(line) if m[0]]


def test_a_search_goes_on_while_the_log_grows_and_stops_when_told() -> None:
    gate = threading.Semaphore(0)

    def slow(_cancel: CancelToken) -> Iterator[bytes]:
        for chunk in (b"one match\npart of a ", b"match\n", b"third match"):
            gate.acquire(timeout=30)
            yield chunk

    spool = LogSpool(slow)
    filler = threading.Thread(target=spool.fill)
    filler.start()
    search = LogSearcher(spool, "match")
    stopped = LogSearcher(spool, "match")
    threads = [threading.Thread(target=search.run), threading.Thread(target=stopped.run)]
    for thread in threads:
        thread.start()
    stopped.cancel.cancel()
    threads[1].join(30)
    for _ in range(3):
        gate.release()
    filler.join(30)
    threads[0].join(30)
    assert not threads[0].is_alive() and not threads[1].is_alive()
    assert search.count == 3 and search.complete and not stopped.complete


def test_a_search_from_below_finds_what_is_above_too() -> None:
    spool = filled(b"".join(b"line %d\n" % number for number in range(1000)))
    search = LogSearcher(spool, "line .*7$", start=500)
    search.run()
    assert search.count == 100 and search.next(499) == 507 and search.previous(500) == 497 and search.next(997) == 7


def test_hits_beyond_the_cap_are_counted_and_not_kept() -> None:
    hits = Matches(cap=3)
    hits.add([1, 2])
    hits.add([2, 5, 9, 11])
    hits.add([11, 12])
    assert hits.count == 6 and hits.capped and list(hits.lines) == [1, 2, 5] and hits.after(5) is None


@pytest.mark.parametrize("at", [-3, -65_000, 0])
def test_a_match_where_two_parts_of_a_very_long_line_meet_is_found(at: int) -> None:
    """A line of more than 4 MB is looked at in parts; no match of up to 64 KB may fall between them."""
    before = 4 * 1024 * 1024 + at
    line = b"x" * before + b"needle" + b"x" * 6_000_000
    assert hits_of(line + b"\nend\n", "needle") == [0]
    wide = b"x" * (4 * 1024 * 1024 - 30_000) + b"<" + b"y" * 60_000 + b">" + b"x" * 6_000_000
    assert hits_of(wide + b"\n", "<y+>") == [0]


def hits_of(text: bytes, wanted: str) -> list[int]:
    spool = LogSpool(sources.from_bytes(text))
    spool.fill()
    search = LogSearcher(spool, wanted)
    search.run()
    found = [line for line in range(spool.line_count) if line in search]
    assert search.count == len(found)
    return found
