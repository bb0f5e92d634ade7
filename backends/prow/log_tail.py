"""The last lines of a log of any size, where its storage can give a part of it."""

from __future__ import annotations

import io

from backends.cancel import CancelToken
from backends.http.errors import HttpError
from backends.prow.source import Source

WINDOW = 64 << 10  # bytes asked for at first: 500 lines of usual length
_LARGEST = 8 << 20  # beyond, the whole is read
_STEP = 8


def last_lines(source: Source, bucket: str, name: str, count: int, cancel: CancelToken) -> list[bytes] | None:
    """The last `count` lines with their ends; None where the whole log has to be read for them.

    So it is for a compressed log, one shorter than `WINDOW`, lines of megabytes, and whatever goes wrong: reading the
    whole one says that better.
    """
    size = WINDOW
    while size <= _LARGEST:
        try:
            tail = source.tail(bucket, name, size, cancel=cancel)
        except HttpError:
            return None
        if tail is None:
            return None
        lines = list(io.BytesIO(tail))[1:]  # the first may have lost its beginning
        if len(lines) >= count:
            return lines[-count:]
        size *= _STEP
    return None
