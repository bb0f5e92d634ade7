"""What every kind of list, log and document of the demo is called, once it is loaded: words, not ids.

Each line of `TITLES` is a locator, its title when it is loaded, and what it was called by before that said less.
"""

from __future__ import annotations
