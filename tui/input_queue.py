"""Keys, pastes and mouse events are handled strictly in the order in which they came.

Textual sends a key to the widget that has the focus when the key arrives, and a click to what lies under the mouse
then. Of a burst (a fast typist, a paste, a slow link, an app that is busy) everything arrives before the first event is
handled: `/browser` would open the filter line and then run `b`, `r`, `o` ... as commands of the table.

Here an event that may move the focus or open something holds back those after it until all that it caused is done:
what follows a key that opens something belongs to what it opens. Letters typed into a text box move nothing, so they
wait for nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.message import Message
from textual.widgets import Input
from textual.worker import Worker

from tui.pastes import guard_pastes
from tui.timers import guard_timers

# A handler posts a message whose handler posts the next one: a pick in a list becomes "selected", "open", "push". Each
# round through the queues follows one of them.
ROUNDS = 4
MAX_WAIT = 0.25  # seconds that what comes from elsewhere waits for keys
_PAUSE = 0.003  # seconds; a key that came while the loop was busy is known then
LOST_AFTER = 0.5  # seconds; a marker whose widget was removed under it is sent again, nothing is let go unhandled
MAX_TEXT = 10_000  # characters of a box; one takes half a minute for a million, and nothing that is asked for is longer
_FULL = "Nothing of it was taken: the box is full."
OPENING_GROUPS = frozenset({"open", "download", "ask", "quit"})  # workers that put another list or screen in front

_MOVES_NO_FOCUS = (
    events.MouseMove, events.MouseScrollUp, events.MouseScrollDown, events.MouseScrollLeft, events.MouseScrollRight,
)  # fmt: skip


class Marker(Message):
    """Follows an input event through the queues of the widgets up to the app, to tell that it was handled."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__()


