from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.http import errors
from backends.problems import Problem

URL = "https://user:hunter2@ci.example/api/queue/v1/task-group/abc?bewit=SECRET&x=1#frag"


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, errors.BadRequest, False),
        (401, errors.NotAllowed, False),
        (403, errors.NotAllowed, False),
        (404, errors.NotFound, False),
        (410, errors.Gone, False),
        (416, errors.BadRequest, False),
        (424, errors.FailedDependency, False),
        (429, errors.RateLimited, True),
        (500, errors.ServerFailed, True),
        (503, errors.ServerFailed, True),
        (599, errors.ServerFailed, True),
        (304, errors.WrongServer, False),
    ],
)
def test_each_status_has_its_own_problem(status: int, kind: type[errors.HttpProblem], retryable: bool) -> None:
    problem = errors.from_response(URL, status, {}, b"")
    assert type(problem) is kind
    assert problem.status == status and problem.reason == f"http-{status}"
    assert problem.retryable is retryable
    assert problem.exit_code == 3
    assert "ci.example" in problem.sentence and "/api/queue/v1/task-group/abc" in problem.sentence
    assert problem.hint


def test_words_hold_neither_password_nor_signature() -> None:
    body = (
        b'{"message": "GET https://u:pw@h/x?bewit=QUJD&X-Amz-Signature=77 token=abcdef Authorization: Bearer zzzzzzzz"}'
    )
    told = str(errors.from_response(URL, 403, {}, body))
    for secret in ("hunter2", "user", "SECRET", "QUJD", "=77", "abcdef", "zzzzzzzz", "pw@", "frag"):
        assert secret not in told


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"code": "ResourceNotFound", "message": "Task not found\\n\\n---\\n\\n* method: task"}', '"Task not found"'),
        (b'{"reason": "file-missing-on-worker", "message": "no such file"}', '"file-missing-on-worker: no such file"'),
        (b'{"detail": "Not found."}', '"Not found."'),
        (b'{"error": {"message": "no bucket", "code": 404}}', '"no bucket"'),
        (b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", '"Access Denied"'),
        (b"<html>nothing to quote</html>", None),
        (b"[1, 2]", None),
        (b"[" * 100_000, None),
        (b'{"message": 3}', None),
        (b"\xff\xfe", None),
    ],
)
def test_the_servers_own_words_are_quoted(body: bytes, words: str | None) -> None:
    sentence = errors.from_response("https://h/p", 404, {}, body).sentence
    assert ("It says:" in sentence) is (words is not None)
    assert words is None or words in sentence


@given(st.text(max_size=2000), st.sampled_from([404, 424, 500, 429, 418]))
def test_no_server_can_make_the_terminal_obey(text: str, status: int) -> None:
    import json

    problem = errors.from_response(f"https://h/{text}", status, {}, json.dumps({"message": text}).encode())
    assert len(problem.sentence) < 1200
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in str(problem))


def test_retry_after_reaches_whoever_waits() -> None:
    problem = errors.from_response("https://h/p", 429, {"retry-after": "7"}, b"")
    assert problem.retry_after == 7.0 and "7 s" in problem.hint


def test_a_problem_can_be_copied_for_another_thread() -> None:
    problem = errors.from_response("https://h/p", 503, {"retry-after": "7"}, b"")
    for twin in (copy.copy(problem), pickle.loads(pickle.dumps(problem))):
        assert isinstance(twin, Problem) and type(twin) is type(problem)
        assert (twin.sentence, twin.hint, twin.status, twin.retry_after, twin.reason, twin.retryable) == (
            problem.sentence,
            problem.hint,
            503,
            7.0,
            "http-503",
            True,
        )


def test_a_very_long_path_is_cut_in_the_middle() -> None:
    shown = errors.shown("https://h/" + "a" * 500 + "END")
    assert len(shown) < 200 and shown.endswith("END") and "…" in shown


def test_naming_an_error_or_an_answer_does_not_load_the_http_library() -> None:
    code = (
        "import sys, backends.http, backends.http.answers, backends.http.errors, backends.http.backoff;"
        "print([m for m in ('httpx', 'httpcore', 'diskcache', 'ssl') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_loading_the_client_leaves_the_command_line_of_httpx_out() -> None:
    code = "import sys; from backends.http import Http; print('rich' in sys.modules, 'click' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "False False\n"


def test_everything_that_the_package_promises_is_there() -> None:
    import backends.http

    for name in backends.http.__all__:
        assert getattr(backends.http, name).__name__ == name
    with pytest.raises(AttributeError):
        backends.http.nothing  # noqa: B018
