"""OSC 8 hyperlinks: which texts of a server may become one, and which terminals are known not to have them."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Printable ASCII only: a control character would end the escape sequence that the URL stands in.
_URL = re.compile(r"https?://[!-~]{1,2000}")
_TERMS_WITHOUT = ("linux", "dumb", "vt100", "vt220", "ansi", "cygwin", "screen.linux")
_PROGRAMS_WITHOUT = ("Apple_Terminal",)  # shows the sequence as text in older versions


def find_link(text: object) -> str:
    """The text if it is an http(s) URL that may be written into an escape sequence, else ""."""
    return text if isinstance(text, str) and _URL.fullmatch(text) else ""


def terminal_has_links(environment: Mapping[str, str]) -> bool:
    """False where the terminal is known to lack OSC 8. Others ignore the sequence, as ECMA-48 (5.6) asks of them."""
    if environment.get("TERM_PROGRAM") in _PROGRAMS_WITHOUT:
        return False
    return environment.get("TERM", "") not in _TERMS_WITHOUT
