"""What is offered for a text that names no single locator: all of it opens, and nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.locators import InvalidLocatorError
from backends.locators.choices import MOST, find_revision, revision_choices, several_choices
from backends.locators.pasted import as_one_line
from backends.systems import parse_locator

REVISION = "16982c3917d48705cec95cd128fe1639072bb844"
GROUP, OTHER = "Y33uyQ0GR_eMGr1zdJzLAQ", "nBz65hUrS3GW2oHxG1DUIw"
PAGE = f"https://tc.example.org/tasks/groups/{GROUP}"
BUILD = "https://prow.example.org/view/gs/b-1/logs/job/8"


def test_a_full_revision_is_offered_as_push_performance_and_source_the_push_first() -> None:
    choices = revision_choices(REVISION)
    assert choices[0].text == f"taskcluster:push/autoland/{REVISION}"
    assert {choice.text.partition(":")[0] for choice in choices} == {"taskcluster", "treeherder", "archives"}
    assert [parse_locator(choice.text).system for choice in choices] == [
        choice.text.partition(":")[0] for choice in choices
    ]
    assert f"archives:integration/autoland@{REVISION}" in [choice.text for choice in choices]


def test_a_repository_that_is_known_to_have_the_revision_comes_first() -> None:
    assert revision_choices(REVISION, ["Push to try: 16982c3917d4"])[0].text == f"taskcluster:push/try/{REVISION}"


def test_a_short_revision_is_not_offered_to_the_index_which_has_full_ones_only() -> None:
    choices = revision_choices(REVISION[:12])
    assert choices[0].text == f"treeherder:push/autoland/{REVISION[:12]}"
    assert all(parse_locator(choice.text) for choice in choices)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (REVISION, REVISION), (REVISION.upper(), REVISION), (f"try {REVISION[:12]}", REVISION[:12]),
        (REVISION[:11], ""), ("2123570075066699778", ""), (f"{REVISION} {REVISION[:12]}", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_revision_is_a_word_of_12_to_40_digits(text: str, found: str) -> None:
    assert find_revision(text) == found


def test_several_urls_and_ids_are_offered_in_their_order() -> None:
    text = f"look at {PAGE}, {OTHER} and\n<{BUILD}|this>"
    assert [choice.text for choice in several_choices(text)] == [PAGE, OTHER, BUILD]
    assert [choice.title for choice in several_choices(text)] == [f"groups/{GROUP}", OTHER, "job/8"]


@pytest.mark.parametrize("between", ["\n", ", ", " "])
def test_two_ids_can_be_compared(between: str) -> None:
    choices = several_choices(f"{GROUP}{between}{OTHER}")
    assert [choice.text for choice in choices] == [GROUP, OTHER, f"taskcluster:compare/{GROUP}..{OTHER}"]
    assert choices[0].section == "2 ids of tasks or task groups"
    assert all(parse_locator(choice.text) for choice in choices)


@pytest.mark.parametrize(
    "text", ["", GROUP, PAGE, f"gsutil cp {BUILD} s3://bucket/x", "twenty words of prose " * 20, PAGE + "\n" + PAGE]
)
def test_a_text_that_means_one_thing_has_no_choices(text: str) -> None:
    assert several_choices(text) == []


def test_of_very_many_the_first_are_offered_and_that_is_said() -> None:
    choices = several_choices("\n".join(f"https://tc.example.org/tasks/{n}" for n in range(MOST + 10)))
    assert len(choices) == MOST and choices[0].section == f"The first {MOST} of {MOST + 10} URLs"


def test_a_bare_revision_says_how_to_name_its_repository() -> None:
    with pytest.raises(InvalidLocatorError, match="is a revision") as raised:
        parse_locator(REVISION)
    assert "taskcluster:push/REPOSITORY/REVISION" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "line"), [(f"{PAGE[:40]}\n{PAGE[40:]}\n", PAGE), (f"see\n{PAGE}", f"see {PAGE}"),
                       (f"{PAGE}\n{BUILD}", f"{PAGE} {BUILD}"), (f"{GROUP}\n{OTHER}", f"{GROUP} {OTHER}")],
)  # fmt: skip
def test_lines_become_one_and_a_broken_url_whole(text: str, line: str) -> None:
    assert as_one_line(text) == line


@given(st.text(max_size=200) | st.lists(st.sampled_from([GROUP, PAGE, REVISION, " ", ",", "\n", "/"])).map("".join))
def test_no_text_is_too_odd(text: str) -> None:
    assert len(several_choices(text)) != 1 and " " not in find_revision(text)
