"""What a folded log would hide that it must not, and whether its rows are the lines they say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backends.logs.folding import CONTEXT, HEAD, SHORTEST_FOLD, TAIL, FoldedRow, Folding, fold

NUMBERS = st.lists(st.integers(0, 300), max_size=12).map(lambda numbers: sorted(set(numbers)))


def walked(folding: Folding, lines: int) -> list[FoldedRow]:
    """All rows, which must stand for every line once."""
    rows = [folding.row_at(row) for row in range(folding.row_count)]
    at = 0
    for number, row in enumerate(rows):
        assert row.line == at
        for line in range(at, at + max(row.hidden, 1)):
            assert folding.row_of(line) == number
            assert folding.hides(line) is (row.hidden > 0)
        at += max(row.hidden, 1)
    assert at == lines
    return rows


@given(NUMBERS, NUMBERS, st.integers(0, 320))
def test_every_line_is_shown_or_in_one_fold_and_errors_are_shown(
    hits: list[int], headings: list[int], lines: int
) -> None:
    hits, headings = [n for n in hits if n < lines], [n for n in headings if n < lines]
    folding = fold(hits, headings, lines)
    rows = walked(folding, lines)
    must = {line for hit in hits for line in range(hit - CONTEXT, hit + CONTEXT + 1)} | set(headings)
    must |= set(range(HEAD)) | set(range(lines - TAIL, lines))
    assert all(row.hidden == 0 or row.hidden >= SHORTEST_FOLD for row in rows)
    assert all(not folding.hides(line) for line in must if 0 <= line < lines)
    near = {line + step for line in must for step in range(-SHORTEST_FOLD, SHORTEST_FOLD + 1)}
    assert all(row.hidden or row.line in near for row in rows)


@given(NUMBERS, st.integers(1, 320), st.integers(0, 320), st.integers(1, 40))
def test_an_opened_fold_stays_open_and_nothing_else_moves(hits: list[int], lines: int, start: int, count: int) -> None:
    before = fold([hit for hit in hits if hit < lines], [], lines)
    start %= lines
    after = before.unfold(start, count)
    walked(after, lines)
    assert all(not after.hides(line) for line in range(start, min(start + count, lines)))
    assert all(not after.hides(line) for line in range(lines) if not before.hides(line))


def test_a_log_without_errors_shows_its_ends() -> None:
    rows = walked(fold([], [], 1000), 1000)
    assert [row.line for row in rows if not row.hidden] == [*range(HEAD), *range(1000 - TAIL, 1000)]
