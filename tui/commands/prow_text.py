"""How a log is printed: raw for programs, harmless for a terminal, whole, from its end, or around what went wrong."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tui.commands.output import say

if TYPE_CHECKING:
    from backends.cancel import Cancel
    from backends.resources import LogAddress
    from tui.session import Session

_LONGEST = 64 << 10


def write_log(
    session: Session, cancel: Cancel, address: LogAddress, *, errors: bool, tail: int | None, target: str | None,
    overwrite: bool,
) -> None:  # fmt: skip
    """Raises `Problem`s; nothing half-written gets the target's name."""
    from backends.frames.atomic import atomic_file
    from backends.logs import kept

    body = kept.from_address(session.http, address.url, final=address.final)(cancel)
    pieces = _errors(_lines(body)) if errors else iter(deque(_lines(body), tail)) if tail else body
    if target and target != "-":
        with atomic_file(Path(target), overwrite=overwrite) as stream:
            _copy(pieces, stream)
        say(f"{address.title} in {target}")
        return
    if not sys.stdout.isatty():
        _copy(pieces, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    from backends.frames.formats import safe_text
    from backends.logs.ansi import decoded, strip

    for line in _lines(pieces):
        text = strip(decoded(line.rstrip(b"\r\n")))
        sys.stdout.write(safe_text(text, len(text) + 1) + "\n")


def _copy(pieces: Iterator[bytes], stream: BinaryIO) -> None:
    for piece in pieces:
        stream.write(piece)


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Lines with their ends; one that does not end comes in parts."""
    held = b""
    for piece in pieces:
        for line in io.BytesIO(held + piece):
            if line.endswith(b"\n") or len(line) > _LONGEST:
                yield line
                held = b""
            else:
                held = line
        if piece.endswith(b"\n"):
            held = b""
    if held:
        yield held


def _errors(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Marked lines with five before and after; "…" with the number of lines where some are left out."""
    from backends.logs.spyglass import AROUND, marks

    before: deque[bytes] = deque(maxlen=AROUND)
    after = skipped = 0
    for line in lines:
        if marks(line):
            if skipped > len(before):
                yield b"... %d lines\n" % (skipped - len(before))
            yield from before
            yield line
            before.clear()
            after, skipped = AROUND, 0
        elif after:
            yield line
            after -= 1
        else:
            before.append(line)
            skipped += 1
    if skipped:
        yield b"... %d lines\n" % skipped
