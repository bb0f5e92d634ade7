"""PNG pictures for artifacts: a gradient, and what a browser showed when a test failed."""

from __future__ import annotations

import struct
import zlib

from backends.demo.deterministic_random import Part, generator

_WIDTH, _HEIGHT = 1024, 640
_COLORS = (
    (255, 255, 255), (43, 42, 51), (66, 65, 77), (240, 240, 244), (91, 91, 102), (21, 65, 140), (215, 38, 56),
    (255, 226, 224), (12, 124, 89), (224, 168, 46), (128, 74, 163), (28, 150, 180),
)  # fmt: skip
_PAGE, _CHROME, _TAB, _FIELD, _INK, _LINK, _RED, _PINK, _GREEN, _YELLOW, _PURPLE, _BLUE = range(len(_COLORS))


class _Canvas:
    """Rectangles of colours of the palette on a white page."""

    def __init__(self) -> None:
        self.rows = [bytearray(_WIDTH) for _ in range(_HEIGHT)]

    def fill(self, x: int, y: int, width: int, height: int, color: int) -> None:
        width, height = min(width, _WIDTH - x), min(height, _HEIGHT - y)
        for row in self.rows[y : y + height]:
            row[x : x + width] = bytes([color]) * width


def screenshot(*parts: Part) -> bytes:
    """A window of a browser in which a test has failed, 1024 x 640, about 2 kB; another one for other `parts`."""
    random = generator("screenshot", *parts)
    canvas = _Canvas()
    canvas.fill(0, 0, _WIDTH, 40, _CHROME)
    canvas.fill(8, 8, 220, 32, _TAB)
    canvas.fill(40, 20, random.randint(90, 160), 8, _FIELD)
    canvas.fill(0, 40, _WIDTH, 44, _TAB)
    canvas.fill(120, 50, 760, 26, _CHROME)
    canvas.fill(132, 59, random.randint(180, 420), 8, _FIELD)
    canvas.fill(40, 110, random.randint(240, 420), 22, _LINK)
    for line in range(random.randint(9, 14)):
        y, x = 152 + line * 22, 40
        for _ in range(random.randint(4, 9)):
            width = random.randint(18, 90)
            if x + width < 640:
                canvas.fill(x, y, width, 9, _LINK if random.random() < 0.1 else _INK)
            x += width + 10
    for place in range(3):  # pictures beside the text
        color = random.choice((_GREEN, _YELLOW, _PURPLE, _BLUE))
        canvas.fill(700, 112 + place * 140, 280, 120, _FIELD)
        size = random.randint(40, 100)
        canvas.fill(840 - size, 172 + place * 140 - size // 2, 2 * size, size, color)
    # What the test did not expect: a dialog that is still open.
    x, y = random.randint(180, 320), random.randint(200, 300)
    canvas.fill(x, y, 440, 190, _RED)
    canvas.fill(x + 4, y + 4, 432, 182, _PINK)
    canvas.fill(x + 28, y + 28, random.randint(180, 300), 14, _RED)
    for line in range(3):
        canvas.fill(x + 28, y + 62 + line * 20, random.randint(200, 370), 9, _INK)
    canvas.fill(x + 300, y + 140, 110, 30, _RED)
    palette = b"".join(bytes(color) for color in _COLORS)
    return _png(_WIDTH, _HEIGHT, 3, canvas.rows, palette)


def gradient(number: int) -> bytes:
    """A 160 x 100 PNG with a gradient that depends on `number`."""
    red, green, blue = number & 0xFF, number >> 8 & 0xFF, number >> 16 & 0xFF
    rows = [
        b"".join(bytes(((red + x) & 0xFF, (green + y) & 0xFF, blue)) for x in range(160)) for y in range(100)
    ]  # fmt: skip
    return _png(160, 100, 2, rows)


def _png(width: int, height: int, kind: int, rows: list[bytearray] | list[bytes], palette: bytes = b"") -> bytes:
    """`kind`: 2 for RGB, 3 for numbers of colours in `palette`."""
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows), 1 if kind == 2 else 9)
    colors = _chunk(b"PLTE", palette) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + colors + _chunk(b"IDAT", content) + _chunk(b"IEND")


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
