"""When a listing ends: where the server gives no token, or where it would never end.

The queue may give fewer entries than asked for, none, or a token with nothing after it; only a missing token means
the end. But a damaged token silently means the first page again, so that a server's mistake can go round for ever.
"""

from __future__ import annotations

from typing import Any

REPEATED = "The server repeated a page token; the listing may be incomplete."
ENDLESS = "The server kept sending empty pages; the listing may be incomplete."
UNUSABLE = "The server sent a page token that cannot be sent back; the listing is incomplete."
EMPTY_PAGES = 50  # in a row; the real queue sends one at most
LONGEST_TOKEN = 4000  # characters; real ones have 10 to 200, and the address that carries it has to be accepted


class Paging:
    """One listing's tokens. `note` says why it ended early, "" if it did not."""

    def __init__(self) -> None:
        self.note = ""
        self._seen: set[str] = set()
        self._empty = 0

    def after(self, token: Any, entries: int) -> str:
        """What to ask for next, given a page's token and how many entries it had; "" ends the listing."""
        wanted = token_text(token)
        self._empty = 0 if entries else self._empty + 1
        if wanted in self._seen:
            self.note = REPEATED
        elif len(wanted) > LONGEST_TOKEN:
            self.note = UNUSABLE
        elif wanted and self._empty >= EMPTY_PAGES:
            self.note = ENDLESS
        if self.note:
            return ""
        if wanted:
            self._seen.add(wanted)
        return wanted


def token_text(token: Any) -> str:
    """The token as it is sent back, "" where there is none."""
    if isinstance(token, bool) or not isinstance(token, str | int | float):
        return ""
    return str(token) if token else ""
