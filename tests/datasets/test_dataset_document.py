"""The document names every view and every exported file that there is."""

from __future__ import annotations

from pathlib import Path

from backends.treeherder.datasets.tables import TABLES
from backends.treeherder.datasets.views import VIEWS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "perfherder-datasets.md").read_text()


def test_views_and_tables_are_documented() -> None:
    for name in VIEWS:
        assert f"`{name}`" in DOCUMENT or f"`{name.replace('waits', '')}`" in DOCUMENT, name
    for name in TABLES:
        assert f"| `{name}` |" in DOCUMENT, name


def test_options_that_the_document_shows_exist() -> None:
    from tui.commands.treeherder_datasets import dataset

    options = {option for command in dataset.commands.values() for one in command.params for option in one.opts}
    words = {word.strip("`|,.;:()") for word in DOCUMENT.split()}
    assert {word for word in words if word.startswith("--") and word[2:3].isalpha()} <= options
