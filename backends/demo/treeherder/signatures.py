"""Which signatures there are: what each lane measures, four thousand in all, a few of them out of the ordinary."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backends.demo.seeds import fraction
from backends.demo.treeherder.lanes import Lane
from backends.demo.treeherder.reference import option_hash

SIGNATURES = 4000
ODD = 12  # so many of them, the last ones, have awkward names or values; they are always there


class Metric(NamedTuple):
    """One measured thing. `test` "" is the suite's own value; `typical` its size in `unit`."""

    suite: str
    test: str
    unit: str | None
    typical: float
    options: tuple[str, ...] = ()
    lower: bool = True
    alerts: bool | None = None
    tags: tuple[str, ...] = ()
    orphan: bool = False  # a subtest of no suite


@dataclass(frozen=True, slots=True)
class Signature:
    """`index` counts all signatures of the synthetic Firefox, `position` those of the lane; `parent` is an index."""

    index: int
    lane: Lane
    position: int
    metric: Metric
    hash: str
    parent: int | None
    has_subtests: bool

    @property
    def option_hash(self) -> str:
        return option_hash(self.lane.label.collection)


_PAGELOAD = (
    ("fcp", 0.6), ("loadtime", 1.4), ("largestContentfulPaint", 1.0), ("ContentfulSpeedIndex", 0.8),
    ("PerceptualSpeedIndex", 0.9), ("SpeedIndex", 0.85), ("FirstVisualChange", 0.55), ("LastVisualChange", 1.7),
)  # fmt: skip
_PARTS = {
    "speedometer3": ("TodoMVC-React", "TodoMVC-Vue", "Editor-TipTap", "Charts-chartjs", "Perf-Dashboard", "NewsSite"),
    "jetstream2": ("3d-cube-SP", "async-fs", "gcc-loops-wasm", "regexp", "WSL"),
}
_MEMORY = ("Explicit Memory", "Heap Unclassified", "JS", "Images", "Resident Memory", "Base Content Explicit")
_MOMENTS = ("Fresh start", "Tabs open", "Tabs closed", "Tabs closed [+30s, forced GC]")
_BUILD = ("libxul.so", "omni.ja", "firefox", "libnss3.so", "libmozavcodec.so", "plugin-container")
_DAMP = tuple(
    f"{page}.{tool}.{act}.DAMP"
    for page in ("simple", "complicated", "custom")
    for tool in ("inspector", "webconsole", "jsdebugger", "netmonitor")
    for act in ("open", "reload", "close")
)
_SHELL = (("ares6", "ms", True), ("octane", "score", False), ("six-speed", "ms", True), ("embenchen", "score", False))


def _pageload(lane: Lane) -> Iterator[Metric]:
    size = 300 + 1500 * fraction("size", lane.suite)
    for load, share, tests in (("cold", 1.0, 4), ("warm", 0.45, 2)):
        options = ("cold",) if load == "cold" else ("bytecode-cached", "warm")
        options = tuple(sorted((*options, "fission", "webrender")))
        yield Metric(lane.suite, "", "ms", size * share, options)
        for test, part in _PAGELOAD[:tests]:
            yield Metric(lane.suite, test, "ms", size * share * part, options)
        if load == "cold" and len(lane.suite) % 5 == 0:  # so small that two decimals say nothing
            yield Metric(lane.suite, "jank", None, 0.0123, options, tags=("responsiveness",))


def _benchmark(lane: Lane) -> Iterator[Metric]:
    options, typical = ("fission", "webrender"), 20 + 200 * fraction("score", lane.suite)
    yield Metric(lane.suite, "", "score", typical, options, False, tags=("interactive",))
    parts_are_times = lane.suite == "speedometer3"
    for test in _PARTS.get(lane.suite, ("part1", "part2", "part3")):
        name, unit = (f"{test}/total", "ms") if parts_are_times else (test, "score")
        yield Metric(lane.suite, name, unit, typical * 1.3, options, parts_are_times)
    yield Metric(lane.suite, "cpuTime", "ms", 9000.0, options, True, False)


def _talos(lane: Lane) -> Iterator[Metric]:
    options, typical = ("e10s", "fission", "stylo", "webrender"), 40 + 900 * fraction("talos", lane.suite)
    faster = lane.suite in ("dromaeojs", "motionmark", "webgl")
    yield Metric(lane.suite, "", "score" if faster else "ms", typical, options, not faster)
    for number in range(6):
        yield Metric(lane.suite, f"{lane.suite}-page{number}.html", "score" if faster else "ms",
                     typical * (0.6 + 0.2 * number), options, not faster)  # fmt: skip


def _damp(lane: Lane) -> Iterator[Metric]:
    options = ("e10s", "fission", "stylo", "webrender")
    yield Metric("damp", "", "ms", 500.0, options)
    for number, test in enumerate(_DAMP):
        yield Metric("damp", test, "ms", 80.0 + 15 * number, options)


def _awsy(lane: Lane) -> Iterator[Metric]:
    options = ("fission",) if lane.suite == "awsy-base" else ("fission", "tp6")
    for number, suite in enumerate(_MEMORY):
        typical = 4e7 * (1 + number)
        yield Metric(suite, "", "bytes", typical, options)
        for moment in _MOMENTS[: 2 if lane.suite == "awsy-base" else 4]:
            yield Metric(suite, f"{suite} {moment}", "bytes", typical * 0.9, options)


