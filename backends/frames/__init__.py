"""Frames: what a column means, the filter language, statistics, histograms and export. polars only."""
