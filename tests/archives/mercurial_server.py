"""A real hgweb on the loopback, over repositories that are made here with Mercurial itself."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HG = Path(sys.executable).parent / "hg"
ENVIRONMENT = {**os.environ, "HGRCPATH": "/dev/null", "HGPLAIN": "1", "TZ": "UTC"}
DATE = 1_400_000_000


def hg(directory: Path, *commands: tuple[str, ...]) -> str:
    """What the commands print. They run in one process, Mercurial's command server: starting it takes longer than they
    do."""
    output = bytearray()
    with subprocess.Popen(
        [str(HG), "serve", "--cmdserver", "pipe"], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None and server.stdout is not None

        def read_until(last: bytes) -> bytes:
            channel = b""
            while channel != last:
                channel, size = struct.unpack(">cI", server.stdout.read(5))
                content: bytes = server.stdout.read(size)
                output.extend(content if channel == b"o" and last == b"r" else b"")
            return content

        read_until(b"o")  # its greeting
        for arguments in commands:
            line = "\0".join(["--cwd", str(directory), *arguments]).encode()
            server.stdin.write(b"runcommand\n" + struct.pack(">I", len(line)) + line)
            server.stdin.flush()
            assert read_until(b"r") == bytes(4), (arguments, output)
    return output.decode().strip()


def commit(message: str, number: int) -> tuple[tuple[str, ...], ...]:
    """Commands that commit everything and print the node."""
    return (
        ("commit", "-q", "-A", "-m", message, "-u", "Ann <ann@example.com>", "-d", f"{DATE + number} 0"),
        ("log", "-r", ".", "-T", "{node}\n"),
    )


@dataclass(frozen=True)
class Repositories:
    """Below `directory`: projects/ash with nodes `first`, `second` (on branch feature/long-branch-name), `broken`."""

    directory: Path
    first: str
    second: str
    broken: str


def make_repositories(directory: Path) -> Repositories:
    ash = directory / "projects" / "ash"
    (ash / "testing" / "mozharness" / "configs").mkdir(parents=True)
    (ash / "testing" / "mozharness" / "README").write_text("read me\n")
    (ash / "testing" / "mozharness" / "configs" / "a.py").write_text("x = 1\n")
    (ash / "testing" / "café").write_text("é\n")
    (ash / "run.sh").write_text("#!/bin/sh\n")
    (ash / "run.sh").chmod(0o755)
    (ash / "link").symlink_to("run.sh")
    tag = ("tag", "-q", "-u", "Ann", "-d", f"{DATE + 1} 0", "REL_1")
    first = hg(ash, ("init",), *commit("one", 0), tag, ("branch", "-q", "feature/long-branch-name"))
    (ash / "second").write_text("2\n")
    second = hg(ash, *commit("two\n\nwith a body", 2))
    return Repositories(directory, first, second, _broken(directory / "broken"))


def _broken(repository: Path) -> str:
    """Its server fails in the middle of the archive: a file log has wrong bytes."""
    repository.mkdir()
    for name in ("a", "b", "c", "m", "z"):  # enough before the broken one that bzip2 has begun to answer, too
        (repository / name).write_bytes(random.Random(name).randbytes(700_000))
    node = hg(repository, ("init",), *commit("big", 0))
    log = repository / ".hg" / "store" / "data" / "m.d"
    whole = bytearray(log.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
    log.write_bytes(whole)
    return node


@dataclass(frozen=True)
class Hgweb:
    """A server of them. `archives()`: how often an archive was asked for."""

    url: str
    repositories: Repositories
    access_log: Path

    def archives(self, suffix: str = "") -> int:
        lines = self.access_log.read_text().splitlines() if self.access_log.exists() else []
        return sum("/archive/" in line and f".{suffix}" in line for line in lines)


@contextmanager
def served(repositories: Repositories, allowed: str, folder: Path) -> Iterator[Hgweb]:
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "hgweb.conf"
    configuration.write_text(f"[paths]\n/ = {repositories.directory}/**\n[web]\nallow-archive = {allowed}\n")
    log = folder / "access.log"
    server = subprocess.Popen(
        [str(HG), "serve", "-v", "--webdir-conf", str(configuration), "-a", "127.0.0.1", "-p", "0", "-A", str(log),
         "-E", str(folder / "errors.log")],
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        words = server.stdout.readline()  # listening at http://localhost:43210/ (bound to 127.0.0.1:43210)
        port = words.rpartition(":")[2].rstrip(")\n")
        assert port.isdecimal(), words
        yield Hgweb(f"http://127.0.0.1:{port}", repositories, log)
    finally:
        server.terminate()
        server.wait(20)
        assert server.stdout is not None
        server.stdout.close()
