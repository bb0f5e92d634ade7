"""Where a member goes below the unpacked directory: its path made safe, or a reason why it goes nowhere.

A name that would leave the directory (`..`, absolute, with a drive) is refused and not bent into something else.
Otherwise the rules are those of downloads (`backends.transfers.names`). Of names that some disk takes for one, the
first of the archive keeps its spelling and the others get "~" and a hash; of a name that comes twice, the first stays.
"""

from __future__ import annotations

import hashlib
import re

from backends.transfers import names

_DRIVE = re.compile(r"[A-Za-z]:")
_SPLIT = re.compile(r"[/\\]")
Place = tuple[str, ...]
TWICE = "the archive has this name twice"
OUTSIDE = "its name leads outside"


class Places:
    """Gives places to the members of one archive, in its order."""

    def __init__(self) -> None:
        self._taken: dict[Place, tuple[str, bool]] = {}  # folded path -> (raw path, whether it is a directory)
        self._spelled: dict[Place, Place] = {}  # folded path of a directory -> as it is on the disk

    def of(self, raw: str, *, directory: bool) -> Place | str:
        """The place, or why there is none. A directory may come again."""
        if not raw or raw[0] in "/\\" or _DRIVE.match(raw) or ".." in _SPLIT.split(raw):
            return OUTSIDE if raw else "it has no name"
        parts = tuple(part for part in raw.split("/") if part not in ("", "."))
        if not parts:
            return () if directory else "it has no name"
        bounded = names.assign([("", parts)])[""]
        above: Place = ()
        folded: Place = ()
        # A path that was cut short has other elements than its raw name: then the element is its own raw name.
        raws = parts if len(parts) == len(bounded) else bounded
        for at, name in enumerate(bounded):
            last = at == len(bounded) - 1
            as_directory = directory or not last
            found = self._one(folded, name, "/".join(raws[: at + 1]), as_directory)
            if isinstance(found, str):
                return found
            folded, spelled = found
            above = (*above, spelled)
        return above

    def _one(self, above: Place, name: str, raw: str, directory: bool) -> tuple[Place, str] | str:
        digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
        for spelling in (name, _with_hash(name, digest[:10]), _with_hash(name, digest[:32])):
            folded = (*above, names.fold(spelling))
            known = self._taken.setdefault(folded, (raw, directory))
            if known == (raw, directory) and (directory or folded not in self._spelled):
                self._spelled[folded] = (spelling,)
                return folded, spelling
            if known[0] == raw and not directory and not known[1]:
                return TWICE
        return "another member has its name"


def _with_hash(name: str, digest: str) -> str:
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or len(extension) > 8:
        stem, extension = name, ""
    room = 255 - 33 - len(f".{extension}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}~{digest}{dot if extension else ''}{extension}"
