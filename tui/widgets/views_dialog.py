"""The dialog of views saved under names: choose one, save what is shown, delete one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.text import Text
from textual.binding import Binding
from textual.widgets import Input, OptionList

from backends.frames.formats import safe_text
from tui.fuzzy import match_letters
from tui.list_settings import ListSettings, is_plain_text
from tui.widgets.dialogs import ChoiceDialog

MAX_NAME = 60  # characters


@dataclass(frozen=True)
class ViewChoice:
    """`act`: "show" or "save" the view of that name; "reset": show the list as it is by itself."""

    act: str
    name: str = ""


def describe_settings(settings: ListSettings) -> str:
    """In words: "state:failed · by duration ▼, name · 5 columns"."""
    parts = [settings.filter] if settings.filter else []
    if settings.sort:
        parts.append("by " + ", ".join(f"{name}{' ▼' if down else ''}" for name, down in settings.sort))
    if (columns := settings.columns) is not None:
        count = len(columns.order) - len(columns.hidden)
        parts.append(f"{count} column{'' if count == 1 else 's'}")
    return safe_text(" · ".join(parts), limit=200)


class ViewsDialog(ChoiceDialog[ViewChoice]):
    """Typing narrows the saved views, or is the name of a new one."""

    BINDINGS = [
        Binding("escape", "dismiss(None)", "Close"),
        Binding("ctrl+d", "delete", show=False, priority=True),
    ]
    keys = "⏎ chooses · Ctrl+D deletes · esc closes"
    placeholder = "a view, or a name to save this one under"

    def __init__(self, title: str, views: Mapping[str, ListSettings], delete: Callable[[str], None]) -> None:
        """`title`: what kind of list; `delete`: forgets the view of that name."""
        super().__init__(title)
        self._views = dict(views)
        self._delete = delete

    def on_mount(self) -> None:
        self.show_choices("")
        self.set_focus(self.query_one(Input))

    def show_choices(self, text: str) -> None:
        name = " ".join(text.split())[:MAX_NAME]
        kept = [one for one in self._views if not name or match_letters(name, one)[0]]
        drawn = [(ViewChoice("show", one), _line(one, describe_settings(self._views[one]))) for one in kept]
        if name and is_plain_text(name):
            known = name in self._views
            line = _line(f"Save as “{name}”", "replaces it" if known else "filter, sort and columns")
            drawn.insert(len(drawn) if known else 0, (ViewChoice("save", name), line))
        if not name:
            drawn.append((ViewChoice("reset"), _line("The list's own view", "its own order and columns")))
        self.set_choices(drawn)

    def action_delete(self) -> None:
        number = self.query_one(OptionList).highlighted
        choice = self._shown[number] if number is not None else None
        if choice is not None and choice.act == "show":
            self._delete(choice.name)
            del self._views[choice.name]
            self.show_choices(self.query_one(Input).value)


def _line(label: str, note: str) -> Text:
    return Text.assemble(safe_text(label, limit=200), (f"  {note}", "dim"), no_wrap=True, overflow="ellipsis")
