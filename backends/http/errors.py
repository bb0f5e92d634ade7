"""What can go wrong between us and a server, in words that name host and path and never hold a secret."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from backends.errors import AppError
from backends.http.backoff import RETRY_AFTER_CAP, is_too_long, parse_retry_after

QUOTED_CHARACTERS = 300  # of the server's own words
SHOWN_PATH = 160
# Unprintable or able to reorder what is around them: Cc, Cf (bidi marks), surrogates, line and paragraph separators.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# A server may quote our own request back: the values of whatever signs a URL or says who we are.
_SENSITIVE = (
    r"bewit|x-(?:amz|goog)-[a-z-]+|awsaccesskeyid|googleaccessid|signature|sig|(?:[a-z]+[_-])*token|"
    r"password|passwd|pwd|(?:client[_-]?)?secret|(?:api|access|private)[_-]?key|"
    r"assertion|mac|hmac|key-pair-id|policy"
)
_IN_QUOTES = r"\"[^\"]*\"|'[^']*'"
_SECRET_PAIR = re.compile(rf"(?i)\b({_SENSITIVE})([\"']?\s*=\s*|[\"']\s*:\s*)({_IN_QUOTES}|[^\s&,;\"']+)")
_SECRET_COLON = re.compile(rf"(?i)\b({_SENSITIVE})(\s*:\s*)(?:{_IN_QUOTES})|\b(password|passwd|pwd|secret)(\s*:\s*)\S+")
# In a URL's query or fragment by name, which may be escaped and is more often a secret than the word in a text.
_URL_PAIR = re.compile(r"([?&#;])([^\s=&#;?\"'<>]{1,100})=([^\s&#;\"'<>]+)")
_SENSITIVE_NAMES = re.compile(
    r"auth|authorization|awsaccesskeyid|bewit|code|credentials?|googleaccessid|hmac|jwt|key|keypairid|mac|pass|policy|"
    r"pwd|sas|sessionid|sid|sig|x(?:amz|goog).*|.*(?:api|access|private)key(?:id)?|.*(?:token|secret|signature)|"
    r".*passw(?:or)?d"
)
_SECRET_SCHEME = re.compile(r"(?i)\b(authorization\s*[:=]\s*\S+|bearer|basic|hawk)\s+[^\s,;]{6,}")
_QUOTED = re.compile(r'"([^"\n]{1,1000})"')
_USERINFO = re.compile(r"(?<=://)[^\s/?#]*@")  # up to the last @: a password may hold one
_BROKEN_USERINFO = re.compile(r"(?<=://)[^\s/@:\[\]]*:(?!\d*(?:[/?#]|$))[^\s@]{1,200}@")  # a password with a slash
_BARE_USERINFO = re.compile(r"^[^\s/@:?#]+:(?!//)[^\s/?#]*@")  # of what has no scheme
_NETLOC = re.compile(r"(\[[0-9A-Fa-f:.%\w]*\]|[^\[\]:]*)(:[0-9]*)?")
_XML_MESSAGE = re.compile(rb"<Message>([^<]{1,1000})</Message>")


class HttpError(AppError):
    """Base of all of them. `reason` is the short word that manifests keep; `retryable`: asking again may help.

    `most_tries`: how often that is worth it at most, where somebody waits for an answer; None for the usual number.
    """

    exit_code = 3
    word = "http"
    may_retry = False
    most_tries: int | None = None

    def __init__(
        self,
        sentence: str,
        hint: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
        reason: str = "",
        retryable: bool | None = None,
    ) -> None:
        super().__init__(sentence, hint)
        self.status = status
        self.retry_after = retry_after
        self.reason = reason or (f"http-{status}" if status is not None else self.word)
        self.retryable = self.may_retry if retryable is None else retryable


class BadRequestError(HttpError):
    """Any 4xx without a class of its own."""


class NotFoundError(HttpError):
    """404."""


class AccessDeniedError(HttpError):
    """401 and 403."""


class GoneError(HttpError):
    """410: it was there and has expired."""


class FailedDependencyError(HttpError):
    """424: an artifact that the worker could not make."""


class RateLimitedError(HttpError):
    """429."""

    may_retry = True


class ServerError(HttpError):
    """5xx."""

    may_retry = True


class NetworkError(HttpError):
    """No answer: the name is not known, nobody listens, the connection broke."""

    word = "network"
    may_retry = True


class RequestTimeoutError(NetworkError):
    """The server said nothing for too long."""

    word = "timeout"


class TooSlowError(RequestTimeoutError):
    """The server sends, but so slowly that it would hold a connection for ever."""

    word = "too-slow"
    most_tries = 2  # each of them takes half a minute or a whole one


class IncompleteBodyError(NetworkError):
    """The answer began and ended before it was whole."""

    word = "incomplete"


class OfflineError(HttpError):
    """Offline mode, and nothing stored."""

    word = "offline"


class NotInCapsuleError(OfflineError):
    """A capsule is shown, and it does not hold that."""

    word = "not-in-capsule"


class ResponseTooLargeError(HttpError):
    """More bytes than the caller is ready to hold."""

    word = "too-large"


class UnexpectedResponseError(HttpError):
    """Something answered, but not with what this system says: a login page, another JSON, garbage."""

    word = "wrong-server"


class TooManyRedirectsError(HttpError):
    word = "too-many-redirects"


class UnsafeRedirectError(HttpError):
    """A redirect or an address that would take the request where it must not go."""

    word = "unsafe-redirect"


def short_url(url: str) -> str:
    """`host/path` of a URL, fit for a sentence: no user, no query, no fragment, nothing unprintable."""
    host, path = short_url_parts(url)
    return f"{host}{path}"


def short_url_parts(url: str) -> tuple[str, str]:
    url = _BARE_USERINFO.sub("", url)
    try:
        split = urlsplit(url)
        host = split.netloc.rpartition("@")[2]
    except ValueError:
        return "the server", ""
    if not _NETLOC.fullmatch(host):  # "user:pass/word@host": what looks like a port is half a password
        return "the server", ""
    path = split.path
    if len(path) > SHOWN_PATH:
        half = SHOWN_PATH // 2
        path = f"{path[:half]}…{path[-half:]}"
    return sanitize(host, 100) or "the server", sanitize(path, 3 * SHOWN_PATH) or "/"


def redact_url(url: str) -> str:
    """The whole URL (of any scheme) as it may be shown: "…" for the user and for each value that could be a secret.

    In the query and in the fragment; whatever is not one keeps its place, so that a setting can be recognised.
    """
    if "://" in url and "@" in url and short_url_parts(url)[0] == "the server":
        return f"{url.partition('://')[0]}://…"
    url = _USERINFO.sub("…@", url)
    url = _BARE_USERINFO.sub("…@", url)
    return _SECRET_PAIR.sub(r"\1\2…", _URL_PAIR.sub(_redact_pair, url))


def _redact_pair(match: re.Match[str]) -> str:
    name = re.sub(r"[^a-z0-9]", "", unquote(match[2]).lower())
    return f"{match[1]}{match[2]}=…" if _SENSITIVE_NAMES.fullmatch(name) else match[0]


def sanitize(text: str, limit: int = QUOTED_CHARACTERS) -> str:
    """One printable line of at most `limit` characters, without secrets; cut first, so that 10 MB cost nothing."""
    text = text[: 4 * limit]
    text = "".join(" " if unicodedata.category(character) in _UNSAFE else character for character in text)
    text = " ".join(text.split())
    text = _BROKEN_USERINFO.sub("", _USERINFO.sub("", text))
    text = _SECRET_SCHEME.sub("…", text)
    text = _URL_PAIR.sub(_redact_pair, text)
    text = _SECRET_PAIR.sub(r"\1\2…", text)
    text = _SECRET_COLON.sub(lambda match: f"{match[1] or match[3]}{match[2] or match[4]}…", text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def server_words(body: bytes) -> str:
    """What the server itself says in an error body: the first lines of its JSON's (or S3's XML's) message."""
    body = body[: 64 << 10]
    if match := _XML_MESSAGE.search(body):
        return sanitize(match[1].decode("utf-8", "replace"))
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return sanitize(_message(answer))


