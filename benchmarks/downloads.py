"""Bulk downloads, ours against aria2c and curl, in one run: how fast, and how much CPU each file costs.

    python benchmarks/downloads.py [--rounds 3] [--links loopback,link] [--jobs 64] [--target DIR]

(a) "loopback": bare, 2,000 x 100 KB and 8 x 200 MB. (b) "link": 40 ms before each first byte (echo_sleep of nginx's
echo module) and 1 Gbit/s in all (tc tbf in a network namespace of its own; that needs root and is made and removed
here). Files are served from and written to memory (/dev/shm) unless --target says otherwise. Every
contender of a round
runs right after the other; the table has medians. Ours is timed from planning to the last verified file, in a process
that has its modules loaded, with SHA-256 and manifest; the others do neither. CPU is user + system of the downloading
process and of its children.

The peers' settings are the best of those tried: aria2c -j16 and -j64, curl --parallel-max 16 and 64, all rounds of
each; the faster one is shown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = f"ciexplore-bench-{os.getpid()}"
OURS = """
import json, resource, sys, threading, time
from pathlib import Path
import backends.http.client, polars
from backends.http import Http
from backends.transfers.transfer import Transfer
from backends.transfers.files import RemoteFile
from backends.transfers.plan import make_plan
base, names, size, output, jobs, processes = json.load(sys.stdin)
files = [RemoteFile(name, f"{base}/{name}", tuple(name.split("/")), size=size) for name in names]

def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)

http, before, began = Http(), used(), time.perf_counter()
transfer = Transfer(make_plan(files, Path(output)), open_downloader=http.downloader,
                    settings=http.downloader_settings(), processes=processes, jobs=jobs)
transfer.start()
late, shown, last = [], 0.0, time.perf_counter()
while not transfer.wait(0.005):
    now = time.perf_counter()
    late.append(max(0.0, now - last - 0.005))
    if now - shown >= 0.2:  # as often as the pane looks
        shown = now
        transfer.snapshot(), transfer.frame()
    last = time.perf_counter()
wall = time.perf_counter() - began
shot = transfer.snapshot()
assert shot.counts["verified"] == len(files), (shot, transfer.frame())
while any(thread.name == "transfer-children" for thread in threading.enumerate()):
    time.sleep(0.01)  # until the children have ended, and their processor time is ours
