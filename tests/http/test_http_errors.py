from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import AppError
from backends.http import errors

URL = "https://user:hunter2@ci.example/api/queue/v1/task-group/abc?bewit=SECRET&x=1#frag"


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, errors.BadRequestError, False),
        (401, errors.AccessDeniedError, False),
        (403, errors.AccessDeniedError, False),
        (404, errors.NotFoundError, False),
        (410, errors.GoneError, False),
        (416, errors.BadRequestError, False),
        (424, errors.FailedDependencyError, False),
        (429, errors.RateLimitedError, True),
        (500, errors.ServerError, True),
        (503, errors.ServerError, True),
        (599, errors.ServerError, True),
        (304, errors.UnexpectedResponseError, False),
    ],
)
def test_each_status_has_its_own_problem(status: int, kind: type[errors.HttpError], retryable: bool) -> None:
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
    ("url", "redacted"),
    [
        ("https://ci.example/a?limit=10#L5", None),
        ("https://user:hunter2@ci.example/a", "https://…@ci.example/a"),
        ("https://user:hunt@er2@ci.example:8443/a@b", "https://…@ci.example:8443/a@b"),
        ("amqps://user:hunter2@pulse.example:5671/", "amqps://…@pulse.example:5671/"),
        ("user:hunter2@ci.example/a", "…@ci.example/a"),
        ("https://hunter2@ci.example", "https://…@ci.example"),
        ("https://user:hun/ter2@ci.example/", "https://…"),
        ("https://h/a?X-Amz-Signature=hunter2&x=1", "https://h/a?X-Amz-Signature=…&x=1"),
        ("https://h/a?x-amz-security-token=hunter2", "https://h/a?x-amz-security-token=…"),
        ("https://h/a?X-Goog-Signature=hunter2", "https://h/a?X-Goog-Signature=…"),
        ("https://h/a?Signature=hunter2%3D&Expires=1", "https://h/a?Signature=…&Expires=1"),
        ("https://h/a?bewit=hunter2", "https://h/a?bewit=…"),
        ("https://h/a?token=hunter2", "https://h/a?token=…"),
        ("https://h/a?%74oken=hunter2", "https://h/a?%74oken=…"),
        ("https://h/a?private_token=hunter2", "https://h/a?private_token=…"),
        ("https://h/a?accessToken=hunter2", "https://h/a?accessToken=…"),
        ("https://h/a#access_token=hunter2&state=1", "https://h/a#access_token=…&state=1"),
        ("https://h/a#/back?access_token=hunter2", "https://h/a#/back?access_token=…"),
        ("https://h/a;sig=hunter2?b=1", "https://h/a;sig=…"),
        ("https://h/a?sv=1&sig=hunter2", "https://h/a?sv=1&sig=…"),
        ("https://h/a?key=hunter2", "https://h/a?key=…"),
        ("https://h/a?api-key=hunter2", "https://h/a?api-key=…"),
        ("https://h/a?apikey=hunter2", "https://h/a?apikey=…"),
        ("https://h/a?password=hunter2", "https://h/a?password=…"),
        ("https://h/a?monkey=banana&keyword=x", None),
        ("no url at all", None),
        ("http://[::1]:8080/a", None),
        ("http://[::1", None),
        ("", None),
    ],
)
def test_a_url_is_shown_with_all_but_its_secrets(url: str, redacted: str | None) -> None:
    assert errors.redact_url(url) == (url if redacted is None else redacted)
    assert "hunter2" not in errors.short_url(url) and ("://" not in url or "hunter2" not in errors.sanitize(url))
    assert "ter2" not in errors.short_url(url)


@pytest.mark.parametrize(
    "words",
    [
        'mac="hunter2"',
        "mac=hunter2",
        'mac: "hunter2"',
        '{"access_token": "hunter2"}',
        "{'client_secret': 'hunter2'}",
        "wrong password: hunter2",
        "refresh_token=hunter2",
        "assertion=hunter2",
        "see https://h/a?key=hunter2",
        "see https://me:hunt@hunter2@h/a",
        "see https://me:hunt/hunter2@h/a",
    ],
)
def test_no_secret_in_a_servers_words_is_repeated(words: str) -> None:
    assert "hunter2" not in errors.sanitize(f"It said: {words}, so there")


def test_words_that_only_sound_like_secrets_are_kept() -> None:
    images = "docker.io/img:tag@sha256:12 https://h:80/a/@b"
    words = f"{images}. No such Key: a/b.json. The token is missing. Policy: read only. signature of job 7"
    assert errors.sanitize(words) == words


@given(st.text(max_size=200))
def test_no_text_is_too_odd_to_be_shown(text: str) -> None:
    errors.redact_url(text)
    errors.redact_url(f"https://{text}")
    errors.short_url(f"https://{text}")


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
        assert isinstance(twin, AppError) and type(twin) is type(problem)
        assert (twin.sentence, twin.hint, twin.status, twin.retry_after, twin.reason, twin.retryable) == (
            problem.sentence,
            problem.hint,
            503,
            7.0,
            "http-503",
            True,
        )


def test_a_very_long_path_is_cut_in_the_middle() -> None:
    shown = errors.short_url("https://h/" + "a" * 500 + "END")
    assert len(shown) < 200 and shown.endswith("END") and "…" in shown


def test_naming_an_error_or_an_answer_does_not_load_the_http_library() -> None:
    code = (
        "import sys, backends.http, backends.http.response, backends.http.errors, backends.http.backoff;"
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
