"""JUnit files of synthetic builds, in the formats of both systems.

A test behaves in one way in all builds of a job: steady, flaky, broken for some builds, slower with each build, or
skipped. A retry is a second testcase of the same name, as both systems write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from backends.demo.deterministic_random import fraction, generator, number
from backends.demo.prow.builds import CATALOGUE, FIRST_REGRESSED, REGRESSION_JOB, Build, fails_now_and_then

OPENSHIFT_TESTS = tuple(CATALOGUE["tests"])
KUBERNETES_TESTS = tuple(
    name.rpartition(" [")[0].replace("[sig-", "Kubernetes e2e suite.[It] [sig-") + " [Conformance]"
    for name in OPENSHIFT_TESTS
)
REGRESSED_TEST, INTERMITTENT_TEST = KUBERNETES_TESTS[3], KUBERNETES_TESTS[4]
_BROKEN_FOR = 25  # builds
TRUNCATED, CONTROL_CHARACTERS, BAD_TIMES, TWO_ROOTS = 61, 62, 63, 64  # builds of each job whose first file is damaged


@dataclass(frozen=True)
class DemoJUnitCase:
    """One testcase: `state` is P, F or S."""

    name: str
    state: str
    seconds: float
    text: str = ""


def test_cases(seed: int, build: Build) -> list[DemoJUnitCase]:
    """In the order of the file; a flake is a failure and then a pass of the same name."""
    tests = OPENSHIFT_TESTS if build.openshift else KUBERNETES_TESTS
    results: list[DemoJUnitCase] = []
    if build.job == REGRESSION_JOB:
        return [_planted_case(seed, build, test) for test in tests]
    for position, test in enumerate(tests):
        results += _runs(seed, build, position, test)
    failed = {case.name for case in results if case.state == "F"} - {case.name for case in results if case.state == "P"}
    if not build.passed and build.result and not failed:
        results.append(DemoJUnitCase(tests[1], "F", 61.5, _failure_text(seed, build, tests[1])))
    return results


def _planted_case(seed: int, build: Build, test: str) -> DemoJUnitCase:
    """Of the job with a known regression: the only two tests that ever fail are planted."""
    is_failed = (test == REGRESSED_TEST and build.index >= FIRST_REGRESSED) or (
        test == INTERMITTENT_TEST and fails_now_and_then(seed, build.index)
    )
    text = _failure_text(seed, build, test) if is_failed else ""
    return DemoJUnitCase(test, "F" if is_failed else "P", 5 + number(seed, build.id, test) % 240, text)


def _runs(seed: int, build: Build, position: int, test: str) -> list[DemoJUnitCase]:
    random = generator(seed, build.job, build.index, test)
    usual = 5 + number(seed, test, "seconds") % 240
    seconds = round(usual * random.uniform(0.8, 1.3), 3)
    failure = DemoJUnitCase(test, "F", round(seconds * 1.8, 3), _failure_text(seed, build, test))
    match position % 9:
        case 3:  # flaky
            if random.random() < 0.18:
                return [failure, DemoJUnitCase(test, "P", seconds)]
            return [failure] if not build.passed and random.random() < 0.1 else [DemoJUnitCase(test, "P", seconds)]
        case 5:  # broken for a while
            begin = number(seed, build.job, test, "broken") % 110
            broken = begin <= build.index < begin + _BROKEN_FOR and not build.passed
            return [failure] if broken else [DemoJUnitCase(test, "P", seconds)]
        case 7:  # slower by half a percent a build
            return [DemoJUnitCase(test, "P", round(seconds * (1 + build.index / 200), 3))]
        case 8:
            return [DemoJUnitCase(test, "S", 0.0, "skip [k8s.io/kubernetes/test/e2e]: not supported on this provider")]
        case _:
            return [DemoJUnitCase(test, "P", seconds)]


def _failure_text(seed: int, build: Build, test: str) -> str:
    number_ = number(seed, build.id, test) % 900
    return (
        f"fail [k8s.io/kubernetes@v1.31.1/test/e2e/framework/util.go:{number_}]: timed out waiting for the condition\n"
        f"Expected\n    <int>: {number_ % 7}\nto equal\n    <int>: 3\n"
        f'ns/e2e-{number_} pod/test-{number_} Error: "<container> exited" & was not restarted'
    )


def suite_file(seed: int, build: Build, part: int, parts: int) -> bytes:
    """One of `parts` files of the build's cases; the first one is damaged in four builds, in a different way each."""
    selected = [case for position, case in enumerate(test_cases(seed, build)) if position % parts == part or parts == 1]
    name = "openshift-tests" if build.openshift else "Kubernetes e2e suite"
    lines = [_case(build, case) for case in selected]
    failures = sum(case.state == "F" for case in selected)
    skipped = sum(case.state == "S" for case in selected)
    total = round(sum(case.seconds for case in selected), 3)
    head = f'<testsuite name="{name}" tests="{len(selected)}" skipped="{skipped}" failures="{failures}" time="{total}">'
    if build.openshift:
        text = "\n".join([head, '<property name="TestVersion" value="v4.8.0"></property>', *lines, "</testsuite>"])
    else:
        opening = f'<testsuites tests="{len(selected)}" failures="{failures}" time="{total}">'
        text = "\n".join(
            ['<?xml version="1.0" encoding="UTF-8"?>', opening, head, *lines, "</testsuite>", "</testsuites>"]
        )
    return _damage(text, build.index) if part == 0 else text.encode()


