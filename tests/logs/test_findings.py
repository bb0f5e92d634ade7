"""What a person who jumps to errors would lose: an error, or the trust that a jump leads to one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.logs import ansi, rules, sources
from backends.logs.findings import Findings
from backends.logs.rules import RULES, Rule, Severity
from backends.logs.spool import LogSpool

INNOCENT = [
    "[task 2025-02-12T02:47:22.358Z] 02:47:22     INFO -                'halt_on_failure': False,",
    "[task 2025-02-12T02:48:56.057Z] 02:48:56     INFO - Failed:  0",
    "[task 2025-02-12T02:48:56.073Z] 02:48:56     INFO - GECKO(3989) | Exiting due to channel error.",
    "[task 2025-02-12T02:48:56.073Z] 02:48:56     INFO - GECKO(4056) | ERROR: Active attribute aliasing. Slot 0",
    "[task 2025-02-12T02:47:35.329Z] 02:47:35     INFO - {'substr': 'Traceback (most recent call last)'}",
    "TEST-START | dom/canvas/test/webgl-conf/generated/test_..__always-fail.html",
    "PASS: 0 errors, 0 warnings",
    "ok 3 - reports an error: for a missing file",
    "--- PASS: TestErrorIsReported (0.01s)",
    'time="2021-04-03T20:16:31Z" level=info msg="no error: all is well"',
    "I0101 00:00:00.000000       1 reflector.go:127] error: none",
    "error_handling.c compiled",
    "INFO[2021-04-28T20:08:36Z] Step e2e-gcp-ipi-conf succeeded after 10s.",
]


def findings(content: bytes) -> Findings:
    spool = LogSpool(sources.from_bytes(content))
    spool.fill()
    found = Findings(spool)
    found.run()
    assert found.complete
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.severity}-{rule.name}")
def test_every_rule_finds_what_it_is_for(rule: Rule) -> None:
    assert re.search(rule.regex, rule.example)
    assert rule in rules.matching_rules(rule.example)
    found = findings(f"before\n{rule.example}\nafter\n".encode())
    assert found.severity(1) is not None and found.severity(0) is found.severity(2) is None
    if rule.severity is Severity.ERROR:
        assert found.severity(1) is Severity.ERROR


@pytest.mark.parametrize("line", INNOCENT)
def test_a_line_that_only_speaks_of_errors_is_none(line: str) -> None:
    assert findings(line.encode()).severity(0) in (None, Severity.SECTION), rules.matching_rules(line)


def test_a_coloured_error_is_an_error() -> None:
    assert findings(b"\x1b[31mERRO\x1b[0m[2021-04-08T17:52:09Z] Some steps failed:\n").severity(0) is Severity.ERROR


def test_jumps_go_round_and_know_warnings_apart() -> None:
    found = findings(b"x\nerror: a\nwarning: b\nx\nerror: c\n")
    assert (found.next(0), found.next(1), found.next(4)) == (1, 4, 1)
    assert (found.next(1, warnings=True), found.previous(4, warnings=True), found.previous(1)) == (2, 2, 4)
    assert findings(b"fine\n").next(0) is None


def test_the_rules_agree_with_pythons_re_on_real_logs(samples: Path) -> None:
    """And what they call errors there is few enough to be walked through, and is what failed."""
    logs = sorted(samples.glob("taskcluster/treeherder/*.log.gz")) + sorted(samples.glob("prow/**/build-log*.txt"))
    if not logs:
        pytest.skip("there are no recorded logs on this machine")
    compiled = {severity: re.compile(rules.joined(severity)) for severity in Severity}
    for path in logs:
        spool = LogSpool(sources.from_path(path))
        spool.fill()
        found = Findings(spool)
        found.run()
        for number, line in enumerate(spool.lines(0, spool.line_count)):
            text = ansi.strip(ansi.decoded(line.content))
            expected = next((severity for severity in Severity if compiled[severity].search(text)), None)
            assert found.severity(number) is expected, text


def test_in_real_taskcluster_logs_only_the_failure_is_an_error(samples: Path) -> None:
    path = samples / "taskcluster/treeherder/real_task_log_timeout.log.gz"
    if not path.exists():
        pytest.skip("the recorded log is not on this machine")
    spool = LogSpool(sources.from_path(path))
    spool.fill()
    found = Findings(spool)
    found.run()
    errors = [spool.lines(line, 1)[0].content for line in found.of(Severity.ERROR).kept]
    assert len(errors) == 9
    assert all(b"TEST-UNEXPECTED-TIMEOUT" in line or line.startswith(b"[taskcluster:error]") for line in errors)
