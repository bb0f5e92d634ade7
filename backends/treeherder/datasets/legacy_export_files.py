"""How the legacy export writes: files in a fixed order, never over others without permission; its statistics and plots.

The statistics are not the app's (`backends.frames.statistics`): the time to culprit has percentiles by nearest rank and
the standard deviation of a population, everything else has linear percentiles and no deviation.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import math
import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from backends.atomic import atomic_file, disk_words
from backends.cancel import CancelToken
from backends.errors import FileError
from backends.paths import expand_home

_ROWS_PER_WRITE = 50_000
PERCENTILES = (25, 75, 90, 95, 99)
BINS = 50


class _UnchangedError(Exception):
    """The file has this content already."""


class _HashingWriter(io.RawIOBase):
    """Passes on what is written and hashes it. It has no descriptor: nothing can be written past it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._hash = stream, hashlib.blake2b()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._hash.update(content)
        return self._stream.write(content)

    @property
    def digest(self) -> bytes:
        return self._hash.digest()


def _file_digest(path: Path) -> bytes | None:
    """None if there is no file."""
    digest = hashlib.blake2b()
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
            while content := stream.read(1 << 20):
                digest.update(content)
    except FileNotFoundError:
        return None
    return digest.digest()


class ExportFolder:
    """A directory that files are exported to. `files`: (name, "written" or "unchanged"), in order."""

    def __init__(self, path: Path, *, overwrite: bool, cancel: CancelToken) -> None:
        self.path, self._overwrite, self._cancel = expand_home(path).absolute(), overwrite, cancel
        self.files: list[tuple[str, str]] = []
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{path} cannot be created: {disk_words(error)}.", "Choose another place.") from error

    def write(self, name: str, fill: Callable[[Any], object]) -> None:
        """A file that `fill` writes. An existing file that differs is only replaced with `overwrite` (`FileError`)."""
        self._cancel.check()
        target = self.path / name
        try:
            with atomic_file(target, overwrite=True, below=self.path) as stream:
                writer = _HashingWriter(stream)
                fill(writer)
                existing = _file_digest(target)
                if existing == writer.digest:
                    raise _UnchangedError
                if existing is not None and not self._overwrite:
                    raise FileError(f"{target} exists and differs.", "Add --overwrite, or choose another directory.")
        except _UnchangedError:
            self.files.append((name, "unchanged"))
            return
        self.files.append((name, "written"))

    def write_csv(
        self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, line_end: str = "\r\n"
    ) -> None:
        """A CSV of Python values: None is an empty cell. The original's csv module ends lines with CR LF, its pandas
        with LF."""

        def fill(stream: BinaryIO) -> None:
            text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogatepass", newline="")
            writer = csv.writer(text, lineterminator=line_end)
            writer.writerow(columns)
            writer.writerows(rows)
            text.flush()
            text.detach()

        self.write(name, fill)

    def write_rows(self, name: str, frames: Iterable[pl.DataFrame]) -> None:
        """JSON lines of the frames' rows, keys in the order of their columns."""

        def fill(stream: BinaryIO) -> None:
            for frame in frames:
                for part in frame.iter_slices(_ROWS_PER_WRITE):
                    self._cancel.check()
                    buffer = io.BytesIO()
                    part.write_ndjson(buffer)
                    stream.write(buffer.getvalue())

        self.write(name, fill)

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        def fill(stream: BinaryIO) -> None:
            for line in lines:
                stream.write(line.encode("utf-8", "surrogatepass") + b"\n")

        self.write(name, fill)

    def write_json(
        self, name: str, content: Any, *, indent: int = 2, sort_keys: bool = False, line_end: bool = False
    ) -> None:
        text = json.dumps(content, indent=indent, sort_keys=sort_keys) + ("\n" if line_end else "")
        self.write(name, lambda stream: stream.write(text.encode()))

    def write_histogram(self, name: str, values: Sequence[float], title: str, x_label: str, y_label: str) -> None:
        """A PNG with 50 bins (extra `png`); the same bytes for the same values and the same matplotlib."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 6))  # without pyplot: no window, no global state, any thread
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.hist(list(values), bins=BINS, edgecolor="black")
        axes.set_title(f"{title} (n = {len(values):,})")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid(visible=True, alpha=0.3)
        self.write(name, lambda stream: figure.savefig(stream, format="png", dpi=100, metadata={"Software": None}))


def can_plot() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def linear_percentile(ordered: Sequence[float], percent: float) -> float:
    """Between the two nearest of sorted values, calculated to the last digit as the original does."""
    place = (len(ordered) - 1) * (percent / 100.0)
    low, high = math.floor(place), math.ceil(place)
    if low == high:
        return ordered[low]
    return ordered[low] * (high - place) + ordered[high] * (place - low)


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The value at round((n - 1) p), halves rounded to the even one."""
    return ordered[round((len(ordered) - 1) * share)]


