"""A screen as text: each line, and below it the role of each run of cells that is not plain text on the page.

    Tasks › autoland 16982c3917d4
      ~ 0 bg:muted  8 bg:text bold

A run says its first cell, the ground, the ink and how it is written. Roles are the same in the dark and the light
theme, so one file stands for both.
"""

from __future__ import annotations

from itertools import groupby

from rich.style import Style
from textual.app import App

from tui import theme

PLAIN = "bg:text"


def paint_as_text(app: App[None], *, light: bool) -> str:
    """The screen of an app in the dark or the light theme of this project."""
    grounds, inks = _roles(light)
    lines = []
    for strip in app.screen._compositor.render_strips():
        cells = [(sign, segment.style) for segment in strip for sign in segment.text]
        roles = [_role(style, sign, grounds, inks) for sign, style in cells]
        lines.append("".join(sign for sign, _ in cells).rstrip())
        runs, start = [], 0
        for role, run in groupby(_spread(roles)):
            runs.append(f"{start} {role}")
            start += len(list(run))
        if any(not run.endswith(f" {PLAIN}") for run in runs):
            lines.append("  ~ " + "  ".join(runs))
    return "\n".join(lines) + "\n"


def _roles(light: bool) -> tuple[dict[str, str], dict[str, str]]:
    side = int(light)
    grounds = {colors[side]: role for role, colors in theme.SURFACES.items()}
    inks = {colors[side]: role for group in (theme.INKS, theme.MARKS) for role, colors in group.items()}
    for role, sides in theme.FILLS.items():
        ground, ink = sides[side]
        grounds.setdefault(ground, role)
        inks.setdefault(ink, "on-fill")
    for ground, role in grounds.items():
        inks.setdefault(ground, role)
    return grounds, inks


def _role(style: Style | None, sign: str, grounds: dict[str, str], inks: dict[str, str]) -> str:
    """The ground alone for a blank cell: its ink is not seen."""
    if style is None:
        return PLAIN
    ground = _name(style.bgcolor, grounds, "bg")
    words = [word for word in ("bold", "italic", "underline", "reverse", "dim") if getattr(style, word)]
    if sign == " " and not style.underline and not style.reverse:
        return f"{ground}:"
    return " ".join([f"{ground}:{_name(style.color, inks, 'text')}", *words])


def _name(color: object, names: dict[str, str], default: str) -> str:
    triplet = getattr(color, "triplet", None)
    return default if triplet is None else names.get(triplet.hex, "other")


def _spread(roles: list[str]) -> list[str]:
    """Blank cells belong to the run before or after them that has their ground."""
    spread = list(roles)
    for steps in (range(1, len(spread)), range(len(spread) - 2, -1, -1)):
        for at in steps:
            near = spread[at - 1] if steps.step > 0 else spread[at + 1]
            if spread[at].endswith(":") and near.startswith(spread[at]):
                spread[at] = near
    return [f"{role}text" if role.endswith(":") else role for role in spread]
