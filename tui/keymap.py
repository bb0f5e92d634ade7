"""Which key does what: the one table behind bindings, footer, command palette, help and remapping."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from textual.binding import Binding
from textual.dom import DOMNode

from backends.errors import UsageError
from backends.frames.export_formats import list_export_formats
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


def _movement(where: str, prefix: str, noun: str, more_page_down: str = "") -> tuple[Key, ...]:
    """The keys that move the cursor of a list of lines."""
    return (
        Key(f"{prefix}up", "up,k", "cursor(-1)", where, f"{noun} up"),
        Key(f"{prefix}down", "down,j", "cursor(1)", where, f"{noun} down"),
        Key(f"{prefix}page-up", "pageup,ctrl+b", "page(-1)", where, "Page up"),
        Key(f"{prefix}page-down", f"pagedown,ctrl+f{more_page_down}", "page(1)", where, "Page down"),
        Key(f"{prefix}top", "g,home", "jump(0)", where, f"First {noun.lower()}"),
        Key(f"{prefix}bottom", "G,end", "jump(-1)", where, f"Last {noun.lower()}"),
    )


KEYS: tuple[Key, ...] = (
    # The app, from anywhere
    *(
        Key(f"pane-{system.name}", system.key, f"pane('{system.name}')", "app", f"{system.label}: {system.summary}")
        for system in panes()
    ),
    Key("pane-transfers", "f6", "pane('transfers')", "app", "Transfers: running and finished downloads"),
    Key("help", "question_mark", "help", "app", "This help", "Help"),
    Key("locate", "ctrl+o", "locate", "app", "Open a pasted URL, id or revision", "Open"),
    Key("palette", "ctrl+p", "command_palette", "app", "Every command by name"),
    Key("path-back", "alt+left", "go_back", "app", "Back to the list before, which is as it was left"),
    Key("path-forward", "alt+right", "go_forward", "app", "Forward again to where one came back from"),
    Key("close", "q", "close", "app", "Close what is shown; quit from the first list"),
    Key("offline", "O", "toggle_offline", "app", "Go offline (only what is stored is shown), or online again"),
    Key("suspend", "ctrl+z", "suspend_process", "app", "Suspend; the shell's fg comes back"),
    Key("quit", "ctrl+q", "quit", "app", "Quit"),
    # The box of the start screen and of Ctrl+O
    Key("start-open", "enter", "submit", "start", "Open what was typed or pasted, else the chosen row", "Open"),
    Key("start-next", "down", "choose(1)", "start", "Choose the next row", "Choose"),
    Key("start-previous", "up", "choose(-1)", "start", "Choose the row before"),
    Key("start-page-down", "pagedown", "choose(10)", "start", "Choose ten rows further down"),
    Key("start-page-up", "pageup", "choose(-10)", "start", "Choose ten rows further up"),
    Key("start-clear", "escape", "clear_text", "start", "Clear the box", "Clear"),
    Key("start-commands", "ctrl+p", "app.command_palette", "start", "Every command by name", "Commands"),
    Key("start-quit", "ctrl+q", "app.quit", "start", "Quit", "Quit"),
    # A list
    Key("filter", "slash", "filter", "view", "Filter the rows as you type", "Filter"),
    Key("failed", "exclamation_mark", "filter_failed", "view", "Show only what failed or had an exception; again all"),
    Key("download", "d", "download", "view", "Download the marked rows (or the one under the cursor)", "Download"),
    Key("export", "e", "export", "view", f"Export: rows as {list_export_formats()}", "Export"),
    Key("statistics", "h", "statistics", "view", "Statistics and histogram of a column; again walks it", "Stats"),
    Key("panel", "p", "panel", "view", "Show or hide the detail panel"),
    Key("open-marked", "A", "open_marked", "view", "Open the marked rows together, e.g. the artifacts of all tasks"),
    Key("log", "l", "log", "view", "Read the log of the task, or the text of the artifact", "Log"),
    Key("document", "t", "document", "view", "The row's definition or JSON as a tree"),
    Key("compare", "equals_sign", "compare", "view", "Compare the two marked rows"),
    Key("menu", "x", "menu", "view", "Actions", "More"),
    Key("measurements", "M", "measurements", "view", "The perfherder data of the marked tasks in one list"),
    Key("failures", "C", "failures", "view", "Why did these fail? Failures of the marked or all rows in clusters"),
    Key("query", "colon", "query", "view", "Ask this list with SQL; the result is a list of its own"),
    Key("pivot", "T", "pivot", "view", "Pivot table: group what is shown by one or two columns"),
    Key("watch", "W", "watch", "view", "Watch until it ends: the first failure is told wherever you are; again stops"),
    Key("refresh", "r", "refresh_list", "view", "Refresh"),
    Key("browse", "o", "browse", "view", "Open in the web browser"),
    Key("copy", "y", "copy", "view", "Copy the locator of the row"),
    Key("copy-as", "Y", "copy_as", "view", "Copy the cell, the row or the marked rows as text, TSV or Markdown"),
    Key("columns", "vertical_line", "choose_columns", "view", "Choose columns: show, hide, move, freeze"),
    Key("views", "V", "views", "view", "Views: show one, save this one under a name, delete one"),
    Key("undo", "U", "undo", "view", "Undo the last change of marks, sort, columns or filter"),
    Key("pin", "P", "pin", "view", "Pin this list on the start screen, or unpin it"),
    Key("stop", "ctrl+x", "stop", "view", "Stop loading"),
    Key("back", "escape,backspace", "back", "view", "Clear the filter, then the marks, then go back", "Back"),
    # The chart of lists that have one
    Key("chart", "c", "chart", "view", "Show or hide the chart"),
    Key("zoom-in", "right_curly_bracket", "zoom(1)", "view", "Zoom in on the chart, around the row"),
    Key("zoom-out", "left_curly_bracket", "zoom(-1)", "view", "Zoom out of the chart"),
    # Statistics
    Key("stats-next", "right_square_bracket", "statistics_column(1)", "view", "Statistics of the next column"),
    Key("stats-previous", "left_square_bracket", "statistics_column(-1)", "view", "Statistics of the previous column"),
    Key("stats-log", "L", "statistics_log", "view", "Toggle the log scale of the histogram"),
    Key("stats-group", "b", "statistics_group", "view", "Histogram grouped by the next text column"),
    # The statistics, with the focus (Tab, or h again)
    Key("value-filter", "enter", "filter_chosen", "statistics", "Filter the list to the value or bin", "Only it"),
    Key("value-next", "down,right,j", "step(1)", "statistics", "Next value or bin"),
    Key("value-previous", "up,left,k", "step(-1)", "statistics", "Previous value or bin"),
    Key("value-page-down", "pagedown,ctrl+f", "page(1)", "statistics", "Page down"),
    Key("value-page-up", "pageup,ctrl+b", "page(-1)", "statistics", "Page up"),
    Key("value-top", "g,home", "jump(0)", "statistics", "First value or bin"),
    Key("value-bottom", "G,end", "jump(-1)", "statistics", "Last value or bin"),
    Key("value-back", "escape,backspace", "leave", "statistics", "Back to the table", "Table"),
    # The table
    Key("open", "enter", "open", "table", "Open the row", "Open"),
    Key("mark", "space", "mark", "table", "Mark the row", "Mark"),
    Key("range", "v", "range_mark", "table", "Start or end marking a range"),
    Key("mark-all", "a", "mark_shown", "table", "Mark all shown rows"),
    Key("invert", "i", "invert", "table", "Invert the marks of the shown rows"),
    Key("unmark", "u", "unmark", "table", "Unmark all"),
    *_movement("table", "", "Row"),
    Key("left", "left", "column(-1)", "table", "Column to the left"),
    Key("right", "right", "column(1)", "table", "Column to the right"),
    Key("sort", "s", "sort_focused", "table", "Sort by the column under the cursor; again reverses"),
    Key("add-sort", "S", "add_sort_key", "table", "Sort by this column, too; again reverses, then drops it"),
    Key("hide-column", "minus", "hide_column", "table", "Hide the column"),
    Key("show-columns", "plus", "show_columns", "table", "Show all columns"),
    Key("narrow", "less_than_sign", "widen(-4)", "table", "Narrow the column"),
    Key("widen", "greater_than_sign", "widen(4)", "table", "Widen the column"),
    *(
        Key(f"sort-{n}", str(n), f"sort_column({n})", "table", f"Sort by column {n}; again reverses")
        for n in range(1, 10)
    ),
    # A log
    Key("log-search", "slash", "request('search')", "log", "Search (text or regex)", "Search"),
    Key("log-next", "n", "match(1)", "log", "Next match", "Next"),
    Key("log-previous", "N", "match(-1)", "log", "Previous match"),
    Key("log-next-error", "right_square_bracket", "finding(1)", "log", "Next error", "Error"),
    Key("log-previous-error", "left_square_bracket", "finding(-1)", "log", "Previous error"),
    Key("log-next-warning", "right_curly_bracket", "finding(1, True)", "log", "Next error or warning; next new line"),
    Key(
        "log-previous-warning", "left_curly_bracket", "finding(-1, True)", "log", "Previous error or warning; new line"
    ),
    Key("log-fold", "z", "fold", "log", "Fold lines far from errors and headings, or unfold all", "Fold"),
    Key("log-new", "equals_sign", "request('new')", "log", "Only lines that no passing run has, or all again", "New"),
    Key("log-unfold", "enter", "unfold", "log", "Unfold the lines here"),
    Key("log-follow", "f", "follow", "log", "Follow the end of the log", "Follow"),
    Key("log-elapsed", "t", "elapsed", "log", "Show times since the first line", "Elapsed"),
    Key("log-numbers", "number_sign", "numbers", "log", "Line numbers"),
    Key("log-wrap", "w", "request('value')", "log", "Show the complete line under the cursor, wrapped"),
    Key("log-line", "colon", "request('line')", "log", "Go to a line by its number"),
    Key("log-copy", "y", "request('copy')", "log", "Copy the line"),
    Key("log-copy-locator", "Y", "request('copy_locator')", "log", "Copy a link to the line"),
    Key("log-save", "s", "request('save')", "log", "Save the log to a file", "Save"),
    *_movement("log", "log-", "Line", ",space"),
    Key("log-left", "left", "sideways(-1)", "log", "Scroll to the left"),
    Key("log-right", "right", "sideways(1)", "log", "Scroll to the right"),
    Key("log-back", "escape,backspace", "request('back')", "log", "Back", "Back"),
    # A tree
    Key("tree-search", "slash", "request('search')", "tree", "Search (text or regex)", "Search"),
    Key("tree-next", "n", "request('match', 1)", "tree", "Next match", "Next"),
    Key("tree-previous", "N", "request('match', -1)", "tree", "Previous match"),
    Key("tree-open", "enter,space", "enter", "tree", "Open or close the branch; show the complete value", "Open"),
    Key("tree-inward", "right", "inward", "tree", "Into the branch"),
    Key("tree-outward", "left", "outward", "tree", "Close the branch, or up to its parent"),
    Key("tree-fold", "z", "fold_all", "tree", "Close all branches but the first level", "Fold"),
    Key("tree-whole", "w", "request('value')", "tree", "Show the complete value under the cursor", "Value"),
    Key("tree-copy", "y", "request('copy')", "tree", "Copy the value", "Copy"),
    Key("tree-copy-path", "Y", "request('copy-path')", "tree", "Copy the path of the value"),
    Key("tree-save", "s", "request('save')", "tree", "Save the document to a file", "Save"),
    *_movement("tree", "tree-", "Line"),
    Key("tree-back", "escape,backspace", "request('back')", "tree", "Back", "Back"),
    # An image
    Key("image-download", "d", "download", "image", "Download the image", "Download"),
    Key("image-browse", "o", "browse", "image", "Open in the web browser", "Browser"),
    Key("image-copy", "y", "copy", "image", "Copy the locator of the image", "Copy"),
    Key("image-back", "escape,backspace", "back", "image", "Back", "Back"),
    # Transfers
    # With "Open" and "Mark" of the table and "Help": 55 cells, so that all of them are seen on 60.
    Key("retry", "R", "retry", "transfers", "Retry the failed files", "Retry"),
    Key("pause", "p", "pause", "transfers", "Pause/resume", "Pause"),
    Key("transfer-filter", "slash", "filter", "transfers", "Filter the files as you type", "Filter"),
    Key("transfer-back", "escape", "back", "transfers", "Clear the filter, then the marks, then go back", "Back"),
    Key("transfer-source", "t", "open_source", "transfers", "Open the list that has the file: its task or its build"),
    Key("cancel-one", "x", "cancel_one", "transfers", "Cancel the file under the cursor, or the marked ones"),
    Key("cancel-all", "X", "cancel_all", "transfers", "Cancel all unfinished files"),
    Key("next-transfer", "n", "next_transfer", "transfers", "Show the next download"),
    Key("transfer-export", "e", "export", "transfers", f"Export the list of files as {list_export_formats()}"),
)

TITLES = {
    "app": "Everywhere",
    "start": "The start screen",
    "view": "A list",
    "table": "The table",
    "statistics": "Statistics",
    "log": "A log",
    "tree": "A tree",
    "image": "An image",
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


def quit_binding() -> Binding:
    """Quitting, for screens that lie over the app: the app's own keys do not reach through them."""
    key = next(key for key in KEYS if key.id == "quit")
    return Binding(key.keys, f"app.{key.action}", key.help, show=False, id=key.id)


