"""An image as a terminal gets it: which way, how large, and that the terminal's own rules give the image back."""

from __future__ import annotations

import base64
import fcntl
import io
import os
import re
import struct
import sys
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.images.making import picture
from tui.terminal_graphics import (
    Graphics,
    choose_graphics,
    draw_blocks,
    draw_image,
    encode_sixel,
    fit_image,
    read_cell_size,
)

KITTY = {"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (KITTY, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "sixel"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "football"}, "blocks"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230805"}, "sixel"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "210805"}, "blocks"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "9" * 5000}, "blocks"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({}, "blocks"),
        # tmux and its kind inherit what the terminal around them had set.
        ({**KITTY, "TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, "blocks"),
        ({**KITTY, "TERM": "screen-256color"}, "blocks"),
        ({**KITTY, "TMUX": "/tmp/tmux-0/default,1,0"}, "blocks"),
        ({**KITTY, "ZELLIJ": "0"}, "blocks"),
        ({"TERM": "foot", "STY": "1.pts-0"}, "blocks"),
    ],
)
def test_the_way_is_chosen_by_the_terminal_that_the_environment_names(
    environment: dict[str, str], expected: str
) -> None:
    assert choose_graphics("auto", environment, truecolor=True, no_color=False) == expected


@pytest.mark.parametrize("setting", ["kitty", "sixel", "blocks", "off"])
def test_the_setting_beats_the_environment(setting: str) -> None:
    assert choose_graphics(setting, {"TERM": "foot"}, truecolor=True, no_color=False) == setting


def test_without_colours_nothing_is_drawn() -> None:
    for setting in ("auto", "kitty", "sixel", "blocks"):
        assert choose_graphics(setting, KITTY, truecolor=True, no_color=True) is Graphics.NONE
    for setting in ("auto", "blocks"):  # half blocks of 256 colours show no screenshot
        assert choose_graphics(setting, {}, truecolor=False, no_color=False) is Graphics.NONE
    assert choose_graphics("auto", {"TERM": "foot"}, truecolor=False, no_color=False) is Graphics.SIXEL
    assert choose_graphics("auto", KITTY, truecolor=False, no_color=False) is Graphics.KITTY


def test_the_size_of_a_cell_is_what_the_system_knows_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    try:
        with os.fdopen(slave, "w") as stream:
            for name in ("__stdout__", "__stderr__", "__stdin__"):
                monkeypatch.setattr(sys, name, None)
            assert read_cell_size() is None
            monkeypatch.setattr(sys, "__stderr__", stream)
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            assert read_cell_size() is None
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 725, 400))
            assert read_cell_size() == (9, 16)
    finally:
        os.close(master)


SIDES, CELLS = st.integers(1, 5_000), st.integers(1, 400)


@given(st.tuples(SIDES, SIDES), st.tuples(CELLS, CELLS), st.tuples(st.integers(4, 40), st.integers(4, 60)))
def test_an_image_fits_into_the_room_and_keeps_its_shape(
    image: tuple[int, int], room: tuple[int, int], cell: tuple[int, int]
) -> None:
    place = fit_image(image, room, cell)
    assert 1 <= place.columns <= room[0] and 1 <= place.rows <= room[1]
    scale = min(room[0] * cell[0] / image[0], room[1] * cell[1] / image[1])
    assert abs(place.columns - max(1, image[0] * scale / cell[0])) <= 0.51
    assert abs(place.rows - max(1, image[1] * scale / cell[1])) <= 0.51


def test_a_screenshot_fills_the_height_or_the_width() -> None:
    wide, high = fit_image((1280, 720), (80, 18), (10, 20)), fit_image((1280, 720), (60, 40), (10, 20))
    assert (wide.columns, wide.rows) == (64, 18)
    assert (high.columns, high.rows) == (60, 17)


# ---- half blocks -------------------------------------------------------------------------------------------------


def pixels_of_blocks(lines: list) -> list[list[tuple[int, int, int]]]:
    rows = []
    for line in lines:
        upper: list = []
        lower: list = []
        for segment in line:
            assert set(segment.text) == {"▀"}
            for row, color in ((upper, segment.style.color), (lower, segment.style.bgcolor)):
                row += [tuple(color.triplet)] * len(segment.text)
        rows += [upper, lower]
    return rows


@given(st.integers(1, 12), st.integers(1, 6), st.data())
def test_each_half_of_a_cell_is_one_pixel(width: int, height: int, data: st.DataObject) -> None:
    few = st.sampled_from([(0, 0, 0), (255, 0, 0), (1, 2, 3)])
    colors = data.draw(st.lists(few, min_size=width * height * 2, max_size=width * height * 2))
    image = Image.new("RGB", (width, 2 * height))
    image.putdata(colors)
    found = draw_blocks(image)
    assert [line.cell_length for line in found] == [width] * height
    assert [pixel for row in pixels_of_blocks(found) for pixel in row] == colors


# ---- Sixel -------------------------------------------------------------------------------------------------------


