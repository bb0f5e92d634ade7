"""Images of servers are not trusted: what is too large, damaged or something else ends in one sentence."""

from __future__ import annotations

import io
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.image_headers import ImageError, ImageHeader, read_image_header
from backends.images import KEPT_SIZE, PillowMissingError, decode_image, describe_image
from tests.images.making import FORMATS, encode, picture, png_of_size


def decode(content: bytes) -> Image.Image:
    found = decode_image(content, read_image_header(content), CancelToken())
    assert isinstance(found, Image.Image)
    return found


def reason(content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode(content)
    return caught.value.sentence


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_becomes_the_same_picture(format: str) -> None:
    found = decode(encode(picture(60, 40), format))
    assert found.mode == "RGB" and found.size == (60, 40)
    left, right = found.getpixel((2, 20)), found.getpixel((57, 20))
    assert isinstance(left, tuple) and isinstance(right, tuple)
    assert right[0] - left[0] > 150 and abs(right[1] - left[1]) < 30  # red grows to the right


def test_what_is_transparent_is_white_as_in_a_browser() -> None:
    layer = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    layer.putpixel((0, 0), (10, 20, 30, 255))
    found = decode(encode(layer, "PNG"))
    assert found.getpixel((0, 0)) == (10, 20, 30) and found.getpixel((3, 3)) == (255, 255, 255)


def test_sixteen_bits_of_grey_are_shown_by_their_upper_eight() -> None:
    grey = Image.new("I;16", (4, 4), 0x8000)
    assert decode(encode(grey, "PNG")).getpixel((1, 1)) == (128, 128, 128)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_every_kind_of_png_is_decoded(mode: str) -> None:
    assert decode(encode(picture(20, 10, mode), "PNG")).mode == "RGB"


def test_a_jpeg_for_printing_is_decoded() -> None:
    assert decode(encode(picture(20, 10, "CMYK"), "JPEG")).mode == "RGB"


def test_of_an_animation_the_first_picture_is_shown() -> None:
    red, blue = Image.new("RGB", (6, 6), (255, 0, 0)), Image.new("RGB", (6, 6), (0, 0, 255))
    for format, options in (("GIF", {}), ("WEBP", {"lossless": True})):
        content = encode(red, format, save_all=True, append_images=[blue], **options)
        assert decode(content).getpixel((3, 3)) == (255, 0, 0)


def test_a_large_image_is_kept_no_larger_than_a_terminal_can_show() -> None:
    found = decode(encode(Image.new("L", (6000, 3000)), "PNG"))
    assert found.size == (3840, 1920) and found.width <= KEPT_SIZE[0]


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 1), (2**32 - 1, 2**32 - 1), (8_000, 5_001)])
def test_an_image_of_too_many_pixels_is_refused_before_anything_decodes_it(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert reason(png_of_size(*size)) == "It has more than 40 million pixels."


def test_a_bomb_that_says_another_size_to_pillow_than_to_us_is_refused() -> None:
    content = png_of_size(30_000, 30_000)  # Pillow's own limit, too
    with pytest.raises(ImageError):
        decode_image(content, ImageHeader("PNG", 10, 10), CancelToken())
    content = png_of_size(8_000, 6_000)  # below Pillow's limit
    with pytest.raises(ImageError, match="more than 40 million"):
        decode_image(content, ImageHeader("PNG", 10, 10), CancelToken())


def test_a_png_with_less_or_more_data_than_pixels_is_no_crash() -> None:
    assert "cannot be decoded" in reason(png_of_size(100, 100, b"\0" * 50))
    assert decode(png_of_size(10, 10, b"\0" * 5_000_000)).size == (10, 10)


def test_a_jpeg_that_is_drawn_thousands_of_times_is_refused() -> None:
    content = encode(Image.new("L", (4_000, 4_000)), "JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    assert reason(content[:-2] + scan * 1_000 + b"\xff\xd9") == "It would take too long to decode."
    assert decode(content).width <= KEPT_SIZE[0]


def test_a_gif_whose_picture_is_larger_than_its_screen_is_refused_or_small() -> None:
    content = bytearray(encode(Image.new("L", (10, 10)), "GIF"))
    place = content.index(b"\x2c")
    content[place + 5 : place + 9] = struct.pack("<HH", 0xFFFF, 0xFFFF)
    assert reason(bytes(content))


def test_another_format_than_the_four_is_not_decoded() -> None:
    buffer = io.BytesIO()
    picture(8, 8).save(buffer, "TIFF")
    assert reason(buffer.getvalue()) == "This is not a PNG, JPEG, GIF or WebP image."
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_image(buffer.getvalue(), ImageHeader("PNG", 8, 8), CancelToken())
    with pytest.raises(ImageError, match="cannot be decoded"):  # a JPEG under the header of a PNG
        decode_image(encode(picture(8, 8), "JPEG"), ImageHeader("PNG", 8, 8), CancelToken())


@given(st.sampled_from([encode(picture(40, 30), format) for format in FORMATS]), st.data())
def test_a_damaged_image_is_a_picture_or_one_sentence(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(damaged)))
    try:
        assert decode(bytes(damaged[:end])).mode == "RGB"
    except ImageError as error:
        assert error.sentence.endswith(".") and "\n" not in error.sentence and "\x1b" not in error.sentence


def test_leaving_ends_the_decoding() -> None:
    content = encode(picture(300, 300), "JPEG")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(OperationCancelledError):
        decode_image(content, read_image_header(content), cancel)


def test_without_pillow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(picture(8, 8), "PNG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(PillowMissingError, match=r"ciexplore\[images\]"):
        decode(content)


def test_the_facts_are_in_one_line() -> None:
    header = ImageHeader("WEBP", 1280, 720)
    assert describe_image(header, 12_345, "image/webp") == "WebP image · 1,280 × 720 pixels · 12.3 kB · image/webp"
    assert describe_image(None, None, "image/png") == "image/png"
    assert describe_image(None, None, "") == "unknown type and size"
    assert "\x1b" not in describe_image(None, 5, "image/\x1b]52;c;x\x07png")
