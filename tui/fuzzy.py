"""Matching by letters in their order: "dlmr" finds "Download the marked rows"."""

from __future__ import annotations


def match_letters(query: str, label: str) -> tuple[float, list[int]]:
    """(score, places of the letters in the label); (0, []) if it does not have them in that order, in either case.

    A letter counts 1, and 1 more at the start of a word and right after the letter before; in one piece all count
    half as much again. The best places are found in O(len(query) · len(label)): trying all ways to place a word takes
    hours where its letters are frequent.
    """
    if not 0 < len(query) <= len(label):
        return 0.0, []
    wanted, letters = _lower(query), _lower(label)
    at = -1
    for letter in wanted:
        try:
            at = letters.index(letter, at + 1)
        except ValueError:
            return 0.0, []
    starts = [here.isalnum() and not before.isalnum() for before, here in zip([" ", *letters], letters, strict=False)]
    whole = "".join(letters).find("".join(wanted))
    if whole >= 0:
        places = list(range(whole, whole + len(wanted)))
        return 1.5 * (2 * len(wanted) - 1 + sum(starts[place] for place in places)), places
    best: list[float] = [0.0] * len(letters)  # of the letters so far, the last one at that place; -1: not there
    came_from: list[list[int]] = []
    for number, letter in enumerate(wanted):
        scores, sources = [-1.0] * len(letters), [-1] * len(letters)
        top, top_place = (0.0, -1) if not number else (-1.0, -1)  # the best place before the one before this
        for place, here in enumerate(letters):
            if here == letter:
                score, source = top, top_place
                if number and place and best[place - 1] >= 0 and best[place - 1] + 1 >= score:
                    score, source = best[place - 1] + 1, place - 1
                if score >= 0:
                    scores[place], sources[place] = score + 1 + starts[place], source
            if number and place and best[place - 1] > top:
                top, top_place = best[place - 1], place - 1
        best = scores
        came_from.append(sources)
    place = max(range(len(best)), key=best.__getitem__)
    score, places = best[place], []
    for sources in reversed(came_from):
        places.append(place)
        place = sources[place]
    return score, places[::-1]


def _lower(text: str) -> list[str]:
    """Letter by letter: some get longer in lower case, and places have to stay."""
    return [lower if len(lower := letter.lower()) == 1 else letter for letter in text]
