"""The letters of the menus (`x`): each list on the demo has the ones that menu_letters.txt records, each once."""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path

import polars as pl
import pytest

from backends import config
from backends.cancel import CancelToken
from backends.errors import AppError
from backends.locators import Locator
from backends.resources import LIST, ROW, ROWS, Entry, Link, Resource, read_list
from backends.session import Session
from backends.systems import parse_locator
from tui.menus import menu_sections, with_marked

RECORD = Path(__file__).parent / "menu_letters.txt"
KEYS_OF_MENU = "jkq/"
PER_LIST = 1  # lists of one class that are followed


def plain(label: str) -> str:
    """The label without what depends on the rows."""
    return re.sub(r"\b[0-9a-f]{12,}\b|[\d,.]*\d", "N", label)


def menus_of(resource: Resource, frame: pl.DataFrame) -> list[list[Entry]]:
    """Menus with and without a row, on all rows and on some, of the first rows of every different look."""
    rows = [
        frame.row(at, named=True) for at in sorted({0, 1, 2, len(frame) // 2, len(frame) - 1}) if 0 <= at < len(frame)
    ]
    found = [resource.menu(None, frame.head(0)), resource.menu(None, frame)]
    return [*found, *(menu for row in rows for menu in (resource.menu(row, frame), resource.menu(row, frame.head(2))))]


def targets(resource: Resource, frame: pl.DataFrame, menus: list[list[Entry]]) -> list[Locator]:
    opened = [entry.opens for menu in menus for entry in menu if isinstance(entry, Link)]
    opened += [resource.open(row) for row in frame.head(3).iter_rows(named=True)]
    return [one for one in opened if isinstance(one, Locator)]


@pytest.fixture
def session(demo: dict[str, str]) -> Session:
    return Session(config.load(dict(os.environ)), demo=True)


def test_every_letter_is_unique_in_its_menu_and_stays_what_it_was(demo: dict[str, str], session: Session) -> None:
    waiting = deque(parse_locator(text) for text in demo.values())
    seen: set[Locator] = set()
    listed: dict[str, int] = {}
    letters: dict[str, dict[str, set[str]]] = {}
    while waiting:
        locator = waiting.popleft()
        if locator in seen:
            continue
        seen.add(locator)
        try:
            resource = session.resource(locator)
            name = type(resource).__name__
            if listed.get(name, 0) >= PER_LIST:
                continue
            frame = read_list(resource, CancelToken()).frame
        except AppError:
            continue  # what the demo has for its errors
        listed[name] = listed.get(name, 0) + 1
        menus = menus_of(resource, frame)
        for menu in menus:
            used = [entry.letter for entry in menu if entry.letter]
            assert len(set(used)) == len(used), (locator.text(), [(one.letter, one.label) for one in menu])
            assert not [one for one in used if len(one) != 1 or one in KEYS_OF_MENU or not one.isalnum()], name
            for entry in menu:
                assert entry.group and entry.label.strip(), (name, entry)
                letters.setdefault(name, {}).setdefault(entry.letter, set()).add(plain(entry.label))
        waiting.extend(targets(resource, frame, menus))
    assert len(listed) > 30
    lines = RECORD.read_text().splitlines()
    recorded = [line.split("  ", 2) for line in lines]
    known: dict[tuple[str, str], set[str]] = {}  # periods differ in their number alone, and have several letters
    for name, letter, label in recorded:
        known.setdefault((name, label), set()).add(letter)
    places = {(name, letter) for name, letter, _ in recorded}
    found = [line.split("  ", 2) for line in lines_of(letters)]
    changed = [one for one in found if len(has := known.get((one[0], one[2]), set())) == 1 and one[1] not in has]
    assert not changed, "the letters of these entries were others"
    if os.environ.get("RECORD_MENU_LETTERS"):
        RECORD.write_text("".join(f"{line}\n" for line in sorted({*lines, *lines_of(letters)})))
        return
    new = [one for one in found if (one[0], one[1]) not in places]
    assert not new, "RECORD_MENU_LETTERS=1 records new letters"


def lines_of(letters: dict[str, dict[str, set[str]]]) -> list[str]:
    """ "List  letter  label" """
    return [
        f"{name}  {letter or ' '}  {label}"
        for name, of_list in letters.items()
        for letter, labels in of_list.items()
        for label in labels
    ]


def test_sections_begin_with_the_row_and_the_rows(demo: dict[str, str], session: Session) -> None:
    group = session.resource(parse_locator(demo["taskcluster.finished-group"]))
    frame = read_list(group, CancelToken()).frame
    sections = menu_sections(group, frame.row(3, named=True), frame.head(2), 2)
    assert [heading for heading, _ in sections][:2] == ["This task", "2 marked"]
    for entries, name in zip([entries for _, entries in sections], (ROW, ROWS), strict=False):
        assert {entry.group for entry in entries} == {name}
    assert "This group" in [heading for heading, _ in menu_sections(group, None, frame, 0)]
    assert LIST not in [heading for heading, _ in sections]
    marked = dict(with_marked(sections, group, frame.head(2)))["2 marked"]
    assert [entry.letter for entry in marked if entry.letter in ("A", "M", "=")] == ["=", "A", "M"]
    letters = [entry.letter for _, entries in with_marked(sections, group, frame.head(2)) for entry in entries]
    assert len(letters) == len(set(letters))
