"""The walks through the app that `record_behaviour.py` records: keys on a real pseudo-terminal, screen after screen.

A line of a walk is `NAME | KEYS | TEXT`: what the screen is called, what is pressed, and a text to wait for (data, not
wording, where there is a choice). A screen is stored once nothing is written any more and neither the app nor the
embedded CI has a thread that runs; a text that never comes is stored with it. Keys are names, single characters, or
texts in double quotes, in which `<NAME>` is a locator of the demo.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyte

if TYPE_CHECKING:
    from record_behaviour import Ci

SIZES = ((80, 24), (200, 60))
QUIET = 0.4  # seconds without output and without work after which a screen is complete
PATIENCE = 20.0  # seconds for a screen; one that changes for longer is stored as it is
# Makes the pseudo-terminal the controlling one, as a shell's is: without that no resize is signalled.
_TAKE_TERMINAL = "import fcntl,os,sys,termios;fcntl.ioctl(0,termios.TIOCSCTTY,0);os.execv(sys.argv[1],sys.argv[1:])"
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "bar": "|",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "pagedown": "\x1b[6~",
    "pageup": "\x1b[5~",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "f6": "\x1b[17~",
    "ctrl+o": "\x0f",
    "ctrl+p": "\x10",
}
_LOADING = re.compile("^ *◌ loading")
# Textual asks the terminal for modes and the keyboard protocol; pyte would print what it does not know of that.
_UNKNOWN = re.compile(rb"\x1b\[[<>=?][0-9;]*u|\x1b\[\?[0-9;]*\$p|\x1b\[>[0-9;]*[a-zA-Z]|\x1b\[=[0-9;]*[a-zA-Z]")


class Terminal:
    """Runs a command in a pseudo-terminal of a size (columns, lines) and emulates its screen."""

    def __init__(self, command: list[str], size: tuple[int, int], environment: Mapping[str, str], cwd: Path) -> None:
        self._changed = threading.Condition()
        self._gone = threading.Event()
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._held = b""
        self._master, self._slave = os.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.program = subprocess.Popen(
            [sys.executable, "-S", "-c", _TAKE_TERMINAL, *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=environment,
            start_new_session=True,
            cwd=cwd,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        with self._changed:
            return [line.rstrip() for line in self._screen.display]

    def press(self, key: str) -> None:
        """A key by its name, or a text as it is."""
        os.write(self._master, KEYS.get(key, key).encode())

    def wait_for(self, text: str) -> bool:
        """Waits until the screen shows a text; gives whether it does."""
        deadline = time.monotonic() + PATIENCE
        while not any(text in line for line in self.lines):
            if time.monotonic() > deadline or self.program.poll() is not None:
                return False
            with self._changed:
                self._changed.wait(0.1)
        return True

    def wait_until_still(self, others: list[int], quiet: float = QUIET) -> bool:
        """Waits until nothing changes and no thread of the program, or of the processes `others`, runs."""
        began = changed = idle = loading = time.monotonic()
        lines = self.lines
        while time.monotonic() - began < PATIENCE and self.program.poll() is None:
            with self._changed:
                self._changed.wait(0.05)
            now, shown = time.monotonic(), self.lines
            if shown != lines:
                changed, lines = now, shown
            if any(_LOADING.search(line) for line in shown):
                loading = idle = now
            if any(runs(pid) for pid in [self.program.pid, *others]):
                idle = now
            # A clock that ticks has a thread run now and then, for nothing that is seen.
            if now - max(changed, idle) >= quiet or (now - changed >= 5 * QUIET and now - loading >= quiet):
                return True
        return self.program.poll() is not None

    def wait_until_untold(self) -> None:
        """Waits until a notification has come and gone: a box in the lower right corner, with a bar on its left."""
        for wanted in (True, False):
            deadline = time.monotonic() + PATIENCE
            while self._tells() is not wanted and time.monotonic() < deadline:
                with self._changed:
                    self._changed.wait(0.1)

    def _tells(self) -> bool:
        edges = [{found.start() for found in re.finditer("▌", line[10:])} for line in self.lines[-8:]]
        return any(one & other & third for one, other, third in zip(edges, edges[1:], edges[2:], strict=False))

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        self._gone.set()
        self._reader.join()  # before its descriptor's number can be another file's
        os.close(self._slave)
        os.close(self._master)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self) -> None:
        while not self._gone.is_set():
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(self._master, 1 << 16)
            except OSError:
                return
            with self._changed:
                self._feed(piece)
                self._changed.notify_all()

    def _feed(self, piece: bytes) -> None:
        text = self._held + piece
        cut = text.rfind(b"\x1b", -32)
        # An unfinished sequence waits for its end: half of one that pyte does not know would be printed.
        whole = cut < 0 or re.search(rb"[a-zA-Z~\\\x07]", text[cut + 2 :]) is not None
        self._held = b"" if whole else text[cut:]
        self._stream.feed(_UNKNOWN.sub(b"", text if whole else text[:cut]))


def runs(pid: int) -> bool:
    """Whether a thread of a process runs, or waits for a processor or a disk. Never known without /proc."""
    try:
        stats = [path.read_bytes() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return False
    return any(stat.rpartition(b") ")[2][:1] in (b"R", b"D") for stat in stats)


@dataclass(frozen=True)
class Walk:
    """Steps on one embedded CI, each `NAME | KEYS | TEXT`; `-`: no text to wait for."""

    name: str
    text: str

    @property
    def steps(self) -> list[tuple[str, list[str], str]]:
        found = []
        for line in filter(None, (line.strip() for line in self.text.splitlines())):
            name, keys, text = (part.strip() for part in line.split(" | "))
            found.append((name, [quoted or key for quoted, key in re.findall(r'"([^"]*)"|(\S+)', keys)], text))
        return found


JOB = "test-platform-results/logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp"
BUILDS = "2123570075066699778,2123452069284155394"
WALKS = [
    Walk(
        "tasks",
        """
        start | wait | -
        task group | "<taskcluster.finished-group>" enter | build-linux64
        sorted | s | -
        sorted by the third column | 3 | -
        filter typed | / "state:failed,exception" | failed
        filtered | enter | failed
        all marked | a | ●
        statistics | h | -
        statistics of the next column | ] | -
        statistics grouped | b | -
        statistics logarithmic | L | -
        statistics closed | h | -
        detail panel | p | -
        detail panel again | p | -
        menu | x | -
        export dialog | escape e | -
        download dialog | escape d | 88 files
        column hidden | escape right - | -
        all columns, filter cleared | + / escape | completed
        last row | G | -
        range marked | u v up up up v | ●
        inverted | i | ●
        help | u ? | -
        palette searched | escape ctrl+p "statist" | -
        open box | escape ctrl+o | -
        wrong locator | "nonsense" enter | nonsense
        breakdown | escape ctrl+o "taskcluster:breakdown/<id:taskcluster.finished-group>/suite" enter | xpcshell
        timeline | ctrl+o "taskcluster:timeline/<id:taskcluster.finished-group>" enter | 2026-11-20
        critical path | ctrl+o "taskcluster:critical-path/<id:taskcluster.finished-group>" enter | Decision
        back | escape escape | -
        hostile names | ctrl+o "<taskcluster.hostile-group>" enter | null-tags
        comparison | ctrl+o "taskcluster:compare/<id:taskcluster.hostile-group>..<id:taskcluster.finished-group>" \
            enter | test-linux
        empty group | ctrl+o "<taskcluster.empty-group>" enter | -
        index | ctrl+o "<taskcluster.namespace>" enter | pushlog-id
        start with what was open | f2 f1 | -
        """,
    ),
    Walk(
        "task",
        """
        artifacts | "<taskcluster.failed-task>" enter | live_backing.log
        artifact of the cursor | p | -
        log | p / "live_backing" enter l | TEST-
        next error | ] ] | -
        search in a log | / "UNEXPECTED-FAIL" enter | UNEXPECTED-FAIL
        next match | n | UNEXPECTED-FAIL
        folded | z | -
        unfolded, line 100 | z : "100" enter | 100
        elapsed times | t | -
        whole line | w | -
        definition | escape t | -
        search in a tree | / "image" enter | image
        all closed | z | -
        runs | ctrl+o "taskcluster:runs/<id:taskcluster.retried-task>" enter | -
        dependents | ctrl+o "taskcluster:dependents/<id:taskcluster.finished-group>" enter | build-linux64
        measurements | ctrl+o "taskcluster:measurements/<id:taskcluster.task>" enter | fcp
        statistics of measurements | h ] | -
        archive | h ctrl+o "taskcluster:archive/<id:taskcluster.task>/0/public/test_info/browsertime-results.tgz" \
            enter | json
        transfers, none | f6 | -
        download planned | f1 ctrl+o "<taskcluster.task>" enter a d "*.json" | 3 files
        started | f2 gone | -
        transfers | f6 | perfherder-data.json
        """,
    ),
    Walk(
        "prow",
        f"""
        start | f2 | -
        jobs | "gs://test-platform-results/logs/" enter | e2e-gcp
        builds | ctrl+o "<prow.job-openshift>" enter down | 2123570075066699778
        builds filtered | / "state:failure" enter | failure
        build of the cursor | p | failure
        files | p enter | build-log.txt
        menu | x | JUnit
        log | escape down l | INFO
        next error | ] | -
        tests | ctrl+o "prow:junit/gs/{JOB}/?builds={BUILDS}" enter | failed
        test of the cursor | p | failed
        tests over builds | p ctrl+o "prow:matrix/gs/{JOB}/?builds={BUILDS}" enter | failed
        over time | ctrl+o "prow:over-time/gs/{JOB}/" enter | 2026-11-19
        reasons | ctrl+o "prow:reasons/gs/{JOB}/" enter | ipi-install
        completeness | ctrl+o "prow:completeness/gs/{JOB}/" enter | incomplete
        hostile files | ctrl+o "<prow.build-hostile>" enter | artifacts
        pull request | ctrl+o "<prow.build-pull>" enter | build-log.txt
        pod as a tree | ctrl+o "<prow.build-failed>" enter / "podinfo" enter t | pod
        """,
    ),
    Walk(
        "perf",
        """
        start | f3 | -
        repositories | "perf:repositories" enter | mozilla-beta
        frameworks | enter | browsertime
        menu | x | -
        signatures | escape ctrl+o "<perf.signatures>" enter | amazon
        two series | / "speedometer" enter space down space A | ●
        closer | } | -
        further | { | -
        chart hidden | c | -
        point | c down down p | -
        series with an alert | p ctrl+o "<perf.series>" enter | ▽
        point at the end | G | -
        statistics | h | -
        alerts | h ctrl+o "<perf.alerts>" enter | 46331
        alert summary | enter | amazon
        comparison | ctrl+o "<perf.compare>" enter | regression
        comparison sorted | 2 | regression
        row of a comparison | p | -
        subtests | p ctrl+o "<perf.compare-subtests>" enter | loadtime
        pushes | ctrl+o "<perf.pushes>" enter | 2026-11-21
        jobs | ctrl+o "<perf.push>" enter | testfailed
        menu of a job | x | -
        """,
    ),
    Walk(
        "archives",
        """
        start | f4 | -
        repositories | "<archive.repositories>" enter | mozilla-central
        revisions | enter | Bug
        archives of a revision | enter | tar.bz2
        whole repository | d | -
        archives of a directory | escape ctrl+o "<archive.directory>" enter | tar.bz2
        without their age | right right right right - | tar.bz2
        menu | x | -
        fetched | escape d gone | -
        kept, without their age | ctrl+o "<archive.kept>" enter right right right right right right - | 16982c3917d4
        submit, start | f5 | -
        jobs to submit | "<submit.example>" enter | build-linux64
        job of the cursor | p | build-linux64
        menu of jobs | p x | -
        findings | escape ctrl+o "<submit.example-broken>" enter | error
        finding of the cursor | p | error
        preview | p ctrl+o "<submit.example-preview>" enter | build-linux64
        generation | ctrl+o "<submit.example-collection>" enter | demo-collection
        table | ctrl+o "<submit.example-table>" enter | device-lab
        outbox | ctrl+o "<submit.outbox>" enter | -
        transfers | f6 | -
        """,
    ),
]


def settle_screen(ci: Ci, lines: list[str]) -> list[str]:
    """The lines without ports, temporary names and what depends on the clock, each in the width that it had."""

    def masked(found: re.Match[str]) -> str:
        return re.sub(r"\w", "#", found[0])

    settled = []
    for line in lines:
        line = re.sub(r"(?<=127\.0\.0\.1:)\d+", masked, line)
        line = re.sub(rf"(?<=behaviour-)\w+|{ci.base.parent.name.rpartition('-')[2]}", masked, line)
        line = re.sub(r"\b\d{8}-\d{6}\b|\d[\d.]* .?B(?= free)", masked, line)
        moments = ci.settle_moments(line, lambda text: re.sub(r"\d", "#", text))
        if moments != line:
            moments = re.sub(r"\b\d+(?:\.\d+)?(?=(?:ms|[smhd])\b)", masked, moments)
        moments = re.sub(r"(\bAge +)\d\S*", r"\1{age}", moments)
        fetched = re.sub(r"(fetched|stored) [\w ]+? ago", r"\1 {age}", moments)
        # Where the end of a line does not fit, what is left of it depends on the age.
        settled.append(re.sub(r"(\{age\}).*…$", r"\1…", fetched))
    return settled


def take_walk(command: Path, base: Path, walk: Walk, size: tuple[int, int], out: Path) -> list[tuple[float, str]]:
    """Takes one walk at one size and writes a file for each screen. Gives how long each took."""
    from record_behaviour import Ci, file_name, write_json

    name = f"{walk.name}-{size[0]}x{size[1]}"
    took = []
    with Ci(command, base / name) as ci, Terminal([str(command)], size, ci.environment, ci.work) as terminal:
        terminal.wait_until_still([ci.pid])
        for number, (title, keys, text) in enumerate(walk.steps):
            began = time.monotonic()
            for key in keys:
                if key == "gone":
                    terminal.wait_until_untold()
                elif key != "wait":
                    terminal.press(ci.fill(key))
                    # What follows an escape at once would be read as Alt with that key; and where a key moves the
                    # focus, the next one is meant for what the screen shows then.
                    terminal.wait_until_still([ci.pid], 0.12)
            came = text == "-" or terminal.wait_for(text)
            still = terminal.wait_until_still([ci.pid])
            screen = settle_screen(ci, terminal.lines)
            if not came or not still:
                screen.append(f"[{text!r} never came]" if not came else "[never still]")
            record = {"id": title, "scene": f"{number:02} {name}", "keys": keys, "screen": screen}
            write_json(out / "screens" / name / f"{number:02}-{file_name(title)}.json", record)
            took.append((time.monotonic() - began, f"{name}: {title}"))
    return took


def jobs(command: Path, base: Path, out: Path, only: str) -> list[tuple[str, Callable[[], list[tuple[float, str]]]]]:
    """(name, what to run) of every walk that `only` names, at every size."""
    chosen = [walk for walk in WALKS if only in ("", "screens", walk.name)]
    return [
        (f"{walk.name} at {columns}x{lines}", partial(take_walk, command, base, walk, (columns, lines), out))
        for walk in chosen
        for columns, lines in SIZES
    ]
