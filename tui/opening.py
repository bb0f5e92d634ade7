"""Opens the app in this terminal, or says why this is no terminal for it. Imports nothing that it may not need."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from backends.problems import UsageProblem

if TYPE_CHECKING:
    from tui.session import Session


def open_app(session: Session, locator: str | None = None) -> None:
    """Runs the app until the user leaves it. Raises `UsageProblem` where it could not be seen or would hang."""
    # Textual draws on stderr: all three have to be the terminal, or it would hang or fill a file with escapes.
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise UsageProblem(
            "The app needs a terminal.",
            "Without one use a command, such as: ciexplore taskcluster tasks LOCATOR --format csv",
        )
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageProblem("TERM names no terminal that can draw.", "Set it, for example TERM=xterm-256color.")
    from tui.app import Explorer

    Explorer(session, locator).run()


def open_plainly() -> None:
    """`ciexplore` without arguments."""
    from backends import config
    from tui.session import Session

    open_app(Session(config.load()))
