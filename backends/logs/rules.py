"""Which lines of a log are errors: one set of rules, and the lines of a log that match them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import polars as pl

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.logs.matching import LineMatcher
from backends.logs.patterns import TextPattern
from backends.logs.search import LONGEST, WINDOW, Matches, read_chunks
from backends.logs.spool import LogSpool


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    SECTION = "section"


@dataclass(frozen=True)
class Rule:
    """`regex` in the dialect of backends.logs.patterns; `example`: a line that it is for.

    `begins`: the words stand at the start of what a tool wrote, behind the times that a CI writes before it.
    """

    name: str
    severity: Severity
    words: str
    example: str
    begins: bool = False

    @property
    def regex(self) -> str:
        return rf"^{_STAMP}(?:{self.words})" if self.begins else self.words


def _line(name: str, severity: Severity, words: str, example: str) -> Rule:
    return Rule(name, severity, words, example, begins=True)


# What may stand before the words of a tool: "[task 2025-...Z] ", "02:47:22     INFO - ", "2021/03/18 16:30:50 ",
# "INFO[2021-...Z] ", "Nov 28 12:00:00.123: ", "#14 7.465 ", "11:09:36: ". Digits and punctuation for times, so that no
# prose passes for it.
_STAMP = (
    r"(?:\[\w[\w:]* \d[^\]]*\] ?|\[?\d[-\d/:.,T]*Z?\]?:?[ \t]+|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d[.\d]*:?[ \t]+"
    r"|\w{4}\[\d[^\]]*\] ?|INFO +- +|#\d+ \d[.\d]* +)*"
)
_DATED = r"(?:\d{4}[-/]\d\d[-/]\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[-+]\d\d:?\d\d)?\]?[ \t]+(?:\[[^\]]{1,80}\] ?)?"
_SAYS = r":[ \t]+(?:[^\s0]|0\S)"  # a colon and something, but not the 0 of a count
_E, _W, _S = Severity.ERROR, Severity.WARNING, Severity.SECTION

RULES: tuple[Rule, ...] = (
    # Mozilla: harnesses, mozharness levels, the worker
    Rule("test unexpected", _E, r"\bTEST-UNEXPECTED-\w+|\bTEST-VALGRIND-ERROR\b|\bREFTEST ERROR\b",
         "TEST-UNEXPECTED-FAIL | dom/test.html | got 1"),
    Rule("crash", _E, r"\bPROCESS-CRASH\b|\bapplication crashed \[|###!!! ABORT:",
         "PROCESS-CRASH | dom/test.html | application"),
    Rule("assertion", _E, r"\bAssertion failure: |\bAssertion `.*' failed|\bAssertion failed: ",
         "Assertion failure: x, at a.cpp:10"),
    Rule("level", _E, r"(?:^|[0-9] +)(?:ERROR|CRITICAL|FATAL) +- ", "02:47:22    ERROR - Return code: 1"),
    Rule("mozharness step failed", _E, r"\[mozharness: [^\]]*\] Finished \S+ step \((?:fail|error|exception)",
         "INFO - [mozharness: 2025-02-13 11:46:11.17Z] Finished run-tests step (failed)"),
    Rule("worker", _E, r"^\[taskcluster(?::error\b|\] Error:)|^\[taskcluster [^\]]*\] === Task Finished with .*fail",
         "[taskcluster:error] Aborting task..."),
    Rule("task unsuccessful", _E, r"^\[taskcluster [^\]]*\] (?:Unsuccessful task run|exit status: [1-9])",
         "[taskcluster 2025-02-13T12:45:00.000Z] Unsuccessful task run with exit code: 1"),
    Rule("leak", _E, r"\bLeakSanitizer\b.*detected|leakcheck \| .*\| [1-9]\d* bytes leaked",
         "ERROR: LeakSanitizer: detected memory leaks"),
    _line("harness", _E, r"Automation Error: |command timed out: |Remote Device Error: |abort: ",
          "Automation Error: Received unexpected exception while running application"),
    # Languages and compilers
    Rule("traceback", _E, r"Traceback \(most recent call last\):\s*$", "Traceback (most recent call last):"),
    _line("exception", _E, r"Exception in thread |"
          rf"(?:Caused by: |Uncaught )?(?:[\w$]+\.)*(?:[A-Z]\w*)?(?:Exception|[A-Z]\w*Error){_SAYS}|"
          r"Unhandled [Ee]xception|(?:AssertionError|KeyboardInterrupt):?\s*$",
          "java.lang.IllegalStateException: closed"),
    Rule("sanitizer", _E, r"\b(?:ERROR|WARNING|SUMMARY): \w+Sanitizer: |: runtime error: ",
         "==12==ERROR: AddressSanitizer: heap-use-after-free"),
    Rule("rust panic", _E, r"\bpanicked at ", "thread 'main' panicked at src/main.rs:1:2"),
    Rule("signal", _E, r"\b[Ss]egmentation fault\b|\bcore dumped\b|\bOut of memory: Kill|\bsignal: killed\b|"
         r"^Killed\s*$|\b[Rr]eason: ?\"?OOMKilled\b|\bterminate called after throwing\b|\bWARNING: DATA RACE\b",
         "Segmentation fault (core dumped)"),
    Rule("make", _E, r"\b(?:g?make|mozmake)(?:\.exe)?(?:\[\d+\])?: \*\*\* ", "make[2]: *** [Makefile:10: all] Error 2"),
    _line("error:", _E,
          rf"(?:│ )?(?:[^\s:]+:\d+(?::\d+)?: )?(?:[\w./+-]*[a-z\d][\w./+-]*: )?(?:(?i:fatal) )?(?:[Ee]rror|ERROR)"
          rf"(?:\[\w+\])?{_SAYS}", "main.c:10:5: error: expected ';'"),
    Rule("compiler", _E, r"\(\d+(?:,\d+)?\) ?: (?:fatal )?error [A-Z]*\d+: |:\d+:\d+ - error TS\d+: |"
         r": fatal error [A-Z]+\d+: |\bundefined reference to |^\S+\.go:\d+:\d+: \S",
         "src/a.ts(1,2): error TS2304: Cannot find name 'x'."),
    _line("linter", _E, r"\s+\d+:\d+ +error  +\S", "  12:3  error  Unexpected var  no-var"),
    _line("error doing", _E, r"error [a-z]+ing [a-z ]{2,60}: ", "error getting pods: i/o timeout"),
    _line("fatal:", _E, r"(?:PHP )?(?:fatal|FATAL|Fatal)(?: error| ERROR)?: ", "fatal: not a git repository"),
    # Test runners
    _line("tap", _E, r"\s*not ok \d+", "not ok 3 - reads the file"),
    _line("fail:", _E, rf"(?:FAIL|FAILED|FAILURE){_SAYS}|FAIL!|FAILED \((?:failures|errors)=", "FAIL: kubectl.sh"),
    _line("pytest", _E, r"(?:FAILED|ERROR) (?:collecting )?\S+\.py(?:::| - |$)|\S+\.py::.* (?:FAILED|ERROR)\b|E {3,}\S|"
          r"INTERNALERROR> |_{3,} ERROR (?:collecting|at (?:setup|teardown) of) |"
          r"\S+\.py:\d+: [A-Z]\w*(?:Error|Exception)\s*$|"
          r"(?:ERROR|CRITICAL) +\S+:\S+\.py:\d+ |"
          r"(?:=+ )?(?:[1-9]\d* \w+, )*[1-9]\d* (?:failed|errors?)\b.* in \d[\d.]*s",
          "FAILED tests/test_x.py::test_y - AssertionError: assert 1 == 2"),
    _line("ginkgo", _E,
          r"\s*(?:•!? )?(?:\[\w+\] )?\[(?:FAILED|FAIL|Fail|PANICKED!?|Panic!?|TIMEDOUT|INTERRUPTED|ABORTED)\] |"
          r"\s*•!? (?:Failure|Panic|\[(?:FAILED|PANICKED!?|TIMEDOUT|INTERRUPTED|ABORTED)\])|"
          r"failed: \(|Failing tests:|Summarizing [1-9]\d* Failure|Test Suite Failed", "• [FAILED] [0.123 seconds]"),
    Rule("[FAIL]", _E, r"\[FAIL\] ", "  > [FAIL] [sig-node] pods [It] start"),
    _line("gtest", _E, r"\[ +FAILED +\] ", "[  FAILED  ] Parser.Reads (1 ms)"),
    _line("go test", _E, r"\s*--- FAIL: |=== (?:FAIL|Failed)\b|FAIL(?:\s|$)|fail \[", "--- FAIL: TestOpen (0.01s)"),
    _line("cargo, gradle", _E, r"test \S.* \.\.\. FAILED|test result: FAILED|\S+ > .* FAILED\s*$|"
          r"(?:> Task )?:\S+ FAILED\s*$|\* What went wrong:",
          "test parser::reads ... FAILED"),
    _line("jest, mocha", _E, r"\s*FAIL +\S+\.\w+(?: |$)|\s*[✕✗] \S|Tests: +[1-9]\d* failed|\s+[1-9]\d* failing\s*$|"
          r"\s*(?:●.*)?Test suite failed to run", " FAIL  src/reader.test.ts > reads"),
    _line("dotnet", _E, r"\[xUnit\.net .*\[FAIL\]\s*$|\s+Failed \S.* \[(?:< )?\d+ m?s\]", "  Failed Reads [3 ms]"),
    _line("bazel", _E, r"//\S+ +(?:\(cached\) )?(?:FAILED|TIMEOUT|NO STATUS)\b",
          "//pkg:test  FAILED in 3 out of 3 in 1.2s"),
    _line("rspec", _E, r"rspec \./\S+:\d+ # ", "rspec ./spec/reader_spec.rb:12 # reads"),
    # Build tools, package managers, command line tools
    _line("maven", _E, r"\[(?:ERROR|FATAL|error|ERR)\]:? +\S|BUILD FAIL(?:ED|URE)\b|\[INFO\] BUILD FAILURE|"
          r"Tests run: \d+, (?:Failures: [1-9]|Failures: 0, Errors: [1-9])|.* <<< (?:FAILURE|ERROR)!",
          "[ERROR] Failed to execute goal org.apache.maven"),
    _line("npm", _E, r"npm (?:ERR!|error) |error [A-Z][\w']+ \w|(?:➤ )?YN0000: .*Failed with errors|"
          r"Failed to compile\b|"
          r"Module not found: Error: |(?:\S+ )?ERR_PNPM_\w+|\s*ELIFECYCLE\b|ERROR in \S",
          "npm ERR! code ELIFECYCLE"),
    _line("kubectl, docker", _E, r"(?:[\w./-]+: )?Error (?:from server(?: \(|: )|response from daemon: )|"
          r"Unable to connect to the server: |The connection to the server \S+ was refused",
          "Error from server (NotFound): pods \"x\" not found"),
    _line("command", _E, r"(?:curl: \(\d+\) |E: [A-Z]|CMake Error |rsync error: |wget: unable |!!! (?:\[\d|Error in ))|"
          r".*: command not found\s*$|"
          r"(?:\S*/)?(?:ba|da|z|k)?sh: .*: (?:not found|Permission denied|No such file or directory)\s*$|"
          r"ninja: build stopped: |Err:\d+ |(?:\S*/)?ld(?:\.\w+)?: .*(?:not found|cannot find)|rpc error: code = |"
          r"CONFLICT \(| ! \[(?:remote )?rejected\]", "curl: (22) The requested URL returned error: 404"),
    _line("job", _E, r"Finished: (?:FAILURE|ABORTED)\s*$", "Finished: FAILURE"),
    # Go, Kubernetes, Prow
    _line("go panic", _E, r"panic: |fatal error: ", "panic: runtime error: index out of range"),
    _line("klog", _E, r"[EF]\d{4} \d\d:\d\d:\d\d\.\d", "E0101 00:00:00.000000       1 reflector.go:127] failed"),
    Rule("logrus", _E, r"\blevel=\"?(?i:error|fatal|panic)\b", "level=error msg=\"timed out\""),
    Rule("logrus short", _E, r"^(?:ERRO|FATA|PANI)\[", "ERRO[2021-04-08T17:52:09Z] Some steps failed:"),
    _line("json level", _E, r'\{.*"(?:level|severity|lvl)": ?"(?i:error|fatal|d?panic|critical|err)"',
          '{"level":"error"}'),
    Rule("dated level", _E, rf"^\[?{_DATED}(?:ERROR|FATAL|CRITICAL|SEVERE|D?PANIC)(?:[ \t:\]|]|$)",
         "2026-11-28T00:00:00Z ERROR controller failed {\"error\": \"x\"}"),
    _line("zap", _E, r"(?:\d\.\d+e\+\d+\t)?(?:ERROR|FATAL|D?PANIC)\t", "1.7642e+09\tERROR\tcontroller\tfailed"),
    _line("ansible", _E, r"(?:fatal|failed): \[[^\]]+\].*=> ", "failed: [localhost] (item=x) => {}"),
    Rule("loguru", _E, rf"^{_DATED}\| (?:ERROR|CRITICAL) +\| ",
         "2026-11-28 12:00:00.123 | ERROR    | reader:read:3 - closed"),
    Rule("python level", _E, r"^(?:ERROR|CRITICAL):[\w.-]+:|^\d[-\d:., T]* - \S+ - (?:ERROR|CRITICAL) - ",
         "ERROR:root:cannot open x"),
    Rule("prow", _E, r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:error: |Container \S+ in pod \S+ failed)",
         "2021/03/25 18:31:09 Container test in pod e2e failed, exit code 1, reason Error"),
    Rule("prow step failed", _E, r"^(?:\w{4}\[[^\]]*\] |\S+ )?Step \S+ failed after \d",
         "INFO[2021-04-28T20:08:36Z] Step e2e-gcp-ipi-install failed after 10m0s."),
    Rule("timed out waiting", _E, r"\btimed out waiting for the condition\b",
         "error: timed out waiting for the condition"),
    Rule("exit code", _E, r"\b[Ee]xit(?:ed with)? (?:code|status):? [1-9]\d{0,2}\.?\s*$",
         "command exited with code 137"),
    _line("adb", _E, r"Failure \[", "Failure [INSTALL_FAILED_VERSION_DOWNGRADE]"),
    _line("group error", _E, r"##\[error\]|::error\b|##vso\[task\.logissue type=error", "::error file=a.c::expected"),
    # Warnings
    Rule("level", _W, r"(?:^|[0-9] +)WARNING +- ", "02:47:22  WARNING - Try message not found."),
    Rule("worker", _W, r"^\[taskcluster:warn\b", "[taskcluster:warn 2025-02-13T11:46:08.753Z] [mounts] no sha256"),
    _line("warning:", _W, r"(?:[^\s:]+:\d+(?::\d+)?: )?(?:[Ww]arning|WARNING): ", "main.c:3:1: warning: unused"),
    _line("maven", _W, r"\[WARN(?:ING)?\] +\S", "[WARNING] Using platform encoding"),
    _line("npm", _W, r"npm (?:WARN|warn) ", "npm WARN deprecated x@1.0.0"),
    Rule("dated level", _W, rf"^\[?{_DATED}WARN(?:ING)?(?:[ \t:\]|]|$)", "2026-11-28T00:00:00Z WARN controller slow"),
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

# A line that says that there is nothing to tell is no error and no warning, whatever its first word is: "error: none",
# "FAILED: 0", "Failing tests: []". Few words before it, so that "error: expected a text, got: null" is still one.
NOTHING = (
    rf"^{_STAMP}(?:INFO:? +)?#? ?[\w.]+(?: \w+)?(?:[:=] ?|[ \t]+)"
    r"(?:(?i:none|nil|<nil>|null|false|no|n/a)|0+(?:\.0+)?%?(?: \w+)?|\"\"|''|\[ *\]|\{ *\}|\((?:none)?\))[.,]?\s*$"
)


def rules_regex(severity: Severity | None = None) -> str:
    """One regular expression for all rules (of a severity). What may stand before a tool's words is in it once."""
    chosen = [rule for rule in RULES if severity in (None, rule.severity)]
    begins = "|".join(f"(?:{rule.words})" for rule in chosen if rule.begins)
    others = [f"(?:{rule.words})" for rule in chosen if not rule.begins]
    return "|".join([*([f"^{_STAMP}(?:{begins})"] if begins else []), *others])


