"""Everything headless: what the systems answer, as frames; nothing here knows the terminal interface."""

__version__ = "0.1.0"
