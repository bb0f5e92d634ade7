"""Bulk downloads, ours against aria2c and curl, in one run: how fast, and how much CPU each file costs.

    python benchmarks/downloads.py [--rounds 3] [--places loopback,link,tls,http2] [--growth] [--jobs 64] [--target DIR]

2,000 x 100 KB and 4 x 200 MB from nginx: "loopback" (bare), "tls" (HTTP/1.1 over TLS, a certificate of its own), and
"http2" (the same with HTTP/2, which aria2c has not), these two with 1,000 small files; "link": 40 ms before each first
byte (echo_sleep of nginx's echo module) and 1 Gbit/s in all (tc tbf in a network namespace of its own; that needs root
and is made and removed here). Files are served from and written to memory (/dev/shm) unless --target says otherwise.
Every contender of a round runs right after the other; the table has medians. Ours is timed from planning to the last
verified file, in a process that has its modules loaded, with SHA-256 and manifest; the others do neither. CPU is user +
system of the downloading process. --growth: ours with 500, 2,000 and 8,000 small files on loopback, and the exponent
that fits.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from measuring import clean_environment, fit_exponent, print_table

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = f"ciexplore-bench-{os.getpid()}"
OURS = """
import json, resource, sys, time
from pathlib import Path
import backends.http.client, backends.http.curl, httpx, polars, pycurl
from backends.http import Http
from backends.transfers.transfer import Transfer
from backends.transfers.files import RemoteFile
from backends.transfers.plan import make_plan
base, names, size, output, jobs, engine = json.load(sys.stdin)
files = [RemoteFile(name, f"{base}/{name}", tuple(name.split("/")), size=size) for name in names]

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

http, before, began = Http(), used(), time.perf_counter()
transfer = Transfer(make_plan(files, Path(output)), open_downloader=http.downloader,
                    settings=http.downloader_settings() if engine == "libcurl" else None, jobs=jobs)
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


@dataclass(frozen=True)
class Server:
    """nginx over one directory: addresses without TLS, with it, and with HTTP/2. "/slow/" answers after 40 ms."""

    plain: str
    tls: str
    http2: str
    certificate: Path


@contextlib.contextmanager
def served(site: Path, run: Path, namespace: str | None) -> Iterator[Server]:
    plain, tls, http2 = free_port(), free_port(), free_port()
    certificate, key = run / "certificate.pem", run / "key.pem"
    if not certificate.exists():
        words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        words += f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
        subprocess.run(words.split(), check=True, capture_output=True)
    module = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
    slow = "location /slow/ { echo_sleep 0.04; echo_exec @slow; } location @slow { rewrite ^/slow(/.*)$ $1 break; }"
    common = f"root {site}; {slow if module.exists() else ''}"
    secure = f"ssl_certificate {certificate}; ssl_certificate_key {key}; {common}"
    config = run / "nginx.conf"
    config.write_text(f"""
        {f"load_module {module};" if module.exists() else ""}
        daemon off; worker_processes 1; pid {run}/pid; error_log {run}/error.log; user root;
        events {{ worker_connections 512; }}
        http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; default_type text/plain;
          client_body_temp_path {run}/b; proxy_temp_path {run}/p; fastcgi_temp_path {run}/f;
          uwsgi_temp_path {run}/u; scgi_temp_path {run}/s;
          server {{ listen 127.0.0.1:{plain} backlog=512; {common} }}
          server {{ listen 127.0.0.1:{tls} ssl backlog=512; {secure} }}
          server {{ listen 127.0.0.1:{http2} ssl http2 backlog=512; {secure} }} }}""")
    command = ["nginx", "-e", f"{run}/error.log", "-p", str(run), "-c", str(config)]
    server = subprocess.Popen([*inside(namespace), *command])
    try:
        for _ in range(200):
            asked = ["curl", "-qsfo", "/dev/null", f"http://127.0.0.1:{plain}/ready"]
            if subprocess.run([*inside(namespace), *asked], check=False).returncode == 0:
                break
            if server.poll() is not None:
                raise SystemExit(f"nginx ended: {(run / 'error.log').read_text()}")
            time.sleep(0.02)
        yield Server(*(f"http{s}://127.0.0.1:{at}" for s, at in (("", plain), ("s", tls), ("s", http2))), certificate)
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


