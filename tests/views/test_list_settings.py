"""What is remembered of lists survives hostile, old and concurrently written files."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import history
from tui.history import LastPath, OpenList, OpenPath
from tui.list_settings import ColumnArrangement, ListSettings
from tui.preferences import MAX_BYTES, Preferences, read_json

SETTINGS = ListSettings(
    ColumnArrangement(("b", "a", "c"), frozenset({"c"}), frozenset({"b"}), (("a", 12),)),
    (("a", True), ("b", False)),
    "state:failed",
)
PATH = OpenPath("taskcluster", (OpenList("taskcluster:group/x", SETTINGS, "row", "taskcluster:log/x"),))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["order", "hidden", "frozen", "widths", "columns", "sort", "filter", "lists", "pane", "x"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


def test_settings_are_read_as_they_were_written() -> None:
    assert ListSettings.from_json(json.loads(json.dumps(SETTINGS.to_json()))) == SETTINGS
    assert ListSettings.from_json(ListSettings().to_json()) == ListSettings()


@given(JSON)
def test_any_json_gives_settings_that_are_written_and_read_again_as_they_are(value: Any) -> None:
    found = ListSettings.from_json(value)
    assert ListSettings.from_json(json.loads(json.dumps(found.to_json()))) == found


@given(JSON)
def test_any_file_gives_a_path_and_preferences(value: Any) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for file in ("last_path.json", "preferences.json"):
            (directory / file).write_text(json.dumps(value))
        assert isinstance(LastPath(directory).read(), OpenPath)
        preferences = Preferences(directory)
        assert isinstance(preferences.list_settings("x"), ListSettings)
        preferences.save_view("x", "one", SETTINGS)
        assert Preferences(directory).views("x")["one"] == SETTINGS


@pytest.mark.parametrize("content", [b"", b"\x00" * 10, b"[" * 100_000, b'{"lists": 3', b"\xff\xfe", b"null"])
def test_broken_files_count_as_empty(tmp_path: Path, content: bytes) -> None:
    for name in ("last_path.json", "preferences.json"):
        (tmp_path / name).write_bytes(content)
    assert LastPath(tmp_path).read() == OpenPath()
    assert Preferences(tmp_path).views("x") == {}


def test_a_pipe_a_directory_and_a_huge_file_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    assert [read_json(tmp_path / name) for name in ("pipe", "directory", "huge", "none")] == [None] * 4


def test_control_characters_and_lone_surrogates_are_left_out() -> None:
    for text in ("\x1b[31m", "a\nb", "\ud800", "x" * 5_000):
        assert ListSettings.from_json({"filter": text, "sort": [[text, True]]}) == ListSettings(sort=())


def test_two_apps_keep_each_others_choices_and_the_last_writer_wins(tmp_path: Path) -> None:
    one, two = Preferences(tmp_path), Preferences(tmp_path)
    one.set("theme", "dark")
    two.save_view("tasks", "mine", SETTINGS)
    one.save_view("tasks", "other", SETTINGS)
    two.set("theme", "light")
    found = Preferences(tmp_path)
    assert (found.text("theme", ""), list(found.views("tasks"))) == ("light", ["mine", "other"])
    found.save_view("tasks", "mine", None)
    assert list(Preferences(tmp_path).views("tasks")) == ["other"]


def test_a_kind_of_list_is_remembered_without_its_filter(tmp_path: Path) -> None:
    Preferences(tmp_path).set_list_settings("tasks", SETTINGS)
    assert Preferences(tmp_path).list_settings("tasks") == SETTINGS.without_filter()


def test_the_path_is_read_as_it_was_written(tmp_path: Path) -> None:
    last = LastPath(tmp_path)
    last.set(PATH)
    last.save()
    assert LastPath(tmp_path).read() == PATH
    LastPath(tmp_path).clear()
    assert LastPath(tmp_path).read() == OpenPath()


def test_no_secret_is_written(tmp_path: Path) -> None:
    secret = "https://example.com/log?X-Goog-Signature=0123456789abcdef0123456789abcdef"
    lists = (
        OpenList("taskcluster:group/x", ListSettings(filter=secret), secret, secret),
        OpenList("archives:https://user:hunter2@example.com/repository"),
        OpenList("taskcluster:group/y"),
    )
    last = LastPath(tmp_path)
    last.set(OpenPath("taskcluster", lists))
    last.save()
    written = (tmp_path / "last_path.json").read_text()
    assert "0123456789abcdef" not in written and "hunter2" not in written
    assert LastPath(tmp_path).read().lists == (OpenList("taskcluster:group/x"),)


def test_a_slow_write_does_not_undo_a_newer_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app writes in threads, and at its end without one."""
    began, goes_on = threading.Event(), threading.Event()
    real = history.write_json

    def write_slowly(path: Path, content: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            began.set()
            assert goes_on.wait(60)
        real(path, content)

    monkeypatch.setattr(history, "write_json", write_slowly)
    last = LastPath(tmp_path)
    last.set(OpenPath("prow", ()))
    slow = threading.Thread(target=last.save)
    slow.start()
    assert began.wait(60)
    last.set(PATH)
    threading.Timer(0.05, goes_on.set).start()
    last.save()
    slow.join()
    assert LastPath(tmp_path).read() == PATH
