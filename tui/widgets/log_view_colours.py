"""What the colours that a log asks for become in this theme: never unreadable, whatever was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rich.style import Style
from textual.color import Color

from backends.logs.ansi import Color as TextColor
from backends.logs.ansi import SgrState

# The eight names of a terminal as roles of the theme, which are legible on its background by design.
NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
PREFIX = "log-view--ansi-"
CSS = """
    & > .log-view--ansi-black { color: $text-muted; }
    & > .log-view--ansi-red { color: $text-error; }
    & > .log-view--ansi-green { color: $text-success; }
    & > .log-view--ansi-yellow { color: $text-warning; }
    & > .log-view--ansi-blue { color: $text-primary; }
    & > .log-view--ansi-magenta { color: $text-accent; }
    & > .log-view--ansi-cyan { color: $text-secondary; }
    & > .log-view--ansi-white { color: $foreground; }
"""
_LEAST_CONTRAST = 3.0  # WCAG's for large text; terminal palettes do not reach its 4.5 for text themselves
_LEAST_UNKNOWN = 1.6
_BLACK, _WHITE = Color(0, 0, 0), Color(255, 255, 255)
_STEPS = (0, 95, 135, 175, 215, 255)  # of the 6x6x6 cube of the 256 colours
_PLAIN_16 = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip


class Colours:
    """Looks as styles; worked out once each."""

    def __init__(self, style_of: Callable[[str], Style]) -> None:
        self._style_of = style_of
        self._styles: dict[tuple[SgrState, Style], Style] = {}

    def forget(self) -> None:
        self._styles.clear()

    def style(self, look: SgrState, base: Style) -> Style:
        """`base` is how the line looks where nothing was asked for."""
        style = self._styles.get((look, base))
        if style is None:
            if len(self._styles) > 4096:  # a log of true-colour pictures has as many looks as signs
                self._styles.clear()
            style = self._styles[look, base] = self._made(look, base)
        return style

    def _made(self, look: SgrState, base: Style) -> Style:
        words = Style(
            bold=look.bold or None,
            dim=look.dim or None,
            italic=look.italic or None,
            underline=look.underline or None,
            strike=look.strike or None,
        )
        if look.reverse:
            if look.foreground is None and look.background is None:
                return base + words + Style(reverse=True)
            look = replace(look, foreground=look.background, background=look.foreground)
        if look.background is not None:
            ground = Color(*_rgb(look.background))
            ink = Color(*_rgb(look.foreground)) if look.foreground is not None else ground.get_contrast_text(1.0)
            ink = ink if _contrast(ink, ground) >= _LEAST_CONTRAST else ground.get_contrast_text(1.0)
            return base + words + Style(color=ink.rich_color, bgcolor=ground.rich_color)
        if look.foreground is None:
            return base + words
        return base + words + self._ink(look.foreground, base)

    def _ink(self, colour: TextColor, base: Style) -> Style:
        ink = Color(*_rgb(colour))
        if isinstance(colour, int) and colour < 16:
            named = self._style_of(PREFIX + NAMES[colour % 8]).color
            if named is None or named.triplet is None:
                return Style(color=named)
            ink = Color(*named.triplet)
        if base.bgcolor is None or base.bgcolor.triplet is None:
            # A theme of the terminal's own colours: dark or light, nobody knows. What is neither shows on both.
            if min(_contrast(ink, _BLACK), _contrast(ink, _WHITE)) < _LEAST_UNKNOWN:
                return Style()
            return Style(color=ink.rich_color)
        ground = Color(*base.bgcolor.triplet)
        readable = ground.get_contrast_text(1.0)
        for share in (0.0, 0.25, 0.5, 0.75):
            blended = ink.blend(readable, share)
            if _contrast(blended, ground) >= _LEAST_CONTRAST:
                return Style(color=blended.rich_color)
        return Style(color=readable.rich_color)


def _rgb(colour: TextColor) -> tuple[int, int, int]:
    if not isinstance(colour, int):
        return colour
    if colour < 16:
        return _PLAIN_16[colour]
    if colour >= 232:
        grey = 8 + (colour - 232) * 10
        return grey, grey, grey
    colour -= 16
    return _STEPS[colour // 36], _STEPS[colour // 6 % 6], _STEPS[colour % 6]


def _contrast(one: Color, other: Color) -> float:
    """WCAG 2's ratio of luminances."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Color) -> float:
    parts = [part / 255 for part in (colour.r, colour.g, colour.b)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