@dataclass(frozen=True)
class Place:
    """Where files come from. `namespace`: of the network, None for the usual one."""

    name: str
    base: str
    certificate: Path
    namespace: str | None = None


def ours(place: Place, job: Job, target: Path, jobs: int | None, engine: str) -> Result:
    wish = json.dumps([place.base, job.names, job.size, str(target), jobs, engine])
    done = subprocess.run(
        [*inside(place.namespace), sys.executable, "-c", OURS],
        input=wish,
        capture_output=True,
        text=True,
        env=clean_environment(PYTHONPATH=str(ROOT), SSL_CERT_FILE=str(place.certificate)),
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


def aria2c(place: Place, job: Job, target: Path, jobs: int) -> Result:
    wishes = target.with_suffix(".aria2")
    wishes.write_text("".join(f"{place.base}/{name}\n  out={name}\n" for name in job.names))
    words = ["--file-allocation=none", "--max-connection-per-server=16", f"--dir={target}", "--quiet", "--no-conf"]
    words += ["--auto-file-renaming=false", "--allow-overwrite=true", "--summary-interval=0", "--split=1"]
    words += [f"--ca-certificate={place.certificate}", f"--input-file={wishes}"]
    return peer([*inside(place.namespace), "aria2c", f"-j{jobs}", *words], job, target)


def curl(place: Place, job: Job, target: Path, jobs: int) -> Result:
    wishes = target.with_suffix(".curl")
    wishes.write_text("".join(f'url = "{place.base}/{name}"\noutput = "{target / name}"\n' for name in job.names))
    words = ["--no-progress-meter", "--create-dirs", "--parallel", "--parallel-max", str(jobs)]
    words += ["--cacert", str(place.certificate), "--config", str(wishes)]
    return peer([*inside(place.namespace), "curl", "-q", *words], job, target)


def contend(contenders: dict[str, Callable[[Path], Result]], targets: Path, rounds: int) -> dict[str, list[Result]]:
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


def all_contenders(place: Place, job: Job, jobs: int | None, threads: bool) -> dict[str, Callable[[Path], Result]]:
    found: dict[str, Callable[[Path], Result]] = {
        "ciexplore": lambda target: ours(place, job, target, jobs, "libcurl"),
        "aria2c -j16": lambda target: aria2c(place, job, target, 16),
        "aria2c -j64": lambda target: aria2c(place, job, target, 64),
        "curl -Z 16": lambda target: curl(place, job, target, 16),
        "curl -Z 64": lambda target: curl(place, job, target, 64),
    }
    if threads:
        found["ciexplore, threads"] = lambda target: ours(place, job, target, jobs, "threads")
    return found


def median(results: list[Result]) -> Result:
    wall = statistics.median(result.wall for result in results)
    cpu = statistics.median(result.cpu for result in results)
    if results[0].late is None:
        return Result(wall, cpu)
    late = statistics.median(result.late or 0.0 for result in results)
    return Result(wall, cpu, late, max(result.latest or 0.0 for result in results))


HEADS = ("place", "job", "who", "wall s", "speed", "x aria2c", "CPU ms a file", "woken late: p99 / max")


def rows(place: Place, job: Job, results: dict[str, list[Result]]) -> Iterator[tuple[object, ...]]:
    medians = {name: median(found) for name, found in results.items()}
    best = min((name for name in medians if name.startswith("aria2c")), key=lambda name: medians[name].wall)
    curls = min((name for name in medians if name.startswith("curl")), key=lambda name: medians[name].wall)
    for name in (*(name for name in medians if name.startswith("ciexplore")), best, curls):
        one = medians[name]
        is_many = job.count > 100
        speed = job.count / one.wall if is_many else job.count * job.size / one.wall / 1e6
        late = f"{one.late * 1000:.0f} / {one.latest * 1000:.0f} ms" if one.late is not None and one.latest else ""
        yield (
            place.name, job.name, name, f"{one.wall:.2f}", f"{speed:,.0f} {'files/s' if is_many else 'MB/s'}",
            f"{medians[best].wall / one.wall:.2f}", f"{one.cpu / job.count * 1000:.2f}", late,
        )  # fmt: skip


def grow(place: Place, targets: Path, rounds: int) -> Iterator[tuple[object, ...]]:
    """Ours with three numbers of small files, and how the cost grows."""
    counts = (500, 2000, 8000)
    found: list[Result] = []
    for count in counts:
        job = Job(f"{count} x 100 KB", "small", count, 100_000)
        run = {"ciexplore": lambda target, job=job: ours(place, job, target, None, "libcurl")}
        found.append(median(contend(run, targets, rounds)["ciexplore"]))  # type: ignore[arg-type]
        late = f"{(found[-1].late or 0) * 1000:.0f} / {(found[-1].latest or 0) * 1000:.0f} ms"
        wall, cpu = found[-1].wall, found[-1].cpu / count * 1000
        yield (place.name, job.name, "ciexplore", f"{wall:.2f}", f"{count / wall:,.0f} files/s", "", f"{cpu:.2f}", late)
    wall, cpu = (fit_exponent(counts, values) for values in ([r.wall for r in found], [r.cpu for r in found]))
    yield (place.name, "exponent", "ciexplore", f"{wall:.2f}", "", "", f"{cpu:.2f}", "")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--places", default="loopback,link,tls,http2")
    options.add_argument("--jobs", type=int, default=None, help="our concurrent files; our own choice if not given")
    options.add_argument("--small", type=int, default=2000)
    options.add_argument("--big", type=int, default=4)
    options.add_argument("--threads", action="store_true", help="measure ours in threads over httpx, too")
    options.add_argument("--growth", action="store_true")
    options.add_argument("--target", type=Path, default=None, help="where files are written (default: memory)")
    chosen = options.parse_args()
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    small, big = chosen.small, chosen.big
    table: list[tuple[object, ...]] = []
    with (
        tempfile.TemporaryDirectory(dir=memory, prefix="ciexplore-site-") as site,
        tempfile.TemporaryDirectory(prefix="ciexplore-run-") as run,
        tempfile.TemporaryDirectory(dir=chosen.target or memory, prefix="ciexplore-got-") as got,
    ):
        fill(Path(site), max(small, 8000 * chosen.growth), big)
        for name in chosen.places.split(","):
            if name == "link" and os.geteuid() != 0:
                print("The link needs root for its network namespace: left out.", file=sys.stderr)
                continue
            with contextlib.ExitStack() as stack:
                namespace = stack.enter_context(link()) if name == "link" else None
                server = stack.enter_context(served(Path(site), Path(run), namespace))
                bases = {"loopback": server.plain, "link": f"{server.plain}/slow", "tls": server.tls}
                place = Place(name, bases.get(name, server.http2), server.certificate, namespace)
                count = small // 2 if name in ("tls", "http2") else small
                for job in (
                    Job(f"{count:,} x 100 KB", "small", count, 100_000), Job(f"{big} x 200 MB", "big", big, 200_000_000)
                ):  # fmt: skip
                    if job.count and not (name == "link" and job.folder == "big"):
                        contenders = all_contenders(place, job, chosen.jobs, chosen.threads)
                        table += rows(place, job, contend(contenders, Path(got), chosen.rounds))
                if chosen.growth and name == "loopback":
                    table += grow(place, Path(got), chosen.rounds)
    print_table(HEADS, table)


def fill(site: Path, small: int, big: int) -> None:
    site.chmod(0o755)
    (site / "ready").touch()
    for folder, count, size in (("small", small, 100_000), ("big", big, 200_000_000)):
        (site / folder).mkdir()
        body = os.urandom(size if count else 0)
        first = site / folder / "00000.bin"
        first.write_bytes(body)
        for number in range(1, count):  # one file on the disk, many names: 8,000 of them would fill the memory
            os.link(first, site / folder / f"{number:05}.bin")


if __name__ == "__main__":
    main()
