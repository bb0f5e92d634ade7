"""Failures as data: what failed in tasks and builds, from the best source that each has, and the failures grouped by
cause."""
