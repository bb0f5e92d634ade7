"""Locators of pasted texts: storage URLs, pages of Deck, gcsweb, Gubernator and Sippy, paths on this disk, job names.

The web shapes are those of Prow's Deck (prow cmd/deck), gcsweb (test-infra gcsweb) and Google's storage pages. Any
host whose path has a shape counts: every Prow has hosts of its own.
"""

from __future__ import annotations

import json
import os
import re
from urllib.parse import urlsplit

from backends.locators.base import InvalidLocatorError
from backends.locators.pasted import PastedText, PastedUrl, split_url, unescape
from backends.paths import expand_home, is_directory, path_exists
from backends.prow.locators import (
    BUCKET,
    BUILD,
    JOB,
    ROOTS,
    Place,
    ProwBuild,
    ProwJob,
    ProwLocator,
    ProwPath,
    ProwPull,
    normal,
)

_BARE_JOB = re.compile(
    r"(periodic|pull|branch|post|postsubmit|release|rehearse|batch|canary|promote|ci|e2e)-[A-Za-z0-9._-]*[A-Za-z0-9]",
    re.ASCII,
)
_PULL = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,38})/([A-Za-z0-9._-]{1,100})#([0-9]{1,9})", re.ASCII)
# What no other system calls anything: with a dash or an underscore, and no host name.
_LIKE_JOB = re.compile(r"[A-Za-z0-9]+[-_][A-Za-z0-9._-]*[A-Za-z0-9]", re.ASCII)
_SNOWFLAKE = re.compile(r"[0-9]{17,19}", re.ASCII)
_SPYGLASS_LINE = re.compile(r"(?:[0-9]+:)?(.+?):([0-9]{1,9})(?:-([0-9]{1,9}))?", re.ASCII)
_GENERATION = re.compile(r"#[0-9]{16}$", re.ASCII)  # gsutil ls -a
_S3_HOST = re.compile(r"(?:(.+)\.)?s3[.-](?:dualstack\.)?(?:[a-z]{2,4}(?:-[a-z]+)+-[0-9]\.)?amazonaws\.com")
_S3_CONSOLE = re.compile(r"(?:s3|[a-z]{2,4}(?:-[a-z]+)+-[0-9])\.console\.aws\.amazon\.com")
_RELATIVE_PAGE = re.compile(r"/?(?:view|job-history)/(?:gs|gcs|s3)/.+")
_STORAGE = frozenset({"storage.googleapis.com", "storage.cloud.google.com", "commondatastorage.googleapis.com"})
_ON_DISK = ("/", "./", "../", "~/")
_REPORTS = (".xml", ".xml.gz")  # of this disk, what nothing but JUnit is
_OF_JOBS = ("latest-build.txt", "jobResultsCache.json")
_PROVIDERS = {"gs": "", "gcs": "", "s3": "s3"}


def parse_text(pasted: PastedText) -> ProwLocator | None:
    """The Prow locator of a URL, a path or an id, None if it is not Prow's. Raises `InvalidLocatorError`."""
    text = pasted.text
    lowered = text[:8].lower()
    if lowered.startswith(("gs://", "s3://")):
        return _parse_bucket_url(text[5:], "s3" if lowered[0] == "s" else "")
    if lowered.startswith("file://"):
        return _parse_local_path(unescape(urlsplit(text).path))
    if _RELATIVE_PAGE.fullmatch(text) and not os.path.exists(text):  # noqa: PTH110 - takes any text
        return _parse_page(split_url(f"https://prow/{text.lstrip('/')}"))
    if text.startswith(_ON_DISK) and "\0" not in text and (locator := _parse_relative_path(text)) is not None:
        return locator
    if match := _PULL.fullmatch(text):
        return ProwPull(match[1], match[2], int(match[3]))
    if _BARE_JOB.fullmatch(text) and "." not in text.split("-")[0]:
        return ProwJob(text)
    if _SNOWFLAKE.fullmatch(text):
        return ProwBuild(text)
    if pasted.url is not None and pasted.url.is_web:
        return _parse_url(pasted.url)
    return None


