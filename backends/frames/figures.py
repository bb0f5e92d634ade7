"""Figures of a few marks (boxes, lines, points, labels), written as SVG or PNG.

The same figure always becomes the same bytes. PNG is drawn by Pillow, which brings its own font: a machine that runs CI
often has none.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from backends.atomic import atomic_file
from backends.errors import UsageError
from backends.frames.formats import safe_text

FORMATS = ("svg", "png")
FONT_SIZE = 12
SHAPES = 6  # of points, all different without colour
COLOURS = {
    "bg": "#ffffff",
    "text": "#1b2027",
    "muted": "#4d5661",
    "rule": "#aab4bf",
    "data": "#4a76a8",
    "failed": "#a51710",
    "ok": "#165c2c",
    "warning": "#8a6000",
    "exception": "#6b2ba8",
    "running": "#085763",
}
_SCALE = 2  # pixels of a PNG to a unit
_LONGEST = 200  # characters of a label


@dataclass(frozen=True)
class Box:
    """A filled rectangle; x and y are its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    role: str = "data"


@dataclass(frozen=True)
class Line:
    """Straight pieces from point to point."""

    points: tuple[tuple[float, float], ...]
    role: str = "rule"
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A point; `shape` counts from 0 to `SHAPES` - 1."""

    x: float
    y: float
    shape: int = 0
    role: str = "text"
    radius: float = 3.0


@dataclass(frozen=True)
class Label:
    """One line of text; y is its base line. `anchor`: which end is at x: start, middle or end."""

    x: float
    y: float
    text: str
    role: str = "text"
    anchor: str = "start"
    bold: bool = False


Mark = Box | Line | Dot | Label


@dataclass(frozen=True)
class Figure:
    """Marks on a ground of that size, the first one lowest; y grows downwards."""

    width: int
    height: int
    marks: tuple[Mark, ...]

    def _repr_svg_(self) -> str:
        """What a notebook draws."""
        return to_svg(self)


def write_figure(figure: Figure, target: Path, *, overwrite: bool = False) -> None:
    """Writes SVG or PNG, as the name ends; complete or not at all.

    Raises `UsageError` for another ending and where PNG lacks its library, `FileError` as `atomic_file` does.
    """
    form = figure_format(target)
    content = to_svg(figure).encode() if form == "svg" else to_png(figure)
    with atomic_file(target, overwrite=overwrite) as stream:
        stream.write(content)


def figure_format(target: Path) -> str:
    """ "svg" or "png". Raises `UsageError` for a name with another ending, and for PNG where its library is missing."""
    form = target.suffix.lstrip(".").lower()
    if form not in FORMATS:
        raise UsageError(f"{safe_text(str(target))} is not the name of a plot.", "End it with .svg or .png.")
    if form == "png":
        _import_pillow()
    return form


def _corners(dot: Dot) -> list[tuple[float, float]]:
    """The polygon of a shape; empty for circles."""
    x, y, r = dot.x, dot.y, dot.radius
    third = r / 3
    match dot.shape % SHAPES:
        case 1:  # triangle
            return [(x, y - r * 1.2), (x + r * 1.1, y + r * 0.8), (x - r * 1.1, y + r * 0.8)]
        case 2:  # square
            return [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
        case 3:  # diamond
            return [(x, y - r * 1.3), (x + r * 1.3, y), (x, y + r * 1.3), (x - r * 1.3, y)]
        case 4:  # cross
            arms = ((-third, -r), (third, -r), (third, -third), (r, -third), (r, third), (third, third))
            return [(x + dx, y + dy) for dx, dy in (*arms, *((-dx, -dy) for dx, dy in arms))]
    return []


# ---- SVG -------------------------------------------------------------------------------------------------------


def to_svg(figure: Figure, colours: Mapping[str, str] = COLOURS) -> str:
    """A document that needs nothing else: text in a generic font, colours as attributes, no scripts, no links.

    `colours` by role, where a page that holds the document has its own."""
    size = f'width="{figure.width}" height="{figure.height}" viewBox="0 0 {figure.width} {figure.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="{FONT_SIZE}">',
        f'<rect width="{figure.width}" height="{figure.height}" fill="{colours["bg"]}"/>',
        *(_svg_mark(mark, colours[mark.role]) for mark in figure.marks),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _svg_mark(mark: Mark, colour: str) -> str:
    if isinstance(mark, Box):
        place = f'x="{_short(mark.x)}" y="{_short(mark.y)}"'
        return f'<rect {place} width="{_short(mark.width)}" height="{_short(mark.height)}" fill="{colour}"/>'
    if isinstance(mark, Line):
        dash = ' stroke-dasharray="4 3"' if mark.dashed else ""
        return f'<polyline points="{_svg_points(mark.points)}" fill="none" stroke="{colour}"{dash}/>'
    if isinstance(mark, Dot):
        corners = _corners(mark)
        if corners:
            return f'<polygon points="{_svg_points(corners)}" fill="{colour}"/>'
        fill = f'fill="{colour}"' if mark.shape % SHAPES == 0 else f'fill="none" stroke="{colour}" stroke-width="1.5"'
        return f'<circle cx="{_short(mark.x)}" cy="{_short(mark.y)}" r="{_short(mark.radius)}" {fill}/>'
    anchor = f' text-anchor="{mark.anchor}"' if mark.anchor != "start" else ""
    weight = ' font-weight="bold"' if mark.bold else ""
    text = escape(safe_text(mark.text, _LONGEST))
    return f'<text x="{_short(mark.x)}" y="{_short(mark.y)}" fill="{colour}"{anchor}{weight}>{text}</text>'


def _svg_points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_short(x)},{_short(y)}" for x, y in points)


def _short(value: float) -> str:
    """Tenths are finer than what is seen."""
    return f"{value:.1f}".removesuffix(".0")


# ---- PNG -------------------------------------------------------------------------------------------------------


def to_png(figure: Figure) -> bytes:
    """The same in pixels, twice as many as units. Raises `UsageError` without Pillow."""
    image_module, draw_module, font_module = _import_pillow()
    image = image_module.new("RGB", (figure.width * _SCALE, figure.height * _SCALE), COLOURS["bg"])
    draw = draw_module.Draw(image)
    font = font_module.load_default(FONT_SIZE * _SCALE)
    for mark in figure.marks:
        _draw_mark(draw, mark, font)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _import_pillow() -> tuple[Any, Any, Any]:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise UsageError(
            "A PNG needs Pillow, which is not installed.", "Install ciexplore[png], or write an .svg file."
        ) from None
    return Image, ImageDraw, ImageFont


def _draw_mark(draw: Any, mark: Mark, font: Any) -> None:
    colour, scale = COLOURS[mark.role], _SCALE
    if isinstance(mark, Box):
        left, top = mark.x * scale, mark.y * scale
        right, bottom = (max(1.0, size * scale) - 1 for size in (mark.width, mark.height))
        draw.rectangle((left, top, left + right, top + bottom), fill=colour)
    elif isinstance(mark, Line):
        for start, end in _pieces(mark):
            draw.line((start[0] * scale, start[1] * scale, end[0] * scale, end[1] * scale), fill=colour, width=scale)
    elif isinstance(mark, Dot):
        if corners := _corners(mark):
            draw.polygon([(x * scale, y * scale) for x, y in corners], fill=colour)
        else:
            box = [(value + side * mark.radius) * scale for side in (-1, 1) for value in (mark.x, mark.y)]
            filled = mark.shape % SHAPES == 0
            draw.ellipse(box, fill=colour if filled else None, outline=colour, width=scale)
    else:
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
        text = safe_text(mark.text, _LONGEST)
        draw.text((mark.x * scale, mark.y * scale), text, fill=colour, font=font, anchor=anchor)
        if mark.bold:  # the font that comes with Pillow has one weight
            draw.text((mark.x * scale + 1, mark.y * scale), text, fill=colour, font=font, anchor=anchor)


def _pieces(line: Line) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Its straight pieces; of a dashed one, four units of every seven."""
    whole = list(zip(line.points, line.points[1:], strict=False))
    if not line.dashed:
        return whole
    found = []
    for (x0, y0), (x1, y1) in whole:
        length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 1e-9)
        for number in range(int(length // 7) + 1):
            ends = [min(number * 7 + offset, length) / length for offset in (0, 4)]
            first, second = ((x0 + (x1 - x0) * end, y0 + (y1 - y0) * end) for end in ends)
            found.append((first, second))
    return found
