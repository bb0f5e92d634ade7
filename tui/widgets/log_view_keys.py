"""Which key does what in a log; rows for the table of tui/keymap.py."""

from __future__ import annotations

from textual.binding import Binding

from tui.keymap import Key

LOG_KEYS: tuple[Key, ...] = (
    Key("log-search", "slash", "ask('search')", "log", "Search for a word or a regular expression", "Search"),
    Key("log-next", "n", "match(1)", "log", "Next match", "Next"),
    Key("log-previous", "N", "match(-1)", "log", "Previous match"),
    Key("log-next-error", "right_square_bracket", "finding(1)", "log", "Next error", "Error"),
    Key("log-previous-error", "left_square_bracket", "finding(-1)", "log", "Previous error"),
    Key("log-next-warning", "right_curly_bracket", "finding(1, True)", "log", "Next error or warning"),
    Key("log-previous-warning", "left_curly_bracket", "finding(-1, True)", "log", "Previous error or warning"),
    Key("log-fold", "z", "fold", "log", "Fold away what is far from errors and headings, or show all again", "Fold"),
    Key("log-unfold", "enter", "unfold", "log", "Show the lines that are folded here"),
    Key("log-follow", "f", "follow", "log", "Stay at the end while the log grows", "Follow"),
    Key("log-elapsed", "t", "elapsed", "log", "Times as time since the first line", "Elapsed"),
    Key("log-numbers", "number_sign", "numbers", "log", "Line numbers"),
    Key("log-wrap", "w", "whole", "log", "Show the whole line under the cursor, wrapped"),
    Key("log-line", "colon", "ask('line')", "log", "Go to a line by its number", "Line"),
    Key("log-copy", "y", "copy", "log", "Copy the line"),
    Key("log-copy-locator", "Y", "copy_locator", "log", "Copy a link to the line"),
    Key("log-save", "s", "ask('save')", "log", "Save the log to a file", "Save"),
    Key("log-up", "up,k", "cursor(-1)", "log", "Line up"),
    Key("log-down", "down,j", "cursor(1)", "log", "Line down"),
    Key("log-page-up", "pageup,ctrl+b", "page(-1)", "log", "Page up"),
    Key("log-page-down", "pagedown,ctrl+f,space", "page(1)", "log", "Page down"),
    Key("log-top", "g,home", "jump(0)", "log", "First line"),
    Key("log-bottom", "G,end", "jump(-1)", "log", "Last line"),
    Key("log-left", "left", "sideways(-1)", "log", "Scroll to the left"),
    Key("log-right", "right", "sideways(1)", "log", "Scroll to the right"),
    Key("log-back", "escape,backspace", "back", "log", "Back", "Back"),
)


def log_bindings() -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """What `tui.keymap.bindings("log")` gives once these rows are there."""
    return [Binding(key.keys, key.action, key.footer or key.help, show=bool(key.footer), id=key.id) for key in LOG_KEYS]
