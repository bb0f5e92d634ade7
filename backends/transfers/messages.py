"""What a run and its worker processes say to each other: msgpack behind four bytes of length, on the child's pipes.

Nothing is pickled: a child that was talked into something by a server can say no more than these records.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from backends.errors import AppError, OperationCancelledError
from backends.http.errors import HttpError, RateLimitedError
from backends.transfers.bodies import BadBodyError

_LENGTH = struct.Struct("<I")
NOT_BEGUN = "not-begun"  # a child gives an errand back untried
MOST = 16 << 20  # bytes of one record; a batch of results has a few KB


class Setup(msgspec.Struct, tag=True, array_like=True):
    """The first word to a child. `parts`: the descriptor, inherited, of the directory it writes into."""

    parts: int
    mode: str
    timeouts: tuple[float, ...]


class Errand(msgspec.Struct, tag=True, array_like=True):
    """One file to bring, one try; the fields are those of `worker.Wanted`."""

    number: int
    key: str
    url: str
    name: str
    part: str
    expected: int | None
    etag: str
    sha256: str
    tries: int
    bytes: int = 0
    wire: int = 0
    size: int | None = None
    is_html: bool = False


class Orders(msgspec.Struct, tag=True, array_like=True):
    """`jobs`: files at a time. `stopped`: numbers of errands that are not wanted any more."""

    jobs: int
    paused: bool
    stopped: list[int] = []


class Failure(msgspec.Struct, array_like=True):
    """An exception in words; `kind`: http, body, cancelled, refused, disk or internal; `number`: an errno."""

    kind: str
    sentence: str
    hint: str = ""
    status: int | None = None
    reason: str = ""
    retryable: bool = False
    retry_after: float | None = None
    number: int = 0


class Standing(msgspec.Struct, array_like=True):
    """Where an errand is; with `ended` it is over, and then `failure` or `mtime_ns` says how."""

    number: int
    bytes: int
    wire: int
    size: int | None
    etag: str
    sha256: str = ""
    ended: bool = False
    failure: Failure | None = None
    mtime_ns: int = 0
    checked_by: str = ""
    note: str = ""


class Report(msgspec.Struct, tag=True, array_like=True):
    """All that has changed in a child. `cpu`: seconds of processor time it has used so far."""

    cpu: float
    standings: list[Standing] = []


ToChild = Setup | Errand | Orders
_encoder = msgspec.msgpack.Encoder()


def packed(message: ToChild | Report) -> bytes:
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Cuts a stream of bytes into records. Raises `ValueError` for what cannot be one."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._held += chunk
        at = 0
        while len(self._held) - at >= _LENGTH.size:
            length = _LENGTH.unpack_from(self._held, at)[0]
            if length > MOST:
                raise ValueError("a record that is too long")
            begin = at + _LENGTH.size
            if len(self._held) < begin + length:
                break
            yield bytes(self._held[begin : begin + length])
            at = begin + length
        del self._held[:at]


def failure(error: BaseException) -> Failure:
    if isinstance(error, HttpError):
        kind = "body" if isinstance(error, BadBodyError) else "http"
        return Failure(
            kind, _text(error.sentence), _text(error.hint), error.status, error.reason, error.retryable,
            error.retry_after,
        )  # fmt: skip
    if isinstance(error, AppError):
        return Failure(
            "cancelled" if isinstance(error, OperationCancelledError) else "refused", _text(error.sentence), error.hint
        )
    if isinstance(error, OSError):
        return Failure("disk", _text(error.strerror or str(error)), number=error.errno or 0)
    return Failure("internal", _text(f"{type(error).__name__}: {error}"[:300]))


def raised(said: Failure) -> Exception:
    """The exception again, as far as a run can tell the difference."""
    if said.kind in ("http", "body"):
        kind = BadBodyError if said.kind == "body" else RateLimitedError if said.status == 429 else HttpError
        return kind(
            said.sentence, said.hint, status=said.status, retry_after=said.retry_after, reason=said.reason,
            retryable=said.retryable,
        )  # fmt: skip
    if said.kind == "cancelled":
        return OperationCancelledError()
    if said.kind == "refused":
        return AppError(said.sentence, said.hint)
    if said.kind == "disk":
        return OSError(said.number, said.sentence)
    return RuntimeError(said.sentence)


def _text(words: str) -> str:
    return words.encode("utf-8", "backslashreplace").decode()
