"""`ciexplore` and `python -m ciexplore`."""

from __future__ import annotations

import sys

from ciexplore._packages import find_shadowed


def main() -> None:
    if sentence := find_shadowed():
        print(f"ciexplore: {sentence}", file=sys.stderr)
        sys.exit(2)
    from tui.__main__ import main as run

    run()


if __name__ == "__main__":
    main()
