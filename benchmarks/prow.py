"""How long Prow's lists take against what the network alone would: `python benchmarks/prow.py`.

1. A job of 5,000 builds: the first rows, and how many requests they took (must be one).
2. All of 500, 2,000 and 5,000 builds with their results, in turn with a bare client that makes the same requests and
   decodes nothing: ratio, processor time a request, growth (must be <= 2 requests a build).
3. Completeness of 500 builds at 50 ms latency against requests x latency / connections (must be <= 1.2 x).
4. A search through 1 GB of logs: MB/s, and how much memory it takes beyond what was there before (must be flat).
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import quote, urlencode, urlsplit

from backends.cancel import CancelToken
from backends.config import Settings
from backends.http import Http, Mode
from backends.pool import HOST_WORKERS
from backends.prow.bucket import open_bucket
from backends.prow.builds import BuildList
from backends.prow.locators import CompletenessView, LogSearchView, ProwPath
from backends.resources import read_list
from backends.systems import open_resource
from benchmarks.measuring import Cost, fit_exponent, measure, print_table, take_turns
from benchmarks.prow_storage import IDS as LISTED

BUCKET = "ci-logs"
JOB, LOGS = "logs/periodic-many/", "logs/periodic-logs/"
SIZES = (500, 2_000, 5_000)
IDS = LISTED[::-1]


@contextmanager
def storage(latency: float) -> Iterator[str]:
    script = Path(__file__).with_name("prow_storage.py")
    server = subprocess.Popen([sys.executable, str(script), str(latency)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def asked(url: str) -> int:
    with urllib.request.urlopen(f"{url}/asked") as reply:
        return int(reply.read())


def resident() -> float:
    """MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


class Peak(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest, self.over = 0.0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.highest = max(self.highest, resident())


def first_screen(url: str, http: Http) -> None:
    asked(url)
    builds = open_resource(ProwPath(BUCKET, JOB), http, Settings(gcs_url=url), CancelToken())
    began = time.perf_counter()
    pages = builds.pages(cancel := CancelToken())
    first = next(pages)
    took = time.perf_counter() - began
    requests = asked(url)
    cancel.cancel()
    print(f"5,000 builds: {first.frame.height} rows after {took * 1000:.0f} ms, 1 listing and {requests - 1} others")


def ask_bare(url: str, paths: Iterable[str]) -> None:
    """These requests by as many threads of the standard library's client, which decode nothing."""
    left: SimpleQueue[str] = SimpleQueue()
    for path in paths:
        left.put(path)

    def ask() -> None:
        connection = HTTPConnection(urlsplit(url).netloc)
        with contextlib.suppress(Empty):
            while True:
                connection.request("GET", f"/storage/v1/b/{BUCKET}/o{left.get_nowait()}")
                connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(HOST_WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def whole_lists(url: str, http: Http, latency: float, rounds: int = 3) -> None:
    """All rows of jobs of several sizes with the columns that cost two requests a build."""
    rows, spent, counts = [], [], dict[int, int]()
    for builds in SIZES:

        def ours(builds: int = builds) -> Cost:
            bucket = open_bucket(ProwPath(BUCKET, JOB), http, Settings(gcs_url=url))
            found = BuildList(ProwPath(BUCKET, JOB), bucket, count=builds)
            found.asked = frozenset(found.quick_columns)
            asked(url)
            cost = measure(lambda: _check_states(found, builds))
            counts[builds] = asked(url)
            return cost

        def bare(builds: int = builds) -> Cost:
            names = ("finished.json", "started.json")
            paths = [f"/{quote(f'{JOB}{one}/{name}', safe='')}?alt=media" for one in IDS[:builds] for name in names]
            return measure(lambda: ask_bare(url, paths))

        costs = take_turns({"ours": ours, "bare": bare}, rounds)
        spent.append(costs["ours"].cpu)
        requests = counts[builds]
        least = requests * latency / HOST_WORKERS * 1000
        rows.append((
            f"{builds:,}", requests, costs["ours"].wall, costs["ours"].wall / costs["bare"].wall,
            costs["ours"].wall / least, costs["ours"].cpu / requests, costs["bare"].cpu / requests,
        ))  # fmt: skip
    heads = ("builds", "requests", "ms", "ours / bare", "ours / (requests x latency / 16)", "CPU ms a request, ours")
    print_table((*heads, "bare"), rows)
    print(f"  CPU grows with the builds to the power of {fit_exponent(SIZES, spent):.2f}")


def _check_states(found: BuildList, builds: int) -> None:
    states = read_list(found, CancelToken()).frame["state"].to_list()
    assert states == ["success"] * builds, states[:3]


def bare(url: str, builds: int, latency: float) -> None:
    began = time.perf_counter()
    ask_bare(url, ("?" + urlencode({"prefix": f"{JOB}{one}/", "delimiter": "/"}) for one in _ids(builds)))
    took, least = time.perf_counter() - began, builds * latency / HOST_WORKERS
    print(
        f"  the same requests, http.client in {HOST_WORKERS} threads: {took:.2f} s = {took / least:.2f} x {least:.2f} s"
    )


def completeness(url: str, http: Http, latency: float, builds: int = 500) -> None:
    ids = tuple(str(one) for one in _ids(builds))
    view = CompletenessView(BUCKET, JOB, ids, level="1")
    resource = open_resource(view, http, Settings(gcs_url=url), CancelToken())
    asked(url)
    began = time.perf_counter()
    last = None
    for page in resource.pages(CancelToken()):
        last = page
    took, requests = time.perf_counter() - began, asked(url)
    least = requests * latency / HOST_WORKERS
    assert last is not None and last.frame["builds"].sum() == builds
    print(f"completeness of {builds} builds: {requests} requests, {took:.2f} s = {took / least:.2f} x {least:.2f} s")


def _ids(count: int) -> range:
    return range(10**18, 10**18 + count)


def search(url: str, http: Http) -> None:
    view = LogSearchView(BUCKET, LOGS, pattern=r"panicked|nothing here matches \d+$", count=4)
    resource = open_resource(view, http, Settings(gcs_url=url), CancelToken())
    before, peak = resident(), Peak()
    peak.start()
    began = time.perf_counter()
    for _ in resource.pages(CancelToken()):
        pass
    took = time.perf_counter() - began
    peak.over.set()
    peak.join()
    read = resource._tally.bytes / 1e6  # type: ignore[attr-defined]
    print(
        f"search: {read:,.0f} MB in {took:.1f} s = {read / took:,.0f} MB/s, {peak.highest - before:.0f} MB more memory"
    )


def main() -> None:
    latency = 0.05
    with storage(latency * 1000) as url, Http(mode=Mode.NO_CACHE) as http:
        first_screen(url, http)
        whole_lists(url, http, latency)
        completeness(url, http, latency, 50)  # connections and imports
        for _ in range(3):
            completeness(url, http, latency)
            bare(url, 500, latency)
    with storage(0) as url, Http(mode=Mode.NO_CACHE) as http:
        search(url, http)
        search(url, http)


if __name__ == "__main__":
    main()
