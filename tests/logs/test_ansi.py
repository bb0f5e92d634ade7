"""What a terminal could be made to do by a log, and the colours that a reader would miss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.frames.formats import safe_text
from backends.logs import ansi
from backends.logs.ansi import SgrState, Span, parse

RED = SgrState(foreground=1)
HOSTILE = st.text(
    st.sampled_from("\x1b\x9b\x9d\x90[]PX^_\\;:0123456789mHJKhl?>\x07\x9c ab漢\x00\r\t\x7f\u202e\x85"), max_size=60
)


def look(text: str) -> SgrState:
    spans = parse(f"{text}x")[1]
    return spans[-1].look if spans else SgrState()


def test_colours_become_spans_over_the_bare_text() -> None:
    assert parse("\x1b[31mERRO\x1b[0m[12] \x1b[1;4mbad\x1b[22m!") == (
        "ERRO[12] bad!",
        (Span(0, 4, RED), Span(9, 12, SgrState(bold=True, underline=True)), Span(12, 13, SgrState(underline=True))),
    )


@pytest.mark.parametrize(
    ("sgr", "expected"),
    [
        ("38;5;200", SgrState(foreground=200)),
        ("48;5;16", SgrState(background=16)),
        ("38;2;1;2;3", SgrState(foreground=(1, 2, 3))),
        ("38:2::1:2:3", SgrState(foreground=(1, 2, 3))),
        ("38:2:1:2:3", SgrState(foreground=(1, 2, 3))),
        ("97;104", SgrState(foreground=15, background=12)),
        ("38;5;999", SgrState()),
        ("38;2;1", SgrState()),
        ("31;39", SgrState()),
        ("", SgrState()),
        ("4:0", SgrState()),
        ("99999999999999999999", SgrState()),
        ("1;2;3;7;9", SgrState(bold=True, dim=True, italic=True, reverse=True, strike=True)),
    ],
)
def test_each_colour_is_what_the_standard_says(sgr: str, expected: SgrState) -> None:
    assert look(f"\x1b[{sgr}m") == look(f"\x9b{sgr}m") == expected


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J", "\x1b[10;10H", "\x1b[?1049h", "\x1b]0;title\x07", "\x1b]52;c;aGk=\x1b\\", "\x1b]8;;http://x\x1b\\",
        "\x1bPq#0\x1b\\", "\x1b_apc\x1b\\", "\x1b^pm\x1b\\", "\x1bc", "\x1b(0", "\x1b#8", "\x9b2J", "\x9d0;t\x9c",
        "\x90x\x9c", "\x1b[>4;2m", "\x1b",
    ],
)  # fmt: skip
def test_every_other_sequence_is_gone_without_a_trace(sequence: str) -> None:
    assert parse(f"a{sequence}") == ("a", ())
    if sequence != "\x1b":
        assert parse(f"a{sequence}b") == ("ab", ())


def test_an_unfinished_title_does_not_hide_the_rest_of_the_line() -> None:
    assert parse("ok \x1b]0;FAILED: 12 tests")[0] == "ok 0;FAILED: 12 tests"


@given(HOSTILE)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown, spans = parse(text)
    assert "\x1b" not in shown
    drawn = safe_text(shown, len(shown) + 1)
    assert all(character.isprintable() for character in drawn)
    assert shown == ansi.strip(text)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges) and all(0 <= edge <= len(shown) for edge in edges)


def test_a_line_of_nothing_but_colours_keeps_its_text_and_few_of_them() -> None:
    shown, spans = parse("".join(f"\x1b[38;5;{number % 256}mx" for number in range(20_000)))
    assert shown == "x" * 20_000 and len(spans) <= 256


@pytest.mark.parametrize("introducer", ["\x1b]", "\x9d", "\x1b[", "\x9b", "\x1bP", "\x1b"])
def test_a_line_full_of_beginnings_is_read_to_its_end(introducer: str) -> None:
    assert "\x1b" not in parse(introducer * 30_000 + "end")[0]


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"10%\r50%\r100%", "100%"), (b"dos\r", "dos"), (b"a\rb\r\r", "b"), (b"\xff\xc3\xa9", "\ufffdé"), (b"\r", "")],
)
def test_a_progress_bar_shows_its_last_state(content: bytes, text: str) -> None:
    assert ansi.decode_line(content) == text