def parse_name(text: str) -> ProwLocator | None:
    """A job's name, JOB/BUILD or a build's id, of which a bucket has to be asked whether it knows them: for texts that
    are nothing else, and where it is clear that one of Prow's is meant."""
    job, slash, build = text.strip().removesuffix("/").partition("/")
    if BUILD.fullmatch(job) and not slash:
        return ProwBuild(job)
    if not JOB.fullmatch(job) or job in (".", "..") or job in ROOTS or (slash and not BUILD.fullmatch(build)):
        return None
    return ProwJob(job, build)


def parse_bare_name(pasted: PastedText) -> ProwLocator | None:
    """The same for a text that no system parses, if it looks like a job's name."""
    return parse_name(pasted.text) if _LIKE_JOB.fullmatch(pasted.text.partition("/")[0]) else None


def _parse_bucket_url(text: str, store: str) -> ProwPath:
    bucket, _, path = text.partition("/")
    if not store:
        path = _GENERATION.sub("", path)
    if "*" in path:
        folder = f"{store or 'gs'}://{bucket}/{path[: path.index('*')].rpartition('/')[0]}/"
        raise InvalidLocatorError(
            "A pattern with * cannot be opened.", f"Paste {folder} and choose the files by --match, or by / in the app."
        )
    return _path_in(bucket, path, store)


def _path_in(bucket: str, path: str, store: str = "") -> ProwPath:
    if not BUCKET.fullmatch(bucket):
        raise InvalidLocatorError("This is not a valid bucket name.", "Bucket names are lower-case: gs://BUCKET/PATH.")
    return ProwPath(bucket, normal(path), store)


def _parse_local_path(path: str) -> ProwPath:
    """A path on this disk: the bucket is the directory above logs/ or pr-logs/, else the last one, else (of what is
    not laid out as a bucket) the directory that holds it."""
    path = os.path.normpath(path) + ("/" if path.endswith("/") else "")
    names = [name for name in path.split("/") if name]
    if not names:
        raise InvalidLocatorError("The root directory is not a bucket.", "Paste a path: file:///DIRECTORY/BUCKET/")
    at = _root_at(names)
    ends = path.endswith("/")
    if at is None or (len(names) - at <= 2 and _holds_builds(path)):
        plain = at is None and len(names) > 1 and not _holds_builds(path)
        at, ends = (len(names) - 1, ends or is_directory(path)) if plain else (len(names), False)
    if not at:
        raise InvalidLocatorError(
            "The directory above logs/ has to be named like the bucket.", "file:///DIRECTORY/BUCKET/"
        )
    inner = "/".join(names[at:]) + ("/" if ends and at < len(names) else "")
    return ProwPath(names[at - 1], normal(inner), "file:/" + "/".join(names[: at - 1]))


def _root_at(names: list[str]) -> int | None:
    """Which of the directories called logs or pr-logs is the one of Prow's layout: with a build below it, or with no
    more than a job. A home directory may have such a name, and a build may have one of its own."""
    fitting = None
    for at, name in enumerate(names):
        below = names[at + 1 :]
        if name == "pr-logs" and (not below or below[0] in ("pull", "directory")):
            return at
        if name == "logs" and len(below) >= 2 and (BUILD.fullmatch(below[1]) or below[1] in _OF_JOBS):
            return at
        if name in ROOTS and len(below) <= 1:
            fitting = at
    return fitting


def _holds_builds(path: str) -> bool:
    return any(is_directory(f"{path}/{root}") for root in ROOTS)


def _parse_relative_path(text: str) -> ProwPath | None:
    """./DIR, ~/DIR or /DIR; None for what may be another system's file."""
    try:
        path = os.path.abspath(expand_home(text))  # noqa: PTH100 - takes .. away without asking the disk
    except OSError as error:  # the current directory is gone
        raise InvalidLocatorError(
            "The current directory does not exist any longer.", "Paste the complete path."
        ) from error
    if _root_at([name for name in path.split("/") if name]) is None and not (
        path.endswith(_REPORTS) or is_directory(path)
    ):
        if not path_exists(path):
            printable = "".join(char if char.isprintable() else "\ufffd" for char in text[:200])
            raise InvalidLocatorError(f"No such file or directory: {printable}.", "Check its name.")
        return None
    return _parse_local_path(f"{path}/" if text.endswith("/") and path != "/" else path)


