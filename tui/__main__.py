"""`ciexplore` and `python -m tui`: answers --version without loading anything, else hands over to the command line."""

from __future__ import annotations

import sys


def main() -> None:
    if sys.argv[1:] == ["--version"]:  # no click: 15 ms instead of 50
        from backends import __version__

        print(f"ciexplore {__version__}")
        return
    from tui.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
