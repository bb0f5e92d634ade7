"""What is around a log or a tree: the prompt to search or save, the panel with one long value, the status line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from backends.atomic import OutputExistsError, atomic_file
from backends.errors import AppError
from backends.paths import expand_home
from tui.keymap import explain_foreign_key, find_key
from tui.widgets.inputs import LineInput
from tui.widgets.plain import PlainVertical

if TYPE_CHECKING:
    from tui.menus import MenuCommand

_TYPING_PAUSE = 0.15  # seconds; a search of 1 GB is not begun for each letter


@dataclass(frozen=True)
class PromptStyle:
    """A kind of prompt. `live`: its text is tried while one types."""

    sign: str
    placeholder: str
    live: bool = False


PROMPTS = {
    "search": PromptStyle("/", "text or regex (smart case)", live=True),
    "line": PromptStyle(":", "line number"),
    "save": PromptStyle("save to", "a file name"),
}


class PromptLine(Horizontal):
    """One line, shown while it asks for something: `purpose` is one of `PROMPTS`, "" while it is hidden."""

    DEFAULT_CSS = """
    PromptLine { height: 1; display: none; background: $boost; }
    PromptLine.-shown { display: block; }
    PromptLine #prompt-sign { width: auto; padding: 0 1; color: $text-muted; }
    PromptLine Input, PromptLine Input:focus { border: none; height: 1; width: 1fr; min-width: 16;
        padding: 0; background: $boost; }
    PromptLine #prompt-error { width: auto; max-width: 60%; color: $text-error; }
    """

    # A binding, not a key method: after that the key would also go to the log, where Esc means back.
    BINDINGS = [Binding("escape", "cancel", "Cancel", show=True)]

    class Typed(Message):
        """The user has paused in a live prompt."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Submitted(Typed):
        """Enter."""

    class Cancelled(Message):
        """Esc."""

    def __init__(self) -> None:
        super().__init__()
        self.purpose = ""
        self._pause: Timer | None = None
        self._tried: str | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="prompt-sign", markup=False)
        yield LineInput()
        yield Static("", id="prompt-error")

    def open(self, purpose: str, value: str = "") -> None:
        self.purpose = purpose
        self._tried = value
        self.query_one("#prompt-sign", Static).update(PROMPTS[purpose].sign)
        box = self.query_one(Input)
        box.placeholder = PROMPTS[purpose].placeholder
        box.value = value
        box.cursor_position = len(value)
        self.show_error("")
        self.add_class("-shown")
        box.focus()

    def action_cancel(self) -> None:
        self.post_message(self.Cancelled())

    def show_error(self, error: str) -> None:
        """What is wrong with what was typed; "" if nothing is."""
        text = Text(f" {error} " if error else "", no_wrap=True, overflow="ellipsis")
        self.query_one("#prompt-error", Static).update(text)

    def close(self) -> None:
        self._stop_pause()
        self.remove_class("-shown")
        self.purpose = ""

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._stop_pause()
        if self.purpose and PROMPTS[self.purpose].live:
            self._pause = self.set_timer(_TYPING_PAUSE, self._post_typed)

    def _post_typed(self) -> None:
        text = self.query_one(Input).value
        if self.purpose and text != self._tried:
            self._tried = text
            self.post_message(self.Typed(self.purpose, text))

    @on(Input.Submitted)
    def _text_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._stop_pause()
        self.post_message(self.Submitted(self.purpose, event.value))

    def _stop_pause(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._pause = None


class ReaderPane(PlainVertical):
    """Base of what is read on top of a list. Subclasses mount their view first and yield `compose_footer()` last.

    They define `focus_view`, `value_text`, `run_prompt` and `end_search`.
    """

    DEFAULT_CSS = """
    ReaderPane { height: 1fr; }
    ReaderPane #reader-title, ReaderPane #reader-status { height: 1; background: $panel; color: $foreground;
        padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    ReaderPane #reader-value { height: auto; max-height: 40%; display: none; background: $boost;
        border-top: solid $ci-rule; scrollbar-size-vertical: 1; padding: 0 1; }
    ReaderPane.-value #reader-value { display: block; }
    """

    BINDINGS = [Binding("escape", "leave", "Back")]

    class Closed(Message):
        """The user is done with it."""

    @property
    def has_view(self) -> bool:
        """False while it is still fetched, and where that failed."""
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc is a key of the view, until there is one."""
        return not self.has_view if action == "leave" else True

    def action_leave(self) -> None:
        self.post_message(self.Closed())

    def compose_footer(self) -> ComposeResult:
        with VerticalScroll(id="reader-value", can_focus=False):
            yield Static("", id="reader-value-text")
        yield PromptLine()
        yield Static("", id="reader-status")

    def focus_view(self) -> None:
        raise NotImplementedError

    filter_columns: Sequence[tuple[str, str]] = ()

    def menu_commands(self) -> Sequence[MenuCommand]:
        """Readers have no menu."""
        return ()

    def reload(self) -> None:
        """What is read here has come, or is still coming: nothing is asked again."""

    def value_text(self) -> Text:
        """The complete value under the cursor, for the panel."""
        raise NotImplementedError

    def run_prompt(self, purpose: str, text: str, done: bool) -> None:
        """Does what was typed; `done`: with Enter. Raises `AppError` for invalid text."""
        raise NotImplementedError

    def end_search(self) -> bool:
        """Ends the search; False if there is none."""
        raise NotImplementedError

    def cancel_search(self) -> None:
        """Esc in the search prompt."""
        self.end_search()

    @property
    def prompt(self) -> PromptLine:
        return self.query_one(PromptLine)

    def show_status(self, text: str) -> None:
        """Also draws the value again, if it is shown: what changes the one changes the other."""
        words = Text(text, no_wrap=True, overflow="ellipsis")
        self.query_one("#reader-status", Static).update(words, layout=False)
        if self.has_class("-value"):
            self.query_one("#reader-value-text", Static).update(self.value_text())

    def toggle_value(self) -> None:
        self.toggle_class("-value")
        if self.has_class("-value"):
            self.query_one("#reader-value-text", Static).update(self.value_text())

    def on_key(self, event: events.Key) -> None:
        """A key that only lists have says so, where it would otherwise do nothing."""
        if isinstance(self.screen.focused, Input) or event.key in self.screen.active_bindings:
            return
        session = getattr(self.app, "session", None)
        remapped = session.settings.keys if session is not None else {}
        if (key := find_key(event.key, ("view", "table"), remapped)) is not None:
            event.stop()
            self.app.notify(explain_foreign_key(event.key, key, "is a key of lists. Esc goes back to one."))

    def action_back(self) -> None:
        """Out of what was opened last: the value panel, the search, the pane."""
        if self.has_class("-value"):
            self.remove_class("-value")
        elif not self.end_search():
            self.post_message(self.Closed())

    @on(PromptLine.Typed)
    @on(PromptLine.Submitted)
    def _prompt_changed(self, event: PromptLine.Typed) -> None:
        event.stop()
        done = isinstance(event, PromptLine.Submitted)
        try:
            self.run_prompt(event.purpose, event.text, done)
        except AppError as error:
            self.prompt.show_error(str(error))
            return
        self.prompt.show_error("")
        if done:
            self._close_prompt()

    @on(PromptLine.Cancelled)
    def _prompt_cancelled(self, event: PromptLine.Cancelled) -> None:
        event.stop()
        if self.prompt.purpose == "search":
            self.cancel_search()
        self._close_prompt()

    def _close_prompt(self) -> None:
        self.prompt.close()
        self.focus_view()

    def save(self, text: str, write: Callable[[BinaryIO], str]) -> Path:
        """Writes a new file in a worker thread and shows how that went; returns its path.

        `write` returns a sentence about what it wrote. Raises `AppError` for an empty name.
        """
        if not text.strip():
            raise AppError("The file name is empty.", "Type where to save it.")
        target = expand_home(text.strip())
        self.run_worker(partial(self._save, target, write), thread=True, group="save", exit_on_error=False)
        return target

    def _save(self, target: Path, write: Callable[[BinaryIO], str]) -> None:
        """In a worker thread."""
        app = self.app
        try:
            with atomic_file(target) as stream:
                sentence = write(stream)
        except AppError as error:
            words = str(error)
            if isinstance(error, OutputExistsError):  # the prompt has no choice to replace it
                words = f"{error.sentence} Choose another name."
            app.call_from_thread(
                partial(app.notify, words, title="Save failed", severity="error", timeout=10, markup=False)
            )
        else:
            app.call_from_thread(partial(app.notify, f"{target}{sentence}", title="Saved", markup=False))
