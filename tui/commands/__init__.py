"""The headless commands, one module a system."""
