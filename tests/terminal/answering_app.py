"""`python tests/terminal/answering_app.py ARGUMENTS`: ciexplore, which answers Ctrl+F12 with what it is about to do.

The answer goes to the terminal as an escape sequence with JSON in it, after all that earlier keys, pastes and clicks
had it draw. So a test knows what the next key would do, however busy the machine is.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from tui.app import Explorer

QUESTION = "\x1b[24;5~"  # Ctrl+F12
ANSWER = rb"\x1b\]777;([^\x07]*)\x07"
_numbers = count(1)
# What writes a file when it is confirmed: the text boxes that say where to.
_PATHS = {
    "ExportDialog": "#export-path", "DownloadDialog": "#download-output", "DownloadOptionsDialog": "#way--output",
}  # fmt: skip


def state_of(app: Explorer) -> dict[str, Any]:
    """`number`: of this answer. `screen`: class of the top one. `place`: what is shown below dialogs.

    `depth`: how many lists and readers lie on each other. `writes`: where the next Enter, F2 or click may write a
    file; None if nothing asks for that.
    """
    from textual.widgets import Input

    from tui.widgets.reader_pane import PromptLine

    screen, pane = app.screen, app.current_list
    kind = type(screen).__name__
    writes = screen.query_one(_PATHS[kind], Input).value if kind in _PATHS else None
    for prompt in screen.query(PromptLine):
        box = prompt.query_one(Input)
        if prompt.purpose == "save" and app.focused is box:  # readers of other panes may have theirs open, too
            writes = box.value
    top = pane.top if pane is not None else None
    locator = getattr(top, "locator", None)
    place = "transfers" if pane is None else f"{type(top).__name__} {type(locator).__name__}" if top else "start"
    return {
        "number": next(_numbers), "screen": kind, "place": place, "depth": pane.depth if pane is not None else 2,
        "focused": repr(app.focused), "writes": writes, "path": str(Path(writes.strip()).absolute()) if writes else "",
    }  # fmt: skip


def write_tasks(path: str) -> None:
    """Adds to a file what each task of the loop waits for, and which workers have not ended."""
    from textual._context import active_app

    with open(path, "a") as file:
        for task in asyncio.all_tasks(asyncio.get_running_loop()):
            waiting: Any = task.get_coro()
            lines = []
            while waiting is not None:
                frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
                if frame is not None:
                    lines.append(f"{frame.f_code.co_qualname} {frame.f_code.co_filename}:{frame.f_lineno}")
                waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
            if not any("MessagePump._get_message" in line for line in lines):  # else it waits for its next message
                print(task.get_name(), *lines, sep="\n  ", file=file)
        app: Any = active_app.get(None)
        if app is not None:
            print(f"rounds {app._rounds}, input {list(app._input)}, {list(app.workers)}", file=file)


def main() -> None:
    from textual import events
    from textual.app import App

    handle = App.on_event

    async def on_event(self: Explorer, event: events.Event) -> None:
        if not (isinstance(event, events.Key) and event.key == "ctrl+f12"):
            await handle(self, event)
            return

        def answer() -> None:
            if self._rounds or self._input:  # earlier events are held back, or what they open is still to come
                self.set_timer(0.01, answer)
            elif self._driver is not None:
                self._driver.write(f"\x1b]777;{json.dumps(state_of(self))}\x07")
                self._driver.flush()

        self.call_after_refresh(answer)

    App.on_event = on_event  # type: ignore[assignment,method-assign]
    if "STACKS" in os.environ:  # a file: SIGUSR1 writes where all threads are, SIGUSR2 what all tasks wait for
        faulthandler.register(signal.SIGUSR1, open(os.environ["STACKS"], "w"))  # noqa: SIM115
        signal.signal(signal.SIGUSR2, lambda *_: write_tasks(os.environ["STACKS"] + ".tasks"))
    from tui.__main__ import main as run

    run()


if __name__ == "__main__":
    main()