def check_remapped(remapped: Mapping[str, str]) -> dict[str, str]:
    """The user's [keys], for App.set_keymap. Raises `UsageError` for an action that does not exist."""
    known = {key.id for key in KEYS}
    old = {f"pane-{name}": f"pane-{one.name}" for one in panes() for name in one.old_names}
    current = {old.get(name, name): keys for name, keys in remapped.items()}
    for name in current:
        if name not in known:
            raise UsageError(f"[keys] names an unknown action '{name}'.", "Press ? for the list of actions.")
    return current


def format_keys(keys: str) -> str:
    """Keys as a person writes them: "ctrl+o" -> "Ctrl+O", "question_mark" -> "?"."""
    return ", ".join(_format_key(key.strip()) for key in keys.split(","))


_SIGNS = {
    "question_mark": "?",
    "slash": "/",
    "exclamation_mark": "!",
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
    "vertical_line": "|",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
}


def _format_key(key: str) -> str:
    if key in _SIGNS:
        return _SIGNS[key]
    if len(key) == 1:
        return key
    return "+".join(part.upper() if len(part) == 1 else part.capitalize() for part in key.split("+"))


def find_key(pressed: str, places: Collection[str], remapped: Mapping[str, str]) -> Key | None:
    """The key of one of these places (of `TITLES`) that was pressed; None if it is none of theirs."""
    return next(
        (
            key
            for key in KEYS
            if key.where in places and pressed in (part.strip() for part in remapped.get(key.id, key.keys).split(","))
        ),
        None,
    )