def trimmed_mean(ordered: Sequence[float], share: float = 0.1) -> float:
    """The mean without the lowest and the highest tenth, rounded down to a number of values."""
    cut = int(len(ordered) * share)
    return statistics.mean(ordered[cut : len(ordered) - cut] or ordered)


def geometric_mean(values: Sequence[float]) -> float | None:
    """Of the positive values alone, which leaves out the zeros of counts; None if there are none."""
    positive = [value for value in values if value > 0]
    return math.exp(sum(map(math.log, positive)) / len(positive)) if positive else None


def distribution(values: Sequence[float], *, suffix: str = "", digits: int | None = None) -> dict[str, Any]:
    """observations, mean, median, min, max (each with _`suffix`), percentiles, trimmed and geometric mean."""

    def shorten(value: float | None) -> float | None:
        return value if value is None or digits is None else round(value, digits)

    ordered = sorted(values)
    after = f"_{suffix}" if suffix else ""
    if not ordered:
        empty = dict.fromkeys(f"{name}{after}" for name in ("mean", "median", "min", "max"))
        nothing = {str(percent): None for percent in PERCENTILES}
        return {"observations": 0, **empty, "percentiles": nothing, "trimmed_mean_10pct": None, "geometric_mean": None}
    return {
        "observations": len(ordered),
        f"mean{after}": shorten(statistics.mean(ordered)),
        f"median{after}": shorten(statistics.median(ordered)),
        f"min{after}": ordered[0],
        f"max{after}": ordered[-1],
        "percentiles": {str(percent): shorten(linear_percentile(ordered, percent) * 1.0) for percent in PERCENTILES},
        "trimmed_mean_10pct": shorten(trimmed_mean(ordered)),
        "geometric_mean": shorten(geometric_mean(ordered)),
    }


def wait_statistics(seconds: Sequence[float]) -> dict[str, float | None]:
    """mean, median, min, max, p25, p75, p90, p95, p99; all None without a value."""
    ordered = sorted(seconds)
    names = ("mean", "median", "min", "max", *(f"p{percent}" for percent in PERCENTILES))
    if not ordered:
        return dict.fromkeys(names)
    percentiles = (linear_percentile(ordered, percent) * (1.0 if len(ordered) > 1 else 1) for percent in PERCENTILES)
    values = (statistics.mean(ordered), statistics.median(ordered), ordered[0], ordered[-1], *percentiles)
    return dict(zip(names, values, strict=True))


def culprit_statistics(seconds: Sequence[float], *, rows: int, invalid: int) -> dict[str, Any]:
    """The stats of time_to_culprit_stats.json, in hours; negative values count like any other."""
    ordered = sorted(seconds)
    names = ("mean", "median", "min", "max", "stdev", "p90", "p95", "p99")
    values: Sequence[float | None] = [None] * len(names)
    if ordered:
        ranks = (nearest_rank(ordered, share) for share in (0.90, 0.95, 0.99))
        deviation = statistics.pstdev(ordered) if len(ordered) > 1 else 0.0
        mean, median = statistics.fmean(ordered), statistics.median(ordered)
        values = [value / 3600 for value in (mean, median, ordered[0], ordered[-1], deviation, *ranks)]
    return {
        "count": len(ordered),
        **{f"{name}_hours": value for name, value in zip(names, values, strict=True)},
        "total_rows": rows,
        "missing_or_invalid_rows": invalid,
        "negative_delta_rows": sum(value < 0 for value in ordered),
    }