late.sort()
print(json.dumps([wall, used() - before, late[len(late) * 99 // 100], late[-1]]))
"""


@dataclass(frozen=True)
class Job:
    name: str
    folder: str
    count: int
    size: int

    @property
    def names(self) -> list[str]:
        return [f"{self.folder}/{number:05}.bin" for number in range(self.count)]


@dataclass(frozen=True)
class Result:
    wall: float
    cpu: float
    late: float | None = None  # how long a thread that wants to wake every 5 ms waited beyond them: 99th percentile
    latest: float | None = None


@contextlib.contextmanager
def served(site: Path, run: Path, namespace: str | None) -> Iterator[str]:
    """nginx over `site`, at an address where "/" answers at once and "/slow/" after 40 ms."""
    port = free_port()
    module = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
    slow = "location /slow/ { echo_sleep 0.04; echo_exec @slow; } location @slow { rewrite ^/slow(/.*)$ $1 break; }"
    config = run / "nginx.conf"
    config.write_text(f"""
        {f"load_module {module};" if module.exists() else ""}
        daemon off; worker_processes 1; pid {run}/pid; error_log {run}/error.log; user root;
        events {{ worker_connections 512; }}
        http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; default_type text/plain;
          client_body_temp_path {run}/b; proxy_temp_path {run}/p; fastcgi_temp_path {run}/f;
          uwsgi_temp_path {run}/u; scgi_temp_path {run}/s;
          server {{ listen 127.0.0.1:{port} backlog=512; root {site}; {slow if module.exists() else ""} }} }}""")
    command = ["nginx", "-e", f"{run}/error.log", "-p", str(run), "-c", str(config)]
    server = subprocess.Popen([*inside(namespace), *command])
    try:
        for _ in range(200):
            asked = ["curl", "-qsfo", "/dev/null", f"http://127.0.0.1:{port}/ready"]
            if subprocess.run([*inside(namespace), *asked], check=False).returncode == 0:
                break
            if server.poll() is not None:
                raise SystemExit(f"nginx ended: {(run / 'error.log').read_text()}")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def link() -> Iterator[str]:
    """A network namespace whose loopback has 1 Gbit/s; loopback, because plain http goes nowhere else."""
    ip = ["ip", "netns", "exec", NAMESPACE]
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        subprocess.run([*ip, "ip", "link", "set", "lo", "up"], check=True)
        shape = ["root", "tbf", "rate", "1gbit", "burst", "256kb", "latency", "50ms"]
        subprocess.run([*ip, "tc", "qdisc", "add", "dev", "lo", *shape], check=True)
        yield NAMESPACE
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False)


def inside(namespace: str | None) -> list[str]:
    return ["ip", "netns", "exec", namespace] if namespace else []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours(base: str, job: Job, target: Path, jobs: int | None, namespace: str | None, processes: int | None) -> Result:
    wish = json.dumps([base, job.names, job.size, str(target), jobs, processes])
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*inside(namespace), sys.executable, "-c", OURS],
        input=wish,
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return Result(*json.loads(done.stdout))


def peer(command: list[str], job: Job, target: Path) -> Result:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    missing = [name for name in job.names if (target / name).stat().st_size != job.size]
    if missing:
        raise SystemExit(f"{command} left out {missing[:3]}")
    return Result(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def aria2c(base: str, job: Job, target: Path, jobs: int, namespace: str | None) -> Result:
    wishes = target.with_suffix(".aria2")
    wishes.write_text("".join(f"{base}/{name}\n  out={name}\n" for name in job.names))
    words = ["--file-allocation=none", "--max-connection-per-server=16", f"--dir={target}", "--quiet", "--no-conf"]
    words += ["--auto-file-renaming=false", "--allow-overwrite=true", "--summary-interval=0", "--split=1"]
    return peer([*inside(namespace), "aria2c", f"-j{jobs}", *words, f"--input-file={wishes}"], job, target)


def curl(base: str, job: Job, target: Path, jobs: int, namespace: str | None) -> Result:
    wishes = target.with_suffix(".curl")
    wishes.write_text("".join(f'url = "{base}/{name}"\noutput = "{target / name}"\n' for name in job.names))
    words = ["--no-progress-meter", "--create-dirs", "--parallel", "--parallel-max", str(jobs)]
    return peer([*inside(namespace), "curl", "-q", *words, "--config", str(wishes)], job, target)


def contend(
    base: str, job: Job, targets: Path, rounds: int, jobs: int | None, namespace: str | None
) -> dict[str, list[Result]]:
    contenders = {
        "ciexplore": lambda target: ours(base, job, target, jobs, namespace, None),
        "ciexplore, threads": lambda target: ours(base, job, target, jobs, namespace, 0),
        "aria2c -j16": lambda target: aria2c(base, job, target, 16, namespace),
        "aria2c -j64": lambda target: aria2c(base, job, target, 64, namespace),
        "curl -Z 16": lambda target: curl(base, job, target, 16, namespace),
        "curl -Z 64": lambda target: curl(base, job, target, 64, namespace),
    }
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            target = targets / "files"
            target.mkdir()
            try:
                results[name].append(run(target))
            finally:
                shutil.rmtree(target)
    return results


def median(results: list[Result]) -> Result:
    wall = statistics.median(result.wall for result in results)
    cpu = statistics.median(result.cpu for result in results)
    if results[0].late is None:
        return Result(wall, cpu)
    late = statistics.median(result.late or 0.0 for result in results)
    return Result(wall, cpu, late, max(result.latest or 0.0 for result in results))


def rows(place: str, job: Job, results: dict[str, list[Result]]) -> Iterator[str]:
    medians = {name: median(found) for name, found in results.items()}
    best = min((name for name in medians if name.startswith("aria2c")), key=lambda name: medians[name].wall)
    curls = min((name for name in medians if name.startswith("curl")), key=lambda name: medians[name].wall)
    for name in ("ciexplore", "ciexplore, threads", best, curls):
        one = medians[name]
        speed = (
            f"{job.count / one.wall:,.0f} files/s"
            if job.count > 100
            else f"{job.count * job.size / one.wall / 1e6:,.0f} MB/s"
        )
        stall = f"{one.late * 1000:.0f} / {one.latest * 1000:.0f} ms" if one.late is not None and one.latest else ""
        yield (
            f"| {place} | {job.name} | {name} | {one.wall:.2f} s | {speed} | {medians[best].wall / one.wall:.2f} "
            f"| {one.cpu / job.count * 1000:.2f} | {stall} |"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--links", default="loopback,link")
    options.add_argument("--jobs", type=int, default=None, help="our workers; the engine's own choice if not given")
    options.add_argument("--small", type=int, default=2000)
    options.add_argument("--big", type=int, default=8)
    options.add_argument("--target", type=Path, default=None, help="where files are written (default: memory)")
    chosen = options.parse_args()
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    jobs = [
        Job(f"{chosen.small} x 100 KB", "small", chosen.small, 100_000),
        Job(f"{chosen.big} x 200 MB", "big", chosen.big, 200_000_000),
    ]
    table = ["| link | job | who | wall | speed | x aria2c | CPU ms a file | woken late: p99 / max |", "|---" * 8 + "|"]
    with (
        tempfile.TemporaryDirectory(dir=memory, prefix="ciexplore-site-") as site,
        tempfile.TemporaryDirectory(prefix="ciexplore-run-") as run,
        tempfile.TemporaryDirectory(dir=chosen.target or memory, prefix="ciexplore-got-") as got,
    ):
        Path(site).chmod(0o755)
        (Path(site) / "ready").touch()
        for job in jobs:
            if job.count:
                (Path(site) / job.folder).mkdir()
                body = os.urandom(job.size)
                for name in job.names:
                    (Path(site) / name).write_bytes(body)
        for place in chosen.links.split(","):
            with contextlib.ExitStack() as stack:
                namespace = None
                if place == "link":
                    if os.geteuid() != 0:
                        print("The link needs root for its network namespace: left out.", file=sys.stderr)
                        continue
                    namespace = stack.enter_context(link())
                base = stack.enter_context(served(Path(site), Path(run), namespace))
                for job in jobs:
                    if job.count:
                        address = f"{base}/slow" if namespace else base
                        table += rows(
                            place, job, contend(address, job, Path(got), chosen.rounds, chosen.jobs, namespace)
                        )
                        print("\n".join(table[-4:]), file=sys.stderr)
    print("\n".join(table))


if __name__ == "__main__":
    main()
