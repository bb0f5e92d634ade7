"""Archives as tests want them: honest ones, and ones that no honest tool would make."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import zstandard

from backends.atomic import DirectoryTree
from backends.cancel import CancelToken
from backends.extraction.extractor import ExtractionResult, extract_into
from backends.extraction.limits import ExtractionLimits

COMPRESS = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": lambda raw: bz2.compress(raw, 1),
    "tar.xz": lambda raw: lzma.compress(raw, preset=0),
    "tar.zst": zstandard.ZstdCompressor().compress,
}
FORMS = ["zip", *COMPRESS]


def tarred(*members: tuple[str, Any], form: int = tarfile.PAX_FORMAT) -> bytes:
    """(name, bytes) is a file, (name, None) a directory, (name, dict) whatever the attributes of a TarInfo say."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form, errors="surrogateescape") as archive:
        for name, what in members:
            one = tarfile.TarInfo(name)
            content = what if isinstance(what, bytes) else b""
            one.size = len(content)
            if what is None:
                one.type = tarfile.DIRTYPE
            elif isinstance(what, dict):
                for attribute, value in what.items():
                    setattr(one, attribute, value)
            archive.addfile(one, io.BytesIO(content))
    return raw.getvalue()


def zipped(*members: tuple[str, Any], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The same for zip; a dict holds `mode` (of the file system) and `content`."""
    raw = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(raw, "w", method) as archive:
        warnings.simplefilter("ignore")  # of duplicate names
        for name, what in members:
            one = zipfile.ZipInfo("x")
            one.filename = name  # its constructor would cut at NUL and turn separators
            one.compress_type = method
            if what is None:
                one.filename = name.rstrip("/") + "/"
                archive.writestr(one, b"")
            elif isinstance(what, dict):
                one.create_system, one.external_attr = 3, what["mode"] << 16
                archive.writestr(one, what["content"])
            else:
                archive.writestr(one, what)
    return raw.getvalue()


def make_archive(form: str, *members: tuple[str, Any]) -> bytes:
    return zipped(*members) if form == "zip" else COMPRESS[form](tarred(*members))


def extract(
    archive: Path, target: Path, *, limits: ExtractionLimits | None = None, cancel: CancelToken | None = None
) -> ExtractionResult:
    """Extracts into the new directory `target` and removes it after a failure, as `extract_downloads` does."""
    target.mkdir(parents=True)
    tree = DirectoryTree(target)
    try:
        return extract_into(archive, tree, limits=limits, cancel=cancel)
    except BaseException:
        shutil.rmtree(target)
        raise
    finally:
        tree.close()


Tree = dict[str, tuple[Any, ...]]


def tree(root: Path) -> Tree:
    """Everything below, links not followed: what it is, its bytes, or where it points."""
    found: Tree = {}
    for above, directories, files in os.walk(root):
        for name in [*directories, *files]:
            path = Path(above, name)
            status = path.lstat()
            relative = str(path.relative_to(root))
            if stat.S_ISREG(status.st_mode):
                found[relative] = ("file", path.read_bytes())
            elif stat.S_ISDIR(status.st_mode):
                found[relative] = ("directory",)
            else:
                found[relative] = ("other", status.st_mode)
    return found
