"""What the synthetic logs say: Taskcluster's and the harnesses' line forms, cut to an exact number of bytes."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from backends.demo.seeds import generator, number
from backends.demo.taskcluster.model import Group, Task
from backends.demo.taskcluster.names import words

_DIRECTORIES = words("browser dom layout netwerk toolkit js/src gfx media testing/web-platform/tests devtools")
_WORDS = words("basic nested async load resize focus scroll paint fetch worker cache storage event layer frame")


@lru_cache(maxsize=8)
def _bodies(seed: int, failed: bool) -> tuple[str, ...]:
    """Line endings after the time stamp; lines are drawn from these 400, as harnesses repeat themselves, too."""
    random = generator(seed, "log bodies", int(failed))
    bodies = []
    for _ in range(400):
        test = f"{random.choice(_DIRECTORIES)}/test/test_{random.choice(_WORDS)}_{random.choice(_WORDS)}.html"
        chance = random.random()
        if failed and chance < 0.02:
            bodies.append(f"   ERROR - TEST-UNEXPECTED-FAIL | {test} | expected {random.randint(1, 9)}, got 0")
        elif chance < 0.25:
            bodies.append(f"    INFO - TEST-START | {test}")
        elif chance < 0.45:
            bodies.append(f"    INFO - TEST-OK | {test} | took {random.randint(20, 9000)}ms")
        elif chance < 0.8:
            bodies.append(f"    INFO - TEST-PASS | {test} | {' '.join(random.choices(_WORDS, k=6))}")
        elif chance < 0.83:
            bodies.append(f" WARNING - JavaScript warning: resource://{test}, line {random.randint(1, 900)}")
        else:
            bodies.append(f"    INFO - GECKO({random.randint(900, 9999)}) | {' '.join(random.choices(_WORDS, k=9))}")
    return tuple(bodies)


def log_text(seed: int, group: Group, task: Task, run_id: int, name: str, size: int) -> bytes:
    """A log of exactly `size` bytes (at least a final newline where there is room), with errors if the run failed."""
    if size <= 0:
        return b""
    run = task.history[run_id]
    failed = run.state == "failed"
    started = run.started or 0.0
    duration = max((run.ended or started) - started, 1.0)
    head = _head(group, task, run_id, started)
    tail = _tail(group, task, run.state, run.reason, started + duration)
    if len(head) + len(tail) >= size:
        return (head + tail)[: size - 1] + b"\n"
    room = size - len(head) - len(tail)
    body = _body(seed, group, task, run_id, name, failed, started, duration, room)
    return head + body + tail


def _body(
    seed: int,
    group: Group,
    task: Task,
    run_id: int,
    name: str,
    failed: bool,
    started: float,
    duration: float,
    room: int,
) -> bytes:
    bodies = _bodies(seed, failed)
    draw = number(seed, task.id, run_id, name, "lines") & 0x7FFFFFFF
    lines: list[str] = []
    written = 0
    prefix, clock = "", ""
    while written < room:
        if len(lines) % 8 == 0:
            stamp = group.stamp(started + duration * written / room)
            prefix, clock = f"[task {stamp}] ", stamp[11:19]
        draw = (draw * 1103515245 + 12345) & 0x7FFFFFFF
        line = f"{prefix}{clock} {bodies[(draw >> 8) % len(bodies)]}\n"
        lines.append(line)
        written += len(line)
    return ("".join(lines)[: room - 1] + "\n").encode("ascii")


def _head(group: Group, task: Task, run_id: int, started: float) -> bytes:
    stamp = group.stamp(started)
    lines = [
        f"[taskcluster {stamp}] Task ID: {task.id}",
        f"[taskcluster {stamp}] Run ID: {run_id}",
        f"[taskcluster {stamp}] Worker Pool: {task.label.pool}",
        f"[taskcluster {stamp}] Worker Group: {task.history[run_id].worker_group}",
        f"[taskcluster {stamp}] === Task Starting ===",
        f"[setup {stamp}] run-task started in /builds/worker/checkouts",
        f"[vcs {stamp}] updated to {group.revision}",
    ]
    return ("\n".join(lines) + "\n").encode("ascii", "replace")


def _tail(group: Group, task: Task, state: str, reason: str, ended: float) -> bytes:
    stamp = group.stamp(ended)
    if state == "completed":
        lines = [f"[taskcluster {stamp}] === Task Finished ===", f"[taskcluster {stamp}] Successful task run, exit 0"]
    elif state == "failed":
        lines = [
            f"[task {stamp}] {stamp[11:19]}    ERROR - # TBPL FAILURE #",
            f"[task {stamp}] {stamp[11:19]}    FATAL - Harness returned 1 for {task.label.suite or task.label.kind}",
            f"[taskcluster {stamp}] === Task Finished ===",
            f"[taskcluster:error] {stamp} exit status 1",
        ]
    else:
        lines = [f"[taskcluster:error] {stamp} Task aborted: {reason}"]
    return ("\n".join(lines) + "\n").encode("ascii", "replace")


def errorsummary(seed: int, task: Task, run_id: int) -> bytes:
    """The harness's line-by-line JSON: groups, their results, and unexpected ones if the run failed."""
    random = generator(seed, task.id, run_id, "errorsummary")
    groups = [f"{random.choice(_DIRECTORIES)}/test/{word}.toml" for word in random.sample(_WORDS, 5)]
    lines: list[object] = [{"action": "test_groups", "line": 0, "groups": groups}]
    failed = task.history[run_id].state == "failed"
    for line, group in enumerate(groups, 1):
        bad = failed and line == 1
        if bad:
            test = group.replace(".toml", f"_{random.choice(_WORDS)}.js")
            lines.append(
                {
                    "action": "test_result",
                    "test": test,
                    "group": group,
                    "subtest": "waits for the event",
                    "status": "FAIL",
                    "expected": "PASS",
                    "message": "Test timed out",
                    "line": line,
                }
            )
        status = "ERROR" if bad else "OK"
        duration = random.randint(100, 90_000)
        lines.append({"action": "group_result", "group": group, "status": status, "duration": duration, "line": line})
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
