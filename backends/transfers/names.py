"""Assigns a target path to each remote file: all names are safe, and no two files collide.

Rules, in order:
- one element of `RemoteFile.parts` becomes one directory or file name: a "/" inside a task name becomes "_";
- characters that some file system or terminal misinterprets become "_" (controls, bidi and other invisible ones, lone
  surrogates, ``\\ : * ? " < > |``); so do trailing dots and spaces; Windows' device names get a leading "_"; an empty
  element (a doubled slash) becomes "_", so it differs from a single slash; Unicode is NFC;
- names longer than `NAME_BYTES` keep their beginning and extension around a hash of the full name;
- names that would collide on a case-insensitive or normalizing disk, or a file where another needs a directory, get
  "~" and a hash of their own spelling. All names of a colliding group do (except a single directory), so the result
  does not depend on the order of the input;
- a file that got a target in an earlier run keeps it: `taken`.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# 255 is the limit of nearly every file system; the collision hash (33) and ".part" (5) must still fit.
NAME_BYTES = 255 - 33 - 5
# PATH_MAX is 1024 on macOS and 4096 on Linux: leaves room for the output directory's own path.
PATH_BYTES = 700
DEPTH = 64
OWN_DIRECTORY = ".ciexplore"

_HASH_CHARS = (0, 10, 32)  # by level: 10 suffice against chance, 32 (128 bits) against an attacker
_UNSAFE = frozenset('/\\:*?"<>|')
_PLAIN = re.compile(r"""[ !#-)+-.0-9;=@-[\]-{}~]+""")  # safe ASCII, as nearly all names are
_REPEATED = 1 << 13  # cached names: those of 10,000 files are mostly the same few ("public", "live.log")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"]
)

Target = tuple[str, ...]


@functools.lru_cache(_REPEATED)
def safe_name(raw: str) -> str:
    """A name that every file system accepts; different elements may give the same name."""
    text = raw if _PLAIN.fullmatch(raw) else _without_unsafe(raw)
    stripped = text.rstrip(". ")
    text = stripped + "_" * (len(text) - len(stripped))
    if not text:
        return "_"
    if text.split(".", 1)[0].rstrip(" ").lower() in _DEVICES:
        text = f"_{text}"
    if len(text.encode()) > NAME_BYTES:
        text = with_hash(text, _digest(raw)[:10])
    return text


