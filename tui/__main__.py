"""`ciexplore` and `python -m tui`: the two calls that need no command line parser are answered without one."""

from __future__ import annotations

import contextlib
import os
import sys

from backends.errors import AppError


def main() -> None:
    _prepare_streams()
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from backends import __version__

        with contextlib.suppress(OSError):  # what cannot be written is said below
            print(f"ciexplore {__version__}", flush=True)
            return
    if not arguments:
        try:
            _open()
            return
        except AppError:
            pass  # said below, in the one way in which problems are said
    from tui.cli import run

    sys.exit(run(arguments))


def _prepare_streams() -> None:
    """A shell may have closed them (`>&-`): else the first file that is opened would be taken for stdout. And where the
    terminal's encoding lacks a letter (PYTHONIOENCODING=latin-1), a ? stands for it, and no command fails for it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            setattr(sys, name, open(number, "r" if not number else "w", closefd=False))  # noqa: SIM115
        elif number and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _open() -> None:
    """Without click the first paint comes 30 ms earlier."""
    from tui.launch import open_plainly

    open_plainly()


if __name__ == "__main__":
    main()
