"""Where the lines of a log go: harmless to stdout, or as they are to a file (or to stdout, when asked for with `-`)."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from backends.errors import UsageError
from tui.commands.output import say

if TYPE_CHECKING:
    from backends.resources import LogAddress

LINE = 1 << 20  # bytes of a line without an end that are given at once
_HARMLESS = bytes([*range(0x20, 0x7F), 0x09, 0x0A])


def write_log(
    pieces: Iterable[bytes], target: str | None, *, overwrite: bool = False, tail: int | None = None,
    line: int | None = None, last: int | None = None,
) -> None:  # fmt: skip
    """`tail`: only the last so many lines. `line`: where printing begins, from 1, and `last`: where it ends; a file
    gets the whole, unless `tail` is given.

    A file appears under its name only when it is whole. Raises the `AppError`s of the source and of the file.
    """
    if tail is not None:
        pieces = deque(lines_of(choose_lines(pieces, line, last)), tail)
    elif target is None:
        pieces = choose_lines(pieces, line, last)
    elif _is_part(line, last):
        say(f"note: all of it, not only {_describe_part(line, last)}; without -o these are printed.")
    with _open_target(target, overwrite) as stream:
        for piece in pieces if target is not None else printable(pieces):
            stream.write(piece)
            stream.flush()


def check_log(pieces: Iterable[bytes], log: LogAddress) -> Iterator[bytes]:
    """The same pieces. Raises `NotTextError`, which names how to download it, and what reading it raises."""
    from backends.http.errors import sanitize
    from backends.logs.binary import check_text

    text = sanitize(log.locator.text(), 1000)
    verb = f"ciexplore {log.locator.system} download"
    hint = f"Download it: {verb} {text} --output DIR; or write its bytes with -o FILE."
    return check_text(pieces, log.title, log.url.partition("?")[0], hint)


def choose_lines(pieces: Iterable[bytes], line: int | None, last: int | None) -> Iterable[bytes]:
    """The lines that a locator names, from 1, with a note that says so; all where it names none."""
    if line is None or not _is_part(line, last):
        return pieces
    say(f"note: {_describe_part(line, last)}; leave the line number away for the whole.")
    return _some_lines(pieces, line, last)


def _is_part(line: int | None, last: int | None) -> bool:
    return line is not None and (line > 1 or last is not None)


def _describe_part(line: int | None, last: int | None) -> str:
    return f"from line {line:,} on" if last is None else f"lines {line:,} to {last:,}"


def _some_lines(pieces: Iterable[bytes], line: int, last: int | None) -> Iterator[bytes]:
    """From one line to another, or to the end, which may come before either."""
    number = 0
    for number, content in enumerate(islice(lines_of(pieces), last), 1):
        if number >= line:
            yield content
    ends = f"the log ends at line {number:,}"
    if number < line:
        raise UsageError(f"There is no line {line:,}: {ends}.", "Leave the line number away for the whole.")
    if last is not None and number < last:
        say(f"note: {ends}.")


@contextmanager
def _open_target(target: str | None, overwrite: bool) -> Iterator[IO[bytes]]:
    if target is None or target == "-":
        yield sys.stdout.buffer
        return
    from backends.atomic import atomic_file

    with atomic_file(Path(target), overwrite=overwrite) as file:
        yield file


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their ends; one that goes on for longer than `LINE` comes in parts."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        for line in io.BytesIO(piece):  # at line feeds alone, as the reader
            held.append(line)
            size += len(line)
            if size > LINE or line.endswith(b"\n"):
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)


def printable(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Without what a terminal would obey; tabs stay. Ends with the end of a line."""
    rest = b""
    for piece in pieces:
        if not rest and not piece.translate(None, _HARMLESS):
            yield piece  # nearly all of nearly every log, at 300 MB/s
            continue
        *whole, rest = (rest + piece).split(b"\n")
        while len(rest) > LINE:
            whole, rest = [*whole, rest[:LINE]], rest[LINE:]
        if whole:
            yield b"".join(_line(one) for one in whole)
    if rest:
        yield _line(rest)


def _line(content: bytes) -> bytes:
    from backends.frames.formats import safe_text
    from backends.logs import ansi

    text = ansi.strip(ansi.decode_line(content.rstrip(b"\r")))
    if text.isascii() and text.isprintable():
        return text.encode() + b"\n"
    return "\t".join(safe_text(part, len(part) + 1) for part in text.split("\t")).encode("utf-8", "replace") + b"\n"
