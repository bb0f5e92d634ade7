"""The format and the size in pixels of an image, from its first bytes and without decoding it: PNG, JPEG, GIF, WebP.

Sources: W3C PNG (third edition) 5.2 and 11.2.1; ITU-T T.81 (JPEG) B.1.1 and B.2.2; GIF89a 17 and 18; RFC 9649 (WebP)
2.4 to 2.7.
"""

from __future__ import annotations

from dataclasses import dataclass

from backends.errors import AppError

_TYPES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"})
_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_OTHER_ENDINGS = 6  # characters of an ending at most: what follows the last dot of a longer name is not its type
_PNG, _JPEG, _GIFS, _RIFF, _WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", (b"GIF87a", b"GIF89a"), b"RIFF", b"WEBP"
SIGNATURES = (_PNG, _JPEG, *_GIFS, _RIFF)  # what files of these formats begin with
# JPEG's markers: frames begin with SOF0 to SOF15, between which three others are; RST0 to RST7, TEM have no length.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_SCAN, _END = 0xDA, 0xD9


class ImageError(AppError):
    """A file that cannot be shown as an image: it is none, is damaged, or is too large."""

    exit_code = 1


@dataclass(frozen=True)
class ImageHeader:
    """What an image says of itself. `format`: PNG, JPEG, GIF or WEBP, as Pillow calls them; the size is in pixels."""

    format: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


def is_image(name: str, content_type: str) -> bool:
    """Whether a file is one of these images by its ending, else by its type: many workers say
    application/octet-stream of everything."""
    last = name.rpartition("/")[2].lower()
    if last.endswith(_ENDINGS):
        return True
    ending = last.rpartition(".")[2] if "." in last else ""
    return _media_type(content_type) in _TYPES and not 0 < len(ending) <= _OTHER_ENDINGS


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def read_image_header(content: bytes) -> ImageHeader:
    """The header of a complete file or of its beginning. Raises `ImageError`."""
    read = {b"\x89": _read_png, b"\xff": _read_jpeg, b"G": _read_gif, b"R": _read_webp}.get(content[:1])
    if not content:
        raise ImageError("The file is empty.", "Look at the log for why it was not written.")
    try:
        header = read(content) if read is not None else None
    except IndexError:
        raise ImageError("The image ends before it says how large it is.", "Was its upload cut short?") from None
    if header is None:
        raise ImageError("This is not a PNG, JPEG, GIF or WebP image.", "Download it, or open it in the browser.")
    if not header.pixels:
        raise ImageError("The image has no pixels.", "Download it, or open it in the browser.")
    return header


def _cut(content: bytes, start: int, length: int) -> bytes:
    """These bytes. Raises `IndexError` where the content ends before."""
    piece = content[start : start + length]
    if len(piece) < length:
        raise IndexError
    return piece


def _big(content: bytes, start: int, length: int) -> int:
    return int.from_bytes(_cut(content, start, length), "big")


def _little(content: bytes, start: int, length: int) -> int:
    return int.from_bytes(_cut(content, start, length), "little")


def _read_png(content: bytes) -> ImageHeader | None:
    if not content.startswith(_PNG[: len(content)]):
        return None
    _cut(content, 0, len(_PNG))
    return ImageHeader("PNG", _big(content, 16, 4), _big(content, 20, 4)) if _cut(content, 12, 4) == b"IHDR" else None


def _read_gif(content: bytes) -> ImageHeader | None:
    if not any(content.startswith(sign[: len(content)]) for sign in _GIFS):
        return None
    return ImageHeader("GIF", _little(content, 6, 2), _little(content, 8, 2))


def _read_jpeg(content: bytes) -> ImageHeader | None:
    """The size is in the header of the first frame, behind tables and comments of any number."""
    if not content.startswith(_JPEG[: len(content)]):
        return None
    place = 2
    while True:
        if _cut(content, place, 1) != b"\xff":
            return None
        while content[place] == 0xFF:  # any number of them may fill the space before a marker
            place += 1
        marker, place = content[place], place + 1
        if marker in _FRAMES:
            return ImageHeader("JPEG", _big(content, place + 5, 2), _big(content, place + 3, 2))
        if marker in (0, _SCAN, _END):
            return None
        if marker not in _WITHOUT_LENGTH:
            place += max(2, _big(content, place, 2))


def _read_webp(content: bytes) -> ImageHeader | None:
    if not content.startswith(_RIFF[: len(content)]) or _cut(content, 8, 4) != _WEBP:
        return None
    match _cut(content, 12, 4):
        case b"VP8 ":  # lossy: a key frame of VP8 (RFC 6386, 9.1)
            if _cut(content, 23, 3) != b"\x9d\x01\x2a":
                return None
            return ImageHeader("WEBP", _little(content, 26, 2) & 0x3FFF, _little(content, 28, 2) & 0x3FFF)
        case b"VP8L":  # lossless
            if _cut(content, 20, 1) != b"\x2f":
                return None
            bits = _little(content, 21, 4)
            return ImageHeader("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8X":  # with animation, transparency or metadata
            return ImageHeader("WEBP", _little(content, 24, 3) + 1, _little(content, 27, 3) + 1)
    return None
