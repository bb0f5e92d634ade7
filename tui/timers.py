"""A timer that fires once fires, however late it is.

Textual's is dropped where its time has passed before its task runs, which a busy machine brings about: what it would
have shown is never shown. With no time left it ends in an error, and with less than none it never gives the loop back:
a message that a new screen takes over in the moment it expires (`Toast`) stops the app for good.
"""

from __future__ import annotations

from typing import Any

from textual import message_pump
from textual.timer import Timer


class PunctualTimer(Timer):
    """A timer of `set_timer` that is not dropped, and of `set_interval` as Textual has it."""

    def __init__(self, event_target: Any, interval: float, **options: Any) -> None:
        if options.get("repeat") == 0:
            options["skip"] = False
            interval = max(interval, 0.0)
        super().__init__(event_target, interval, **options)


def guard_timers() -> None:
    """Lets the apps of this process use it."""
    message_pump.Timer = PunctualTimer  # type: ignore[attr-defined]