@functools.lru_cache(_REPEATED)
def fold(name: str) -> str:
    """The same for all spellings that some file system treats as one name."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def is_safe(target: Sequence[str]) -> bool:
    """Whether a recorded target is one that `assign` could have made: manifests can be edited."""
    return bool(target) and fold(target[0]) != OWN_DIRECTORY and all(map(_is_plain_name, target))


def assign(
    files: Iterable[tuple[str, tuple[str, ...]]], taken: Mapping[str, Target] | None = None
) -> dict[str, Target]:
    """(key, parts) of each file -> key: target. Keys must be unique. `taken`: key -> target of earlier runs."""
    occupied = _TakenNames()
    old = {key: target for key, target in sorted((taken or {}).items()) if is_safe(target) and occupied.add(target)}
    root = _Directory()
    targets: dict[str, Target] = {}
    for key, parts in files:
        if key in old:
            targets[key] = old[key]
            continue
        *above, name = _shorten(parts or ("",))
        directory = root
        for element in above:
            directory = directory.directories.setdefault(element, _Directory())
        directory.files.append((name, key))
    _assign_all(root, occupied, targets)
    return targets


@dataclass
class _Directory:
    """A directory as the server spells it."""

    directories: dict[str, _Directory] = field(default_factory=dict)
    files: list[tuple[str, str]] = field(default_factory=list)  # (name, key)


@dataclass
class _TakenNames:
    """Names taken by earlier runs: folded name -> spelling and, for a directory, its names."""

    names: dict[str, tuple[str, _TakenNames | None]] = field(default_factory=dict)

    def add(self, target: Target) -> bool:
        """False if the target collides with another one, which only happens in an edited manifest."""
        here = self
        for name in target[:-1]:
            spelling, below = here.names.setdefault(fold(name), (name, _TakenNames()))
            if below is None or spelling != name:
                return False
            here = below
        return here.names.setdefault(fold(target[-1]), mine := (target[-1], None)) is mine


@dataclass
class _Member:
    """A file or directory without a final name; `level` (length of its hash) grows until the name is unique."""

    raw: str
    identity: str
    directory: _Directory | None
    key: str = ""
    level: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        self.name = safe_name(self.raw)

    def grow(self) -> bool:
        if self.level == len(_HASH_CHARS) - 1:
            return False
        self.level += 1
        self.name = with_hash(safe_name(self.raw), _digest(self.identity)[: _HASH_CHARS[self.level]])
        return True


def _assign_all(root: _Directory, occupied: _TakenNames, targets: dict[str, Target]) -> None:
    waiting: list[tuple[_Directory, _TakenNames, Target]] = [(root, occupied, ())]
    while waiting:
        directory, held, above = waiting.pop()
        members = [_Member(raw, f"d\0{raw}", below) for raw, below in directory.directories.items()]
        members += [_Member(raw, f"f\0{raw}\0{key}", None, key) for raw, key in directory.files]
        _make_distinct(members, held, top=not above)
        for member in members:
            target = (*above, member.name)
            if member.directory is None:
                targets[member.key] = target
            else:
                _, below = held.names.get(fold(member.name), ("", None))
                waiting.append((member.directory, below or _TakenNames(), target))


def _make_distinct(members: list[_Member], held: _TakenNames, *, top: bool) -> None:
    """Lengthens colliding names until none collide: each round lengthens one, and each at most twice."""
    while True:
        groups: dict[str, list[_Member]] = {}
        for member in members:
            groups.setdefault(fold(member.name), []).append(member)
        clashes = []
        for folded, group in groups.items():
            spared = None if top and folded == OWN_DIRECTORY else _name_keeper(group, held.names.get(folded))
            taken = folded in held.names or (top and folded == OWN_DIRECTORY)
            if len(group) > 1 or (taken and spared is None):
                clashes.append((group, spared))
        if not clashes:
            return
        for group, spared in clashes:
            grown = [member.grow() for member in group if member is not spared]
            if not any(grown) and not (spared and spared.grow()):
                raise AssertionError("two names have one SHA-256")


def _name_keeper(group: list[_Member], held: tuple[str, _TakenNames | None] | None) -> _Member | None:
    """The member of a group that keeps its name: its only directory, unless an earlier run took the name."""
    directories = [member for member in group if member.directory is not None]
    if len(directories) != 1:
        return None
    free = held is None or (held[1] is not None and held[0] == directories[0].name)
    return directories[0] if free else None


def _shorten(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The parts; for a path that is too long or deep: its first directory, a hash, and the file name."""
    if len(parts) <= DEPTH and sum(len(part) + 1 for part in parts) * 4 <= PATH_BYTES:
        return parts  # cannot be too long in any encoding
    if len(parts) <= DEPTH and sum(len(safe_name(part).encode()) + 1 for part in parts) <= PATH_BYTES:
        return parts
    return (parts[0], f"long-path~{_digest(chr(0).join(parts[:-1]))[:32]}", parts[-1])


@functools.lru_cache(_REPEATED)
def _is_plain_name(name: str) -> bool:
    if name in ("", ".", "..") or len(name.encode("utf-8", "replace")) > 255:
        return False
    return bool(_PLAIN.fullmatch(name)) or not any(map(_is_unsafe, name))


def _without_unsafe(raw: str) -> str:
    return unicodedata.normalize("NFC", "".join("_" if _is_unsafe(char) else char for char in raw))


def _is_unsafe(char: str) -> bool:
    if char in _UNSAFE:
        return True
    if char.isascii():
        return char < " " or char == "\x7f"
    return unicodedata.category(char) in _INVISIBLE or ord(char) & 0xFFFE == 0xFFFE


def with_hash(name: str, digest: str) -> str:
    """name.tar.gz -> name~digest.tar.gz, cut so that the name without the digest fits NAME_BYTES."""
    stem, extension = _split_extension(name)
    room = NAME_BYTES - len(extension.encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}~{digest}{extension}"


def _split_extension(name: str) -> tuple[str, str]:
    """Splits off up to two short extensions: ("target", ".tar.bz2"); a leading dot starts no extension."""
    extension = ""
    stem = name
    for _ in range(2):
        head, dot, tail = stem.rpartition(".")
        if not dot or not head or not 0 < len(tail) <= 8 or not (tail.isascii() and tail.isalnum()):
            break
        extension, stem = f".{tail}{extension}", head
    return stem, extension


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
