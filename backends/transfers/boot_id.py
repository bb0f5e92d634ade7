"""Whether bytes written but not synced can still be trusted: only while the machine has not been restarted since.

A killed process loses nothing that it wrote, a crashed machine may keep a part's length and lose its content.
"""

from __future__ import annotations

import functools
from pathlib import Path

SYNCED = "synced"


@functools.cache
def this_boot() -> str:
    """A word for the running boot; empty where the system does not tell, and then unsynced parts are not resumed."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def trusted(part_boot: str) -> bool:
    return part_boot != "" and part_boot in (SYNCED, this_boot())
