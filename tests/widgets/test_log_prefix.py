"""What is cut from the start of a line in a narrow terminal, and that the text behind it is never touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.log_prefix import parse_prefix


@pytest.mark.parametrize(
    ("line", "shown", "is_usual"),
    [
        ("[task 2026-11-20T08:14:53.502Z] 08:14:53     INFO - TEST-START | a", "08:14:53 TEST-START | a", True),
        ("[task 2026-11-20T08:14:56.145Z] 08:14:56    FATAL - Harness", "08:14:56 FATAL Harness", False),
        ("[task 2026-11-20T08:14:56.145Z] + ./run.sh", "08:14:56 + ./run.sh", False),
        (
            "[taskcluster 2026-11-20T08:14:56.145Z] === Task Finished ===",
            "08:14:56 [taskcluster] === Task Finished ===",
            False,
        ),
        (
            "[taskcluster:error] 2026-11-20T08:14:56.145Z exit status 1",
            "08:14:56 [taskcluster:error] exit status 1",
            False,
        ),
        ("08:14:53  WARNING - slow", "08:14:53 WARNING slow", False),
        ("2026-11-20T08:14:53.502Z pulling", "08:14:53 pulling", False),
        ("2021/03/18 14:29:22 Create release", "14:29:22 Create release", False),
        ("2026-11-20 08:14:53+02:00 INFO step", "08:14:53+02:00 step", True),
        ("INFO[2026-11-20T08:14:53Z] Resolved", "08:14:53 Resolved", True),
        ("WARN[2026-11-20T08:14:53Z] Slow", "08:14:53 WARN Slow", False),
        ("E1120 08:14:53.502123       1 main.go:4] no", "08:14:53 E 1 main.go:4] no", False),
        ("08:14:53 INFORM of it", "08:14:53 INFORM of it", False),
    ],
)
def test_the_prefix_of_a_line_is_cut_to_its_time(line: str, shown: str, is_usual: bool) -> None:
    prefix = parse_prefix(line)
    assert prefix is not None
    assert prefix.short + line[prefix.end :] == shown
    assert prefix.is_usual == is_usual


@pytest.mark.parametrize("line", ["", "TEST-PASS | a 08:14:53", "12:3 x", "error: x", "99:99:99 x", "[task x] y"])
def test_a_line_without_a_time_has_no_prefix(line: str) -> None:
    assert parse_prefix(line) is None


@given(st.sampled_from(["[task 2026-11-20T08:14:53.502Z] ", "08:14:53 ", "E1120 08:14:53.5 ", ""]), st.text())
def test_the_text_behind_a_prefix_is_the_end_of_the_line(head: str, text: str) -> None:
    prefix = parse_prefix(head + text)
    if prefix is not None:
        assert 0 < prefix.end <= len(head + text)
        assert prefix.short.endswith(" ") and len(prefix.short) <= prefix.end + 10