def _build(lane: Lane) -> Iterator[Metric]:
    yield Metric("installer size", "", "bytes", 8.4e7)
    for number, test in enumerate(_BUILD):
        yield Metric("installer size", test, "bytes", 1e6 * (1 + 9 * number))
    yield Metric("build times", "", "seconds", 1300.0, ("taskcluster-c2d",), alerts=False)
    for test in ("configure", "compile", "package", "buildsymbols"):
        yield Metric("build times", test, "seconds", 200.0, ("taskcluster-c2d",), alerts=False)
    yield Metric("compiler_metrics", "num_static_constructors", None, 0.0, orphan=True)
    yield Metric("compiler warnings", "", None, 118.0, lower=True)


def _micro(lane: Lane) -> Iterator[Metric]:
    for number in range(28):
        yield Metric("gtest", f"PerfStrip_{number:02d}", "μs", 3.0 * (1 + number), alerts=True, orphan=True)


def _shell(lane: Lane) -> Iterator[Metric]:
    for suite, unit, lower in _SHELL:
        yield Metric(suite, "", unit, 4000.0, ("shell",), lower)
        for number in range(9):
            yield Metric(suite, f"{suite}-part{number}", unit, 500.0 * (1 + number), ("shell",), lower)


def _mozperftest(lane: Lane) -> Iterator[Metric]:
    for name in ("read", "write", "stat", "startup", "idle", "webrtc"):
        yield Metric("browser-xpcshell", f"test_perf_{name}.js", "ms", 70.0, alerts=True, orphan=True)


def _fxrecord(lane: Lane) -> Iterator[Metric]:
    for test in ("PerceptualSpeedIndex", "SpeedIndex", "FirstVisualChange"):
        yield Metric("startup", test, "ms", 1800.0, orphan=True)


def _telemetry(lane: Lane) -> Iterator[Metric]:
    for probe in ("FX_PAGE_LOAD_MS_2", "GC_MS", "MEMORY_TOTAL", "HTTP_PAGE_TLS_HANDSHAKE"):
        yield Metric(probe, "", None, 900.0, ("nightly",), alerts=False)


def _mozharness(lane: Lane) -> Iterator[Metric]:
    yield Metric("mochitest-plain.mozharness", "overall.time", "s", 900.0, orphan=True)
    for step in ("install", "run-tests", "clobber"):
        yield Metric("mochitest-plain.mozharness", f"{step}.time", "s", 300.0, orphan=True)


_METRICS = {
    "pageload": _pageload, "benchmark": _benchmark, "talos": _talos, "damp": _damp, "awsy": _awsy, "build": _build,
    "micro": _micro, "shell": _shell, "mozperftest": _mozperftest, "fxrecord": _fxrecord, "telemetry": _telemetry,
    "mozharness": _mozharness,
}  # fmt: skip


def _odd(lane: Lane) -> Iterator[Metric]:
    """Names that try what a table, a terminal or a spreadsheet does with them, and values of every awkward size."""
    yield Metric("[red]markup[/red] [@click=app.quit]x[/]", "", "ms", 100.0)
    yield Metric("esc\x1b[31mape\x1b]0;title\x07", "tab\tline\nend", "m\x1bs", 100.0, orphan=True)
    yield Metric('=HYPERLINK("http://127.0.0.1/","x")', "@SUM(1+1)*cmd|' /C calc'!A0", "ms", 100.0, orphan=True)
    yield Metric("-2+3", "+1", "=1", 100.0, ("=cmd", "-x"), tags=("=tag", "<b>"), orphan=True)
    yield Metric("<script>alert(1)</script>", 'a,b;"c"', "ms", 100.0, orphan=True)
    yield Metric("\u202eright to left", "日本語 🦊 e\u0301", "ms", 100.0, orphan=True)
    yield Metric("s" * 80, "t" * 160, "ms", 100.0, ("o" * 60,), orphan=True)
    yield Metric("tiny", "ratio", None, 0.0000123, orphan=True)
    yield Metric("huge", "bytes", "bytes", 9.1e15, orphan=True)
    yield Metric("constant", "seven", "score", 7.0, lower=False, orphan=True)
    yield Metric("zero", "nothing", "ms", 0.0, orphan=True)
    yield Metric("..", "../../etc/passwd", "ms", 100.0, orphan=True)


def catalogue(lanes: Sequence[Lane]) -> list[Signature]:
    """Exactly so many; the odd ones belong to the favourite lane and are the last."""
    found: list[Signature] = []
    for lane in lanes:
        room = SIGNATURES - ODD - len(found)
        if room <= 0:
            break
        found += _of_lane(lane, list(_METRICS[lane.kind](lane))[:room], len(found), 0)
    used = sum(signature.lane is lanes[0] for signature in found)
    return found + _of_lane(lanes[0], list(_odd(lanes[0])), len(found), used)


def _of_lane(lane: Lane, metrics: Sequence[Metric], index: int, position: int) -> list[Signature]:
    found: list[Signature] = []
    parent: Signature | None = None
    for offset, metric in enumerate(metrics):
        of_suite = metric.test != "" and not metric.orphan
        parent = parent if of_suite else None
        following = metrics[offset + 1] if offset + 1 < len(metrics) else None
        has_subtests = metric.test == "" and following is not None and following.test != "" and not following.orphan
        hashed = _hash(lane, metric, parent.hash if parent else "")
        one = Signature(index + offset, lane, position + offset, metric, hashed, parent.index if parent else None,
                        has_subtests)  # fmt: skip
        found.append(one)
        parent = one if has_subtests else parent
    return found


def _hash(lane: Lane, metric: Metric, parent: str) -> str:
    # The application is no part of it: Firefox and Chrome of one test share a hash and differ in their id only.
    parts = (metric.suite, metric.test, option_hash(lane.label.collection), lane.platform, *metric.options, parent)
    return hashlib.sha1("\0".join(parts).encode(), usedforsecurity=False).hexdigest()
