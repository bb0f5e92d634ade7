"""What a person pastes is rarely an address alone: commands, Markdown, sentences; the one address in it is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.locators import LocatorProblem, parse
from backends.locators.pasted import Pasted

BUILD = "gs://b-1/logs/job/1383510269677801472"
PAGE = "https://prow.example.org/view/gs/b-1/logs/job/1383510269677801472"

AROUND = {
    f"gsutil -m cp -r {BUILD} .": BUILD,
    f"gsutil -m cp -r {BUILD}/ /tmp/x": f"{BUILD}/",
    f"$ gsutil cp -r '{BUILD}/*' .": f"{BUILD}/",
    f"gsutil cp {BUILD}/a.txt gs://mine/a.txt": f"{BUILD}/a.txt",
    f"gcloud storage cp -r {BUILD} .": BUILD,
    f"gcloud storage cp --recursive {BUILD}/** .": f"{BUILD}/",
    f"aws s3 cp --recursive {BUILD.replace('gs', 's3')} . --no-sign-request": BUILD.replace("gs", "s3"),
    f"curl -sSL -o log.txt '{PAGE}?a=1&b=2' | less": f"{PAGE}?a=1&b=2",
    f"wget {PAGE}": PAGE,
    f"[build]({PAGE})": PAGE,
    f'[build]({PAGE} "title")': PAGE,
    f"[{PAGE}]({PAGE})": PAGE,
    f"- [ ] [build 7]({PAGE}) fails": PAGE,
    f"[1]: {PAGE}": PAGE,
    f"<{PAGE}>": PAGE,
    f"It failed in {PAGE}, see there.": PAGE,
    f"Job: {PAGE}\nAgain: {PAGE}": PAGE,
    f'<a href="{PAGE}">build</a>': PAGE,
    PAGE: PAGE,
    f"  `{PAGE}`": PAGE,
}


@pytest.mark.parametrize("text", AROUND)
def test_the_address_in_what_was_pasted_is_meant(text: str) -> None:
    assert Pasted(text).text == AROUND[text]


@pytest.mark.parametrize(
    "text", ["/a dir/jobs https://a.example/x", "~/a b", "./a https://a.example/x", "submit:/a b https://a.example/x"]
)
def test_paths_and_our_own_short_forms_are_taken_as_they_are(text: str) -> None:
    assert Pasted(text).text == text


def test_several_addresses_are_counted_and_none_is_guessed() -> None:
    with pytest.raises(LocatorProblem, match="2 addresses"):
        parse("https://a.example/x".join(["see ", " and https://b.example/y"]))


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["[", "](", ")", "gs://", "https://", " ", "a", "*", "gsutil "])).map("".join)
)
def test_no_text_is_too_odd_to_look_through(text: str) -> None:
    assert Pasted(text).addresses >= 0
