"""What the documents say is what the program does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from backends import config
from backends.systems import accepted_forms
from tui import keymap

ROOT = Path(__file__).parents[1]


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def load_make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make


def test_the_page_of_commands_is_what_help_says() -> None:
    make = load_make()
    assert (ROOT / "docs" / "commands.md").read_text("utf-8") == make.commands(), "run: python docs/make.py commands"


def test_the_readme_names_every_key() -> None:
    text = readme()
    for key in keymap.KEYS:
        if key.id.startswith("sort-"):
            continue
        written = keymap.format_keys(key.keys).split(", ")[0]
        assert f"`{written}`" in text, f"{key.id} ({written}) is not in the README"


def test_the_readme_names_every_setting() -> None:
    text = readme()
    for _, env, toml in config.setting_names():
        assert f"`{toml}`" in text
        assert not env or f"`{env}`" in text


def test_every_command_in_the_readme_exists() -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    known = set(re.findall(r"^## (ciexplore.*)$", page, re.MULTILINE))
    for line in re.findall(r"^\s*(ciexplore [a-z].*)$", readme(), re.MULTILINE):
        words = line.split()
        verb = next((" ".join(words[:n]) for n in (4, 3, 2) if " ".join(words[:n]) in known), "")
        below = {name.split()[len(verb.split())] for name in known if name.startswith(f"{verb} ")}
        assert verb, line
        assert not below, f"{line} names no verb of {verb}: {sorted(below)}"
        for option in re.findall(r"(--[a-z-]+)", line):
            assert option in page, f"{option} in: {line}"


def test_the_pictures_that_are_shown_exist() -> None:
    make = load_make()
    assert {path.stem for path in (ROOT / "docs" / "pictures").iterdir()} == set(make.SCREENS), "python docs/make.py"
    shown = re.findall(r"!\[[^]]+\]\((docs/[\w/]+\.svg)\)", readme())
    assert len(shown) == 4 and all((ROOT / path).is_file() for path in shown)


def test_there_is_something_to_paste_for_everything() -> None:
    assert len(accepted_forms()) >= 10


def test_the_code_of_the_page_on_extending_is_that_of_the_toy_system() -> None:
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    toy = " ".join((ROOT / "tests" / "core" / "toy" / "toy_ci.py").read_text("utf-8").split())
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        assert " ".join(block.split()) in toy, block


def test_the_architecture_page_names_every_package_and_nothing_that_is_not_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    packages = {
        f"{path.parent.relative_to(ROOT)}/"
        for top in ("backends", "tui", "ciexplore")
        for path in (ROOT / top).rglob("__init__.py")
    } - {"backends/", "tui/"}
    named = set(re.findall(r"`((?:backends|tui|ciexplore)/[\w/]*/|ciexplore/)`", page))
    assert named == packages
    for first, others in re.findall(r"^\| `((?:backends|tui)/\w+\.py)`((?:, `[\w/]+(?:\.py|/)`)*)", page, re.MULTILINE):
        folder = Path(first).parent
        for name in [first, *re.findall(r"`([\w/]+\.py)`", others)]:
            assert (ROOT / name).is_file() or (ROOT / folder / name).is_file(), name