def explain_foreign_key(pressed: str, key: Key, belongs: str) -> str:
    """What is said where a key of another place was pressed: "x (Actions) is a key of lists. Esc goes back to one."."""
    what = key.help.partition(";")[0].partition(":")[0]
    return f"{format_keys(pressed)} ({what}) {belongs}"


class HelpSection(NamedTuple):
    """The keys of one place. `rows`: (keys as written, sentence, action id)."""

    where: str
    title: str
    rows: list[tuple[str, str, str]]


def help_rows(remapped: Mapping[str, str]) -> list[HelpSection]:
    """All keys, for the help dialog."""
    return [
        HelpSection(
            where, title, [(format_keys(remapped.get(k.id, k.keys)), k.help, k.id) for k in KEYS if k.where == where]
        )
        for where, title in TITLES.items()
    ]


def _key_ids(node: DOMNode) -> set[str | None]:
    """The ids of the keys that a widget carries."""
    return {getattr(binding, "id", None) for binding in getattr(node, "BINDINGS", ())}


def places_of(focused: DOMNode | None) -> list[str]:
    """The places (of `TITLES`) whose keys act while that widget has the focus, the nearest first."""
    found: list[str] = []
    for node in focused.ancestors_with_self if focused is not None else ():
        ids = _key_ids(node)
        here = {key.where for key in KEYS if key.id in ids} - {"app", *found}
        found += sorted(here)
    return found


def available_keys(focused: DOMNode | None, app: DOMNode) -> Iterator[tuple[Key, DOMNode]]:
    """Each action that a node from the focus up to the app has and can do now, the focused one's first."""
    nodes = [*(focused.ancestors_with_self if focused is not None else ()), app]
    seen: set[str] = set()
    for node in nodes:
        ids = _key_ids(node)
        for key in KEYS:
            if key.id in ids and key.id not in seen:
                seen.add(key.id)
                if node.check_action(key.action.partition("(")[0], ()):
                    yield key, node