class OrderedInputApp(App[None]):
    """An app that handles input events in order; see the module."""

    def __init__(self) -> None:
        super().__init__()
        guard_pastes()
        guard_timers()
        self._input: deque[events.Event] = deque()  # what waits
        self._marker = 0  # number of the marker that is on its way
        self._rounds = 0  # markers to be sent until the event that is handled has had all its effects; 0: none is
        self._typed = False  # whether letters went to a text box since the last marker
        self._awaits_filter = False  # whether what was typed has to take effect before the event that waits
        self._screen_before: DOMNode | None = None  # the top screen when the event was handled
        self._workers_before: set[Worker[object]] = set()
        self._lost: asyncio.TimerHandle | None = None
        self._after_input: list[Callable[[], None]] = []

    def call_after_input(self, callback: Callable[[], None]) -> None:
        """Calls it once the keys that have come are handled and drawn, after MAX_WAIT however many come.

        Rows that arrive can wait for a key, and a key should not wait for all that they need.
        """
        self._after_input.append(callback)
        if len(self._after_input) == 1:
            self.set_timer(_PAUSE, self._call_if_free)
            self.set_timer(MAX_WAIT, self._call_waiting)

    def _call_if_free(self) -> None:
        if not (self._rounds or self._input):
            self._call_waiting()

    def _call_waiting(self) -> None:
        waiting, self._after_input = self._after_input, []
        for callback in waiting:
            callback()

    async def on_event(self, event: events.Event) -> None:
        if event.is_forwarded or not isinstance(event, events.InputEvent | events.Paste):
            await super().on_event(event)
            return
        if isinstance(event, events.MouseMove) and self._input and isinstance(self._input[-1], events.MouseMove):
            self._input.pop()  # only where the mouse is now counts
        self._input.append(event)
        if not self._rounds:
            await self._handle_input()

    async def _handle_input(self) -> None:
        """Handles what waits, up to an event after which the next ones have to wait."""
        while self._input and not self._rounds:
            event = self._input[0]
            if isinstance(event, events.MouseEvent) and not (self._clamp(event) and self._hits(event)):
                self._input.popleft()
                continue
            is_text = self._is_text(event)
            if self._typed and not is_text:
                self._typed, self._awaits_filter = False, True
                self._hold(self.screen, 2)  # what was typed takes effect first: a filter before the click into its rows
                return
            self._input.popleft()
            self._typed = self._typed or is_text
            screen, self._workers_before = self.screen, set(self.workers)
            if isinstance(event, events.Paste):
                self._cut(event)
            await super().on_event(event)
            # The room that a paste leaves is known once it is in the box.
            if isinstance(event, events.Paste) or not (is_text or isinstance(event, _MOVES_NO_FOCUS)):
                self._hold(screen, ROUNDS)

    def _cut(self, paste: events.Paste) -> None:
        """To the room that is left in the box it goes to."""
        box, room = self.focused, MAX_TEXT
        if isinstance(box, Input):
            start, end = box.selection
            room = max(0, MAX_TEXT - len(box.value) + abs(end - start))
        if len(paste.text) > room:
            words = f"Only its first {room:,} characters were taken." if room else _FULL
            if not any(told.message == _FULL for told in self._notifications):  # once, of many that come at once
                self.notify(words, title="Long paste", severity="warning")
            paste.text = paste.text[:room]

    def _clamp(self, event: events.MouseEvent) -> bool:
        """Moves an event to the edge if it is outside of the screen, where Textual takes the focus from everything.

        A drag may end there, or the window have got smaller meanwhile. False for one that begins there.
        """
        width, height = self.size
        if 0 <= event.x < width and 0 <= event.y < height:
            return True
        if not isinstance(event, events.MouseMove | events.MouseUp) or not width or not height:
            return False
        event._x = event._screen_x = min(max(event._x, 0), width - 1)
        event._y = event._screen_y = min(max(event._y, 0), height - 1)
        return True

    def _hits(self, event: events.MouseEvent) -> bool:
        """False if what is still drawn under the mouse has been removed: Textual asks a pressed widget's parent where
        its text begins.
        """
        if not isinstance(event, events.MouseDown):
            return True
        widget, _ = self.screen.get_widget_and_offset_at(event.x, event.y)
        return widget is None or widget is self.screen or widget.parent is not None

    def _is_text(self, event: events.Event) -> bool:
        """Whether the event puts text into the box that has the focus, and does nothing else."""
        focused = self.focused
        if focused is None:
            return False
        if isinstance(event, events.Paste):
            return focused.check_consume_key("a", "a")
        if not isinstance(event, events.Key) or event.character is None:
            return False
        return focused.check_consume_key(event.key, event.character)

    def _hold(self, screen: DOMNode, rounds: int) -> None:
        self._screen_before, self._rounds = screen, rounds
        self._send_marker()

    def _send_marker(self) -> None:
        if not (self.is_running and self.screen_stack):  # the app is ending: nothing more is handled
            return
        self._marker += 1
        node = self.focused or self.screen
        if not (node.is_attached and node.post_message(Marker(self._marker))):
            self.post_message(Marker(self._marker))
        if self._lost is not None:
            self._lost.cancel()
        self._lost = asyncio.get_running_loop().call_later(LOST_AFTER, self._send_marker)

    async def on_marker(self, event: Marker) -> None:
        if event.number != self._marker or not self._rounds or not self.screen_stack:  # or the app is ending
            return
        if self.screen is not self._screen_before:  # a screen was opened or closed: its own messages come first
            self._screen_before, self._rounds = self.screen, ROUNDS
            self._workers_before = set(self.workers)  # one that waits for what the screen returns opens nothing now
        elif not self._is_opening() and not (self._awaits_filter and self._is_filtering()):
            self._rounds -= 1
        if self._rounds:
            self._send_marker()
            return
        assert self._lost is not None
        self._lost.cancel()
        self._screen_before, self._awaits_filter = None, False
        if self.focused is None:
            self.restore_focus()
        await self._handle_input()
        if self._after_input and not self._rounds:
            self.screen.call_after_refresh(self._call_if_free)

    def restore_focus(self) -> None:
        """Called when an event has left nothing with the focus: no key would do anything."""

    def _is_filtering(self) -> bool:
        """Whether a large table still looks for the rows that a typed filter leaves."""
        return any(worker.group == "view" and not worker.is_finished for worker in self.workers)

    def _is_opening(self) -> bool:
        """Whether a worker that the event started is about to put something in front."""
        return any(
            worker.group in OPENING_GROUPS and not worker.is_finished and worker not in self._workers_before
            for worker in self.workers
        )


def call_after_input(app: App[Any], callback: Callable[[], None]) -> None:
    """As `OrderedInputApp.call_after_input`; at once in any other app."""
    if isinstance(app, OrderedInputApp):
        app.call_after_input(callback)
    else:
        callback()