def matching_rules(line: str) -> list[Rule]:
    """Which rules call this line what; for one line that a person points at."""
    nothing = re.search(NOTHING, line)
    return [
        rule for rule in RULES if re.search(rule.regex, line) and (rule.severity is Severity.SECTION or not nothing)
    ]


AROUND = 5  # lines that are given before and after an error, as Prow's own viewer shows
_KEPT = 100_000  # of each severity; nobody jumps so often


@cache
def _rule_pattern(severity: Severity | None = None) -> TextPattern:
    """All rules (of a severity). Case matters, whatever they hold; to the prefilter words may stand anywhere."""
    regex = rules_regex(severity)
    prefilter = tuple(rule.words for rule in RULES if severity in (None, rule.severity))
    return TextPattern(regex, regex, f"(?m){regex}", prefilter)


@cache
def _match_nothing() -> TextPattern:
    return TextPattern(NOTHING, NOTHING, "")


class Findings:
    """Runs in a thread of its own; may be asked at any time for what it has found so far."""

    def __init__(self, spool: LogSpool) -> None:
        self._spool = spool
        self.cancel = CancelToken()
        self.scanned = 0  # bytes looked at
        self.complete = False
        self._hits = {severity: Matches(_KEPT) for severity in Severity}

    def run(self) -> None:
        """Blocks until the whole log has been looked at and grows no more, or `cancel` is pulled."""
        rules = LineMatcher(_rule_pattern())
        try:
            for window in read_chunks(self._spool, self.cancel):
                numbers, lines = rules.lines(window.raw)
                if len(numbers):
                    self._sort_out(numbers + self._spool.line_at(window.start), lines)
                self.scanned = window.end
            self.complete = True
        except OperationCancelledError:
            pass

    def _sort_out(self, numbers: pl.Series, lines: pl.Series) -> None:
        """The most severe that fits is what a line is."""
        for severity in Severity:
            found = _rule_pattern(severity).lines(lines)
            if severity is not Severity.SECTION and found.any():
                found &= ~_match_nothing().lines(lines)
            if found.any():
                self._hits[severity].add(numbers.filter(found).to_list())
                numbers, lines = numbers.filter(~found), lines.filter(~found)

    def of(self, severity: Severity) -> Matches:
        return self._hits[severity]

    def count(self, severity: Severity) -> int:
        return self._hits[severity].count

    def severity(self, line: int) -> Severity | None:
        """What the line is, as far as it has been looked at."""
        return next((severity for severity, hits in self._hits.items() if line in hits), None)

    def next(self, line: int, *, warnings: bool = False) -> int | None:
        """The next error (or warning) below the line, or the first of all."""
        chosen = self._choose(warnings)
        found = [at for hits in chosen if (at := hits.after(line)) is not None]
        first = [at for hits in chosen if (at := hits.first) is not None]
        return min(found) if found else min(first, default=None)

    def previous(self, line: int, *, warnings: bool = False) -> int | None:
        """The next error (or warning) above the line, or the last of all."""
        chosen = self._choose(warnings)
        found = [at for hits in chosen if (at := hits.before(line)) is not None]
        last = [at for hits in chosen if (at := hits.last) is not None]
        return max(found) if found else max(last, default=None)

    def _choose(self, warnings: bool) -> list[Matches]:
        chosen = [self._hits[Severity.ERROR]]
        return [*chosen, self._hits[Severity.WARNING]] if warnings else chosen


