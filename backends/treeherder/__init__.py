"""Treeherder and Perfherder: pushes, jobs, signatures, series, alerts, comparisons, as resources."""
