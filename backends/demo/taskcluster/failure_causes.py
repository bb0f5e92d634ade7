"""Why synthetic tasks fail: causes with texts that vary from failure to failure, and which failure has which cause.

What groups failures by cause is measured against this table. Some texts have no word like error; two of them differ in
one word only, which is another cause; one has stacks of different depths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from backends.demo.deterministic_random import generator, hexadecimal, number
from backends.demo.taskcluster.model import DemoTask


@dataclass(frozen=True)
class Cause:
    """`message`, `subtest`: templates; `{n}`, `{hex}`, `{uuid}`, `{ip}`, `{port}`, `{host}`, `{tmp}`, `{time}` and
    `{stack}` differ each time."""

    name: str
    message: str
    subtest: str = ""
    status: str = "FAIL"
    expected: str = "PASS"
    known: bool = False


@dataclass(frozen=True)
class PlantedFailure:
    """A failure of a task as its files have it."""

    cause: str
    test: str
    group: str
    status: str
    expected: str
    subtest: str
    message: str
    known: bool = False


# Of tests, told by the harness's summary
TEST_CAUSES = (
    Cause("video never plays", "undefined - timed out after {n} tries.", "Test timed out", "TIMEOUT"),
    Cause("cookies out of order", "Cookies of {host} came in another order: {uuid}, {uuid}", "order of cookies"),
    Cause("pixels differ", "image comparison, max difference: {n}, number of differing pixels: {n}", "", "FAIL"),
    Cause("port taken", "Address {ip}:{port} is in use by {n} since {time}", "starts the server", "ERROR", "OK"),
    Cause("window leaks", "leaked {n} nsGlobalWindowInner, first at 0x{hex}", "", "FAIL", known=True),
    Cause("quota used up", "Origin https://{host}:{port} used {n} bytes of its quota of {n}", "fills the storage"),
    Cause("promise pending", "Promise did not settle within {n} ms", "waits for the event"),
    Cause("dialog stays open", 'assert_equals: state expected "closed" but got "open"', "closes the dialog"),
    Cause("dialog still opens", 'assert_equals: state expected "closed" but got "opening"', "closes the dialog"),
    Cause("no selected tab", "TypeError: gBrowser.selectedTab is null\n{stack}", "Uncaught exception"),
    Cause("profile locked", "Could not remove {tmp}/profile.default/lock in {n} attempts", "", "ERROR", "OK"),
    Cause("release twice", "@ mozilla::dom::Node::Release", "", "CRASH"),
)  # fmt: skip
# Of tasks without a summary, told by the log alone: the line, and whether a rule for logs calls it an error
LOG_CAUSES = (
    Cause("no results", "   ERROR - no results of cycle {n} were found in {tmp}/browsertime-results"),
    Cause("video lost", "CRITICAL - frame {n} of {uuid}.mp4 cannot be decoded"),
    Cause("phone lost", "    INFO - device R58M{n} at {ip}:{port} went away, giving up at {time}"),
)
BUILD_CAUSE = Cause(
    "member renamed", "/builds/worker/checkouts/gecko/docshell/nsDocShell.cpp:{n}:{n}: error: no member named 'mFrozen'"
)
_WORDS = ("video", "cookie", "focus", "fullscreen", "scroll", "drag", "storage", "panel", "menu", "tab", "download")
_FOLDERS = ("browser/base/content/test", "dom/media/test", "toolkit/components/widget/tests", "layout/base/tests")
_FRAMES = (
    "openTab@chrome://browser/content/browser.js:{n}:{n}", "onClick@chrome://browser/content/tabbrowser.js:{n}:{n}",
    "handleEvent@resource://gre/modules/Widget.sys.mjs:{n}:{n}", "run@chrome://mochikit/content/test.js:{n}:{n}",
    "next@chrome://mochikit/content/test.js:{n}:{n}", "observe@resource://gre/modules/Timer.sys.mjs:{n}:{n}",
    "start@chrome://mochikit/content/harness.js:{n}:{n}", "main@chrome://mochikit/content/harness.js:{n}:{n}",
)  # fmt: skip


def planted_failures(seed: int, task: DemoTask, run_id: int) -> list[PlantedFailure]:
    """What the summary of a failed run lists: one to three tests, most of one cause. Nothing of other runs."""
    if task.history[run_id].state != "failed" or not has_summary(task):
        return []
    first = task.fails_like or task.id
    random = generator(seed, first, 0 if task.fails_like else run_id, "planted")
    words = generator(seed, task.id, run_id, "words")
    cause = TEST_CAUSES[number(seed, first, "cause") % len(TEST_CAUSES)]
    found = []
    for place in range(random.choice((1, 1, 2, 3))):
        chosen = cause if place < 2 else random.choice(TEST_CAUSES)
        group = f"{random.choice(_FOLDERS)}/{random.choice(_WORDS)}.toml"
        test = group.replace(".toml", f"_{random.choice(_WORDS)}_{place}.js")
        subtest, message = _fill(chosen.subtest, random), _fill(chosen.message, random)
        if task.fails_like:
            subtest, message = _fill(chosen.subtest, words), _fill(chosen.message, words)
        found.append(
            PlantedFailure(chosen.name, test, group, chosen.status, chosen.expected, subtest, message, chosen.known)
        )
    return found


def log_cause(seed: int, task: DemoTask, run_id: int) -> tuple[Cause, str] | None:
    """The cause of a failed run that has no summary, and its line of the log."""
    if task.history[run_id].state != "failed" or has_summary(task):
        return None
    is_build = task.label.kind in ("build", "spidermonkey")
    cause = (
        BUILD_CAUSE if is_build else LOG_CAUSES[number(seed, task.fails_like or task.id, "log cause") % len(LOG_CAUSES)]
    )
    return cause, _fill(cause.message, generator(seed, task.id, run_id, "planted line"))


def has_summary(task: DemoTask) -> bool:
    return task.label.kind == "test" and not task.label.is_perf


def has_test_summary(task: DemoTask) -> bool:
    """Whether the summary of a failed run is mozlog's summary.jsonl."""
    return has_summary(task) and task.label.category == "web-platform-tests"


