"""The two histograms of the original as PNG files, with matplotlib where it is installed (extra `png`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import BinaryIO

from backends.treeherder.datasets.compat_files import Folder

BINS = 50


def can_plot() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def histogram(folder: Folder, name: str, values: Sequence[float], title: str, across: str, up: str) -> None:
    """50 bins; the same bytes for the same values and the same matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6))  # without pyplot: no window, no global state, any thread
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.hist(list(values), bins=BINS, edgecolor="black")
    axes.set_title(f"{title} (n = {len(values):,})")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, alpha=0.3)

    def fill(stream: BinaryIO) -> None:
        figure.savefig(stream, format="png", dpi=100, metadata={"Software": None})

    folder.write(name, fill)
