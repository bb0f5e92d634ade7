"""Widgets: one a file; none knows which system its rows come from."""
