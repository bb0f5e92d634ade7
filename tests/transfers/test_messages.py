from __future__ import annotations

import errno

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import AppError, OperationCancelledError
from backends.http.errors import HttpError, NotFoundError, RateLimitedError
from backends.transfers.bodies import BadBodyError
from backends.transfers.worker_process import (
    MAX_MESSAGE,
    ControlMessage,
    MessageToWorker,
    Unpacker,
    describe_failure,
    make_error,
    pack_message,
)


@given(st.lists(st.integers(0, 2**40), max_size=20), st.lists(st.integers(1, 9), min_size=1))
def test_records_come_out_as_they_went_in_however_the_pipe_cuts_them(numbers: list[int], cuts: list[int]) -> None:
    sent = [ControlMessage(number % 100, bool(number % 2), [number]) for number in numbers]
    stream, unpacker, got = b"".join(map(pack_message, sent)), Unpacker(), []
    at = turn = 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        got += unpacker.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert [msgspec.msgpack.decode(record, type=MessageToWorker) for record in got] == sent


def test_garbage_on_the_pipe_is_no_memory_for_us() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(Unpacker().feed((MAX_MESSAGE + 1).to_bytes(4, "little")))


@pytest.mark.parametrize(
    "error",
    [
        RateLimitedError("Slower.", "Wait.", status=429, retry_after=3.0),
        NotFoundError("None.", "Look.", status=404),
        HttpError("Broke.", reason="incomplete", retryable=True),
        BadBodyError("Short.", reason="wrong-length", retryable=True),
    ],
)
def test_what_decides_about_the_next_try_survives_the_way(error: HttpError) -> None:
    said = msgspec.msgpack.decode(msgspec.msgpack.encode(describe_failure(error)), type=type(describe_failure(error)))
    again = make_error(said)
    assert isinstance(again, HttpError) and isinstance(again, RateLimitedError) == isinstance(error, RateLimitedError)
    for name in ("sentence", "hint", "status", "reason", "retryable", "retry_after"):
        assert getattr(again, name) == getattr(error, name)


def test_other_ends_stay_what_they_were() -> None:
    assert isinstance(make_error(describe_failure(OperationCancelledError())), OperationCancelledError)
    assert isinstance(make_error(describe_failure(AppError("No."))), AppError)
    full = make_error(describe_failure(OSError(errno.ENOSPC, "full")))
    assert isinstance(full, OSError) and full.errno == errno.ENOSPC
    lone = describe_failure(ValueError("\ud800"))
    assert msgspec.msgpack.encode(lone) and "ValueError" in str(make_error(lone))