def missing_scopes(body: bytes) -> str:
    """The scopes that Taskcluster's refusal asks for, "" for any other: a block of JSON in the text of its message.

    The first block is what is missing, where it says so, or else what is required.
    """
    try:
        answer = json.loads(body[: 64 << 10])
        message = answer["message"] if answer["code"] == "InsufficientScopes" else ""
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
    block = message.split("```")[1] if isinstance(message, str) and message.count("```") > 1 else ""
    quoted = [scope for scope in _QUOTED.findall(block) if scope not in ("AllOf", "AnyOf")]
    return sanitize(" or ".join(quoted[:4]) if '"AnyOf"' in block else " and ".join(quoted[:4]))


def _message(answer: Any, depth: int = 0) -> str:
    if isinstance(answer, str):
        # Taskcluster puts its own account of the request below a rule.
        return answer.partition("\n---")[0]
    if depth > 2:
        return ""
    if isinstance(answer, list):  # Django REST framework says one thing an entry, and what is wrong field by field
        return " ".join(filter(None, (_message(one, depth + 1) for one in answer[:3])))
    if not isinstance(answer, dict):
        return ""
    found = [_message(answer.get(name), depth + 1) for name in ("reason", "message", "error", "detail")]
    unlike = list(dict.fromkeys(text.strip() for text in found if text.strip()))
    if unlike:
        return ": ".join(unlike[:2])
    fields = {
        name: _message(said, depth + 1) for name, said in list(answer.items())[:3] if isinstance(said, list | dict)
    }
    return " ".join(f"{name}: {said}" for name, said in fields.items() if said)


