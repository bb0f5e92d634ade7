"""What a person pastes is rarely an address alone: commands, Markdown, sentences; the one address in it is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.locators import InvalidLocatorError
from backends.locators.pasted import PastedText
from backends.systems import parse_locator

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
    f"/usr/bin/gsutil -m rsync -r {BUILD} ./out": BUILD,
    f"~/google-cloud-sdk/bin/gcloud storage ls -r {BUILD}": BUILD,
    f"CLOUDSDK_CORE_PROJECT=a ./gsutil -u b cat {BUILD}/a.txt|less": f"{BUILD}/a.txt",
    f"gsutil ls {BUILD};ls": BUILD,
    f"aws s3 --endpoint-url https://minio.example.org ls {BUILD.replace('gs', 's3')}/": f"{BUILD.replace('gs', 's3')}/",
    f"gsutil cp '{BUILD}/artifacts/a b.txt' .": f"{BUILD}/artifacts/a b.txt",
    f"<{PAGE}|the build>": PAGE,
    f"see <{PAGE}|the build>, please": PAGE,
    f"[the build|{PAGE}]": PAGE,
    f"**{PAGE}**": PAGE,
    f"It is _{PAGE}_ again": PAGE,
    f"*{PAGE}*": PAGE,
    f"{PAGE} failed again": PAGE,
    f"{PAGE}\nfailed again": PAGE,
    f"{PAGE}\n{PAGE}": PAGE,
}


@pytest.mark.parametrize("text", AROUND)
def test_the_address_in_what_was_pasted_is_meant(text: str) -> None:
    assert PastedText(text).text == AROUND[text]


@pytest.mark.parametrize(
    "text", ["/a dir/jobs https://a.example/x", "~/a b", "./a https://a.example/x", "submit:/a b https://a.example/x"]
)
def test_paths_and_our_own_short_forms_are_taken_as_they_are(text: str) -> None:
    assert PastedText(text).text == text


@pytest.mark.parametrize("text", ["gs://b-1/logs/job/7/a b.txt", "s3://b-1/logs/job/7/a  b|c;d.txt"])
def test_names_in_a_bucket_keep_what_addresses_cannot_hold(text: str) -> None:
    assert PastedText(text).text == text


def test_an_address_that_was_broken_over_two_lines_is_one() -> None:
    assert parse_locator(f"{PAGE[:40]}\n{PAGE[40:]}") == parse_locator(PAGE)


@pytest.mark.parametrize("between", [" ", "\n", "\t"])
@pytest.mark.parametrize("first", [PAGE, BUILD])
def test_of_two_addresses_none_is_opened(first: str, between: str) -> None:
    with pytest.raises(InvalidLocatorError, match="2 URLs"):
        parse_locator(f"{first}{between}https://prow.example.org/view/gs/b-1/logs/job/8")


def test_several_addresses_are_counted_and_none_is_guessed() -> None:
    with pytest.raises(InvalidLocatorError, match="2 URLs"):
        parse_locator("https://a.example/x".join(["see ", " and https://b.example/y"]))


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["[", "](", ")", "gs://", "https://", " ", "a", "*", "gsutil "])).map("".join)
)
def test_no_text_is_too_odd_to_look_through(text: str) -> None:
    assert PastedText(text).addresses >= 0
