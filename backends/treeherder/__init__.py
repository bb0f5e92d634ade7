"""Treeherder and Perfherder: signatures, series, alerts, pushes, jobs and comparisons, as lists."""