_STORAGE = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o(?:/([^/]+))?")
SIGN_IN = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS or CIEXPLORE_GCS_TOKEN"


def from_response(url: str, status: int, headers: Mapping[str, str], body: bytes) -> HttpError:
    """The problem that an answer of that status is. `headers` has lower-case names; `body` may be cut short."""
    host, path = short_url_parts(url)
    in_storage = _STORAGE.fullmatch(path)
    if in_storage is not None:  # nobody but a program reads the addresses of Google's storage
        path = f"{sanitize(unquote(in_storage[2]), 200)} in " if in_storage[2] else ""
        path += f"bucket {sanitize(unquote(in_storage[1]))}"
    words = server_words(body)
    says = f' It says: "{words}"' if words else ""
    wait = parse_retry_after(headers.get("retry-after", ""))
    if status == 404:
        return NotFoundError(
            f"{host} has no {path} (404).{says}",
            "Check the id or the name; what CI made expires, after weeks or after a year.",
            status=status,
        )
    if status == 410:
        return GoneError(f"{path} on {host} has expired (410).{says}", "Ask for a newer run of it.", status=status)
    if status == 401:
        return AccessDeniedError(
            f"{host} does not know who asks for {path} (401).{says}",
            "Check that the credentials are set, right and not expired.",
            status=status,
        )
    if status == 403 and (scopes := missing_scopes(body)):
        return AccessDeniedError(
            f"{host} does not let you read {path} (403): it needs the scope {scopes}.",
            "Set TASKCLUSTER_CLIENT_ID and TASKCLUSTER_ACCESS_TOKEN to a client that has it.",
            status=status,
        )
    if status == 403:
        return AccessDeniedError(
            f"{host} does not let you read {path} (403).{says}",
            f"If the bucket is private, {SIGN_IN}."
            if in_storage
            else "It may be private: set credentials that have the scope for it.",
            status=status,
        )
    if status == 424:
        return FailedDependencyError(
            f"{host} has no content for {path}: it was never made (424).{says}",
            "The log of the task tells why.",
            status=status,
        )
    if status == 429:
        when = f"Try again in {wait:.0f} s." if wait is not None else "Try again in a minute."
        when = _long_wait(wait) if wait is not None and is_too_long(wait) else when
        return RateLimitedError(
            f"{host} refused {path}: it has been asked too often (429).{says}", when, status=status, retry_after=wait
        )
    if 500 <= status < 600:
        return ServerError(
            f"{host} failed on {path} ({status}).{says}",
            _long_wait(wait)
            if wait is not None and is_too_long(wait)
            else "Try again; if it lasts, look at the status page of that service.",
            status=status,
            retry_after=wait,
        )
    if 400 <= status < 500:
        return BadRequestError(
            f"{host} refused {path} ({status}).{says}", "Check the id and the URL of the system.", status=status
        )
    return UnexpectedResponseError(
        f"{host} answered {path} with {status}, which means nothing here.",
        "Check the URL of the system in the settings.",
        status=status,
    )


def _long_wait(seconds: float) -> str:
    """A wait is at most 120 s long unless the user decides otherwise: the number is what users are promised."""
    return (
        f"It asks for a wait of {seconds:,.0f} s, and at most {RETRY_AFTER_CAP:.0f} s are waited: "
        "try again after that time."
    )


def offline(url: str) -> OfflineError:
    return OfflineError(
        f"Offline, and no stored answer of {short_url(url)}.", "Leave offline mode, or open what was looked at before."
    )


def not_in_capsule(url: str, path: str = "FILE") -> NotInCapsuleError:
    """`path`: of the capsule."""
    return NotInCapsuleError(
        f"{short_url(url)} is not in this capsule.",
        f"It holds what was read when it was made; `ciexplore capsule info {path} --files` lists that.",
    )


def too_large(url: str, cap: int) -> ResponseTooLargeError:
    return ResponseTooLargeError(
        f"{short_url(url)} is larger than the {cap / 1e6:,.0f} MB that can be shown.", "Download it as a file instead."
    )


def unpacks_too_far(url: str, wire: int, size: int) -> ResponseTooLargeError:
    return ResponseTooLargeError(
        f"{short_url(url)} sends {wire / 1e3:,.0f} kB that unpack to {size / 1e6:,.0f} MB and more: "
        "no answer of a CI does, so it was refused.",
        "Check the URL of the system and the proxy; if both are right, narrow what you ask for.",
    )


def incomplete(url: str, what: str = "ended early") -> IncompleteBodyError:
    return IncompleteBodyError(f"The answer of {short_url(url)} {what}.", "Try again.")


def cut_short(url: str) -> IncompleteBodyError:
    """The transfer is complete and its content is not: the server sends it like that, so one repeat is enough."""
    problem = IncompleteBodyError(
        f"The answer of {short_url(url)} is compressed, and its end is missing.", "Try again; a proxy may cut it."
    )
    problem.most_tries = 2
    return problem
