"""Keys one after the other: each goes to where the focus is once all keys before it have done their work.

Textual hands a key to the widget that has the focus when the key arrives. Of a burst (a fast typist, a paste into a
terminal without bracketed paste, a slow link) all keys arrive before the first one is looked at: `/browser` typed at
once would open the filter box and then run `b`, `r`, `o`, `w` ... as commands of the table. Here a key waits until the
one before it has gone its whole way up from the focused widget; a marker sent through the same queues tells when.
"""

from __future__ import annotations

from collections import deque

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

PATIENCE = 0.5  # seconds until the next key goes on all the same, should a widget have vanished with the marker


class KeysInOrder(App[None]):
    """An app whose keys are handled strictly one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key] = deque()
        self._number = 0  # of the key under way
        self._under_way = False

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self._under_way:
            await self._next_key()

    async def _next_key(self) -> None:
        if not self._typed:
            self._under_way = False
            return
        self._under_way = True
        self._number += 1
        target = self.focused or self.screen
        await super().on_event(self._typed.popleft())
        self._follow(target, self._number)
        self.set_timer(PATIENCE, lambda number=self._number: self.call_later(self._done, number))

    def _follow(self, node: MessagePump | None, number: int) -> None:
        """Sends the marker through `node` to its parents, as the key went."""
        while node is not None and node is not self:
            parent = node._parent
            if node.is_running and node.call_later(self._follow, parent, number):
                return
            node = parent
        self.call_later(self._done, number)

    async def _done(self, number: int) -> None:
        if number == self._number and self._under_way:
            await self._next_key()
