"""What a terminal sends, with escape sequences inside pastes."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from textual import events

from tui.pastes import PasteFilter, PasteSafeParser

START, END = "\x1b[200~", "\x1b[201~"
PIECES = st.lists(st.sampled_from(["a", "é", "\x1b", "\x1b[31m", "[201~", "\x1b[A", "\x1b[20", START, END]), max_size=8)


@given(PIECES, st.integers(1, 7))
@example([START, "\x1b", END, "a"], 1)
@example([START, "\x1b[20", END, START, "a", END], 3)
def test_pieces_of_any_size_give_the_same(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    cut, whole = PasteFilter(), PasteFilter()
    parts = "".join(cut.feed(text[at : at + size]) for at in range(0, len(text), size))
    assert parts + cut._held == whole.feed(text) + whole._held


@given(PIECES)
def test_a_paste_has_no_escapes_and_all_else_stays(pieces: list[str]) -> None:
    inside = "".join(pieces)
    if (inside + END).index(END) == len(inside):
        text = inside.replace("\x1b", "")
        assert PasteFilter().feed(f"\x1b[A{START}{inside}{END}\x1b[A") == f"\x1b[A{START}{text}{END}\x1b[A"


@given(st.text(st.characters(exclude_characters="\x00"), max_size=20))
@example("\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1bOQ\x1b[A")
def test_the_parser_makes_one_event_of_a_paste(text: str) -> None:
    if END in text + END[:-1]:
        return
    found = list(PasteSafeParser().feed(f"{START}{text}{END}x"))
    assert [type(event) for event in found] == [events.Paste, events.Key]
    assert isinstance(found[0], events.Paste) and found[0].text == text.replace("\x1b", "")
