"""Matching by letters in their order."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.fuzzy import match_letters

LABELS = st.text("abs AB-é", max_size=12)


@pytest.mark.parametrize("query", ["s" * 30, "st" * 12, "estate tasks of a test set sat", "x" * 300])
def test_frequent_letters_are_matched_at_once(query: str) -> None:
    label = "Sets of tests, statistics of tasks: a task's tests at its last states, its test sets as stated " * 2
    assert match_letters(query, label)[0] >= 0  # all ways to place thirty letters would take longer than anyone has


@given(st.text("abs", min_size=1, max_size=4), LABELS)
def test_the_places_are_the_best_of_all(query: str, label: str) -> None:
    def value(places: tuple[int, ...]) -> float:
        starts = sum(label[at].isalnum() and not (at and label[at - 1].isalnum()) for at in places)
        joined = sum(after - before == 1 for before, after in pairwise(places))
        return len(places) + starts + joined

    ways = [
        places
        for places in combinations(range(len(label)), len(query))
        if [label[at].lower() for at in places] == list(query)
    ]
    score, places = match_letters(query, label)
    if not ways:
        assert (score, places) == (0.0, [])
    elif query in label.lower():
        assert [label[at].lower() for at in places] == list(query) and score == 1.5 * value(tuple(places))
    else:
        assert tuple(places) in ways and score == value(tuple(places)) == max(map(value, ways))


def test_a_word_in_one_piece_comes_before_scattered_letters() -> None:
    assert match_letters("log", "Read the log")[0] > match_letters("log", "Lists of groups")[0] > 0
