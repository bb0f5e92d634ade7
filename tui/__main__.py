"""`ciexplore` and `python -m tui`: the two calls that need no command line parser are handled without one."""

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

        with contextlib.suppress(OSError):  # reported below
            print(f"ciexplore {__version__}", flush=True)
            return
    if not arguments:
        # Without click the first paint comes 30 ms earlier.
        from backends import config
        from backends.session import Session
        from tui.launch import open_app

        with contextlib.suppress(AppError):  # `run` meets it again and reports it
            sys.exit(open_app(Session(config.load())))
    from tui.cli import run

    sys.exit(run(arguments))


def _prepare_streams() -> None:
    """A shell may have closed them (`>&-`): the first file that is opened would then be used as stdout. And where the
    terminal's encoding lacks a letter (PYTHONIOENCODING=latin-1), a ? is written instead of failing.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            setattr(sys, name, open(number, "r" if not number else "w", closefd=False))  # noqa: SIM115
        elif number and stream.errors == "strict":
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
