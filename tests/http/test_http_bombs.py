"""A small answer that unpacks to a huge one is refused in a sentence, with little memory; honest answers pass."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import httpx
import pytest
import zstandard

from backends.http import CachePolicy, Http
from backends.http.errors import ResponseTooLargeError, UnexpectedResponseError

URL = "https://ci.example/list"
Make = Callable[..., Http]
BLOCK = b'{"taskId": "x", "state": "completed"},\n' * 25_000  # 1 MB
HUGE = 160  # blocks


def pack(name: str, blocks: int, block: bytes = BLOCK) -> bytes:
    """A JSON list of so many blocks."""
    pieces = [b"[", *[block] * blocks, b"{}]"]
    if name == "gzip":
        packer = zlib.compressobj(6, wbits=31)
        return b"".join([*map(packer.compress, pieces), packer.flush()])
    if name == "br":
        squeezer = brotli.Compressor(quality=4, lgwin=22)
        return b"".join([*map(squeezer.process, pieces), squeezer.finish()])
    frame = zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join([*map(frame.compress, pieces), frame.flush()])


def sent(wire: bytes, coding: str, *, chunked: bool) -> Callable[[httpx.Request], httpx.Response]:
    def handle(_: httpx.Request) -> httpx.Response:
        step = 65_536 if chunked else len(wire)
        pieces = (wire[start : start + step] for start in range(0, len(wire), step))  # httpx would unpack bytes itself
        length = {} if chunked else {"content-length": str(len(wire))}
        return httpx.Response(200, content=pieces, headers={"content-encoding": coding, **length})

    return handle


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_is_refused_in_a_sentence_with_less_than_100_mb(client: Make, coding: str, chunked: bool) -> None:
    wire = pack(coding, HUGE)
    http = client(sent(wire, coding, chunked=chunked))
    tracemalloc.start()
    try:
        with pytest.raises(ResponseTooLargeError) as caught:
            http.get(URL, policy=CachePolicy.short(60), cap=512 << 20)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
    assert "unpack to" in caught.value.sentence and "ci.example" in caught.value.sentence and caught.value.hint


def test_more_wire_allows_more_but_never_a_bomb(client: Make) -> None:
    noise = json.dumps(random.Random(1).randbytes(700_000).hex()).encode()  # 0.7 MB of wire for 1.4 MB
    wire = gzip.compress(b"[" + noise + b"," + BLOCK * HUGE + b"0]", 6)
    assert len(wire) > 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(ResponseTooLargeError):
            client(sent(wire, "gzip", chunked=True)).get(URL, policy=CachePolicy.never(), cap=512 << 20)
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_without_a_coding_is_only_its_own_size_and_ends_at_the_cap(client: Make) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield BLOCK

    with pytest.raises(ResponseTooLargeError):
        client(lambda _: httpx.Response(200, content=endless())).get(URL, policy=CachePolicy.never())


def test_deflate_was_not_asked_for_and_is_not_unpacked(client: Make) -> None:
    wire = zlib.compress(BLOCK * HUGE)
    with pytest.raises(UnexpectedResponseError):
        client(sent(wire, "deflate", chunked=True)).get(URL, policy=CachePolicy.never())


def rows(count: int) -> bytes:
    """JSON as servers send it: the same members, other values."""
    chance = random.Random(7)
    row: Callable[[int], dict[str, Any]] = lambda number: {  # noqa: E731
        "id": number, "signature_hash": f"{chance.getrandbits(160):040x}", "suite": f"suite-{chance.randrange(200)}",
        "test": f"test-{chance.randrange(2000)}", "machine_platform": "linux2404-64-shippable", "framework_id": 13,
        "extra_options": ["fission", "webrender"], "lower_is_better": True, "has_subtests": False,
    }  # fmt: skip
    return json.dumps([row(number) for number in range(count)], indent=2).encode()


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_the_largest_honest_lists_pass(client: Make, coding: str) -> None:
    page = rows(28_000)  # 9.4 MB
    encode: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda body: gzip.compress(body, 6),
        "br": lambda body: bytes(brotli.compress(body, quality=4, lgwin=22)),
        "zstd": lambda body: zstandard.ZstdCompressor(level=3).compress(body),
    }
    body = b"[" + b",".join([page] * (1 if coding == "gzip" else 5)) + b"]"  # 47 MB, most of it a repetition
    answer = client(sent(encode[coding](body), coding, chunked=True)).get(URL, policy=CachePolicy.never())
    assert len(answer.body) == len(body) > 8 << 20
