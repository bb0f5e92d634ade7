"""Which lines of a log no passing run has: laws, repeats, and logs that are none."""

from __future__ import annotations

import random
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.failures import new_lines
from backends.failures.new_lines import LogIndex, NewLineFinder, PassingLines, index_log, split_pieces

_WORDS = ("widget", "loads", "fetches", "panel", "reader", "storage", "frame", "closes", "error", "denied", "video")
_LINE = st.one_of(
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=8).map(" ".join),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n"), max_size=30),
    st.integers(0, 10**12).map(lambda n: f"took {n} ms in /tmp/x{n}/a.log"),
)
_LOG = st.lists(_LINE, max_size=30).map(lambda lines: "\n".join([*lines, ""]).encode())


def find(log: bytes, *passing: bytes, chunk: int = 1 << 20) -> tuple[list[int], NewLineFinder]:
    finder = NewLineFinder(PassingLines(index_log(split_pieces([one])) for one in passing))
    found: list[int] = []
    for piece in split_pieces(log[at : at + chunk] for at in range(0, len(log), chunk)):
        found += finder.add(piece)
    return found, finder


def lines_of(found: Iterable[int], log: bytes) -> list[str]:
    lines = log.decode().split("\n")
    return [lines[number] for number in found]


@given(_LOG, _LOG)
@settings(max_examples=25, deadline=None)
def test_a_log_against_itself_has_nothing_new_whatever_else_passed(log: bytes, other: bytes) -> None:
    assert find(log, log)[0] == []
    assert find(log, other, log)[0] == []


@given(_LOG, _LOG, _LOG, st.integers(1, 50))
@settings(max_examples=25, deadline=None)
def test_neither_the_order_of_the_runs_nor_the_size_of_the_pieces_matters(
    log: bytes, one: bytes, two: bytes, chunk: int
) -> None:
    whole, finder = find(log, one, two)
    assert find(log, two, one)[0] == whole
    pieces, other = find(log, one, two, chunk=chunk)
    assert (pieces, other.new, other.distinct, other.times) == (whole, finder.new, finder.distinct, finder.times)


@given(_LOG, _LOG)
@settings(max_examples=25, deadline=None)
def test_more_passing_lines_never_make_more_new_ones(log: bytes, other: bytes) -> None:
    alone = set(find(log, b"")[0])
    assert set(find(log, other)[0]) <= alone


def test_what_varies_between_two_runs_is_not_new() -> None:
    passed = b"[task 2026-11-20T08:00:00.123Z] 08:00:00 INFO - pod web-7d4b9c6f5d-x2x9k at 10.0.1.7:6443 after 1m3s\n"
    failed = b"[task 2026-11-21T19:21:07.900Z] 19:21:07 INFO - pod web-6b8f7d9c4b-q8wzl at 10.2.0.9:6443 after 42s\n"
    assert find(failed, passed)[0] == []


def test_colours_and_progress_bars_are_no_news() -> None:
    passed = b"compiling the reader\ndone with everything here\n"
    failed = b"\x1b[32mcompiling the reader\x1b[0m\r\n 10%\r 90%\rdone with everything here\n"
    assert find(failed, passed)[0] == []


def test_another_path_is_not_new_where_passing_runs_had_many_but_an_error_is() -> None:
    passed = b"".join(b"TEST-START | dom/%s/test_%s.html\n" % (w, w) for w in (b"video", b"media", b"menu", b"tab"))
    failed = b"TEST-START | layout/drag/test_drag.html\nTEST-FAILED | layout/drag/test_drag.html\n"
    assert lines_of(find(failed, passed)[0], failed) == ["TEST-FAILED | layout/drag/test_drag.html"]
    # With a single path the path may be the news.
    assert len(find(failed, passed.split(b"\n")[0] + b"\n")[0]) == 2


def test_nearly_the_same_words_are_not_new_but_one_that_names_an_error_is() -> None:
    passed = b"the storage of the reader was opened quickly by the main panel of the widget\n"
    near = b"the storage of the reader was opened slowly by the main panel of the widget\n"
    bad = b"the storage of the reader was refused quickly by the main panel of the widget\n"
    assert find(near + bad, passed)[0] == [1]


def test_repeats_are_given_once_and_counted() -> None:
    log = b"quiet one here\nlost device 17\nquiet one here\nlost device 99\nlost device 3\n"
    found, finder = find(log, b"quiet one here\n")
    assert (found, finder.new, finder.distinct, finder.times) == ([1], 3, 1, {1: 3})


def test_logs_that_are_none() -> None:
    assert find(b"", b"")[0] == []
    assert find(b"\n\n\n", b"")[0] == []
    noise = bytes(random.Random(1).randrange(256) for _ in range(200_000))
    assert find(noise, noise)[0] == []
    find(noise, b"text\n")
    controls = bytes(range(32)) * 50 + b"\x1b]0;title\x07\x9b31m\n"
    assert find(controls, controls)[0] == []


def test_a_line_of_10_mb_is_looked_at_in_its_beginning_and_costs_no_more() -> None:
    long = b"x y " * (10 << 18)
    pieces = list(split_pieces([b"first\n", long[: 5 << 20], long[5 << 20 :], b"\nlast\n"]))
    assert b"".join(pieces) == b"first\n" + long[: 64 << 10] + b"\nlast\n"
    assert list(split_pieces([b"a\n" + long + b"\nb"])) == [b"a\n" + long[: 64 << 10] + b"\n", b"b"]
    log = b"first thing of the log\n" + long + b"\nsecond thing of the log\n"
    assert find(log, log)[0] == []
    assert find(log, b"first thing of the log\n")[0] == [1, 2]


def test_an_index_survives_being_stored_and_damage_is_noticed() -> None:
    index = index_log([b"one line of it\nanother /a/b/c.txt\n"])
    body = index.pack()
    again = LogIndex.unpack(body)
    assert again is not None
    assert again.forms.equals(index.forms)
    assert again.sets.equals(index.sets)
    for damaged in (b"", body[:20], body[:-30], b"x" * 100):
        assert LogIndex.unpack(damaged) is None


def test_the_bounds_show_more_and_hide_nothing(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    r = random.Random(3)
    passed = "".join(f"{' '.join(r.choices(_WORDS[:8], k=6))} panel\n" for _ in range(300)).encode()
    failed = "".join(f"{' '.join(r.choices(_WORDS[:8], k=6))} frame\n" for _ in range(300)).encode()
    exact = set(find(failed, passed)[0])
    monkeypatch.setattr(new_lines, "MAX_SETS", 20)
    monkeypatch.setattr(new_lines, "MAX_COMMON", 3)
    assert exact <= set(find(failed, passed)[0])
