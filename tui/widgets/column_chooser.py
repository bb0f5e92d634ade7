"""The dialog that shows, hides, moves and freezes the columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from backends.frames.formats import safe_text
from backends.frames.schema import Column, Schema
from backends.frames.text_tables import pad_text
from tui.fuzzy import match_letters
from tui.list_settings import ColumnArrangement
from tui.widgets.dialogs import BORDERS, Dialog
from tui.widgets.inputs import ChoiceList

_LABEL_WIDTH = 20  # cells


class ColumnChooser(Dialog[None]):
    """Every change is made at once: `arrange` takes it, and gives what became of it.

    `original`: the list's own arrangement, which `R` goes back to. Letters that are no key look for columns.
    """

    DEFAULT_CSS = """
    ColumnChooser Input { display: none; }
    ColumnChooser.-narrowed Input { display: block; }
    """
    BINDINGS = [
        Binding("escape", "close", show=False),
        Binding("q,vertical_line", "dismiss(None)", show=False),
        Binding("space", "show_or_hide", show=False),
        Binding("f", "freeze", show=False),
        Binding("R", "reset", show=False),
        Binding("J,shift+down", "move(1)", show=False),
        Binding("K,shift+up", "move(-1)", show=False),
        Binding("j", "highlight(1)", show=False),
        Binding("k", "highlight(-1)", show=False),
        Binding("down", "highlight(1)", show=False),
        Binding("up", "highlight(-1)", show=False),
        Binding("slash", "narrow", show=False),
    ]

    def __init__(
        self,
        schema: Schema,
        arrangement: ColumnArrangement,
        original: ColumnArrangement,
        arrange: Callable[[ColumnArrangement], ColumnArrangement],
    ) -> None:
        super().__init__("Columns")
        self._schema = schema
        self._now = arrangement
        self._original = original
        self._arrange = arrange
        self._shown: list[str] = []  # the names of the columns that are listed

    def compose_body(self) -> ComposeResult:
        yield Input(placeholder="letters of a column", compact=True)
        yield ChoiceList()

    def on_mount(self) -> None:
        self._list_columns()
        self.set_focus(self.query_one(OptionList))

    def list_keys(self) -> Sequence[str]:
        return ("␣ shows", "J K move", "f freezes", "esc closes", "a–z finds", "R resets")

    def find_box_for_text(self) -> Input | None:
        return self.query_one(Input)

    def open_box(self, box: Input) -> None:
        self.add_class("-narrowed")
        self._fit_columns()

    def on_resize(self) -> None:
        self._fit_columns()

    def _fit_columns(self) -> None:
        """The list scrolls, and nothing around it."""
        lines = self.size.height - BORDERS - self.has_class("-narrowed")
        self.query_one(OptionList).styles.max_height = max(1, lines)

    def _list_columns(self, highlighted: str = "") -> None:
        """Those that the typed letters leave, in their order; the cursor on `highlighted`."""
        typed = self.query_one(Input).value.strip()
        columns = [self._schema[name] for name in self._now.order]
        if typed:
            columns = [one for one in columns if match_letters(typed, f"{one.label} {one.name}")[0]]
        self._shown = [column.name for column in columns]
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options([Option(self._line(column)) for column in columns])
        if columns:
            choices.highlighted = self._shown.index(highlighted) if highlighted in self._shown else 0

    def _line(self, column: Column) -> Text:
        hidden, frozen = column.name in self._now.hidden, column.name in (self._now.frozen or ())
        label = pad_text(safe_text(column.label), _LABEL_WIDTH)
        text = Text.assemble(f"[{' ' if hidden else 'x'}] ", label, no_wrap=True, overflow="ellipsis")
        return text.append(f"  {column.name}{' · frozen' if frozen else ''}", "dim")

    @property
    def _highlighted(self) -> str | None:
        number = self.query_one(OptionList).highlighted
        return self._shown[number] if number is not None and number < len(self._shown) else None

    def _change(self, name: str, wanted: ColumnArrangement) -> None:
        self._now = self._arrange(wanted)
        self._list_columns(name)

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == event.input.value:
            self._list_columns()

    @on(Input.Submitted)
    def _end_narrowing(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_focus(self.query_one(OptionList))

    @on(OptionList.OptionSelected)
    def _toggle_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_show_or_hide()

    def action_narrow(self) -> None:
        box = self.query_one(Input)
        self.open_box(box)
        self.set_focus(box)

    def action_close(self) -> None:
        """First the narrowing, then the dialog."""
        if self.has_class("-narrowed"):
            self.remove_class("-narrowed")
            self._fit_columns()
            self.query_one(Input).value = ""
            self.set_focus(self.query_one(OptionList))
        else:
            self.dismiss(None)

    def action_highlight(self, step: int) -> None:
        choices = self.query_one(OptionList)
        (choices.action_cursor_down if step > 0 else choices.action_cursor_up)()

    def action_show_or_hide(self) -> None:
        """The last visible column stays."""
        name, now = self._highlighted, self._now
        if name is None or (name not in now.hidden and len(now.order) - len(now.hidden) == 1):
            return
        self._change(name, replace(now, hidden=now.hidden ^ {name}))

    def action_freeze(self) -> None:
        """Frozen columns come first and stay when the others scroll."""
        name, now = self._highlighted, self._now
        if name is not None:
            frozen = (now.frozen or frozenset()) ^ {name}
            order = now.order
            if name in frozen:  # behind those that are frozen already
                order = tuple(sorted(order, key=lambda one: (one not in frozen, one == name and one in frozen)))
            self._change(name, replace(now, order=order, frozen=frozen or None))

    def action_move(self, step: int) -> None:
        """Among those that are listed; frozen columns stay before the others."""
        name = self._highlighted
        if name is None:
            return
        at = self._shown.index(name) + step
        if 0 <= at < len(self._shown):
            order = [one for one in self._now.order if one != name]
            order.insert(order.index(self._shown[at]) + (step > 0), name)
            self._change(name, replace(self._now, order=tuple(order)))

    def action_reset(self) -> None:
        if self._now != self._original:
            self._change(self._highlighted or "", self._original)
            self.app.notify("The list's own columns again. U in the list undoes it.")
