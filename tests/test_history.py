"""What the start screen offers to come back to survives restarts and broken files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui import history
from tui.history import History


def test_visits_survive_a_restart_pinned_first_then_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1, 100))
    monkeypatch.setattr(history.time, "time", lambda: next(clock))
    first = History(tmp_path)
    for text in ("one", "two", "three"):
        first.add(text, text.title(), "taskcluster")
    first.toggle_pin("one", "One", "taskcluster")
    assert [visit.text for visit in History(tmp_path).visits] == ["one", "three", "two"]


def test_pinned_ones_are_never_pushed_out(tmp_path: Path) -> None:
    visits = History(tmp_path)
    visits.toggle_pin("keep", "Keep", "taskcluster")
    for number in range(history.MAX_RECENT + 20):
        visits.add(f"t{number}", "", "taskcluster")
    assert visits.visits[0].text == "keep"
    assert len(visits.visits) == history.MAX_RECENT + 1


def test_visiting_a_pinned_one_again_keeps_the_pin(tmp_path: Path) -> None:
    visits = History(tmp_path)
    visits.toggle_pin("keep", "Keep", "taskcluster")
    visits.add("keep", "Keep, renamed", "taskcluster")
    assert visits.visits[0].pinned
    assert visits.visits[0].title == "Keep, renamed"


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"a": 1}', '[{"text": 1}]', "null", '[{"text":"a","title":"b","at":"x"}]']
)
def test_a_broken_file_is_an_empty_history(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.json").write_text(text)
    visits = History(tmp_path)
    assert visits.visits == []
    visits.add("new", "New", "taskcluster")
    assert [visit.text for visit in History(tmp_path).visits] == ["new"]


def test_an_unwritable_directory_does_not_stop_the_app(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    visits = History(tmp_path / "file" / "below")
    visits.add("one", "One", "taskcluster")
    assert [visit.text for visit in visits.visits] == ["one"]


def test_visits_of_earlier_versions_keep_their_panes_and_pins(tmp_path: Path) -> None:
    old = [
        {"text": "archive:held", "title": "held", "at": 3, "pinned": True, "system": "archiver"},
        {"text": "submit:outbox", "title": "outbox", "at": 2, "pinned": True, "system": "submission"},
        {"text": "perf:frameworks/autoland", "title": "f", "at": 1, "pinned": True, "system": "treeherder"},
        {"text": "taskcluster:copies/ID", "title": "c", "at": 1, "system": "taskcluster"},
        {"text": "https://hg.example/x", "title": "x", "at": 1, "system": "archiver"},
    ]
    (tmp_path / "history.json").write_text(json.dumps(old))
    visits = History(tmp_path)
    assert [visit.text for visit in visits.visits if visit.system == "archives"] == [
        "archives:held",
        "https://hg.example/x",
    ]
    assert [visit.text for visit in visits.visits if visit.system == "submit"] == ["submit:outbox"]
    assert [visit.text for visit in visits.visits if visit.system == "taskcluster"] == ["taskcluster:retriggers/ID"]
    assert visits.toggle_pin("treeherder:frameworks/autoland", "f", "treeherder") is False


def test_two_apps_keep_what_each_of_them_pinned_and_unpinned(tmp_path: Path) -> None:
    one, other = History(tmp_path), History(tmp_path)
    assert one.toggle_pin("prow:a", "A", "prow")
    other.add("prow:b", "B", "prow")
    assert other.toggle_pin("prow:b", "B", "prow")
    one.add("prow:c", "C", "prow")
    pinned = {visit.text: visit.pinned for visit in History(tmp_path).visits}
    assert pinned == {"prow:a": True, "prow:b": True, "prow:c": False}
    assert not other.toggle_pin("prow:a", "A", "prow")
    one.add("prow:a", "A", "prow")
    assert not next(visit for visit in History(tmp_path).visits if visit.text == "prow:a").pinned


def test_a_directory_that_cannot_be_written_to_forgets_nothing_while_the_app_runs(tmp_path: Path) -> None:
    History(tmp_path).add("prow:a", "A", "prow")
    history = History(tmp_path)
    history._path = tmp_path / "history.json" / "nowhere"
    assert history.toggle_pin("prow:a", "A", "prow")
    history.add("prow:b", "B", "prow")
    assert [(visit.text, visit.pinned) for visit in history.visits] == [("prow:a", True), ("prow:b", False)]
