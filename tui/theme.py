"""The colours of the app by role, dark and light, and which other themes are legible enough to be offered.

A role is a meaning, not a colour: code and CSS name roles only, as `$ci-failed`. Terminals of 256 colours get surfaces
of their own, greys of their ramp, since the nearest colours to the dark blues would leave text at a contrast of 3.4:1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cache

from textual.app import App
from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from backends.frames.heat import HEAT_COLORS, HeatColors, HeatRole, heat_name

DARK, LIGHT = "ciexplore-dark", "ciexplore-light"
LEGIBLE = 4.5  # contrast of text and ground: WCAG 2.2, 1.4.3
# role: (dark, light). The page; bars and table headers; dialogs and panels; inputs; the cursor row, with and without
# the focus.
SURFACES = {
    "bg": ("#12161c", "#fcfcfb"),
    "bar": ("#1d232c", "#e9edf1"),
    "raised": ("#202731", "#f5f7f9"),
    "field": ("#2b3440", "#e3e8ee"),
    "select": ("#1e4266", "#bcd9f7"),
    "select-off": ("#2c333d", "#dfe4ea"),
}
SURFACES_256 = {
    "bg": ("#121212", "#ffffff"),
    "bar": ("#1c1c1c", "#eeeeee"),
    "raised": ("#262626", "#f8f8f8"),
    "field": ("#303030", "#e4e4e4"),
    "select": ("#3a3a3a", "#e4e4e4"),
    "select-off": ("#303030", "#eeeeee"),
}
# Text. `accent`: keys, focus, links, marks. `exception`: the infrastructure failed, not the code.
INKS = {
    "text": ("#dde3ea", "#1b2027"),
    "muted": ("#a9b4c1", "#4d5661"),
    "accent": ("#79bcff", "#0a4a94"),
    "ok": ("#86d594", "#165c2c"),
    "failed": ("#ff9d94", "#a51710"),
    "exception": ("#dcb3ff", "#6b2ba8"),
    "warning": ("#ecc76e", "#5f4200"),
    "running": ("#67d6dc", "#085763"),
}
# Bars, quiet cells and borders: nothing that is read.
MARKS = {
    "data": ("#6f93bd", "#4a76a8"),
    "ok-quiet": ("#4c8a5c", "#4f8a5f"),
    "rule": ("#465261", "#aab4bf"),
}
# (ground, ink) of filled cells and of the button that has the focus.
FILLS = {
    "fill-ok": (("#1f4a2c", "#b7f0c3"), ("#cdeed5", "#10491f")),
    "fill-failed": (("#e5695f", "#1a0504"), ("#b3241c", "#ffffff")),
    "fill-warning": (("#d0a545", "#1b1300"), ("#f2d27d", "#3c2900")),
    "fill-accent": (("#79bcff", "#06182b"), ("#0a4a94", "#ffffff")),
}
HEAT_256: HeatColors = {
    HeatRole.AMOUNT: (
        (("#303030", "#dde3ea"), ("#005f87", "#ffffff"), ("#5f87af", "#000000"), ("#afd7ff", "#000000")),
        (("#e4e4e4", "#1b2027"), ("#afd7ff", "#000000"), ("#5fafd7", "#000000"), ("#005faf", "#ffffff")),
    ),
    HeatRole.FAILED: (
        (("#5f0000", "#ffffff"), ("#870000", "#ffffff"), ("#d70000", "#ffffff"), ("#ff8787", "#000000")),
        (("#ffd7d7", "#1b2027"), ("#ffafaf", "#000000"), ("#d75f5f", "#000000"), ("#af0000", "#ffffff")),
    ),
}


@cache
def role_variables(light: bool, few_colors: bool) -> dict[str, str]:
    """CSS variables `ci-ROLE`; also needed under other themes, so that the CSS can be read."""
    side = int(light)
    surfaces = SURFACES_256 if few_colors else SURFACES
    found = {f"ci-{role}": both[side] for group in (surfaces, INKS, MARKS) for role, both in group.items()}
    fills = {role: sides[side] for role, sides in FILLS.items()}
    for heat, scales in (HEAT_256 if few_colors else HEAT_COLORS).items():
        fills |= {heat_name(heat, step): fill for step, fill in enumerate(scales[side], 1)}
    for role, (ground, ink) in fills.items():
        found[f"ci-{role}"], found[f"ci-on-{role}"] = ground, ink
    return found


def make_theme(light: bool, few_colors: bool) -> Theme:
    """The dark or the light theme. `few_colors`: for a terminal of 256."""
    role = {name.removeprefix("ci-"): color for name, color in role_variables(light, few_colors).items()}
    # What Textual's own widgets use follows from the roles.
    variables = {
        **role_variables(light, few_colors),
        **dict.fromkeys(
            ("footer-background", "footer-item-background", "footer-key-background", "footer-description-background"),
            role["bar"],
        ),
        **dict.fromkeys(
            (
                "scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active",
                "scrollbar-corner-color",
            ),
            role["bar"],
        ),
        "footer-foreground": role["text"],
        "footer-key-foreground": role["accent"],
        "footer-description-foreground": role["text"],
        "scrollbar": role["rule"],
        "scrollbar-hover": role["data"],
        "scrollbar-active": role["accent"],
        "border": role["rule"],
        "border-blurred": role["rule"],
        "text-muted": role["muted"],
        "text-disabled": role["muted"],
        "text-primary": role["accent"],
        "text-accent": role["accent"],
        "text-error": role["failed"],
        "text-warning": role["warning"],
        "text-success": role["ok"],
        "input-cursor-background": role["accent"],
        "input-cursor-foreground": role["bg"],
        "input-selection-background": role["select"],
        "block-cursor-background": role["select"],
        "block-cursor-foreground": role["text"],
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": role["select-off"],
        "block-cursor-blurred-foreground": role["text"],
    }  # fmt: skip
    return Theme(
        name=LIGHT if light else DARK,
        primary=role["accent"],
        secondary=role["muted"],
        accent=role["accent"],
        warning=role["warning"],
        error=role["failed"],
        success=role["ok"],
        foreground=role["text"],
        background=role["bg"],
        surface=role["raised"],
        panel=role["bar"],
        dark=not light,
        text_alpha=1.0,
        variables=variables,
    )


class ThemedApp(App[None]):
    """An app in these colours."""

    def __init__(self) -> None:
        self._roles: dict[str, dict[str, str]] = {}
        super().__init__()
        few_colors = self.console.color_system != "truecolor"
        for light in (False, True):
            self.register_theme(make_theme(light, few_colors))
        self.theme = DARK

    def get_theme_variable_defaults(self) -> dict[str, str]:
        chosen = self.current_theme
        if chosen.name in (DARK, LIGHT):
            return role_variables(False, False)  # it has its own
        if chosen.name not in self._roles:
            self._roles[chosen.name] = roles_of(chosen)
        return self._roles[chosen.name]


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of two opaque colours, 1 to 21: WCAG 2.2, "contrast ratio"."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Color) -> float:
    parts = [
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in color.rgb
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


# Surfaces of other themes that these do not have: the background mixed with what, and how much of it.
_MIXED = {"field": ("foreground", 0.1), "select": ("primary", 0.25), "select-off": ("foreground", 0.08)}
# Roles and the colours of a theme that they are.
_SURFACE_NAMES = {"bg": "background", "bar": "panel", "raised": "surface"}
_INK_NAMES = {
    "text": "foreground",
    "accent": "text-primary",
    "failed": "text-error",
    "warning": "text-warning",
    "ok": "text-success",
}
_STEPS = 10  # in which an ink that is not legible comes nearer to black or white


def roles_of(theme: Theme) -> dict[str, str]:
    """CSS variables `ci-ROLE` of a theme that has none: its own surfaces and inks, legible on each other.

    What it has no colour for is that of our dark or light theme, as is all of a theme of the terminal's own colours.
    """
    roles = dict(role_variables(not theme.dark, False))
    try:
        colors = theme.to_color_system().generate()
        page = Color.parse(colors["background"])
        surfaces = {role: page + Color.parse(colors[name]) for role, name in _SURFACE_NAMES.items()}
        mixed = {role: page.blend(Color.parse(colors[name]), share, 1.0) for role, (name, share) in _MIXED.items()}
        inks = {role: colors[name] for role, name in _INK_NAMES.items()}
        own = {role: Color.parse(roles[f"ci-{role}"]) for role in INKS}
        found = {role: own[role] if color.startswith("auto") else Color.parse(color) for role, color in inks.items()}
    except ColorParseError:
        return roles
    if any(color.ansi is not None for color in (page, *surfaces.values(), *found.values())):
        return roles
    surfaces |= mixed
    for role, color in surfaces.items():
        roles[f"ci-{role}"] = color.hex6
    for role, color in (own | found).items():
        roles[f"ci-{role}"] = _make_legible(page + color, list(surfaces.values())).hex6
    return roles


def _make_legible(ink: Color, grounds: Sequence[Color]) -> Color:
    """The ink, as much nearer to black or white as it has to be on all grounds."""
    extreme = grounds[0].get_contrast_text(1.0)
    tried = [ink.blend(extreme, step / _STEPS, 1.0) for step in range(_STEPS + 1)]
    return next((one for one in tried if all(contrast(one, ground) >= LEGIBLE for ground in grounds)), tried[-1])


# What the app writes on what.
_GROUNDS = ("background", "surface", "panel")
_TEXTS = ("foreground", "text-muted", "text-primary", "text-error", "text-warning", "text-success")


def text_contrasts(theme: Theme) -> Iterator[tuple[str, str, float]]:
    """(text, ground, contrast) of each pair that the app draws in a theme.

    Raises `ColorParseError` for a theme of the terminal's own colours, of which nobody knows what they are.
    """
    colors = theme.to_color_system().generate()
    page = Color.parse(colors["background"])
    for ground_name in _GROUNDS:
        ground = page + Color.parse(colors[ground_name])
        for text in _TEXTS:
            if colors[text].startswith("auto"):
                alpha = float(colors[text].removeprefix("auto").strip(" %") or 100) / 100
                ink = ground.get_contrast_text(alpha)
            else:
                ink = Color.parse(colors[text])
            yield text, ground_name, contrast(ground + ink, ground)


@cache
def legible_themes() -> frozenset[str]:
    """The names of Textual's themes in which all text of the app is legible. Takes 0.1 s, once."""
    found = set()
    for name, theme in BUILTIN_THEMES.items():
        with contextlib.suppress(ColorParseError):
            if all(ratio >= LEGIBLE for _, _, ratio in text_contrasts(theme)):
                found.add(name)
    return frozenset(found)
