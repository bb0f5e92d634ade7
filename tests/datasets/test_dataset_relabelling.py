"""Relabelling cleans exactly the regressors whose failing signatures are all excluded, and touches nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import UsageError
from backends.treeherder.datasets.legacy_export import Relabelling

ROW = st.one_of(
    st.fixed_dictionaries(
        {
            "commit_id": st.sampled_from(["a", "b", "c", "d"]),
            "prompt": st.sampled_from(["x", "ü\n\"'", ""]),
            "response": st.sampled_from(["0", "1"]),
        }
    ),
    st.just([1, 2]),
)
FAILING = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sets(st.integers(1, 5), max_size=3), max_size=3)
FRAMEWORKS = st.dictionaries(st.integers(1, 5), st.sampled_from([1, 2, 6, 18]), max_size=5)


@given(st.lists(ROW, max_size=8), FAILING, FRAMEWORKS)
def test_labels_are_the_originals(rows: list[Any], failing: dict[str, set[int]], frameworks: dict[int, int]) -> None:
    lines = [json.dumps(row, indent=None).encode() + b"\n" for row in rows]
    work = Relabelling(failing, frameworks, {2, 6, 18})
    written = list(work.relabel(lines))
    flipped = []
    for row, before, after in zip(rows, lines, written, strict=True):
        ids = failing.get(row["commit_id"], set()) if isinstance(row, dict) else set()
        clean = (
            isinstance(row, dict)
            and row["response"] == "1"
            and len(ids) > 0
            and all(frameworks.get(one) in {2, 6, 18} for one in ids)
        )
        assert json.loads(after) == ({**row, "response": "0"} if clean else row)
        assert clean or before == after
        flipped += [row["commit_id"]] if clean else []
    report = work.report()["relabel"]
    regressors = [row for row in rows if isinstance(row, dict) and row["response"] == "1"]
    assert report["input_lines_total"] == report["output_records_written"] == len(rows)
    assert report["regressor_records_total"] == len(regressors)
    assert report["regressor_flipped_to_clean"] == len(flipped)
    assert report["regressor_kept_as_regressor"] == len(regressors) - len(flipped)
    assert report["regressor_with_fail_sig_mapping"] == sum(bool(failing.get(row["commit_id"])) for row in regressors)


def test_a_broken_line_is_named_not_dropped() -> None:
    with pytest.raises(UsageError, match="Line 2"):
        list(Relabelling({}, {}, {2}).relabel([b'{"response": "0"}\n', b'{"response": \n']))
