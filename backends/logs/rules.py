r"""What makes a line an error, a warning or the heading of a section: rules as data, each with what it is for.

A rule looks at the line without escape sequences (on a real OpenShift log the patterns of its own Prow match 0 lines
with the colours in and 21 without). Precision counts more than recall: a jump to nothing teaches not to jump. So words
like "error" alone never count, and a level counts only where a logger puts it.

Of two real Taskcluster logs every error that these find was read and is one. Of 18 real Prow logs the matches were
read; one thing is wider than a person would have it: whole ERRO[...] blocks, since ci-operator logs them as errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    SECTION = "section"


@dataclass(frozen=True)
class Rule:
    """`regex` in the dialect of backends.logs.patterns; `example`: a line that it is for."""

    name: str
    severity: Severity
    regex: str
    example: str


# What may stand before the words of a tool: "[task 2025-...Z] ", "02:47:22     INFO - ", "2021/03/18 16:30:50 ",
# "INFO[2021-...Z] ". Digits and punctuation for times, so that no prose passes for it.
_STAMP = r"(?:\[\w[\w:]* \d[^\]]*\] ?|\d[-\d/:.,T]*Z? +|\w{4}\[\d[^\]]*\] ?|INFO +- +)*"
_E, _W, _S = Severity.ERROR, Severity.WARNING, Severity.SECTION

RULES: tuple[Rule, ...] = (
    # Mozilla: harnesses, mozharness levels, the worker
    Rule("test unexpected", _E, r"TEST-UNEXPECTED-\w+", "TEST-UNEXPECTED-FAIL | dom/test.html | got 1"),
    Rule("crash", _E, r"\bPROCESS-CRASH\b|\bapplication crashed \[", "PROCESS-CRASH | dom/test.html | application"),
    Rule("assertion", _E, r"\bAssertion failure: |\bAssertion `.*' failed", "Assertion failure: x, at a.cpp:10"),
    Rule("level", _E, r"(?:^|[0-9] +)(?:ERROR|CRITICAL|FATAL) +- ", "02:47:22    ERROR - Return code: 1"),
    Rule("mozharness step failed", _E, r"\[mozharness: [^\]]*\] Finished \S+ step \((?:fail|error|exception)",
         "INFO - [mozharness: 2025-02-13 11:46:11.17Z] Finished run-tests step (failed)"),
    Rule("worker", _E, r"^\[taskcluster:error\b|^\[taskcluster [^\]]*\] === Task Finished with .*fail",
         "[taskcluster:error] Aborting task..."),
    Rule("task unsuccessful", _E, r"^\[taskcluster [^\]]*\] (?:Unsuccessful task run|exit status: [1-9])",
         "[taskcluster 2025-02-13T12:45:00.000Z] Unsuccessful task run with exit code: 1"),
    Rule("leak", _E, r"\bLeakSanitizer\b.*detected|leakcheck \| .*\| [1-9]\d* bytes leaked",
         "ERROR: LeakSanitizer: detected memory leaks"),
    # Languages and tools
    Rule("traceback", _E, r"Traceback \(most recent call last\):\s*$", "Traceback (most recent call last):"),
    Rule("sanitizer", _E, r"\b(?:Address|Thread|Memory|UndefinedBehavior)Sanitizer: |: runtime error: ",
         "==12==ERROR: AddressSanitizer: heap-use-after-free"),
    Rule("rust panic", _E, r"\bpanicked at ", "thread 'main' panicked at src/main.rs:1:2"),
    Rule("signal", _E, r"\b[Ss]egmentation fault\b|\bcore dumped\b", "Segmentation fault (core dumped)"),
    Rule("make", _E, r"\b(?:g?make|mozmake)(?:\.exe)?(?:\[\d+\])?: \*\*\* ", "make[2]: *** [Makefile:10: all] Error 2"),
    Rule("error:", _E, rf"^{_STAMP}(?:[^\s:]+:\d+(?::\d+)?: )?(?:fatal )?[Ee]rror(?:\[\w+\])?: ",
         "main.c:10:5: error: expected ';'"),
    Rule("error doing", _E, rf"^{_STAMP}error [a-z]+ing [a-z ]{{2,60}}: ", "error getting pods: i/o timeout"),
    Rule("fatal:", _E, rf"^{_STAMP}(?:fatal|FATAL): ", "fatal: not a git repository"),
    Rule("tap", _E, r"^not ok \d+", "not ok 3 - reads the file"),
    # Go, Kubernetes, Prow
    Rule("go test", _E, r"^\s*--- FAIL: |^FAIL(?:\s|$)|^fail \[", "--- FAIL: TestOpen (0.01s)"),
    Rule("go panic", _E, r"^panic: |^fatal error: ", "panic: runtime error: index out of range"),
    Rule("ginkgo", _E, r"^failed: \(|^Failing tests:|\[FAIL\] ", "failed: (1.2s) 2021-04-07T15:53:31 \"a test\""),
    Rule("klog", _E, r"^[EF]\d{4} \d\d:\d\d:\d\d\.\d", "E0101 00:00:00.000000       1 reflector.go:127] failed"),
    Rule("logrus", _E, r"\blevel=(?:error|fatal|panic)\b", "level=error msg=\"timed out\""),
    Rule("logrus short", _E, r"^(?:ERRO|FATA|PANI)\[", "ERRO[2021-04-08T17:52:09Z] Some steps failed:"),
    Rule("json level", _E, r'^\{.*"(?:level|severity)": ?"(?i:error|fatal|panic|critical)"', '{"level":"error"}'),
    Rule("prow", _E, r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:error: |Container \S+ in pod \S+ failed)",
         "2021/03/25 18:31:09 Container test in pod e2e failed, exit code 1, reason Error"),
    # Of Spyglass's and the public Prows' own patterns (see spyglass.py) those that are precise enough for every log
    Rule("prow step failed", _E, r"^(?:\w{4}\[[^\]]*\] |\S+ )?Step \S+ failed after \d",
         "INFO[2021-04-28T20:08:36Z] Step e2e-gcp-ipi-install failed after 10m0s."),
    Rule("timed out waiting", _E, r"\btimed out waiting for the condition\b",
         "error: timed out waiting for the condition"),
    Rule("exit code", _E, r"\b[Ee]xit(?:ed with)? (?:code|status):? [1-9]\d{0,2}\.?\s*$",
         "command exited with code 137"),
    Rule("group error", _E, r"^##\[error\]|^::error\b", "::error file=a.c::expected"),
    # Warnings
    Rule("level", _W, r"(?:^|[0-9] +)WARNING +- ", "02:47:22  WARNING - Try message not found."),
    Rule("worker", _W, r"^\[taskcluster:warn\b", "[taskcluster:warn 2025-02-13T11:46:08.753Z] [mounts] no sha256"),
    Rule("warning:", _W, rf"^{_STAMP}(?:[^\s:]+:\d+(?::\d+)?: )?[Ww]arning: ", "main.c:3:1: warning: unused"),
    Rule("klog", _W, r"^W\d{4} \d\d:\d\d:\d\d\.\d", "W0101 00:00:00.000000       1 client.go:5] retrying"),
    Rule("logrus", _W, r"\blevel=warn(?:ing)?\b", "level=warning msg=slow"),
    Rule("logrus short", _W, r"^WARN\[", "WARN[0001] slow"),
    Rule("json level", _W, r'^\{.*"(?:level|severity)": ?"(?i:warn|warning)"', '{"level":"warning","msg":"x"}'),
    Rule("test known", _W, r"\bTEST-KNOWN-FAIL\b", "TEST-KNOWN-FAIL | dom/test.html"),
    Rule("group warning", _W, r"^##\[warning\]|^::warning\b", "::warning::slow"),
    # Sections: what a folded log keeps, so that one knows where one is
    Rule("task phase", _S, r"^\[taskcluster [^\]]*\] ===+ ", "[taskcluster 2025-02-12T02:47Z] === Task Starting ==="),
    Rule("mozharness step", _S, r"\[mozharness: [^\]]*\] (?:Running|Skipping) |INFO - #{3,} Running ",
         "INFO - [mozharness: 2025-02-13 11:46:11.17Z] Running clobber step."),
    Rule("suite", _S, r"\bSUITE-(?:START|END)\b", "SUITE-START | Running 12 tests"),
    Rule("ci-operator step", _S, r"\bRunning (?:multi-stage test|step) \S", "Running step e2e-gcp-ipi-install."),
    Rule("group", _S, r"^##\[(?:group|section)\]|^::group::", "##[group]Build"),
)  # fmt: skip


def joined(severity: Severity | None = None) -> str:
    """One regular expression for all rules (of a severity)."""
    return "|".join(f"(?:{rule.regex})" for rule in RULES if severity in (None, rule.severity))


def matching_rules(line: str) -> list[Rule]:
    """Which rules call this line what; for one line that a person points at."""
    return [rule for rule in RULES if re.search(rule.regex, line)]
