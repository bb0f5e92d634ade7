"""What a big source archive costs: time and peak memory to fetch, verify and keep it, to repack it, to copy it to S3.

    python benchmarks/archives.py [--megabytes 500] [--files 2000] [--folder DIR]

With --files 100000 it shows what the table of contents of a zip costs, which is read as a whole.

A server on the loopback gives one archive, chunked and without a length as hgweb does; each case is a process of its
own, so that memory is its own. The first case is a small archive: what is above its peak is what size costs. The peer
is curl followed by `unzip -tqq` (or Python's own zip test where it is missing), which together fetch and read it too.
Half of the content can be compressed. Temporary files go at the end; three times the megabytes have to fit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
NODE = "0b445bf4228a963505183b157758c37664921791"
TOP = f"big-{NODE[:12]}"


def make(path: Path, megabytes: float, files: int) -> None:
    """A zip with `files` members that is about so big."""
    maker = random.Random(1)
    each = max(int(megabytes * 1_000_000 / files / 1.02 / 2), 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(f"{TOP}/.hg_archival.txt", f"repo: {'1' * 40}\nnode: {NODE}\n")
        for number in range(files):
            # The second half of a file are words: what two such halves are packed to is one half and a little.
            body = maker.randbytes(2 * each) + b"some words of source " * (each // 20)
            archive.writestr(f"{TOP}/dir{number % 97}/file{number}.c", body)


def serve(path: Path) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "/json-log/" in self.path:
                body = json.dumps({"changesets": [{"node": NODE, "date": [1_400_000_000, 0]}]}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            allowed = ".zip" in self.path
            self.send_response(200 if allowed else 403)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in pieces(path) if allowed else iter((b"no",)):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(1 << 16):
            yield piece


def child(url: str, suffix: str, folder: str) -> dict[str, Any]:
    """One fetch, in this process."""
    from dataclasses import replace

    from backends import config
    from backends.archives.engine import ArchiveEngine
    from backends.archives.spec import ArchiveRequest
    from backends.cancel import CancelToken
    from backends.http import Http

    settings = replace(config.load({}), hg_url=url, cache_dir=folder)
    begun = time.perf_counter()
    with Http() as http:
        kept = ArchiveEngine(http, settings).get(ArchiveRequest("big", NODE, "", suffix), CancelToken()).archive
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "peak": peak(), "size": kept.record.size, "unpacked": kept.record.unpacked}


def upload(folder: str, endpoint: str) -> dict[str, Any]:
    """The kept zip goes to a bucket."""
    from dataclasses import replace

    from backends import config
    from backends.archives.buckets import BucketMirror
    from backends.archives.engine import archive_store
    from backends.cancel import CancelToken

    store = archive_store(replace(config.load({}), cache_dir=folder))
    kept = next(one for one in store.all() if one.record.suffix == "zip")
    environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
    begun = time.perf_counter()
    BucketMirror({"us-east-1": "benchmark"}, kept.record.root, environment).upload("us-east-1", kept, CancelToken())
    return {"seconds": time.perf_counter() - begun, "peak": peak(), "size": kept.record.size}


def peak() -> float:
    """MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def case(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def peer(url: str, folder: Path) -> float:
    target = folder / "peer.zip"
    begun = time.perf_counter()
    subprocess.run(["curl", "-sf", "-o", str(target), f"{url}/big/archive/{NODE[:12]}.zip/"], check=True)
    if shutil.which("unzip"):
        subprocess.run(["unzip", "-tqq", str(target)], check=True)
    else:
        subprocess.run([sys.executable, "-m", "zipfile", "-t", str(target)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    target.unlink()
    return seconds


def show(name: str, found: dict[str, Any], floor: float) -> None:
    size, seconds = found["size"] / 1e6, found["seconds"]
    print(
        f"{name:<34} {size:8.1f} MB {seconds:7.2f} s {size / seconds:7.0f} MB/s   peak {found['peak']:6.1f} MB "
        f"(+{found['peak'] - floor:.1f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=500)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        verb, *rest = asked.child
        print(json.dumps(child(*rest) if verb == "get" else upload(*rest)))
        return
    with tempfile.TemporaryDirectory(prefix="archives-", dir=asked.folder) as folder:
        run(Path(folder), asked.megabytes, asked.files)


def run(folder: Path, megabytes: float, files: int) -> None:
    small, big = folder / "small.zip", folder / "big.zip"
    make(small, 1, 20)
    make(big, megabytes, files)
    served = serve(small), serve(big)
    little, url = (f"http://127.0.0.1:{one.server_address[1]}" for one in served)
    floor = case("get", little, "zip", str(folder / "little"))
    show("a small zip", floor, floor["peak"])
    cache = str(folder / "cache")
    show(f"a zip of {files:,} files", case("get", url, "zip", cache), floor["peak"])
    show("its tar.gz, repacked from it", case("get", url, "tar.gz", cache), floor["peak"])
    bucket(cache, floor["peak"])
    print(f"{'curl and a test of the zip':<34} {big.stat().st_size / 1e6:8.1f} MB {peer(url, folder):7.2f} s")
    for one in served:
        one.shutdown()


def bucket(cache: str, floor: float) -> None:
    if not importable("moto"):
        print("copying to a bucket: moto is not installed")
        return
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert moto.stdout is not None
        endpoint = next(line.split()[-1] for line in moto.stdout if "Running on http" in line)
        threading.Thread(target=moto.stdout.read, daemon=True).start()
        subprocess.run(["curl", "-sf", "-X", "PUT", f"{endpoint}/benchmark"], check=True, stdout=subprocess.DEVNULL)
        show("copying the zip to a bucket", case("upload", cache, endpoint), floor)
    finally:
        moto.terminate()
        moto.wait()


def importable(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    main()
