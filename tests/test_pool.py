"""What a user would lose: results in the same order each time, those on the screen first, and Ctrl+C that ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.pool import PriorityPool, map_concurrently, map_in_order, map_pairs


def fail_at_seven(item: int, cancel: CancelToken) -> int:
    if item == 7:
        raise AppError("seven")
    return item


def test_pairs_name_their_items_and_order_can_be_kept() -> None:
    pairs = dict(map_pairs(lambda item, cancel: -item, range(50), CancelToken()))
    assert pairs == {number: -number for number in range(50)}
    batches = list(map_in_order(lambda item, cancel: -item, range(50), CancelToken()))
    assert [result for batch in batches for result in batch] == [-number for number in range(50)]


def test_the_first_error_ends_it() -> None:
    with pytest.raises(AppError, match="seven"):
        list(map_concurrently(fail_at_seven, range(20), CancelToken()))
    with PriorityPool(fail_at_seven, CancelToken()) as pool, pytest.raises(AppError, match="seven"):
        pool.submit((str(number), number) for number in range(20))
        list(pool.batches())


def test_cancelling_ends_all_that_wait_and_reaches_what_runs() -> None:
    cancel, running = CancelToken(), threading.Event()

    def wait(item: int, own: CancelToken) -> int:
        running.set()
        own.sleep(60)
        return item

    def stop() -> None:
        running.wait(60)
        cancel.cancel()

    threading.Thread(target=stop, daemon=True).start()
    with PriorityPool(wait, cancel) as pool, pytest.raises(OperationCancelledError):
        pool.submit((str(number), number) for number in range(100))
        list(pool.batches())


@given(st.lists(st.integers(0, 50), unique=True), st.lists(st.integers(0, 60)))
def test_every_item_is_worked_on_once_whatever_is_preferred(items: list[int], preferred: list[int]) -> None:
    with PriorityPool(lambda item, cancel: item, CancelToken()) as pool:
        pool.prefer([str(number) for number in preferred])
        pool.submit((str(number), number) for number in items)
        pool.prefer([str(number) for number in preferred])
        assert sorted(result for batch in pool.batches() for result in batch) == sorted(items)


def test_preferred_items_are_next() -> None:
    begun, go = threading.Event(), threading.Event()

    def work(item: str, cancel: CancelToken) -> str:
        begun.set()
        go.wait(60)
        return item

    with PriorityPool(work, CancelToken(), workers=1) as pool:
        pool.submit((name, name) for name in "abcdef")
        begun.wait(60)
        pool.prefer(["e", "a", "d"])
        go.set()
        assert [result for batch in pool.batches() for result in batch] == ["a", "e", "d", "b", "c", "f"]


def test_a_result_waits_only_for_those_before_it() -> None:
    class Arriving(PriorityPool[str, str]):
        def batches(self) -> Iterator[list[str]]:
            yield from [["b"], ["a", "d"], ["c"]]

    pool = Arriving(lambda item, cancel: item, CancelToken())
    assert list(pool.batches_in_order(["a", "b", "c", "d"], str)) == [["a", "b"], ["c", "d"]]
