"""The choices of a download that goes a way of its own; a wrong one is told in the form and can be mended."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from backends.errors import AppError
from backends.resources import DownloadWay, Prepared
from tui.widgets.ticked import Tick


class WayScreen(ModalScreen[Prepared | None]):
    """Gives the prepared download, or None."""

    DEFAULT_CSS = """
    WayScreen { align: center middle; }
    WayScreen > Vertical { width: 96%; max-width: 110; height: auto; border: round $primary; background: $surface;
        padding: 0 1; }
    WayScreen #way-title { text-style: bold; }
    WayScreen .field { height: 1; }
    WayScreen .field Label { width: 14; color: $text-muted; }
    WayScreen Input, WayScreen Input:focus { border: none; height: 1; width: 1fr; padding: 0 1; background: $boost; }
    WayScreen Tick, WayScreen Tick:focus { border: none; height: 1; padding: 0; background: transparent; }
    WayScreen #way-problem { color: $text-error; height: auto; }
    WayScreen .buttons { height: 1; margin-top: 1; }
    WayScreen Button { margin-right: 2; height: 1; border: none; min-width: 12; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel"), Binding("ctrl+j,f2", "go", "Go on", show=False)]

    def __init__(self, way: DownloadWay, output: Path) -> None:
        super().__init__()
        self._way = way
        self._output = output

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(self._way.label.rstrip("…")), id="way-title")
            for field in self._way.fields:
                if field.tick:
                    yield Tick(field.label, bool(field.value), id=f"way-{field.name}")
                    continue
                with Horizontal(classes="field"):
                    yield Label(field.label)
                    yield Input(field.value, placeholder=field.hint, id=f"way-{field.name}")
            with Horizontal(classes="field"):
                yield Label("To")
                yield Input(str(self._output), id="way--output")
            yield Static("", id="way-problem")
            with Horizontal(classes="buttons"):
                yield Button("Show the plan", id="way-go", variant="primary", compact=True)
                yield Button("Cancel (Esc)", id="way-no", compact=True)

    def on_mount(self) -> None:
        self.query(Input).first().focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#way-go")
    def action_go(self) -> None:
        values = {}
        for field in self._way.fields:
            if field.tick:
                values[field.name] = "yes" if self.query_one(f"#way-{field.name}", Tick).value else ""
            else:
                values[field.name] = self.query_one(f"#way-{field.name}", Input).value
        output = Path(self.query_one("#way--output", Input).value or ".").expanduser().absolute()
        try:
            prepared = self._way.prepare(values, output)
        except AppError as problem:
            self.query_one("#way-problem", Static).update(Text(str(problem)))
            return
        self.dismiss(prepared)

    @on(Button.Pressed, "#way-no")
    def _no(self) -> None:
        self.dismiss(None)