def error_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a log that are errors, with `AROUND` before and after; "... N lines" where some are left out.

    The same lines that the app marks and counts.
    """
    before: deque[bytes] = deque(maxlen=AROUND)
    after = skipped = 0
    for line, is_error in match_error_lines(pieces):
        if is_error:
            if skipped > len(before):
                yield b"... %d lines\n" % (skipped - len(before))
            yield from before
            yield line
            before.clear()
            after, skipped = AROUND, 0
        elif after:
            yield line
            after -= 1
        else:
            before.append(line)
            skipped += 1
    if skipped:
        yield b"... %d lines\n" % skipped


def match_error_lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each line with its end, and whether it is an error."""
    rules = LineMatcher(_rule_pattern(Severity.ERROR))
    for raw in _split_lines(pieces):
        numbers, lines = rules.lines(raw)
        nothing = _match_nothing().lines(lines)
        marked = {number for number, no_error in zip(numbers, nothing, strict=True) if not no_error}
        for number, line in enumerate(raw.removesuffix(b"\n").split(b"\n")):
            yield line + b"\n", number in marked


def _split_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """As many lines at a time as are looked at together; one that goes on for longer than `LONGEST` comes in parts."""
    held, size = list[bytes](), 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size < WINDOW:
            continue
        raw = b"".join(held)
        cut = raw.rfind(b"\n") + 1 or (len(raw) if size >= LONGEST else 0)
        if cut:
            yield raw[:cut]
        held, size = [raw[cut:]], len(raw) - cut
    if size:
        yield b"".join(held)
