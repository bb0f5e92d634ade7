"""All text of the app is legible, 4.5:1, in every theme that is offered; the theme chosen last is kept."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.color import Color
from textual.filter import monochrome_style
from textual.theme import BUILTIN_THEMES

from backends.frames.heat import HEAT_STEPS, HeatRole
from tests.driving import running, until
from tui import theme
from tui.widgets.palette import PaletteDialog


def shown(color: str, few_colors: bool) -> Color:
    """The colour that the terminal gets."""
    if not few_colors:
        return Color.parse(color)
    index = RichColor.parse(color).downgrade(ColorSystem.EIGHT_BIT)
    return Color(*index.get_truecolor(DEFAULT_TERMINAL_THEME))


def test_black_on_white_has_the_contrast_that_the_standard_names() -> None:
    assert theme.contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21.0)
    assert theme.contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("light", "few_colors"), list(product((False, True), repeat=2)))
def test_every_ink_is_legible_on_every_surface(light: bool, few_colors: bool) -> None:
    colors = theme.role_variables(light, few_colors)
    bad = [
        (ink, surface, round(ratio, 2))
        for ink, surface in product(theme.INKS, theme.SURFACES)
        if (ratio := theme.contrast(shown(colors[f"ci-{ink}"], few_colors), shown(colors[f"ci-{surface}"], few_colors)))
        < 4.5
    ]
    bad += [
        (fill, "its ink", round(ratio, 2))
        for fill in theme.FILLS
        if (
            ratio := theme.contrast(shown(colors[f"ci-on-{fill}"], few_colors), shown(colors[f"ci-{fill}"], few_colors))
        )
        < 4.5
    ]
    assert not bad


@pytest.mark.parametrize("no_color", [False, True])
@pytest.mark.parametrize(("light", "few_colors"), list(product((False, True), repeat=2)))
def test_the_number_in_a_coloured_cell_is_legible_and_no_two_steps_look_alike(
    light: bool, few_colors: bool, no_color: bool
) -> None:
    colors = {name: shown(color, few_colors) for name, color in theme.role_variables(light, few_colors).items()}
    if no_color:  # as Textual draws it
        colors = {name: Color.from_rich_color(monochrome_style(Style(color=color.rich_color)).color)
                  for name, color in colors.items()}  # fmt: skip
    for role in HeatRole:
        steps = [f"heat-{role}-{step}" for step in range(1, HEAT_STEPS + 1)]
        assert not [one for one in steps if theme.contrast(colors[f"ci-on-{one}"], colors[f"ci-{one}"]) < 4.5]
        grounds = [colors["ci-bg"], *(colors[f"ci-{one}"] for one in steps)]
        if not no_color:
            assert len({ground.hex for ground in grounds}) == HEAT_STEPS + 1
            assert theme.contrast(grounds[-1], grounds[0]) >= 3.0  # the loudest step is seen from afar


@pytest.mark.parametrize(("light", "few_colors"), list(product((False, True), repeat=2)))
def test_what_textuals_own_widgets_write_is_legible_in_our_themes(light: bool, few_colors: bool) -> None:
    assert not [pair for pair in theme.text_contrasts(theme.make_theme(light, few_colors)) if pair[2] < 4.5]


async def test_only_legible_themes_are_offered_and_the_choice_is_kept(own_directories: Path) -> None:
    async with running(None) as (app, pilot):
        assert app.theme == "ciexplore-dark"
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, PaletteDialog))
        offered = {one.label.partition(": ")[2]: one for one in app.screen._commands if one.label.startswith("Theme:")}
        assert {"ciexplore-dark", "ciexplore-light", "dracula"} <= set(offered)
        assert "textual-light" not in offered  # its warnings have 3.0:1
        assert all(ratio >= 4.5 for name in set(offered) & set(BUILTIN_THEMES) for *_, ratio in
                   theme.text_contrasts(BUILTIN_THEMES[name]))  # fmt: skip
        await pilot.press(*"light", "enter")
        await until(pilot, lambda: app.theme == "ciexplore-light")
    async with running(None) as (app, _):
        assert app.theme == "ciexplore-light"


async def test_a_configured_theme_counts_for_more_than_the_last_choice(
    own_directories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(None) as (app, pilot):
        app.theme = "ciexplore-light"
        await pilot.pause()
    monkeypatch.setenv("CIEXPLORE_THEME", "nord")
    async with running(None) as (app, _):
        assert app.theme == "nord"


@pytest.mark.parametrize("name", sorted(BUILTIN_THEMES))
def test_the_roles_of_other_themes_are_their_own_and_legible(name: str) -> None:
    """They were those of the dark theme: a light one wrote its dark text on them."""
    chosen = BUILTIN_THEMES[name]
    roles = theme.roles_of(chosen)
    assert set(roles) == set(theme.role_variables(False, False))
    if "ansi" in name:
        return  # of the terminal's own colours, of which nobody knows what they are
    foreground, ground = Color.parse(chosen.to_color_system().generate()["foreground"]), Color.parse(roles["ci-bg"])
    assert ground.hex == Color.parse(chosen.to_color_system().generate()["background"]).hex
    assert theme.contrast(ground + foreground, ground) >= 4.5
    for ink, surface in product(theme.INKS, theme.SURFACES):
        ratio = theme.contrast(Color.parse(roles[f"ci-{ink}"]), Color.parse(roles[f"ci-{surface}"]))
        assert ratio >= 4.5, (ink, surface, ratio)


async def test_a_light_theme_of_textual_has_light_tables(
    own_directories: Path, demo: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIEXPLORE_THEME", "textual-light")
    async with running(demo["taskcluster.finished-group"]) as (app, _):
        table = app.current_list.top.table
        ink, ground = table.rich_style.color, table.rich_style.bgcolor
        ratio = theme.contrast(Color(*ink.get_truecolor()), Color(*ground.get_truecolor()))
        assert ratio >= 4.5 and sum(ground.get_truecolor()) > 600
