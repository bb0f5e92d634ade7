"""How an image gets into a terminal: which way the terminal knows, and the image in the terms of that way.

Nothing here asks the terminal, which would answer into the keys that the app reads: the environment names it. No name
of a server's goes into an escape sequence, only numbers and pixels.

Sources: https://sw.kovidgoyal.net/kitty/graphics-protocol/; VT330/VT340 Programmer Reference Manual, chapter 14.
"""

from __future__ import annotations

import base64
import fcntl
import io
import re
import struct
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

USUAL_CELL = (10, 20)  # pixels of a cell where the terminal does not say: those of the VT340
_KITTY_PART = 4096  # bytes of base64 in one escape sequence
_SIXEL_COLORS = 256
_BAND = 6  # lines of pixels that one line of Sixel has


class Graphics(StrEnum):
    """`KITTY`: Kitty's graphics; `SIXEL`; `BLOCKS`: half of a cell a pixel; `NONE`."""

    KITTY = "kitty"
    SIXEL = "sixel"
    BLOCKS = "blocks"
    NONE = "off"


def choose_graphics(setting: str, environment: Mapping[str, str], *, truecolor: bool, no_color: bool) -> Graphics:
    """The way to show images. `setting`: auto, or the name of a way.

    Only terminals that are known to do it get pixels. In tmux, screen and Zellij the terminal is theirs: blocks.
    """
    way = _detect(environment) if setting == "auto" else Graphics(setting)
    return way if not no_color and (truecolor or way is not Graphics.BLOCKS) else Graphics.NONE


def _detect(environment: Mapping[str, str]) -> Graphics:
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "").lower()
    if term.startswith(("tmux", "screen")) or any(environment.get(name) for name in ("TMUX", "STY", "ZELLIJ")):
        return Graphics.BLOCKS
    if term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
        return Graphics.KITTY
    version = environment.get("KONSOLE_VERSION", "")
    is_konsole = version.isdecimal() and len(version) < 10 and int(version) >= 220_400
    if program in ("wezterm", "iterm.app") or is_konsole or re.match(r"(foot|mlterm|contour|yaft)\b", term):
        return Graphics.SIXEL
    return Graphics.KITTY if environment.get("KITTY_WINDOW_ID") else Graphics.BLOCKS


def read_cell_size() -> tuple[int, int] | None:
    """Width and height of a cell in pixels, as the system knows them of the terminal; None if it does not."""
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, b"\0" * 8)  # type: ignore[union-attr]
        except (AttributeError, OSError, ValueError):
            continue
        rows, columns, width, height = struct.unpack("HHHH", answer)
        if rows and columns and width // columns and height // rows:
            return width // columns, height // rows
    return None


@dataclass(frozen=True)
class Placement:
    """Where an image is to be drawn: `columns` and `rows` of cells, each of `cell` (width, height) pixels."""

    columns: int
    rows: int
    cell: tuple[int, int]

    @property
    def pixels(self) -> tuple[int, int]:
        return self.columns * self.cell[0], self.rows * self.cell[1]


def fit_image(image: tuple[int, int], room: tuple[int, int], cell: tuple[int, int]) -> Placement:
    """The largest place for an image (of pixels) of the same shape in a room (of cells), at least one cell."""
    scale = min(room[0] * cell[0] / image[0], room[1] * cell[1] / image[1])
    columns, rows = (max(1, min(room[i], round(image[i] * scale / cell[i]))) for i in (0, 1))
    return Placement(columns, rows, cell)


@dataclass(frozen=True)
class Drawing:
    """An image as it is drawn: the lines of cells, or for pixels over empty cells escape sequences.

    `before`: what the terminal needs to be told once. `sixel`: to be written at the first cell. `number`, `size`: of an
    image of Kitty's, which is over all cells, in pixels.
    """

    placement: Placement
    lines: Sequence[Strip] = ()
    before: str = ""
    sixel: str = ""
    number: int = 0
    size: tuple[int, int] = (0, 0)

    @property
    def has_pixels(self) -> bool:
        return bool(self.sixel or self.number)

    def draw_over(self, rows: int) -> str:
        """What is to be written at the first cell whenever the cells were drawn: shows the first `rows` rows of the
        image, what is below them may be covered. Of a Sixel, which cells are drawn over, it is all or nothing."""
        place = self.placement
        if self.sixel:
            return self.sixel if rows >= place.rows else ""
        if rows <= 0:
            return self._delete("i")
        shown = min(rows, place.rows)
        part = f"w={self.size[0]},h={max(1, self.size[1] * shown // place.rows)}"
        return f"\x1b_Ga=p,i={self.number},p=1,{part},c={place.columns},r={shown},C=1,q=2\x1b\\"

    def hide(self) -> str:
        """What takes it from the screen, where cells do not."""
        return self._delete("i") if self.number else ""

    def forget(self) -> str:
        """What has the terminal forget it."""
        return self._delete("I") if self.number else ""

    def _delete(self, what: str) -> str:
        return f"\x1b_Ga=d,d={what},i={self.number},q=2\x1b\\"


