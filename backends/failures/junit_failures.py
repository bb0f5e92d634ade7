"""The failures in JUnit files, as `backends.prow.junit_reader` reads them."""

from __future__ import annotations

from collections.abc import Iterable

from backends.failures.records import MAX_TEXT, Failure, SourceResult, clean_text
from backends.prow.junit_reader import JUnitCase, read_junit


def junit_failures(pieces: Iterable[bytes], source: str) -> SourceResult:
    """The failed cases of one file. A failure of a test that also passed in it is marked as retried."""
    content = read_junit(pieces)
    result = SourceResult(failures_of_cases(content.cases, source, passed_tests(content.cases)), len(content.cases))
    if content.missing:
        result.broken, result.first_broken = len(content.missing), " ".join(content.missing)
    return result


def passed_tests(cases: Iterable[JUnitCase]) -> set[tuple[str, str, str]]:
    return {(case.suite, case.classname, case.name) for case in cases if case.state == "P"}


def failures_of_cases(cases: Iterable[JUnitCase], source: str, passed: set[tuple[str, str, str]]) -> list[Failure]:
    """In the order of the file. `passed`: the tests that passed in a file of the same folder."""
    found = []
    for case in cases:
        is_retried = (case.suite, case.classname, case.name) in passed
        if case.state == "F" or (case.state == "P" and case.reruns):
            group = clean_text(" / ".join(filter(None, (case.suite, case.classname))))
            retried = "passed" if is_retried else "failed again" if case.reruns else ""
            found.append(
                Failure(
                    clean_text(case.name), "failed", message_of_case(case), "", "", group, source, retried=retried,
                    find=clean_text(case.name, 200),
                )
            )  # fmt: skip
    return found


def message_of_case(case: JUnitCase) -> str:
    """The message; before a text that says more, only where the text does not repeat it."""
    message, text = case.message.strip(), case.text.strip()
    if not text or text in message:
        return clean_text(message, MAX_TEXT)
    return clean_text(text if not message or message in text else f"{message}\n{text}", MAX_TEXT)
