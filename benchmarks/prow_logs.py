"""A search over Prow's logs against `curl | rg`: `python benchmarks/prow_logs.py [--megabytes 256] [--rounds 3]`.

nginx on loopback holds four builds with a log each, as the storage's API names them; it has the same two cores. Each
contender is a process of its own: ours is measured from the first request until the last row, its start and imports
are not; four `curl -s | rg -c` at a time are measured whole. CPU time is theirs, not nginx's. Then the same at a
quarter and a half of the size, with the exponent of the growth.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from logs import write_log
from measuring import Cost, clean_environment, fit_exponent, measure, print_table, take_turns

BUCKET, JOB = "ci-logs", "logs/periodic-logs/"
PATTERNS = {"a word": "channel error", "a regex": r"panicked|nothing here matches \d+$"}
IDS = [str(((int(time.time()) * 1000 - hour * 3_600_000) - 1288834974657) << 22 | 1 << 12) for hour in range(1, 5)]
MUST = "must reach 500 MB/s, 3 s of CPU a GB"
CONFIG = """
worker_processes 1; pid {run}/pid; error_log {run}/error.log; daemon off;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; default_type application/json;
  client_body_temp_path {run}; proxy_temp_path {run}; fastcgi_temp_path {run}; uwsgi_temp_path {run};
  scgi_temp_path {run};
  map $arg_prefix $listing {{
    "~^logs%2Fperiodic-logs%2F(?<id>[0-9]+)%2F$" /$id/files.json;
    default /builds.json;
  }}
  server {{
    listen 127.0.0.1:{port}; root {run};
    location = /storage/v1/b/{bucket}/o {{ rewrite ^ $listing break; }}
    location ~ ^/storage/v1/b/{bucket}/o/logs/periodic-logs/([0-9]+)/build-log.txt$ {{
      rewrite /([0-9]+)/build-log.txt$ /$1/build-log.txt break;
    }}
  }}
}}
"""


@contextlib.contextmanager
def storage(run: Path, megabytes: int) -> Iterator[str]:
    """Its address."""
    run.chmod(0o755)  # nginx's workers may be another user
    (run / "builds.json").write_text(json.dumps({"prefixes": [f"{JOB}{build}/" for build in IDS]}))
    for build in IDS:
        (run / build).mkdir(exist_ok=True)
        write_log(run / build / "build-log.txt", megabytes * 1_000_000)
        size, name = str(megabytes * 1_000_000), f"{JOB}{build}/build-log.txt"
        item = {"name": name, "size": size, "generation": "1", "updated": "2026-11-20T10:00:00Z"}
        (run / build / "files.json").write_text(json.dumps({"items": [item]}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = run / "nginx.conf"
    config.write_text(CONFIG.format(run=run, port=port, bucket=BUCKET))
    server = subprocess.Popen(["nginx", "-e", f"{run}/error.log", "-p", str(run), "-c", str(config)])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def search(url: str, pattern: str) -> dict[str, float]:
    """In the process that is measured: milliseconds, rows, and megabytes of memory above what was there before."""
    import polars as pl

    from backends.cancel import CancelToken
    from backends.config import Settings
    from backends.http import Http, Mode
    from backends.prow.locators import LogSearchView
    from backends.systems import open_resource

    pl.select(pl.lit("warm").str.contains("w"))
    with Http(mode=Mode.NO_CACHE) as http:
        view = LogSearchView(BUCKET, JOB, pattern=pattern, count=4)
        listing = open_resource(view, http, Settings(gcs_url=url), CancelToken())
        rows = list[int]()
        before = peak_memory()
        cost = measure(lambda: rows.extend(page.frame.height for page in listing.pages(CancelToken())))
    return {"wall": cost.wall, "cpu": cost.cpu, "rows": sum(rows), "memory": peak_memory() - before}


def peak_memory() -> float:
    """The most that this process ever had, in megabytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000


def run_search(url: str, pattern: str, told: dict[str, float]) -> Cost:
    command = [sys.executable, __file__, "--url", url, "--pattern", pattern]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment())
    found = json.loads(done.stdout.splitlines()[-1])
    told |= {"rows": found["rows"], "memory": max(told.get("memory", 0.0), found["memory"])}
    return Cost(found["wall"], found["cpu"])


def run_peer(url: str, pattern: str) -> Cost:
    names = [
        f"{url}/storage/v1/b/{BUCKET}/o/{JOB.replace('/', '%2F')}{build}%2Fbuild-log.txt?alt=media" for build in IDS
    ]
    pipes = [f"curl -s {shlex.quote(name)} | rg -c -i {shlex.quote(pattern)} &" for name in names]
    return measure(
        lambda: subprocess.run(["sh", "-c", " ".join([*pipes, "wait"])], check=True, stdout=subprocess.DEVNULL)
    )


def compare(url: str, megabytes: int, rounds: int) -> tuple[list[list[object]], dict[str, Cost]]:
    """Rows of the table, and our costs by pattern."""
    rows: list[list[object]] = []
    ours = {}
    for name, pattern in PATTERNS.items():
        told: dict[str, float] = {}
        costs = take_turns(
            {
                "ciexplore": lambda pattern=pattern, told=told: run_search(url, pattern, told),
                "curl and rg": lambda pattern=pattern: run_peer(url, pattern),
            },
            rounds,
        )
        for who, cost in costs.items():
            speed = 4 * megabytes * 1000 / cost.wall
            more = f"{told['rows']:.0f} rows, {told['memory']:.0f} MB more memory; {MUST}" if who == "ciexplore" else ""
            rows.append([f"{name}, 4 x {megabytes} MB", who, f"{speed:,.0f}", cost.wall / 1000, cost.cpu / 1000, more])
        ours[name] = costs["ciexplore"]
    return rows, ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--pattern", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.url:
        print(json.dumps(search(asked.url, asked.pattern)))
        return
    sizes = [asked.megabytes // 4, asked.megabytes // 2, asked.megabytes]
    rows, costs = list[list[object]](), list[dict[str, Cost]]()
    for megabytes in sizes:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder, storage(Path(folder), megabytes) as url:
            made, ours = compare(url, megabytes, asked.rounds)
            rows += made
            costs.append(ours)
    print_table(["what", "who", "MB/s", "s", "CPU, s", ""], rows)
    for name in PATTERNS:
        growth = fit_exponent(sizes, [cost[name].cpu for cost in costs])
        print(f"{name}: CPU grows with the size to the power of {growth:.2f}")


if __name__ == "__main__":
    main()
