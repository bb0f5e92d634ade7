"""How rows join a frame that has some of them already, at the cost of the new rows and not of all."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

_MAX_CHUNKS = 40
_MOST_JOINED = 16  # of a frame; chunks that have more rows together stay apart
_ROW_BITS = 26  # of an entry of the index; the upper 38 are of the hash
_ROW = (1 << _ROW_BITS) - 1
_HASH = ~_ROW & 0xFFFF_FFFF_FFFF_FFFF
_SHORT = 50_000  # keys
_NONE_FOUND = pl.DataFrame(schema={"place": pl.UInt32, "row": pl.UInt32})


class KeyIndex:
    """Which row has a key: hashes and row numbers as one UInt64 each, in sorted runs of falling length.

    Rows are numbered as they come. A hit is checked against the key itself, so equal hashes only cost time. A short
    list has a dict instead, which waits for no thread of polars: those may all work on the next page.
    """

    def __init__(self) -> None:
        self._rows: dict[Any, int] = {}
        self._runs: list[pl.Series] = []
        self._count = 0

    def find(self, wanted: pl.Series, keys: pl.Series) -> pl.DataFrame:
        """`row` (UInt32) for each `place` (UInt32) of `wanted` whose key is among `keys`.

        `keys` are those of the last call, and more behind them.
        """
        if len(keys) <= _SHORT:
            return self._find_in_dict(wanted, keys)
        self._rows.clear()
        self._add(keys.slice(self._count))
        hashes = wanted.hash() & _HASH
        parts = []
        for run in self._runs:
            at = run.search_sorted(hashes)
            entries = run[at.zip_with(at < len(run), at - at)]
            is_hit = (entries & _HASH) == hashes
            if is_hit.any():
                places = is_hit.arg_true()
                parts.append(pl.DataFrame({"place": places, "row": (entries[places] & _ROW).cast(pl.UInt32)}))
        if not parts:
            return _NONE_FOUND
        found = pl.concat(parts)
        if not (keys[found["row"]] == wanted[found["place"]]).fill_null(False).all():
            return _find_slowly(wanted, keys)
        return found

    def _find_in_dict(self, wanted: pl.Series, keys: pl.Series) -> pl.DataFrame:
        start = len(self._rows)
        self._rows.update(zip(keys.slice(start).to_list(), range(start, len(keys)), strict=True))
        found = [
            (place, row)
            for place, key in enumerate(wanted)
            if key is not None and (row := self._rows.get(key)) is not None
        ]
        return pl.DataFrame(found, schema=_NONE_FOUND.schema, orient="row") if found else _NONE_FOUND

    def _add(self, keys: pl.Series) -> None:
        if keys.is_empty():
            return
        rows = pl.int_range(self._count, self._count + len(keys), dtype=pl.UInt64, eager=True)
        self._count += len(keys)
        self._runs.append(((keys.hash() & _HASH) | rows).sort())
        while len(self._runs) > 1 and len(self._runs[-1]) * 4 >= len(self._runs[-2]):
            self._runs[-2:] = [pl.concat(self._runs[-2:], rechunk=True).sort()]


def _find_slowly(wanted: pl.Series, keys: pl.Series) -> pl.DataFrame:
    """As `KeyIndex.find`, by looking at all keys."""
    is_hit = keys.is_in(wanted.implode())
    if not is_hit.any():
        return _NONE_FOUND
    rows = is_hit.fill_null(False).arg_true()
    known = pl.DataFrame({"key": keys[rows], "row": rows}, schema_overrides={"row": pl.UInt32})
    places = pl.DataFrame({"key": wanted}).with_row_index("place")
    return places.join(known, on="key").select("place", "row")


class RowMerge(NamedTuple):
    """Where the rows of a grown frame come from.

    Old rows from `low` to `high` become `middle`, then come the other old rows, then `added`; both hold row numbers
    of old rows followed by new ones. Without `middle` all old rows stay and all new ones follow. `replaced`: the
    numbers of the old rows that have changed, ascending.
    """

    low: int = 0
    high: int = 0
    middle: pl.Series | None = None
    added: pl.Series | None = None
    replaced: pl.Series = pl.Series([], dtype=pl.UInt32)

    def merge_frames(self, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        both = old.vstack(new) if old.schema == new.schema else pl.concat([old, new], how="diagonal_relaxed")
        if self.middle is not None and self.added is not None:
            rest = both.slice(self.high, len(old) - self.high)
            both = pl.concat([both.slice(0, self.low), both[self.middle], rest, both[self.added]], rechunk=False)
        return join_small_chunks(both)


def plan_merge(count: int, added: int, known: pl.DataFrame) -> RowMerge:
    """How `added` rows join `count` old ones: a known key (`KeyIndex.find`) takes its old place, others follow."""
    if known.is_empty():
        return RowMerge()
    known = known.sort("row")
    rows, sources = known["row"], known["place"].cast(pl.Int64) + count
    # Rows that change together were listed together: only the stretch between them is copied, not the whole frame.
    low, high = int(rows[0]), int(rows[-1]) + 1
    middle = pl.int_range(low, high, eager=True).scatter(rows - low, sources)
    is_new = pl.repeat(True, added, dtype=pl.Boolean, eager=True).scatter(known["place"], False)
    return RowMerge(low, high, middle, is_new.arg_true().cast(pl.Int64) + count, rows)


def keep_last_of_each_key(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """`frame` without rows whose key comes again further down."""
    if frame[key].n_unique() == len(frame):
        return frame
    return frame.unique(subset=[key], keep="last", maintain_order=True)


def join_small_chunks(frame: pl.DataFrame) -> pl.DataFrame:
    """Every append adds chunks, and gathering from very many is slow.

    Neighbours are joined while they are small together, so that a row is copied a few times at most however many
    pages follow.
    """
    if frame.n_chunks() <= _MAX_CHUNKS:
        return frame
    most = len(frame) // _MOST_JOINED
    groups: list[tuple[int, int, int]] = []  # first row, rows, chunks
    start = 0
    for size in frame.to_series(0).chunk_lengths():
        if groups and groups[-1][1] + size <= most:
            groups[-1] = (groups[-1][0], groups[-1][1] + size, groups[-1][2] + 1)
        else:
            groups.append((start, size, 1))
        start += size
    parts = [
        frame.slice(first, rows).rechunk() if chunks > 1 else frame.slice(first, rows) for first, rows, chunks in groups
    ]
    return pl.concat(parts, rechunk=False)