def decode_sixel(text: str) -> Image.Image:
    """As the VT340's manual has it, written apart from the encoder."""
    head = re.match(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)', text)
    assert head is not None and text.endswith("\x1b\\")
    image = Image.new("RGB", (int(head[1]), int(head[2])), (255, 0, 255))
    palette: dict[int, tuple[int, ...]] = {}
    x = y = color = 0
    for token in re.findall(r"#\d+(?:;2;\d+;\d+;\d+)?|!\d+[?-~]|[?-~]|\$|-", text[head.end() : -2]):
        if token[0] == "#":
            color, *rgb = (int(part) for part in token[1:].split(";") if part)
            if rgb:
                palette[color] = tuple(round(value * 255 / 100) for value in rgb[1:])
        elif token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        else:
            count, sign = (int(token[1:-1]), token[-1]) if token[0] == "!" else (1, token)
            lines = [y + bit for bit in range(6) if ord(sign) - 63 >> bit & 1]
            for line in lines:
                for column in range(x, x + count):
                    image.putpixel((column, line), palette[color])
            x += count
    return image


@given(st.integers(1, 40), st.integers(1, 20), st.data())
def test_a_sixel_is_the_image_to_the_percent_of_each_colour(width: int, height: int, data: st.DataObject) -> None:
    few = st.sampled_from([(0, 0, 0), (255, 255, 255), (200, 10, 90), (10, 200, 90)])
    colors = data.draw(st.lists(few, min_size=width * height, max_size=width * height))
    image = Image.new("RGB", (width, height))
    image.putdata(colors)
    found = decode_sixel(encode_sixel(image)).tobytes()
    assert max(abs(one - other) for one, other in zip(found, image.tobytes(), strict=True)) <= 3


def test_a_sixel_of_many_colours_is_near_and_short() -> None:
    image = picture(200, 120)
    text = encode_sixel(image)
    found = decode_sixel(text).tobytes()
    assert sum(abs(one - other) for one, other in zip(found, image.tobytes(), strict=True)) / len(found) < 20
    assert re.fullmatch(r"\x1bP[ -~]*\x1b\\", text)
    assert len(encode_sixel(Image.new("RGB", (1000, 600)))) < 1_500


def test_a_sixel_has_the_size_of_its_place() -> None:
    place = fit_image((100, 50), (20, 20), (9, 19))
    drawing = draw_image(picture(100, 50), Graphics.SIXEL, place, 1)
    assert decode_sixel(drawing.draw_over(place.rows)).size == place.pixels


# ---- Kitty -------------------------------------------------------------------------------------------------------


def commands(text: str) -> list[tuple[dict[str, str], str]]:
    """(keys, payload) of each; there is nothing else in the text."""
    found = re.findall(r"\x1b_G([^;\x1b]*)(?:;([A-Za-z0-9+/=]*))?\x1b\\", text)
    assert "".join(f"\x1b_G{keys}{';' if part else ''}{part}\x1b\\" for keys, part in found) == text
    return [(dict(pair.split("=") for pair in keys.split(",")), part) for keys, part in found]


def sent(before: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode("".join(part for _, part in commands(before)))))


def test_kitty_gets_the_image_in_parts_and_then_where_it_is() -> None:
    noise = Image.effect_noise((300, 200), 50).convert("RGB")  # which does not fit into one part
    drawing = draw_image(noise, Graphics.KITTY, fit_image((300, 200), (60, 40), (10, 20)), 77)
    (first, _), *others = found = commands(drawing.before)
    assert first == {"a": "t", "f": "100", "i": "77", "q": "2", "m": "1"}
    assert [keys for keys, _ in others] == [*[{"m": "1"}] * (len(others) - 1), {"m": "0"}]
    assert all(len(part) <= 4096 and len(part) % 4 == 0 for _, part in found)
    image = sent(drawing.before)
    assert image.format == "PNG" and image.size == (300, 200)  # the terminal enlarges it
    place = {"a": "p", "i": "77", "p": "1", "w": "300", "h": "200", "c": "60", "r": "20", "C": "1", "q": "2"}
    assert commands(drawing.draw_over(20)) == commands(drawing.draw_over(99)) == [(place, "")]
    assert commands(drawing.draw_over(5)) == [({**place, "h": "50", "r": "5"}, "")]  # above a toast
    hidden = [({"a": "d", "d": "i", "i": "77", "q": "2"}, "")]
    assert commands(drawing.draw_over(0)) == commands(drawing.draw_over(-3)) == commands(drawing.hide()) == hidden
    assert commands(drawing.forget()) == [({"a": "d", "d": "I", "i": "77", "q": "2"}, "")]


def test_kitty_is_sent_no_more_pixels_than_it_shows() -> None:
    place = fit_image((3000, 2000), (30, 10), (10, 20))
    drawing = draw_image(picture(3000, 2000), Graphics.KITTY, place, 1)
    assert sent(drawing.before).size == drawing.size == place.pixels


def test_only_pixels_need_to_be_hidden_and_forgotten() -> None:
    place = fit_image((30, 20), (30, 10), (10, 20))
    for graphics, has_pixels in ((Graphics.BLOCKS, False), (Graphics.SIXEL, True)):
        drawing = draw_image(picture(30, 20), graphics, place, 1)
        assert drawing.has_pixels == has_pixels and drawing.hide() == drawing.forget() == drawing.before == ""
    assert drawing.draw_over(place.rows - 1) == ""  # a Sixel over a toast would cover it
