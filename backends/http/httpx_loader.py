"""The only import of httpx and httpcore in the project, so that they can be replaced in one place."""

from __future__ import annotations

import sys

# httpx imports its command line (click, rich, pygments) when those are installed, which they are beside Textual:
# 70 ms against 40 ms. None in sys.modules makes that import fail at once, and httpx is made for that.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

# httpcore imports h2 where it is installed: 20 ms, for an HTTP/2 that we never speak over httpx.
sys.modules.setdefault("h2", None)  # type: ignore[arg-type]

import httpcore  # noqa: E402
import httpx  # noqa: E402

__all__ = ["httpcore", "httpx"]