def draw_image(picture: Any, graphics: Graphics, placement: Placement, number: int) -> Drawing:
    """`picture`: a Pillow image in RGB. `number`: of the image in the terminal, below 2 ** 32; one that no other has.

    Takes up to a second for a large terminal: for a thread.
    """
    if graphics is Graphics.KITTY:
        image = _resize(picture, placement.pixels, enlarge=False)
        return Drawing(placement, before=_encode_kitty(image, number), number=number, size=image.size)
    if graphics is Graphics.SIXEL:
        return Drawing(placement, sixel=encode_sixel(_resize(picture, placement.pixels)))
    return Drawing(placement, lines=draw_blocks(_resize(picture, (placement.columns, 2 * placement.rows))))


def _resize(picture: Any, size: tuple[int, int], *, enlarge: bool = True) -> Any:
    from PIL import Image

    if not enlarge and (size[0] >= picture.width or size[1] >= picture.height):
        return picture
    grows = size[0] > picture.width
    how = Image.Resampling.NEAREST if grows else Image.Resampling.LANCZOS
    return picture.resize(size, how, reducing_gap=None if grows else 3.0)


# ---- half blocks -------------------------------------------------------------------------------------------------


def draw_blocks(picture: Any) -> list[Strip]:
    """Lines of cells, each the upper and the lower of two pixels, one above the other. The height is even."""
    width, pixels = picture.width, picture.tobytes()
    styles: dict[bytes, Style] = {}
    lines = []
    for top in range(0, len(pixels), width * 6):
        upper, lower = pixels[top : top + width * 3], pixels[top + width * 3 : top + width * 6]
        segments: list[Segment] = []
        start = 0
        for column in range(1, width + 1):
            here, before = slice(column * 3, column * 3 + 3), slice(column * 3 - 3, column * 3)
            if column < width and upper[here] == upper[before] and lower[here] == lower[before]:
                continue
            colors = upper[before] + lower[before]
            style = styles.get(colors)
            if style is None:
                style = styles[colors] = Style.from_color(Color.from_rgb(*colors[:3]), Color.from_rgb(*colors[3:]))
            segments.append(Segment("▀" * (column - start), style))
            start = column
        lines.append(Strip(segments, width))
    return lines


# ---- Kitty -------------------------------------------------------------------------------------------------------


def _encode_kitty(picture: Any, number: int) -> str:
    """Sends the image as PNG; where it is shown is said apart. No answer is wanted (q=2)."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    text = base64.b64encode(buffer.getvalue()).decode()
    parts = [text[start : start + _KITTY_PART] for start in range(0, len(text), _KITTY_PART)]
    first = f"a=t,f=100,i={number},q=2,"
    return "".join(
        f"\x1b_G{'' if index else first}m={int(index < len(parts) - 1)};{part}\x1b\\"
        for index, part in enumerate(parts)
    )


# ---- Sixel -------------------------------------------------------------------------------------------------------


def encode_sixel(picture: Any) -> str:
    """The image with at most 256 colours. Each band of six lines is drawn once for each colour in it."""
    from PIL import Image

    indexed = picture.quantize(_SIXEL_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    width, height = indexed.size
    palette, pixels = indexed.getpalette(), indexed.tobytes()
    used = sorted(set(pixels))
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}']
    for color in used:
        red, green, blue = (round(value * 100 / 255) for value in palette[color * 3 : color * 3 + 3])
        parts.append(f"#{color};2;{red};{green};{blue}")
    bits = {
        color: [bytes(1 << line if index == color else 0 for index in range(256)) for line in range(_BAND)]
        for color in used
    }
    for top in range(0, height, _BAND):
        rows = [pixels[line * width : (line + 1) * width] for line in range(top, min(top + _BAND, height))]
        bands = []
        for color in sorted(set(b"".join(rows))):
            mask = 0
            for row, table in zip(rows, bits[color], strict=False):
                mask |= int.from_bytes(row.translate(table), "big")
            line = mask.to_bytes(width, "big").rstrip(b"\0").translate(_SIXELS).decode("ascii")
            bands.append(f"#{color}{_RUNS.sub(_shorten, line)}")
        parts.append("$".join(bands) + "-")
    parts.append("\x1b\\")
    return "".join(parts)


_SIXELS = bytes(value + 0x3F if value < 64 else 0x3F for value in range(256))
_RUNS = re.compile(r"(.)\1{3,}")


def _shorten(run: re.Match[str]) -> str:
    return f"!{len(run[0])}{run[1]}"