def planted_log_lines(seed: int, task: DemoTask, run_id: int) -> list[str]:
    """What the log has of it, without times: of a crash and an unexpected result what the harness prints."""
    lines = []
    for one in planted_failures(seed, task, run_id):
        if one.status == "CRASH":
            lines.append(f"   ERROR - PROCESS-CRASH | {one.test} | application crashed [{one.message}]")
            continue
        words = " - ".join(part for part in (one.subtest, one.message) if part).split("\n")
        lines.append(f"   ERROR - TEST-UNEXPECTED-{one.status} | {one.test} | {words[0]}")
        lines += [f"    INFO - {word}" for word in words[1:]]
    if (cause := log_cause(seed, task, run_id)) is not None:
        lines.append(cause[1] if cause[0] is not BUILD_CAUSE else f"    INFO - {cause[1]}")
    return lines


def _fill(template: str, random: Random) -> str:
    values: dict[str, Callable[[], str]] = {
        "n": lambda: str(random.randint(2, 99_999)),
        "hex": lambda: f"{random.getrandbits(48):012x}",
        "uuid": lambda: _uuid(random),
        "ip": lambda: f"10.{random.randint(0, 255)}.{random.randint(0, 255)}.{random.randint(1, 254)}",
        "port": lambda: str(random.randint(2_000, 65_000)),
        "host": lambda: f"test{random.randint(1, 99)}.example.org",
        "tmp": lambda: f"/tmp/tmp{random.getrandbits(40):08x}",  # noqa: S108 - a text
        "time": lambda: f"2026-11-20T{random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}Z",
        "stack": lambda: "\n".join(_fill(frame, random) for frame in _FRAMES[: random.randint(6, 8)]),
    }
    for name, draw in values.items():
        while f"{{{name}}}" in template:
            template = template.replace(f"{{{name}}}", draw(), 1)
    return template


def _uuid(random: Random) -> str:
    digits = hexadecimal(32, random.getrandbits(64))
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