def _case(build: Build, case: DemoJUnitCase) -> str:
    classname = "" if build.openshift else ' classname="Kubernetes e2e suite"'
    head = f'<testcase name={quoteattr(case.name)}{classname} time="{case.seconds}"'
    if case.state == "P":
        return f"{head}></testcase>"
    if case.state == "S":
        return f"{head}><skipped message={quoteattr(case.text)}></skipped></testcase>"
    first = case.text.splitlines()[0]
    return (
        f"{head}><failure message={quoteattr(first)}>{escape(case.text)}</failure>"
        f"<system-out>{escape('STEP: Creating a kubernetes client')}</system-out></testcase>"
    )


def _damage(text: str, index: int) -> bytes:
    match index:
        case 61:
            return text.encode()[: len(text) * 2 // 3]
        case 62:
            return text.replace("timed out", "\x1b[31mtimed\x00 out\x1b[0m").encode().replace(b"e2e", b"e\xff2e", 3)
        case 63:
            return text.replace('time="', 'time="about ').encode()
        case 64:
            return b"<!-- junk before the declaration -->\n" + text.encode() + b"\n" + text.encode()
        case _:
            return text.encode()


def operator_file(seed: int, build: Build) -> bytes:
    """ci-operator's junit_operator.xml: the graph's steps and the multi-stage test's containers."""
    steps = build.steps
    failing = steps[number(seed, build.id, "failing step") % len(steps)] if not build.passed else ""
    lines = [
        _step("Find the input image root and tag it into the pipeline", 0.0),
        _step('Import the release payload "latest" from an external source', round(60 * fraction(build.id), 3)),
    ]
    for step in steps:
        name = f"Run multi-stage test {build.test} - {build.test}-{step} container test"
        failure = f"step {step} failed: the pod ran for 31m2s and exited with code 1" if step == failing else ""
        lines.append(_step(name, round(2_000 * fraction(build.id, step), 3), failure))
    head = f'<testsuite name="step graph" tests="{len(lines)}" skipped="0" failures="{int(bool(failing))}" time="9">'
    return "\n".join(["<testsuites>", head, *lines, "</testsuite>", "</testsuites>"]).encode()


def _step(name: str, seconds: float, failure: str = "") -> str:
    body = f'<failure message="">{escape(failure)}</failure>' if failure else ""
    return f'<testcase name={quoteattr(name)} time="{seconds}">{body}</testcase>'


def job_file(build: Build) -> bytes:
    """ci-operator's junit_job.xml, the only file of a job that never acquired a lease."""
    case = _step("job", 1.0, "" if build.passed else "failed to acquire lease: resources not found")
    return f'<testsuite name="job" tests="1" failures="{int(not build.passed)}">{case}</testsuite>'.encode()
