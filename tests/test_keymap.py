"""Bindings, help and palette come from one table and cannot contradict each other."""

from __future__ import annotations

from collections import Counter

import pytest

from backends.errors import UsageError
from tui import keymap


def test_no_two_actions_of_one_place_share_a_key() -> None:
    for place in keymap.TITLES:
        keys = Counter(k for key in keymap.KEYS if key.where == place for k in key.keys.split(","))
        assert [key for key, count in keys.items() if count > 1] == []


def test_no_list_key_is_hidden_by_a_table_key() -> None:
    table = {k for key in keymap.KEYS if key.where == "table" for k in key.keys.split(",")}
    for place in ("view", "app", "transfers"):
        assert table.isdisjoint(k for key in keymap.KEYS if key.where == place for k in key.keys.split(","))


def test_ids_are_unique_so_that_remapping_means_one_thing() -> None:
    assert len({key.id for key in keymap.KEYS}) == len(keymap.KEYS)


def test_remapping_shows_in_help() -> None:
    sections = {section.title: section.rows for section in keymap.help_rows({"download": "ctrl+d"})}
    assert ("Ctrl+D", "Download the marked rows (or the one under the cursor)", "download") in sections["A list"]


def test_an_unknown_action_is_named() -> None:
    with pytest.raises(UsageError, match="downlod"):
        keymap.check_remapped({"downlod": "x"})


@pytest.mark.parametrize(
    ("keys", "written"),
    [("ctrl+o", "Ctrl+O"), ("question_mark", "?"), ("up,k", "Up, k"), ("G,end", "G, End"), ("f1", "F1")],
)
def test_keys_are_written_as_people_write_them(keys: str, written: str) -> None:
    assert keymap.format_keys(keys) == written


def test_old_ids_of_panes_can_still_be_remapped() -> None:
    assert keymap.check_remapped({"pane-perf": "f9", "quit": "ctrl+q"}) == {"pane-treeherder": "f9", "quit": "ctrl+q"}