def _parse_url(url: PastedUrl) -> ProwLocator | None:
    if url.host in ("google.com", "www.google.com") and url.path == "/url" and (inner := url.query.get("q")):
        return _parse_url(split_url(inner)) if "://" in inner else None  # Spyglass wraps its links so
    locator = _parse_storage_url(url) or _parse_sippy_page(url) or _parse_page(url)
    if locator is None and url.host.startswith("testgrid") and url.fragment:
        tab = unescape(url.fragment).partition("&")[0]
        if _BARE_JOB.fullmatch(tab):  # OpenShift's tabs are named like their jobs
            return ProwJob(tab)
        raise InvalidLocatorError(
            "A TestGrid tab does not say which bucket its builds are in.",
            "Open one of its columns and paste the URL of that page.",
        )
    return locator


def _parse_storage_url(url: PastedUrl) -> ProwLocator | None:
    """A URL of the storage itself, or of Google's or Amazon's pages about it."""
    path = url.path.lstrip("/")
    host = url.host
    if host.endswith(".storage.googleapis.com"):
        return _path_in(host.removesuffix(".storage.googleapis.com"), unescape(path))
    if host == "console.cloud.google.com":
        match = re.match(r"storage/browser/(?:_details/)?([^/;]+)/?([^;]*)", path)
        return _path_in(unescape(match[1]), unescape(match[2]) or url.query.get("prefix", "")) if match else None
    if _S3_CONSOLE.fullmatch(host):
        match = re.match(r"s3/(?:buckets|object)/([^/]+)$", path)
        return _path_in(unescape(match[1]), url.query.get("prefix", ""), "s3") if match else None
    if match := _S3_HOST.fullmatch(host):
        bucket, rest = (match[1], path) if match[1] else path.split("/", 1) if "/" in path else (path, "")
        return _path_in(bucket, unescape(rest or url.query.get("prefix", "")), "s3") if bucket else None
    api = re.match(r"(?:download/)?storage/v1/b/([^/]+)/o(?:/([^/]*))?$", path)
    if api:
        return _path_in(unescape(api[1]), unescape(api[2] or url.query.get("prefix", "")))
    if host in _STORAGE and path:
        bucket, _, rest = path.partition("/")
        return _path_in(bucket, unescape(rest or url.query.get("prefix", "")))
    return None


def _parse_sippy_page(url: PastedUrl) -> ProwLocator | None:
    """A run or a job of Sippy: /sippy-ng/job_runs/ID[/JOB[/ORG_REPO[/PULL]]]/intervals, .../jobs/RELEASE/runs with the
    job in its filter, and what these pages ask its API (sippy sippy-ng/src/App.jsx, helpers.jsx)."""
    names = [unescape(name) for name in url.path.strip("/").split("/")]
    query = url.query
    run = query.get("prow_job_run_id", query.get("job_run_id", ""))
    job = query.get("job_name", query.get("prow_job_name", ""))
    if names[:1] == ["sippy-ng"]:
        names = names[1:]
    if len(names) >= 2 and names[0] == "job_runs" and BUILD.fullmatch(names[1]):
        run, job = names[1], names[2] if len(names) > 2 and names[2] not in ("intervals", "events") else job
    elif not run and "sippy" in url.host and names[:1] in (["jobs"], ["api"]):
        run, job = "", job or _filtered_job(query.get("filters", query.get("filter", "")))
    elif "sippy" not in url.host and names[:3] != ["api", "jobs", "runs"]:
        return None
    if BUILD.fullmatch(run):
        return ProwJob(job, run) if JOB.fullmatch(job) else ProwBuild(run)
    return ProwJob(job) if JOB.fullmatch(job) else None


