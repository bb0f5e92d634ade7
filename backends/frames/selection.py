"""Which columns of a schema are meant by a list of names, and what is said about a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from backends.errors import UsageError
from backends.frames.schema import Schema


def chosen_columns(schema: Schema, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names in the order given, each once; all of the schema for None. Raises `UsageError` for an unknown one."""
    if names is None:
        return schema.names
    for name in names:
        if name not in schema:
            near = difflib.get_close_matches(name[:60], schema.names, n=3, cutoff=0.5)
            hint = f"Did you mean {', '.join(near)}?" if near else f"Columns: {', '.join(schema.names)}."
            raise UsageError(f"There is no column {name[:60]!r}.", hint)
    if not names:
        raise UsageError("No column is chosen.", f"Columns: {', '.join(schema.names)}.")
    return tuple(dict.fromkeys(names))
