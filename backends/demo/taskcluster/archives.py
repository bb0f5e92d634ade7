"""What the synthetic archives and pictures hold: small, valid files, and two hostile ones for those who unpack."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import msgspec

from backends.demo.seeds import generator

# Archives carry this time stamp so that their bytes never change.
_STAMP = 1_795_161_600
_ZIP_STAMP = (2026, 11, 20, 8, 0, 0)


def tarball(seed: int, task_id: str, run_id: int, name: str, form: str) -> bytes:
    """A browsertime-like result tree: one folder a site with its JSON, and a screenshot."""
    random = generator(seed, task_id, run_id, name, "tar")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for number in range(1, random.randint(3, 6)):
            timings = [round(random.lognormvariate(6.6, 0.2), 1) for _ in range(200)]
            report = {"iteration": number, "timings": timings, "url": f"https://example.org/{number}"}
            _add(archive, f"browsertime-results/site-{number}/browsertime.json", msgspec.json.encode(report))
        _add(archive, "browsertime-results/screenshot.png", picture(random.getrandbits(32)))
    if form == "tar.xz":
        return lzma.compress(raw.getvalue(), preset=0)
    return gzip.compress(raw.getvalue(), 6, mtime=_STAMP)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), _STAMP, 0o644
    archive.addfile(member, io.BytesIO(content))


def zip_file(seed: int, task_id: str, run_id: int, name: str, size: int) -> bytes:
    """A valid zip of exactly `size` bytes (from 400 on): a JSON member and a stored random one that fills the room."""
    random = generator(seed, task_id, run_id, name, "zip")
    manifest = msgspec.json.encode({"task": task_id, "files": ["content.bin"]})
    empty = _zip([("manifest.json", manifest), ("content.bin", b"")])
    filling = random.randbytes(max(size - len(empty), 0))
    return _zip([("manifest.json", manifest), ("content.bin", filling)])


def _zip(members: list[tuple[str, bytes]]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, _ZIP_STAMP), content)
    return raw.getvalue()


def picture(number: int) -> bytes:
    """A 160 x 100 PNG with a gradient of its own."""
    red, green, blue = number & 0xFF, number >> 8 & 0xFF, number >> 16 & 0xFF
    rows = b"".join(
        b"\0" + b"".join(bytes(((red + x) & 0xFF, (green + y) & 0xFF, blue)) for x in range(160)) for y in range(100)
    )
    header = struct.pack(">IIBBBBB", 160, 100, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 1)) + _chunk(b"IEND")


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def evil_tarball() -> bytes:
    """Members that climb out, an absolute one, links that point out, a device, and a harmless file at the end."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        _add(archive, "../escaped.txt", b"escaped\n")
        _add(archive, "/tmp/ciexplore-absolute.txt", b"escaped\n")  # noqa: S108 - never opened here
        link = tarfile.TarInfo("out")
        link.type, link.linkname, link.mtime = tarfile.SYMTYPE, "../..", _STAMP
        archive.addfile(link)
        _add(archive, "out/through-link.txt", b"escaped\n")
        device = tarfile.TarInfo("device")
        device.type, device.mtime = tarfile.CHRTYPE, _STAMP
        archive.addfile(device)
        _add(archive, "harmless.txt", b"harmless\n")
    return gzip.compress(raw.getvalue(), 6, mtime=_STAMP)


def evil_zip() -> bytes:
    """The same for zip: climbing, absolute and drive names, and a harmless file at the end."""
    names = ("../escaped.txt", "/tmp/ciexplore-absolute.txt", "C:\\escaped.txt", "..\\escaped.txt", "harmless.txt")  # noqa: S108
    return _zip([(name, b"harmless\n" if name == "harmless.txt" else b"escaped\n") for name in names])
