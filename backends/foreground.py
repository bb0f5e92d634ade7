"""Long work in Python gives way to the thread that takes keys and draws.

Python runs one thread at a time and gives each the same share, so that a key that is pressed while pages are decoded
would take twice as long. An interface says when it `is_busy`; work that takes long in Python calls `give_way` between
two pieces of some 0.1 ms.
"""

from __future__ import annotations

import time

_PAUSE = 0.0005  # seconds


class Foreground:
    """Whether the interface has something to do; never where there is none."""

    is_busy = False


def give_way() -> None:
    """Lets the interface run if it has something to do."""
    if Foreground.is_busy:
        time.sleep(_PAUSE)
