"""What an image says of itself: its format and size, from a whole file or a cut one, of every kind that is shown."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.image_headers import ImageError, ImageHeader, is_image, read_image_header
from tests.images.making import FORMATS, encode, picture, png_of_size

SIDES = st.integers(1, 300)
ENCODED = [encode(picture(30, 20), format) for format in FORMATS]


@given(SIDES, SIDES, st.sampled_from(FORMATS))
def test_format_and_size_are_those_of_the_encoder(width: int, height: int, format: str) -> None:
    assert read_image_header(encode(picture(width, height), format)) == ImageHeader(format, width, height)


KINDS = {
    "lossless WebP": (encode(picture(17, 9), "WEBP", lossless=True), b"VP8L"),
    "lossy WebP": (encode(picture(17, 9), "WEBP"), b"VP8 "),
    "transparent WebP": (
        encode(picture(17, 9), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
        b"VP8X",
    ),
    "progressive JPEG": (encode(picture(17, 9), "JPEG", progressive=True), b"\xff\xc2"),
    "JPEG with a long comment": (encode(picture(17, 9), "JPEG", comment="x" * 60_000), b"\xff\xfe"),
    "grey PNG": (encode(picture(17, 9, "L"), "PNG"), b"IHDR"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_variant_of_a_format_has_its_size_read(kind: str) -> None:
    content, sign = KINDS[kind]
    assert sign in content
    header = read_image_header(content)
    assert (header.width, header.height) == (17, 9)


def test_space_before_the_markers_of_a_jpeg_is_passed_over() -> None:
    content = encode(picture(17, 9), "JPEG")
    frame = content.index(b"\xff\xc0")
    padded = content[:2] + b"\xff\xff\xff" + content[2:frame] + b"\xff" * 5 + content[frame:]
    assert read_image_header(padded) == ImageHeader("JPEG", 17, 9)


@pytest.mark.parametrize("content", [*ENCODED, *(content for content, _ in KINDS.values())])
def test_a_file_cut_anywhere_gives_its_size_or_one_sentence(content: bytes) -> None:
    complete = read_image_header(content)
    known = 0
    for length in (*range(min(len(content), 700)), len(content) - 1):
        try:
            assert read_image_header(content[:length]) == complete
            known += 1
        except ImageError as error:
            assert error.sentence.endswith(".") and error.hint
    assert known


@given(st.sampled_from(ENCODED), st.data())
def test_a_damaged_header_is_never_more_than_an_error_for_the_user(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content[:200])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        header = read_image_header(bytes(damaged))
    except ImageError:
        return
    assert header.format in FORMATS and header.pixels > 0


@given(st.binary(max_size=64))
def test_what_is_no_image_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(ImageError):
        read_image_header(b"<" + content)


def test_the_reasons_differ() -> None:
    def reason(content: bytes) -> str:
        with pytest.raises(ImageError) as caught:
            read_image_header(content)
        return caught.value.sentence

    whole = encode(picture(30, 20), "PNG")
    assert reason(b"") == "The file is empty."
    assert reason(b"<!doctype html>") == "This is not a PNG, JPEG, GIF or WebP image."
    assert reason(b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 40) == "This is not a PNG, JPEG, GIF or WebP image."
    assert reason(whole[:5]) == reason(whole[:22]) == "The image ends before it says how large it is."
    assert reason(png_of_size(0, 20)) == "The image has no pixels."
    # B.2.5: a JPEG may say its height at the end of its first scan only; nobody writes such a file.
    assert reason(b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", 0, 9)) == "The image has no pixels."


@pytest.mark.parametrize(
    ("name", "content_type", "expected"),
    [
        ("public/a.png", "application/octet-stream", True),
        ("public/a.JPG", "", True),
        ("public/a.jpeg", "image/jpeg", True),
        ("public/a.gif", "", True),
        ("public/a.webp", "", True),
        ("public/screenshot", "image/png; charset=binary", True),
        ("public/screenshot-of-1.2.windows-11", "image/png", True),
        ("public/a.svg", "image/svg+xml", False),
        ("public/a.svg", "image/png", False),
        ("public/a.log", "image/png", False),
        ("public/a.tiff", "image/tiff", False),
        ("public/png", "text/plain", False),
        ("public/a.png/log.txt", "", False),
        ("", "", False),
    ],
)
def test_an_image_is_known_by_its_ending_else_by_its_type(name: str, content_type: str, expected: bool) -> None:
    assert is_image(name, content_type) is expected
