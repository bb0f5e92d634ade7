"""What reading a log costs in a real terminal: a 1 GB log, a gzip log, and one that is still being written.

    python benchmarks/logs_terminal.py [--megabytes 1000] [--gzip-megabytes 300] [--lines 2000] [--folder DIR]

The app runs in a 120x40 pseudo-terminal on a queue of a few lines (a process of its own, as is the app). It lists the
artifacts of a task; `l` opens the log. The first screen ends with the log's first line on the terminal and begins with
its first byte on the wire; a key's wait ends with the cursor drawn anew; a search's rate counts from Enter to the
words "no match"; a running log writes `--lines` lines a second, 20 of which say when they were written, which is
compared with when the terminal had them. Memory is the app's own above what it had with the list on the screen; keys
in a log of which all is there and known are the noise of the machine.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from keys import ESCAPES, Terminal
from logs import line, write_log

TASK = "A-mgp6ruSLWYD2BPAAQ_vQ"
LIVE, BACKING = "public/logs/live.log", "public/logs/live_backing.log"
CURSOR = "▌".encode()
SECONDS = 15  # that the running log is watched
MARK = re.compile(rb"MARK ([0-9]+\.[0-9]{6})")


class Queue(BaseHTTPRequestHandler):
    """One task with one run and one log: a file, or lines that are written while it is read."""

    protocol_version = "HTTP/1.1"
    path_served: Path | None = None
    lines = 0
    told: Connection

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        name = LIVE if self.path_served is None else BACKING
        state = "running" if self.path_served is None else "completed"
        run = {"runId": 0, "state": state, "started": "2026-11-20T10:00:00.000Z"}
        path = self.path.partition("?")[0]
        if path.endswith("/status"):
            self._json({"status": {"taskId": TASK, "taskGroupId": TASK, "state": state, "runs": [run]}})
        elif path.endswith("/runs/0/artifacts"):
            kind = "reference" if self.path_served is None else "s3"
            self._json({"artifacts": [{"name": name, "storageType": kind, "contentType": "text/plain"}]})
        elif path.endswith(name):
            self._log()
        else:
            self._json({"taskGroupId": TASK, "metadata": {"name": "bench"}})

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _log(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        if self.path_served is None:
            self.send_header("Connection", "close")
            self.end_headers()
            self._live()
            self.close_connection = True
            return
        if self.path_served.suffix == ".gz":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(self.path_served.stat().st_size))
        self.end_headers()
        self.wfile.flush()
        self.told.send(time.monotonic())
        with self.path_served.open("rb") as stream:
            shutil.copyfileobj(stream, self.wfile, 1 << 20)
        self.told.send(time.monotonic())

    def _live(self) -> None:
        """Twenty times a second, as a worker that passes on what a test writes."""
        began = time.monotonic()
        self.told.send(began)
        number = 0
        while time.monotonic() - began < SECONDS + 30:
            block = "".join(line(one) for one in range(number, number + self.lines // 20))
            number += self.lines // 20
            try:
                self.wfile.write(b"%s[task 2026] MARK %.6f\n" % (block.encode(), time.monotonic()))
            except OSError:
                return
            time.sleep(max(0.0, began + number / self.lines - time.monotonic()))


def serve(path: Path | None, lines: int, told: Connection) -> None:
    handler = type("Served", (Queue,), {"path_served": path, "lines": lines, "told": told})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    told.send(server.server_port)
    server.serve_forever()


class App:
    """The app on one such queue, with the list of its artifact on the screen."""

    def __init__(self, path: Path | None, lines: int, scratch: str) -> None:
        self.told, far = multiprocessing.Pipe()
        self.server = multiprocessing.Process(target=serve, args=(path, lines, far), daemon=True)
        self.server.start()
        root = f"http://127.0.0.1:{self.told.recv()}"
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "TMPDIR": scratch,
            "TASKCLUSTER_ROOT_URL": root,
            "CIEXPLORE_CACHE_DIR": f"{scratch}/cache",
            "CIEXPLORE_STATE_DIR": f"{scratch}/state",
            "CIEXPLORE_CONFIG": f"{scratch}/none",
        }
        program = str(Path(sys.executable).parent / "ciexplore")
        self.terminal = Terminal([program, f"taskcluster:task/{TASK}"], environment)
        self.terminal.until(b"1 artifact ")
        self.terminal.drain(2.0)
        self.empty = self.peak = self.memory()

    def memory(self) -> float:
        """Megabytes, without what is only mapped from files and can be dropped."""
        status = Path(f"/proc/{self.terminal.pid}/status").read_text(encoding="ascii")
        found = re.search(r"RssAnon:\s+(\d+)", status)
        return int(found[1]) / 1000 if found else 0.0

    def first_screen(self) -> float:
        """Milliseconds from the first byte on the wire to the first line on the terminal."""
        self.terminal.forget()
        self.terminal.send("l")
        self.terminal.until(b"[task 2026")
        return (time.monotonic() - float(self.told.recv())) * 1000

    def key(self, key: str) -> float:
        """Milliseconds until the cursor is drawn anew; what comes in the 30 ms between two keys is read."""
        self.terminal.drain()
        self.terminal.forget()
        began = time.monotonic()
        self.terminal.send(key)
        while CURSOR not in self.terminal.written and time.monotonic() - began < 5:
            self.terminal.read(1.0)
        waited = time.monotonic() - began
        self.terminal.drain(0.03)
        self.peak = max(self.peak, self.memory())
        return waited * 1000

    def keys_while(self, going: Any) -> list[float]:
        waits = []
        while going():
            waits.append(self.key("j" if len(waits) % 20 < 15 else "k"))
        return waits

    def search_rate(self, word: str, size: float) -> float:
        """Megabytes a second."""
        self.terminal.send("/")
        self.terminal.drain(0.5)
        self.terminal.forget()
        began = time.monotonic()
        self.terminal.send(f"{word}\r")
        self.terminal.until(b"no match", 120)
        took = time.monotonic() - began
        self.peak = max(self.peak, self.memory())
        return size / took

    def close(self) -> None:
        self.terminal.close()
        self.server.terminate()
        self.server.join()


def of_file(path: Path, size: float, scratch: str) -> dict[str, str]:
    app = App(path, 0, scratch)
    try:
        first = app.first_screen()
        began = time.monotonic()
        loading = app.keys_while(lambda: not app.told.poll())
        sent = float(app.told.recv()) - began
        until = time.monotonic() + 6
        sorting = app.keys_while(lambda: time.monotonic() < until)
        app.terminal.drain(3.0)
        rate = app.search_rate("zebra crossing", size)
        until = time.monotonic() + 3
        quiet = app.keys_while(lambda: time.monotonic() < until)
        app.terminal.send("/")
        app.terminal.drain(0.5)
        app.terminal.send("[zq]ebra crossing|no such word\r")
        app.terminal.drain(0.2)
        until = time.monotonic() + min(size / 250, 4)
        searching = app.keys_while(lambda: time.monotonic() < until)
        return {
            "first screen after the first byte, ms": f"{first:.0f}",
            "sent whole after, s": f"{sent:.1f}",
            "key while it comes in, ms": told(loading),
            "key while errors are looked for, ms": told(sorting),
            "key while it is searched, ms": told(searching),
            "key while nothing happens, ms": told(quiet),
            "search, MB/s": f"{rate:.0f}",
            "memory above the list, MB": f"{app.peak - app.empty:.0f}",
        }
    finally:
        app.close()


def of_running(lines: int, scratch: str) -> dict[str, str]:
    app = App(None, lines, scratch)
    try:
        first = app.first_screen()
        until, lags = time.monotonic() + SECONDS, []
        seen: set[bytes] = set()
        while time.monotonic() < until:
            app.terminal.read(0.05)
            now = time.monotonic()
            for mark in MARK.findall(ESCAPES.sub(b"", app.terminal.written)):
                if mark not in seen:
                    seen.add(mark)
                    lags.append((now - float(mark)) * 1000)
            app.terminal.written = app.terminal.written[-20_000:]
        until = time.monotonic() + SECONDS
        app.key("g")
        waits = app.keys_while(lambda: time.monotonic() < until)
        return {
            "first screen after the first byte, ms": f"{first:.0f}",
            f"written to seen, ms (of {len(lags)} lines)": told(lags[1:]),
            "key while it comes in, ms": told(waits),
            "memory above the list, MB": f"{app.peak - app.empty:.0f}",
        }
    finally:
        app.close()


def told(values: list[float]) -> str:
    values = sorted(values) or [0.0]
    return f"{statistics.median(values):.0f}, {values[int(len(values) * 0.95) - 1]:.0f}, {values[-1]:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--gzip-megabytes", type=int, default=300, help="before compression")
    parser.add_argument("--lines", type=int, default=2000, help="a second, of the running log")
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        plain, small, packed = (Path(folder) / name for name in ("big.log", "packed.log", "packed.log.gz"))
        write_log(plain, asked.megabytes * 1_000_000)
        write_log(small, asked.gzip_megabytes * 1_000_000)
        with small.open("rb") as source, gzip.open(packed, "wb", compresslevel=4) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        small.unlink()
        cases = {
            f"{asked.megabytes} MB": of_file(plain, asked.megabytes, folder),
            f"{asked.gzip_megabytes} MB, gzip": of_file(packed, asked.gzip_megabytes, folder),
            f"running, {asked.lines} lines a second": of_running(asked.lines, folder),
        }
    print("keys and lines: median, 95th percentile, longest\n\n| log | what | measured |\n| --- | --- | --- |")
    for case, rows in cases.items():
        for what, value in rows.items():
            print(f"| {case} | {what} | {value} |")


if __name__ == "__main__":
    main()
