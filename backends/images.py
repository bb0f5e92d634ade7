"""Images of servers, decoded with Pillow (extra `images`) within limits, and what is said of one that is not.

They are not trusted: their size is read before anything is decoded, only four formats are, and of an animation only its
first picture.
"""

from __future__ import annotations

import importlib
import io
from typing import Any

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import format_bytes
from backends.http.errors import sanitize
from backends.image_headers import ImageError, ImageHeader

MAX_BYTES = 32 << 20  # of a file that is read to be shown
MAX_PIXELS = 40_000_000  # a page of 1,920 pixels and 20,000 lines; decoded it takes 160 MB
# A JPEG draws all of its pixels again in each of its scans (usually up to 10), and one of 10 bytes will do.
_MAX_DRAWN = 1_000_000_000
# What shows every pixel that a terminal has room for; more is not kept.
KEPT_SIZE = (3_840, 2_400)
_PLUGINS = {"PNG": "PngImagePlugin", "JPEG": "JpegImagePlugin", "GIF": "GifImagePlugin", "WEBP": "WebPImagePlugin"}
_NAMES = {"WEBP": "WebP"}


class PillowMissingError(AppError):
    """Pillow is not installed, so no image is decoded."""


class _ImageFile(io.BytesIO):
    """The bytes for Pillow, which reads them in pieces; each is the time to stop."""

    def __init__(self, content: bytes, cancel: CancelToken) -> None:
        super().__init__(content)
        self._cancel = cancel

    def read(self, size: int | None = -1, /) -> bytes:
        self._cancel.check()
        return super().read(size)


def describe_image(header: ImageHeader | None, size: int | None, content_type: str) -> str:
    """What is known of an image: "PNG image · 1,280 × 720 pixels · 12.3 kB · image/png". `size`: bytes."""
    parts = []
    if header is not None:
        parts += [f"{_NAMES.get(header.format, header.format)} image"]
        parts += [f"{header.width:,} × {header.height:,} pixels"]
    parts += [format_bytes(size)] if size is not None else []
    parts += [sanitize(content_type, 60)] if content_type else []
    return " · ".join(parts) or "unknown type and size"


def check_size(header: ImageHeader) -> None:
    """Raises `ImageError` for an image that would take too much memory."""
    if header.pixels > MAX_PIXELS:
        millions = MAX_PIXELS // 1_000_000
        raise ImageError(f"It has more than {millions} million pixels.", "Download it, or open it in the browser.")


def decode_image(content: bytes, header: ImageHeader, cancel: CancelToken) -> Any:
    """The (first) picture as a Pillow image in RGB on white, made smaller where it exceeds `KEPT_SIZE`.

    Raises `PillowMissingError`, and `ImageError` for what is damaged, too large, or another format than its header's.
    """
    check_size(header)
    if header.format == "JPEG" and content.count(b"\xff\xda") * header.pixels > _MAX_DRAWN:
        raise ImageError("It would take too long to decode.", "Download it, or open it in the browser.")
    try:
        from PIL import Image

        importlib.import_module(f"PIL.{_PLUGINS[header.format]}")  # it alone, or Pillow imports all that it has
    except ImportError:
        raise PillowMissingError(
            "Pillow, which decodes images, is not installed.", "Install ciexplore[images] to see them."
        ) from None
    try:
        with Image.open(_ImageFile(content, cancel), formats=[header.format]) as image:
            check_size(ImageHeader(header.format, *image.size))  # what Pillow takes for the size may differ from ours
            image.draft("RGB", KEPT_SIZE)  # JPEG only: decodes a half, a quarter or an eighth of the size
            image.load()
            picture = _to_rgb(Image, image)
    except (AppError, OperationCancelledError):
        raise
    except Exception as error:  # what the decoders raise for damaged files has no common class
        why = sanitize(str(error), 120).rstrip(".") or type(error).__name__
        raise ImageError(f"The image cannot be decoded: {why}.", "Download it, or open it in the browser.") from error
    picture.thumbnail(KEPT_SIZE)
    return picture


def _to_rgb(module: Any, image: Any) -> Any:
    if image.mode.startswith("I"):  # 16 bits of grey, of which the upper 8 are shown
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = module.new("RGB", layer.size, "white")
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return image.convert("RGB")
