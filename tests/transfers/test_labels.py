"""How the files of a download are named and ordered in its table."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from backends.transfers.files import RemoteFile
from backends.transfers.progress import TRANSFER_SCHEMA, describe_reason, label_files, order_for_table
from backends.transfers.states import PlanAction, PlanRow, TransferState


def row(target: str, origin: str = "", name: str = "") -> PlanRow:
    return PlanRow(RemoteFile(target, "", (), name=name, origin=origin), target, PlanAction.FETCH)


def test_logs_of_the_same_name_are_told_apart_by_their_task() -> None:
    rows = [row(f"group/{task}/id/0/live.log", origin=task) for task in ("test-a", "test-b")]
    assert label_files(rows) == [("test-a", "live.log"), ("test-b", "live.log")]


def test_two_files_of_one_task_have_their_full_names() -> None:
    rows = [row(f"group/test-a/id/0/{name}", "test-a", name) for name in ("public/a.json", "public/info/a.json", "b")]
    assert label_files(rows) == [("test-a", "public/a.json"), ("test-a", "public/info/a.json"), ("test-a", "b")]


def test_retriggers_of_one_task_have_their_ids() -> None:
    rows = [row(f"group/test-a/{task}/0/live.log", "test-a", "live.log") for task in ("one", "two")]
    assert label_files(rows) == [("test-a one", "live.log"), ("test-a two", "live.log")]


PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(
    st.dictionaries(PARTS, st.tuples(st.sampled_from(["", "a", "a a"]), st.sampled_from(["", "a", "b"])), max_size=9)
)
def test_no_two_files_read_alike(files: dict[str, tuple[str, str]]) -> None:
    labels = label_files([row(target, *names) for target, names in files.items()])
    assert len(set(labels)) == len(files)


@given(st.lists(st.sampled_from(TransferState), max_size=20))
def test_failed_files_come_first_then_running_waiting_done(states: list[TransferState]) -> None:
    frame = pl.DataFrame(
        {
            name: [str(state) for state in states] if name == "state" else [str(n) for n in range(len(states))]
            for name in TRANSFER_SCHEMA.names
        },
        schema=dict.fromkeys(TRANSFER_SCHEMA.names, pl.String),
    ).cast(TRANSFER_SCHEMA.polars())  # type: ignore[arg-type]
    ordered = order_for_table(frame)
    first = ["failed", "cancelled", "stored", "running", "planned", "unchecked", "verified", "unchanged", "skipped"]
    assert ordered["state"].to_list() == sorted(map(str, states), key=first.index)
    assert sorted(ordered["key"].to_list()) == sorted(frame["key"].to_list())


def test_reasons_are_words() -> None:
    assert describe_reason("http-403") == "HTTP 403: not public"
    assert describe_reason("http-503") == "HTTP 503: server error"
    assert describe_reason("too-slow") == "too slow"
    assert describe_reason("error artifact: the worker could not make it").startswith("error artifact")


def test_a_file_that_is_there_has_its_size_and_only_others_say_how_much_has_come() -> None:
    cells = {"state": ["verified", "running", "failed"], "bytes": [7, 3, 0], "size": [None, 9, 9]}
    columns = {name: cells.get(name, [None] * 3) for name in TRANSFER_SCHEMA.names}
    ordered = order_for_table(pl.DataFrame(columns, schema=TRANSFER_SCHEMA.polars()))
    assert ordered.select("state", "size", "bytes").rows() == [
        ("failed", 9, None),
        ("running", 9, 3),
        ("verified", 7, None),
    ]
