"""The one-line box under a log: what to search for, which line to go to, where to save."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

_TYPING_PAUSE = 0.15  # seconds; a search of 1 GB is not begun for each letter


@dataclass(frozen=True)
class Asking:
    """A kind of question. `live`: its answer is tried while one types."""

    sign: str
    placeholder: str
    live: bool = False


QUESTIONS = {
    "search": Asking("/", "word or regular expression; capitals count if there are any", live=True),
    "line": Asking(":", "line number"),
    "save": Asking("save to", "a file name"),
}


class PromptInput(Input):
    """Esc gives up, Enter answers."""

    # Bindings, not key methods: after those the key would go on to the log, where Esc means back.
    BINDINGS = [Binding("escape", "give_up", "Cancel", show=True)]

    def action_give_up(self) -> None:
        self.post_message(LogPrompt.GivenUp())


class LogPrompt(Horizontal):
    """Shown while a question is open."""

    DEFAULT_CSS = """
    LogPrompt { height: 1; display: none; background: $boost; }
    LogPrompt.-shown { display: block; }
    LogPrompt #log-prompt-sign { width: auto; padding: 0 1; color: $text-muted; }
    LogPrompt PromptInput, LogPrompt PromptInput:focus { border: none; height: 1; width: 1fr; min-width: 16;
        padding: 0; background: $boost; }
    LogPrompt #log-prompt-problem { width: auto; max-width: 60%; color: $text-error; }
    """

    class Typed(Message):
        """The user has paused in a question that is answered as one types."""

        def __init__(self, what: str, text: str) -> None:
            super().__init__()
            self.what = what
            self.text = text

    class Answered(Typed):
        """Enter."""

    class GivenUp(Message):
        """Esc."""

    def __init__(self) -> None:
        super().__init__()
        self.what = ""
        self._pause: Timer | None = None
        self._tried: str | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="log-prompt-sign", markup=False)
        yield PromptInput()
        yield Static("", id="log-prompt-problem")

    def ask(self, what: str, value: str = "") -> None:
        """Opens the box for one of `QUESTIONS`."""
        self.what = what
        self._tried = value
        asking = QUESTIONS[what]
        self.query_one("#log-prompt-sign", Static).update(asking.sign)
        box = self.query_one(PromptInput)
        box.placeholder = asking.placeholder
        box.value = value
        box.cursor_position = len(value)
        self.say("")
        self.add_class("-shown")
        box.focus()

    def say(self, problem: str) -> None:
        """What is wrong with what was typed; "" if nothing is."""
        words = Text(f" {problem} " if problem else "", no_wrap=True, overflow="ellipsis")
        self.query_one("#log-prompt-problem", Static).update(words)

    def close(self) -> None:
        self._stop_pause()
        self.remove_class("-shown")
        self.what = ""

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._stop_pause()
        if self.what and QUESTIONS[self.what].live:
            self._pause = self.set_timer(_TYPING_PAUSE, self._typed)

    def _typed(self) -> None:
        text = self.query_one(PromptInput).value
        if self.what and text != self._tried:
            self._tried = text
            self.post_message(self.Typed(self.what, text))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._stop_pause()
        self.post_message(self.Answered(self.what, event.value))

    def _stop_pause(self) -> None:
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
