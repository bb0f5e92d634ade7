"""Where a person pastes something and is told at once whether it can be opened."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from backends.errors import AppError
from backends.locators import Locator
from backends.systems import parse_locator
from tui.history import Visit


class LocatorInput(Input):
    """An input whose Down key leads into the list below it."""

    BINDINGS = [Binding("down", "into_list", show=False)]

    class IntoList(Message):
        """The user wants one of those below."""

    def action_into_list(self) -> None:
        self.post_message(self.IntoList())


class LocatorBox(Vertical):
    """An input, what is wrong with its text, and the recent and pinned locators that its words leave."""

    DEFAULT_CSS = """
    LocatorBox { height: auto; }
    LocatorBox LocatorInput { border: tall $primary; height: 3; }
    LocatorBox #locator-problem { color: $text-error; height: auto; max-height: 6; padding: 0 1; }
    LocatorBox OptionList { height: auto; max-height: 12; border: none; text-wrap: nowrap; text-overflow: ellipsis;
        background: transparent; padding: 0 1; }
    LocatorBox OptionList.-empty { display: none; }
    """

    class Chosen(Message):
        """A locator was pasted or picked."""

        def __init__(self, locator: Locator) -> None:
            self.locator = locator
            super().__init__()

    def __init__(self, visits: Sequence[Visit] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._visits = list(visits)
        self._shown: list[Visit] = []

    def compose(self) -> ComposeResult:
        yield LocatorInput(placeholder="Paste a URL, an id or a revision, then Enter", id="locator-input")
        yield Static("", id="locator-problem")
        yield OptionList(id="locator-visits")

    def on_mount(self) -> None:
        self.offer(self._visits)

    def offer(self, visits: Sequence[Visit]) -> None:
        """Shows these as what to come back to."""
        self._visits = list(visits)
        self._narrow(self.query_one(Input).value)

    def _narrow(self, text: str) -> None:
        """Shows those that hold all words of what is typed, in title or locator."""
        words = text.lower().split()
        self._shown = [
            visit for visit in self._visits if all(word in f"{visit.title} {visit.text}".lower() for word in words)
        ]
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options([Option(_line(visit)) for visit in self._shown])
        choices.set_class(not self._shown, "-empty")

    def focus_input(self) -> None:
        # At once: focus() asks for it later, and would take it from a list that has been opened in between.
        self.screen.set_focus(self.query_one(Input))

    @on(LocatorInput.IntoList)
    def _into_list(self, event: LocatorInput.IntoList) -> None:
        event.stop()
        choices = self.query_one(OptionList)
        if choices.option_count:
            choices.focus()
            choices.highlighted = 0

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#locator-problem", Static).update("")
        self._narrow(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self._choose(event.value)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._choose(self._shown[event.option_index].text)

    def _choose(self, text: str) -> None:
        try:
            locator = parse_locator(text)
        except AppError as problem:
            self.query_one("#locator-problem", Static).update(Text(f"{problem.sentence}\n{problem.hint}".strip()))
            return
        self.query_one(Input).value = ""
        self.post_message(self.Chosen(locator))


def _line(visit: Visit) -> Text:
    # Titles are task names: a server's text, so no markup and nothing unprintable may be believed.
    title = "".join(character if character.isprintable() else "·" for character in visit.title[:200])
    words = Text.assemble(("★ " if visit.pinned else "  ", "bold"), (title, ""), ("  " + visit.text[:200], "dim"))
    words.no_wrap, words.overflow = True, "ellipsis"
    return words
