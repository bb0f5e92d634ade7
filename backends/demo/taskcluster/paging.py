"""How the queue's lists are cut into pages: limits, and the opaque tokens with their real surprises.

A task group's token is a scrambled offset: a damaged one silently means the first page, one with characters outside
its alphabet is refused. An artifact list's token is base64 of the last key: a damaged one restarts, too.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence

import msgspec

from backends.demo.seeds import number

PAGE = 1_000
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890"
_CHECK_BITS = 24
_SCRAMBLE = 0x5DEECE66D3A9


def page_size(limit: str | None) -> int:
    """What `limit` comes to: at most a thousand, which is also the default."""
    return PAGE if limit is None else min(int(limit), PAGE)


def offset_token(offset: int) -> str:
    value = ((offset << _CHECK_BITS) | _check(offset)) ^ _SCRAMBLE
    letters = ""
    while value:
        value, digit = divmod(value, len(_ALPHABET))
        letters += _ALPHABET[digit]
    return letters


def _check(offset: int) -> int:
    return number("offset token", offset) & ((1 << _CHECK_BITS) - 1)


def offset_of(token: str) -> int:
    """The offset that a token holds, 0 if it is damaged; ValueError if it cannot be a token at all."""
    if not token or any(letter not in _ALPHABET for letter in token):
        raise ValueError(token)
    value = 0
    for letter in reversed(token):
        value = value * len(_ALPHABET) + _ALPHABET.index(letter)
    value ^= _SCRAMBLE
    offset = value >> _CHECK_BITS
    return offset if value & ((1 << _CHECK_BITS) - 1) == _check(offset) else 0


def key_token(*key: str | int) -> str:
    return b64encode(msgspec.json.encode(key)).decode()


def name_of(token: str, task_id: str, run_id: int) -> str:
    """The artifact name after which to go on, "" (the start) if the token is damaged or of another run."""
    try:
        key = msgspec.json.decode(b64decode(token, validate=True), type=tuple[str, int, str])
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return key[2] if key[:2] == (task_id, run_id) else ""


def after(names: Sequence[str], name: str) -> int:
    """The first position of the sorted `names` that lies behind `name`."""
    return next((position for position, other in enumerate(names) if other > name), len(names))
