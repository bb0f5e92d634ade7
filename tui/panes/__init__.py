"""Panes: what F1 to F6 show."""
