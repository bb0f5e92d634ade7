"""A JSON file of a build as a tree; of one that is not whole, what is wrong with it."""

from __future__ import annotations

from typing import Any

import msgspec

from backends.cancel import CancelToken
from backends.errors import AppError
from backends.http.errors import sanitize
from backends.prow.source import Entry, Source

_CAP = 64 << 20


def read_document(source: Source, bucket: str, path: str, cancel: CancelToken) -> Any:
    """What the file holds. Raises `AppError` for what is no JSON, and the `HttpError`s of reading it."""
    content = source.read(bucket, Entry(path), cancel=cancel, cap=_CAP)
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    lines = [line for line in content.split(b"\n") if line.strip()]
    try:
        return [msgspec.json.decode(line) for line in lines[:10_000]]  # sidecar-logs.json is one object a line
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise AppError(
            f"{sanitize(path)} is no JSON: {sanitize(str(problem), 120)}.", "Press l to read it as a text."
        ) from None