def _filtered_job(text: str) -> str:
    """The one job that a filter of Sippy's tables leaves, "" if it does not say."""
    try:
        items = json.loads(text or "{}")["items"]
        equal = [item for item in items if item.get("operatorValue", "") in ("equals", "=") and not item.get("not")]
        jobs = {str(item["value"]) for item in equal if item.get("columnField") in ("job", "name")}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    return jobs.pop() if len(jobs) == 1 else ""


def _parse_page(url: PastedUrl) -> ProwLocator | None:
    """A page of Deck, gcsweb or Gubernator."""
    names = url.path.lstrip("/").split("/")
    match names:
        case ["view", "prowjob", job, *rest] if JOB.fullmatch(job):
            build = next((name for name in rest if BUILD.fullmatch(name)), "")
            return ProwJob(job, build)
        case ["view", provider, bucket, *path] if provider in _PROVIDERS and bucket:
            return _with_lines(_path_in(bucket, unescape("/".join(path)), _PROVIDERS[provider]), url.fragment)
        case ["job-history", provider, bucket, *path] if provider in _PROVIDERS and bucket:
            return _path_in(bucket, unescape("/".join(path)), _PROVIDERS[provider])
        case ["job-history", bucket, *path] if path:
            return _path_in(bucket, unescape("/".join(path)))
        case ["spyglass", "lens", _, "iframe"]:
            return _parse_lens(url)
        case ["build", bucket, *path] if "gubernator" in url.host and path:
            return _path_in(bucket, unescape("/".join(path)))
        case [("gcs" | "s3") as provider, bucket, *path] if BUCKET.fullmatch(bucket):
            return _path_in(bucket, unescape("/".join(path)), _PROVIDERS[provider])
    return _parse_query(url, names)


def _parse_lens(url: PastedUrl) -> ProwLocator | None:
    """A frame of Spyglass, opened by itself, says in its query what the page around it shows."""
    try:
        source = str(json.loads(url.query.get("req", ""))["src"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    provider, _, rest = source.partition("/")
    return _parse_bucket_url(rest, _PROVIDERS[provider]) if provider in _PROVIDERS else None


def _with_lines(build: ProwPath, fragment: str) -> ProwPath:
    """Spyglass marks a line of an artifact behind the #, which its frame prefixes with the number of a lens."""
    match = _SPYGLASS_LINE.fullmatch(unescape(fragment)) if fragment else None
    if match is None or build.route.place is not Place.BUILD or not int(match[2]):
        return build
    line, last = int(match[2]), int(match[3] or 0)
    folder = f"{build.path.removesuffix('.txt').rstrip('/')}/"  # of a link, the folder that it stands for
    return ProwPath(build.bucket, folder + match[1], build.store, (line, last) if last > line else (line,))


def _parse_query(url: PastedUrl, names: list[str]) -> ProwLocator | None:
    """Pages that say in their query what they show, and pull requests."""
    query = url.query
    if url.host == "github.com" and len(names) >= 4 and names[2] == "pull" and BUILD.fullmatch(names[3]):
        one_commit = len(names) >= 6 and names[4] == "commits"  # its source, not the jobs of the whole pull request
        return None if one_commit else ProwPull(names[0], names[1], int(names[3]))
    page = names[0]
    if page == "pr-history" and {"org", "repo", "pr"} <= query.keys() and BUILD.fullmatch(query["pr"]):
        return ProwPull(query["org"], query["repo"], int(query["pr"]))
    pull, _, repo = query.get("pull", ""), *query.get("repo", "").partition("/")[1:]
    if page == "" and "prow" in url.host and BUILD.fullmatch(pull) and repo:
        return ProwPull(query["repo"].partition("/")[0], repo, int(pull))
    job = query.get("job", "")
    if page in ("", "log", "badge.svg") and "prow" in url.host and JOB.fullmatch(job):
        build = query.get("id", "")
        return ProwJob(job, build if page == "log" and BUILD.fullmatch(build) else "")
    if page == "prowjob" and "prowjob" in query:
        raise InvalidLocatorError(
            "The id of a ProwJob does not say which bucket it is in; Deck forgets it after two days.",
            "Paste the URL of its build.",
        )
    return None
