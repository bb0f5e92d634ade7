"""What a person who jumps to errors would lose: an error, or the trust that a jump leads to one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backends.logs import ansi, rules, sources
from backends.logs.rules import RULES, Findings, Rule, Severity, error_lines
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


ERRORS = [
    "ERROR: (gcloud.compute.instances.create) Could not fetch resource:",
    "ERROR: Build did NOT complete successfully",
    'Error: failed to download "stable/x"',
    "│ Error: Invalid reference",
    'Error from server (NotFound): pods "x" not found',
    "error: unable to recognize STDIN",
    "docker: Error response from daemon: No such image",
    "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?",
    "• Failure [12.345 seconds]",
    "#14 7.465 • Failure [0.001 seconds]",
    "•! Panic [0.000 seconds]",
    "• [FAILED] [0.123 seconds]",
    "11:09:36: • [FAILED] [570.279 seconds]",
    "  [FAILED] Timed out after 10.000s.",
    "  [PANICKED] Test Panicked",
    "[Fail] [sig-storage] volumes [It] should work",
    "  [FAIL] Tpl Test [It] Should always Pass",
    "Summarizing 1 Failure:",
    "FAIL! -- 5 Passed | 1 Failed | 0 Pending | 0 Skipped",
    "=== FAIL: pkg TestX (0.00s)",
    "    --- FAIL: TestX/sub (0.00s)",
    "FAIL\tgithub.com/a/b\t0.01s",
    "FAIL: kubectl.sh",
    "FAIL: test_open (tests.Files)",
    "FAILED (failures=1, errors=2)",
    "FAILED: Build did NOT complete successfully",
    "Nov 28 12:00:00.123: FAIL: timed out waiting for the condition",
    "FAILED tests/test_x.py::test_y - AssertionError: assert 1 == 2",
    "ERROR tests/test_x.py - ModuleNotFoundError: No module named 'x'",
    "tests/test_x.py::test_y FAILED                              [ 50%]",
    "E   AssertionError: assert 1 == 2",
    "E       fixture 'x' not found",
    "[ERROR] Failed to execute goal org.apache.maven",
    "[INFO] BUILD FAILURE",
    "BUILD FAILED in 3s",
    "[error] (compile) Compilation failed",
    "npm ERR! code ELIFECYCLE",
    "npm error code ELIFECYCLE",
    "error Command failed with exit code 1.",
    "E: Unable to locate package x",
    "curl: (22) The requested URL returned error: 404",
    "/bin/bash: line 3: jq: command not found",
    '2026-11-28T00:00:00Z ERROR controller failed {"error": "x"}',
    "2026-11-28T00:00:00.000Z\tERROR\tcontroller\tfailed",
    "2026-11-28 12:00:00,123 ERROR [main] c.X: closed",
    "12:00:00.123 [main] ERROR com.example.X - closed",
    "2026-11-28 12:00:00,123 - name - ERROR - closed",
    "ERROR:root:closed",
    "time=2026-11-28T00:00:00Z level=ERROR msg=closed",
    'time="2026-11-28T00:00:00Z" level=error msg="closed"',
    '{"component":"entrypoint","level":"error","msg":"Process did not finish before 2h0m0s timeout"}',
    '{"severity":"ERROR","message":"closed"}',
    "E1128 12:00:00.000000       1 reflector.go:127] failed",
    "2026-11-28T12:00:00.123Z E1128 12:00:00.000000       1 reflector.go:127] failed",
    "java.lang.IllegalStateException: closed",
    "Caused by: java.io.IOException: Broken pipe",
    'Exception in thread "main" java.lang.NullPointerException',
    "ModuleNotFoundError: No module named 'x'",
    "test parser::reads ... FAILED",
    "test result: FAILED. 1 passed; 1 failed",
    "ReaderTest > readsLines FAILED",
    "[  FAILED  ] Parser.Reads (1 ms)",
    "    not ok 1 - reads",
    "collect2: error: ld returned 1 exit status",
    "main.cpp(10): error C2065: 'x': undeclared identifier",
    "src/a.ts:1:2 - error TS2304: Cannot find name 'x'.",
    "  12:3  error  Unexpected var, use let or const instead  no-var",
    "//pkg:test                     FAILED in 3 out of 3 in 1.2s",
    "signal: killed",
    "Finished: FAILURE",
    "Failure [INSTALL_FAILED_VERSION_DOWNGRADE]",
    "[taskcluster] Error: could not download image",
    "[task 2025-02-13T21:30:46.167Z] FAILED tests/test_x.py::test_y - AssertionError",
    "[task 2025-02-13T21:30:46.167Z] 21:30:46     INFO -  E   AssertionError: assert 1 == 2",
    "[task 2025-02-13T21:30:46.167Z] 21:30:46    ERROR - Return code: 1",
    "[task 2025-02-13T21:30:46.167Z] 21:30:46     INFO -  Automation Error: hung",
    'ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2',
    "    --- FAIL: TestY/case_one (0.00s)",
    "  [FAILED] in [It] - /go/src/x_test.go:12 @ 11/28/26 12:00:00.123",
    "• [PANICKED!] [0.001 seconds]",
    "  [PANICKED!] Test Panicked",
    "• [INTERRUPTED] [3.210 seconds]",
    "• [ABORTED] [3.210 seconds]",
    "[BeforeSuite] [FAILED] [0.001 seconds]",
    "_____________________ ERROR collecting tests/test_x.py ______________________",
    "__________________ ERROR at setup of test_y ___________________",
    "tests/test_x.py:12: AssertionError",
    "ERROR    root:reader.py:3 closed",
    "=================== 1 failed, 2 passed in 0.12s ===================",
    "AssertionError",
    "Exception: closed",
    "Uncaught TypeError: x is undefined",
    "Unhandled exception. System.InvalidOperationException: closed",
    "Tests run: 5, Failures: 1, Errors: 0, Skipped: 0",
    "Tests run: 5, Failures: 0, Errors: 2, Skipped: 0",
    "Tests run: 5, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.1 sec <<< FAILURE!",
    "readsLines(com.example.ReaderTest)  Time elapsed: 0.1 sec  <<< ERROR!",
    "[ERR]: closed",
    "> Task :app:compileJava FAILED",
    ":app:compileJava FAILED",
    "* What went wrong:",
    'error An unexpected error occurred: "https://registry.yarnpkg.com/x: ECONNREFUSED".',
    'error Couldn\'t find a package.json file in "/x"',
    "➤ YN0000: · Failed with errors in 1s 2ms",
    "Module not found: Error: Can't resolve 'x'",
    "error[E0308]: mismatched types",
    "make: *** [x] Error 2",
    "ninja: build stopped: subcommand failed.",
    "fatal: not a git repository (or any of the parent directories): .git",
    "/bin/sh: 1: jq: not found",
    "bash: line 1: ./run: Permission denied",
    "./main.go:3:2: undefined: x",
    "main.c:(.text+0x5): undefined reference to `x'",
    "/usr/bin/ld: cannot find -lfoo",
    "Err:1 http://packages.example.org stable InRelease",
    "CONFLICT (content): Merge conflict in x",
    "Killed",
    "    Reason: OOMKilled",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "WARNING: DATA RACE",
    "Assertion failed: (x), function y, file z.c, line 3.",
    " FAIL  src/x.test.ts > name",
    "Tests:       1 failed, 2 passed, 3 total",
    "  2 failing",
    "  ✕ reads (3 ms)",
    "Test suite failed to run",
    "  Failed Reads [3 ms]",
    "[xUnit.net 00:00:01.23]     Reader.Reads [FAIL]",
    "1.7642e+09\tERROR\tcontroller\tfailed",
    "1764288000.123456\tERROR\tcontroller-runtime.manager\tclosed",
    "2026-11-28 12:00:00.123 | ERROR    | reader:read:3 - closed",
    'failed: [localhost] (item=x) => {"changed": false}',
    '{"level":"fatal","ts":1764288000.1,"msg":"closed"}',
    "error: expected a text, got: null",
]
MORE_INNOCENT = [
    "0 errors, 3 warnings",
    "Errors: 0",
    "ERROR: 0",
    "FAIL: 0",
    "# FAIL:  0",
    "FAILED: 0",
    "Failures: 0, Errors: 0, Skipped: 0",
    "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0",
    "[INFO] BUILD SUCCESS",
    "[ERROR] ",
    "0 failed, 12 passed",
    "localhost : ok=3 changed=1 unreachable=0 failed=0",
    "+ set -o errexit",
    "+ echo 'ERROR: not this one'",
    "++ grep -c FAIL: build.log",
    "downloading libgpg-error-1.47.tar.bz2",
    "Setting up libgpg-error0:amd64 (1.47-2) ...",
    "test_error_handling PASSED",
    "tests/test_errors.py::test_FAILED_state PASSED [ 50%]",
    "PASSED tests/test_x.py::test_error",
    "XFAIL tests/test_x.py::test_y - known",
    "XFAIL: known.sh",
    "PASS: fail.sh",
    "ok 12 - reports FAILED uploads",
    "ok  \tgithub.com/pkg/errors\t0.01s",
    "=== RUN   TestFAIL",
    "test result: ok. 3 passed; 0 failed",
    "test error::reads ... ok",
    "Nov 28 12:00:00.123: INFO: no error so far",
    "Nov 28 12:00:00.123: INFO: Error rate: 0.0%",
    "2026-11-28T00:00:00Z INFO controller no ERROR so far",
    "2026-11-28T00:00:00Z INFO ERROR handling is on",
    '{"level":"info","msg":"error budget is fine"}',
    '{"level":"info","error_count":0}',
    'time=2026-11-28T00:00:00Z level=info msg="level error is off"',
    "I1128 12:00:00.000000       1 main.go:5] FAIL: is what it would say",
    "E2E tests of 1128 12:00:00 begin",
    "npm WARN deprecated x@1.0.0",
    "npm notice errors are shown above",
    "continue-on-error: true",
    "ERROR_LOG=/tmp/error.log",
    "errors.go:12: coverage 100%",
    "Ran 6 of 6 Specs in 4.158 seconds",
    "SUCCESS! -- 6 Passed | 0 Failed | 0 Pending | 0 Skipped",
    "• [SLOW TEST] [12.345 seconds]",
    "exit code 0",
    "E: 12%",
    "panics are rare",
    "REFTEST INFO |     AddressSanitizer: false",
    "error: none",
    "Error: <nil>",
    "error: []",
    'error: ""',
    "Error: 0.00",
    "FAILED: none",
    "FAILED=0",
    "FAIL 0",
    "fatal: 0",
    "failed: ()",
    "Failing tests: none",
    "panic: false",
    "HttpError: none",
    "[task 2025-02-12T02:48:56.057Z] 02:48:56     INFO - error: none",
    "DEBUG: error: retried",
    "PASS: error: is printed",
    "error_count=0",
    "[ERROR_HANDLER] ready",
    "no errors",
    "ok - handles FAILED",
    "errors: 0, warnings: 2",
    "PASS TestErrorPaths",
    "Tests run: 3, Failures: 0, Errors: 0, Skipped: 0",
    "Tests:       3 passed, 3 total",
    "  0 failing",
    "=================== 2 passed in 0.12s ===================",
    "> Task :app:testFailed",
    "-- Performing Test HAVE_WERROR - Failed",
    '"OOMKilled": false,',
    "Killed 0 processes",
    "    reader_test.go:12: reads",
    "checking for error... no",
]


@pytest.mark.parametrize("line", ERRORS)
def test_what_the_tools_of_this_field_call_an_error_is_one(line: str) -> None:
    assert findings(line.encode()).severity(0) is Severity.ERROR


@pytest.mark.parametrize("line", MORE_INNOCENT)
def test_a_count_of_none_a_name_or_a_command_is_no_error(line: str) -> None:
    assert findings(line.encode()).severity(0) is not Severity.ERROR, rules.matching_rules(line)


def test_the_errors_that_are_printed_are_those_that_the_app_counts_whatever_the_pieces() -> None:
    lines = [f"{line}\n".encode() for pair in zip(ERRORS, MORE_INNOCENT * 2, strict=False) for line in pair]
    text = b"".join(lines) * 400  # several windows
    found = findings(text)
    number = found.count(Severity.ERROR)
    assert number == 400 * len(ERRORS)
    for size in (1 << 10, 300_000, len(text)):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert b"".join(error_lines(pieces)) == text  # no six lines without an error in it


def test_errors_are_printed_with_what_is_around_them_and_what_is_left_out_is_counted() -> None:
    text = b"".join(b"line %d\n" % number for number in range(30)).replace(b"line 15\n", b"\x1b[31mERROR\x1b[0m: x\n")
    told = b"".join(error_lines([text])).splitlines()
    assert told == [
        b"... 10 lines", *(b"line %d" % number for number in range(10, 15)), b"\x1b[31mERROR\x1b[0m: x",
        *(b"line %d" % number for number in range(16, 21)), b"... 9 lines",
    ]  # fmt: skip
    assert list(error_lines([])) == [] and list(error_lines([b"fine"])) == [b"... 1 lines\n"]


def test_prow_logs_are_judged_as_all_others() -> None:
    """Every line that Prow's own viewer marks because a tool failed, with the colours that hide it there."""
    for line in (
        b"--- FAIL: TestOpen (0.01s)",
        b"not ok 3 - reads the file",
        b"Step e2e failed after 10m0s.",
        b"ERRO\x1b[0m[2021-04-08T17:52:09Z] Some steps failed:",
        b"Process exited: exit code 137",
    ):
        assert findings(b"\x1b[31m" + line).severity(0) is Severity.ERROR, line  # fmt: skip


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
    compiled = {severity: re.compile(rules.rules_regex(severity)) for severity in Severity}
    for path in logs:
        spool = LogSpool(sources.from_path(path))
        spool.fill()
        found = Findings(spool)
        found.run()
        for number, line in enumerate(spool.lines(0, spool.line_count)):
            text = ansi.strip(ansi.decode_line(line.content))
            nothing = re.search(rules.NOTHING, text)
            expected = next(
                (
                    severity
                    for severity in Severity
                    if compiled[severity].search(text) and (severity is Severity.SECTION or not nothing)
                ),
                None,
            )
            assert found.severity(number) is expected, text


def test_in_real_taskcluster_logs_only_the_failure_is_an_error(samples: Path) -> None:
    path = samples / "taskcluster/treeherder/real_task_log_timeout.log.gz"
    if not path.exists():
        pytest.skip("the recorded log is not on this machine")
    spool = LogSpool(sources.from_path(path))
    spool.fill()
    found = Findings(spool)
    found.run()
    errors = [spool.lines(line, 1)[0].content for line in found.of(Severity.ERROR).lines]
    assert len(errors) == 9
    assert all(b"TEST-UNEXPECTED-TIMEOUT" in line or line.startswith(b"[taskcluster:error]") for line in errors)


def test_a_warning_about_nothing_is_none_and_one_about_an_error_is_a_warning() -> None:
    found = findings(b"warning: none\nWARNING: error: slow\n")
    assert (found.severity(0), found.severity(1)) == (None, Severity.WARNING)
