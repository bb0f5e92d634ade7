"""Which key does what, everywhere: the one table behind bindings, footer, palette, help and remapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.binding import Binding

from backends.errors import UsageError
from backends.systems import panes


@dataclass(frozen=True)
class Key:
    """One action. `id` is what config.toml's [keys] names; `where` is the widget that carries the binding.

    `footer`: short label shown in the footer ("" hides it there); `help`: the sentence of help and palette.
    """

    id: str
    keys: str
    action: str
    where: str
    help: str
    footer: str = ""


KEYS: tuple[Key, ...] = (
    # The app, from anywhere
    *(Key(f"pane-{one.name}", one.key, f"pane('{one.name}')", "app", f"{one.label}: {one.summary}") for one in panes()),
    Key("pane-transfers", "f6", "pane('transfers')", "app", "Transfers: downloads under way and done"),
    Key("help", "question_mark", "help", "app", "This help", "Help"),
    Key("locate", "ctrl+o", "locate", "app", "Open whatever you paste: a URL, an id, a revision", "Open"),
    Key("palette", "ctrl+p", "command_palette", "app", "Every command by name"),
    Key("quit", "q,ctrl+q", "quit", "app", "Quit"),
    # A list
    Key("filter", "slash", "filter", "view", "Filter the rows as you type", "Filter"),
    Key("download", "d", "download", "view", "Download the marked rows (or the one under the cursor)", "Download"),
    Key("export", "e", "export", "view", "Export rows to CSV, JSON lines or Parquet", "Export"),
    Key("statistics", "h", "statistics", "view", "Statistics and histogram of a column", "Stats"),
    Key("panel", "p", "panel", "view", "Show or hide the detail panel"),
    Key(
        "open-marked",
        "A",
        "open_marked",
        "view",
        "Open what is marked together, such as the artifacts of all marked tasks",
    ),
    Key("log", "l", "log", "view", "Read the log of the task, or the text of the artifact", "Log"),
    Key("document", "t", "document", "view", "The row's definition or JSON as a tree"),
    Key("compare", "equals_sign", "compare", "view", "Compare the two marked rows"),
    Key("menu", "x", "menu", "view", "What else can be opened or done from here", "More"),
    Key("measurements", "M", "measurements", "view", "The perfherder data of the marked tasks, as one list"),
    Key("refresh", "r", "refresh_list", "view", "Ask the server again"),
    Key("browse", "o", "browse", "view", "Open in the web browser"),
    Key("copy", "y", "copy", "view", "Copy the locator of the row"),
    Key("pin", "P", "pin", "view", "Pin this list on the start screen, or unpin it"),
    Key("stop", "ctrl+x", "stop", "view", "Stop loading"),
    Key("back", "escape,backspace", "back", "view", "Back", "Back"),
    # The chart of lists that have one
    Key("chart", "c", "chart", "view", "Show or hide the chart"),
    Key("zoom-in", "right_curly_bracket", "zoom(1)", "view", "Look closer at the chart, around the row"),
    Key("zoom-out", "left_curly_bracket", "zoom(-1)", "view", "See more of the chart"),
    # Statistics
    Key("stats-next", "right_square_bracket", "statistics_column(1)", "view", "Statistics of the next column"),
    Key("stats-previous", "left_square_bracket", "statistics_column(-1)", "view", "Statistics of the previous column"),
    Key("stats-log", "L", "statistics_log", "view", "Histogram with a logarithmic scale, or linear again"),
    Key("stats-group", "b", "statistics_group", "view", "Histogram grouped by the next text column"),
    # The table
    Key("open", "enter", "open", "table", "Open the row", "Open"),
    Key("mark", "space", "mark", "table", "Mark the row", "Mark"),
    Key("range", "v", "range_mark", "table", "Start or end marking a range"),
    Key("mark-all", "a", "mark_shown", "table", "Mark all shown rows"),
    Key("invert", "i", "invert", "table", "Invert the marks of the shown rows"),
    Key("unmark", "u", "unmark", "table", "Unmark all"),
    Key("up", "up,k", "cursor(-1)", "table", "Row up"),
    Key("down", "down,j", "cursor(1)", "table", "Row down"),
    Key("page-up", "pageup,ctrl+b", "page(-1)", "table", "Page up"),
    Key("page-down", "pagedown,ctrl+f", "page(1)", "table", "Page down"),
    Key("top", "g,home", "jump(0)", "table", "First row"),
    Key("bottom", "G,end", "jump(-1)", "table", "Last row"),
    Key("left", "left", "column(-1)", "table", "Column to the left"),
    Key("right", "right", "column(1)", "table", "Column to the right"),
    Key("sort", "s", "sort_focused", "table", "Sort by the column under the cursor; again reverses"),
    Key("hide-column", "minus", "hide_column", "table", "Hide the column"),
    Key("show-columns", "plus", "show_columns", "table", "Show all columns"),
    Key("narrow", "less_than_sign", "widen(-4)", "table", "Narrow the column"),
    Key("widen", "greater_than_sign", "widen(4)", "table", "Widen the column"),
    *(
        Key(f"sort-{n}", str(n), f"sort_column({n})", "table", f"Sort by column {n}; again reverses")
        for n in range(1, 10)
    ),
    # A log
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
    # A tree
    Key("tree-search", "slash", "ask('search')", "tree", "Search for a word or a regular expression", "Search"),
    Key("tree-next", "n", "ask('match', 1)", "tree", "Next match", "Next"),
    Key("tree-previous", "N", "ask('match', -1)", "tree", "Previous match"),
    Key("tree-open", "enter,space", "enter", "tree", "Open or close the branch; show the whole value", "Open"),
    Key("tree-inward", "right", "inward", "tree", "Into the branch"),
    Key("tree-outward", "left", "outward", "tree", "Close the branch, or up to its parent"),
    Key("tree-fold", "z", "fold_all", "tree", "Close all branches but the first ones", "Fold"),
    Key("tree-whole", "w", "ask('whole')", "tree", "Show the whole value under the cursor", "Whole"),
    Key("tree-copy", "y", "ask('copy')", "tree", "Copy the value", "Copy"),
    Key("tree-copy-path", "Y", "ask('copy-path')", "tree", "Copy the path of the value"),
    Key("tree-save", "s", "ask('save')", "tree", "Save the document to a file", "Save"),
    Key("tree-up", "up,k", "step(-1)", "tree", "Line up"),
    Key("tree-down", "down,j", "step(1)", "tree", "Line down"),
    Key("tree-page-up", "pageup,ctrl+b", "page(-1)", "tree", "Page up"),
    Key("tree-page-down", "pagedown,ctrl+f", "page(1)", "tree", "Page down"),
    Key("tree-top", "g,home", "jump(0)", "tree", "First line"),
    Key("tree-bottom", "G,end", "jump(-1)", "tree", "Last line"),
    Key("tree-back", "escape,backspace", "ask('back')", "tree", "Back", "Back"),
    # Transfers
    Key("pause", "p", "pause", "transfers", "Pause or go on", "Pause"),
    Key("cancel-one", "x", "cancel_one", "transfers", "Cancel the file under the cursor, or the marked ones", "Cancel"),
    Key("cancel-all", "X", "cancel_all", "transfers", "Cancel everything that has not ended", "Cancel all"),
    Key("retry", "R", "retry", "transfers", "Try the failed files again", "Retry failed"),
    Key("next-transfer", "n", "next_transfer", "transfers", "Show the next download", "Next"),
    Key("transfer-export", "e", "export", "transfers", "Export the list of files", "Export"),
    Key("transfer-filter", "slash", "filter", "transfers", "Filter the files as you type", "Filter"),
    Key("transfer-back", "escape", "back", "transfers", "Back to where you were", "Back"),
)

TITLES = {
    "app": "Everywhere",
    "view": "A list",
    "table": "The table",
    "log": "A log",
    "tree": "A tree",
    "transfers": "Transfers",
}


def bindings(where: str) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """The bindings that a widget of that name carries."""
    return [
        Binding(
            key.keys, key.action, key.footer or key.help, show=bool(key.footer), id=key.id,
            key_display="␣" if key.keys == "space" else None,  # the word would push Help out of 80 columns
        )
        for key in KEYS
        if key.where == where
    ]  # fmt: skip


def checked(remapped: Mapping[str, str]) -> dict[str, str]:
    """The user's [keys], for App.set_keymap. Raises `UsageError` for an action that does not exist."""
    known = {key.id for key in KEYS}
    for name in remapped:
        if name not in known:
            raise UsageError(f"[keys] names an unknown action '{name}'.", "Press ? for the list of actions.")
    return dict(remapped)


def spelled(keys: str) -> str:
    """Keys as a person writes them: "ctrl+o" -> "Ctrl+O", "question_mark" -> "?"."""
    return ", ".join(_spelled_one(key.strip()) for key in keys.split(","))


_SIGNS = {
    "question_mark": "?",
    "slash": "/",
    "minus": "-",
    "plus": "+",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "number_sign": "#",
    "colon": ":",
    "equals_sign": "=",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
}


def _spelled_one(key: str) -> str:
    if key in _SIGNS:
        return _SIGNS[key]
    if len(key) == 1:
        return key
    return "+".join(part.upper() if len(part) == 1 else part.capitalize() for part in key.split("+"))


def help_rows(
    remapped: Mapping[str, str], where: Iterable[str] = tuple(TITLES)
) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(title, [(keys as written, sentence, action id)]) for the help screen."""
    sections = []
    for place in where:
        rows = [(spelled(remapped.get(k.id, k.keys)), k.help, k.id) for k in KEYS if k.where == place]
        sections.append((TITLES[place], rows))
    return sections
