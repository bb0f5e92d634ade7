"""Perfherder datasets: a local Parquet store of Treeherder's performance data, and the views calculated from it."""
