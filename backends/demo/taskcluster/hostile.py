"""What a server could send that nobody expects: task names, artifact names and shapes that must do no harm.

Each quirk is one task of the hostile group: an ordinary task, twisted in one way, with artifacts of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backends.demo.taskcluster.catalogue import source_test
from backends.demo.taskcluster.model import Label

_BIDI = "\u202e"
_LONG = "".join(f"segment-{number:04d}/" for number in range(310))


@dataclass(frozen=True)
class Quirk:
    """One twist: what the task is called, and the artifacts that its run lists (name, and what the file holds)."""

    name: str
    title: str
    artifacts: tuple[str, ...] = ()

    def label(self, index: int) -> Label:
        return replace(source_test("mozlint-eslint"), name=self.title, symbol=f"H{index}")


QUIRKS = (
    Quirk("hostile-decision", "Gecko Decision Task"),
    Quirk("hostile-markup", "[bold red]not bold[/bold red] [link=https://example.org]x[/link] [@click=app.quit]q[/]"),
    Quirk("hostile-unclosed-markup", "test-linux/opt-[/] [unclosed \\[ [[ ]] $variable {brace}"),
    Quirk(
        "hostile-escapes",
        "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[H \x9b5n bell\x07 back\x08\x08 tab\t nul\x00",
    ),
    Quirk("hostile-bidi", f"test-{_BIDI}gpj.exe\u2066hidden\u2069\u200b\u200d\ufeff-end"),
    Quirk("hostile-long", "test-" + "x" * 3_987 + "-the-end"),
    Quirk("hostile-wide", "测试-リフテスト-시험-🧪👩‍👩‍👧‍👦🏳️‍🌈-e\u0301\u0302\u0303-ﷺ"),
    Quirk("hostile-lines", "first line\nsecond line\r\nthird\u2028fourth\x0bfifth"),
    Quirk("hostile-path", "../../etc/passwd"),
    Quirk("hostile-formula", '=HYPERLINK("https://example.org","x")'),
    Quirk("hostile-empty-name", ""),
    Quirk(
        "hostile-artifacts",
        "test-linux/opt-artifact-names-1",
        (
            "public/../../../etc/passwd",
            "public/..",
            "public/./dot/./file.txt",
            "public/test_info//doubled.log",
            "public//",
            "/public/leading-slash.txt",
            "//public/two-leading-slashes.txt",
            "C:\\Users\\public\\drive.txt",
            "public/Case.txt",
            "public/case.TXT",
            "public/case.txt",
            "public/a",
            "public/a/b",
            "public/" + "n" * 293,
            "public/" + "é" * 150,
            _LONG[:1_000],
            "public/line\nbreak.txt",
            "public/\x1b[31mred\x1b[0m.txt",
            "public/nul\x00byte.txt",
            f"public/{_BIDI}txt.exe",
            "public/percent%2Fencoded%00.txt",
            "public/question?query=1#fragment",
            "public/space at end ",
            "public/CON",
            "public/trailing-dot.",
            "-rf",
            "~/.profile",
            "public/[bold red]markup[/].txt",
            "public/evil.tar.gz",
            "public/evil.zip",
        ),
    ),
    Quirk("hostile-state", "test-linux/opt-unknown-state"),
    Quirk("hostile-missing", "test-linux/opt-missing-tags-and-extra"),
    Quirk("hostile-null-tags", "test-linux/opt-null-tags"),
    Quirk("hostile-list-extra", "test-linux/opt-extra-is-a-list"),
    Quirk("hostile-null-runs", "test-linux/opt-null-runs"),
    Quirk("hostile-types", "test-linux/opt-wrong-types"),
    Quirk("hostile-times", "test-linux/opt-impossible-times"),
    Quirk("hostile-no-metadata", "test-linux/opt-no-metadata"),
    Quirk("hostile-numbers", "test-linux/opt-huge-numbers"),
)
_BY_NAME = {quirk.name: quirk for quirk in QUIRKS}


def artifact_names(role: str) -> tuple[str, ...]:
    """The names that a hostile task lists instead of an ordinary task's."""
    quirk = _BY_NAME.get(role)
    return quirk.artifacts if quirk else ()


def twist_definition(role: str, task: dict[str, Any]) -> None:
    """Bends a definition the way the quirk of that name asks; an ordinary task stays as it is."""
    if role == "hostile-missing":
        del task["tags"], task["extra"], task["routes"], task["dependencies"], task["taskQueueId"], task["projectId"]
    elif role == "hostile-null-tags":
        task["tags"] = None
        task["extra"] = None
    elif role == "hostile-list-extra":
        task["extra"] = []
        task["tags"] = []
        task["payload"] = "no payload"
    elif role == "hostile-types":
        task["tags"] = {"kind": 7, "label": ["x"], "retrigger": True, "os": {"name": "linux"}}
        task["extra"] = {"treeherder": "symbol", "suite": 12, "chunks": ["1", "2"], "treeherder-platform": None}
        task["routes"] = "tc-treeherder.v2.try"
        task["dependencies"] = {"a": 1}
        task["priority"] = 4
    elif role == "hostile-times":
        task["created"] = "yesterday"
        task["deadline"] = "0000-00-00T00:00:00.000Z"
        task["expires"] = 1763712000
    elif role == "hostile-no-metadata":
        del task["metadata"]
        task["extra"] = {"treeherder": None}
    elif role == "hostile-numbers":
        task["retries"] = 10**30
        task["extra"]["treeherder"]["tier"] = 1e308
        task["extra"]["chunks"] = {"current": -1, "total": 2**63}


def twist_status(role: str, status: dict[str, Any]) -> None:
    """The same for a status."""
    if role == "hostile-state":
        status["state"] = "deferred"
        status["runs"][-1] |= {"state": "deferred", "reasonResolved": "moon-phase", "reasonCreated": "whim"}
    elif role == "hostile-null-runs":
        status["runs"] = None
        status["state"] = None
    elif role == "hostile-types":
        status["runs"] = [{"runId": "0"}, None, 5, {"state": "completed"}]
        status["retriesLeft"] = "5"
    elif role == "hostile-times":
        last = status["runs"][-1]
        last["started"], last["resolved"] = last["resolved"], last["started"]
        last["scheduled"] = "9999-12-31T23:59:60.000Z"
    elif role == "hostile-missing":
        del status["taskQueueId"], status["projectId"], status["priority"]
