"""What the user has set, and where each setting came from: defaults < config.toml < environment < command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from backends.errors import UsageError
from backends.paths import explain_impossible

APP = "ciexplore"
IMAGE_SETTINGS = ("auto", "kitty", "sixel", "blocks", "off")
_LARGEST_FILE = 1_000_000  # bytes; far more than anybody writes, far less than /dev/zero gives
_DEEPEST_KEY = 5  # dots; ours have one
_MOST_WORK = 10_000**2  # tomllib's time grows with the square of the dots in a key: a minute for one of 50,000


def _setting(default: Any, *, env: str = "", toml: str = "", old: tuple[str, ...] = ()) -> Any:
    """A setting. `old`: earlier names of it (keys and environment variables), which keep working with a note."""
    return field(default=default, metadata={"env": env, "toml": toml, "old": old})


@dataclass(frozen=True)
class Settings:
    """Every setting. `env` and `toml` in a field's metadata are its other two names; the docstrings are the manual."""

    taskcluster_root_url: str = _setting("firefox", env="TASKCLUSTER_ROOT_URL", toml="taskcluster.root_url")
    """Taskcluster deployment: a root URL, or the profile `firefox` or `community`."""

    treeherder_url: str = _setting(
        "https://treeherder.mozilla.org", env="CIEXPLORE_TREEHERDER_URL", toml="treeherder.url"
    )
    """The Treeherder whose performance data, pushes and jobs are shown."""

    gcs_url: str = _setting("https://storage.googleapis.com", env="CIEXPLORE_GCS_URL", toml="prow.gcs_url")
    """The storage that serves Prow's buckets in the Google Cloud Storage protocol."""

    gcsweb_url: str = _setting("", env="CIEXPLORE_GCSWEB_URL", toml="prow.gcsweb_url")
    """A gcsweb to list buckets with where the storage itself does not let us; empty uses none."""

    prow_bucket: str = _setting("openshift", env="CIEXPLORE_PROW_BUCKET", toml="prow.bucket")
    """The bucket of Prow builds that is meant where none is named: its name, or `openshift` or `kubernetes`."""

    prow_aliases: Mapping[str, str] = field(default_factory=dict, metadata={"toml": "prow.aliases"})
    """Buckets that have moved: [prow.aliases] with old name = "new name"."""

    hg_url: str = _setting(
        "https://hg.mozilla.org", env="CIEXPLORE_HG_URL", toml="archives.hg_url", old=("archive.hg_url",)
    )
    """The hgweb whose repositories are archived."""

    archiver_url: str = _setting(
        "", env="CIEXPLORE_ARCHIVES_URL", toml="archives.url", old=("archive.url", "CIEXPLORE_ARCHIVER_URL")
    )
    """A server of the Archiver protocol to ask for archives; empty makes them here."""

    archive_url_template: str = _setting(
        "", env="ARCHIVER_HGMO_URL_TEMPLATE", toml="archives.url_template", old=("archive.url_template",)
    )
    """Where that hgweb has its archives, with {repo}, {rev}, {suffix} and {subdir}; empty is where every hgweb does."""

    archive_buckets: str = _setting(
        "",
        env="CIEXPLORE_ARCHIVES_BUCKETS",
        toml="archives.buckets",
        old=("archive.buckets", "CIEXPLORE_ARCHIVE_BUCKETS"),
    )
    """S3 buckets that archives are copied to: REGION=BUCKET, ...; credentials and endpoint as for any AWS tool."""

    pulse_url: str = _setting("amqps://pulse.mozilla.org:5671", env="CIEXPLORE_PULSE_URL", toml="submit.pulse_url")
    """The Pulse broker that job data are published to; never with a password in it."""

    pulse_exchange: str = _setting("", env="CIEXPLORE_PULSE_EXCHANGE", toml="submit.exchange")
    """The exchange that job data are published to; empty is the user's own, exchange/USER/v1/jobs."""

    pulse_routing_key: str = _setting(
        "treeherder.{project}._", env="CIEXPLORE_PULSE_ROUTING_KEY", toml="submit.routing_key"
    )
    """The routing key of a job; {project}, {revision} and {task} stand for the job's."""

    submit_url: str = _setting("", env="CIEXPLORE_SUBMIT_URL", toml="submit.url")
    """The server that takes job collections by Hawk-signed POST; empty is the Treeherder above."""

    submit_credentials: str = _setting("", env="CIEXPLORE_CREDENTIALS", toml="submit.credentials")
    """A file (mode 0600) with [pulse] user, password and [hawk] client_id, key; empty: credentials.toml beside this."""

    output: str = _setting("ciexplore-downloads", env="CIEXPLORE_OUTPUT", toml="download.output")
    """Where the app offers to download to; relative to the directory it was started in."""

    jobs: int = _setting(0, env="CIEXPLORE_JOBS", toml="download.jobs")
    """Files downloaded at the same time, 1 to 64; 0 begins with 16 and takes more while only waiting limits it."""

    cache_dir: str = _setting("", env="CIEXPLORE_CACHE_DIR", toml="cache.dir")
    """Where answers are kept; empty is the user's cache directory."""

    cache_bytes: int = _setting(2_000_000_000, env="CIEXPLORE_CACHE_BYTES", toml="cache.bytes")
    """How much the cache may hold before the least recently used goes, in bytes."""

    state_dir: str = _setting("", env="CIEXPLORE_STATE_DIR", toml="state.dir")
    """Where recent and pinned locators are kept; empty is the user's state directory."""

    theme: str = _setting("ciexplore-dark", env="CIEXPLORE_THEME", toml="look.theme")
    """Name of a colour theme, as listed by Ctrl+P, Change theme."""

    images: str = _setting("auto", env="CIEXPLORE_IMAGES", toml="look.images")
    """How images are shown (extra `images`): `auto`, `kitty`, `sixel`, `blocks` (half a cell a pixel) or `off`."""

    keys: Mapping[str, str] = field(default_factory=dict, metadata={"toml": "keys"})
    """Other keys for actions: [keys] with an action's id (see `?`) and a comma-separated list of keys."""

    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Setting name -> where its value came from."""

    notes: tuple[str, ...] = field(default=(), compare=False)
    """Sentences about settings that are made by an old name."""

    @property
    def cache_path(self) -> Path:
        return Path(self.cache_dir).expanduser() if self.cache_dir else _platform("cache")

    @property
    def state_path(self) -> Path:
        return Path(self.state_dir).expanduser() if self.state_dir else _platform("state")

    @property
    def output_path(self) -> Path:
        return Path(self.output).expanduser().absolute()


def _platform(what: str) -> Path:
    import platformdirs

    if what == "cache":
        return Path(platformdirs.user_cache_dir(APP, appauthor=False))
    if what == "state":
        return Path(platformdirs.user_state_dir(APP, appauthor=False))
    return Path(platformdirs.user_config_dir(APP, appauthor=False))


def config_path(environment: Mapping[str, str] | None = None) -> Path:
    """The settings file that is read: CIEXPLORE_CONFIG, else config.toml in the user's configuration directory."""
    named = (os.environ if environment is None else environment).get("CIEXPLORE_CONFIG")
    if not named:
        return _platform("config") / "config.toml"
    _check_path(named, "the environment variable CIEXPLORE_CONFIG")
    return Path(named).expanduser()


def setting_names() -> list[tuple[str, str, str]]:
    """(field name, environment variable, key in config.toml) of every setting a user can make."""
    return [(f.name, f.metadata.get("env", ""), f.metadata["toml"]) for f in fields(Settings) if "toml" in f.metadata]


def _old_names() -> dict[str, str]:
    """Old key or environment variable -> field name."""
    return {old: f.name for f in fields(Settings) for old in f.metadata.get("old", ())}


def load(environment: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force. `overrides` are the command line's (None values are left out).

    Raises `UsageError` for a file that is no TOML, an unknown key, or a value of the wrong type.
    """
    environment = os.environ if environment is None else environment
    path = config_path(environment)
    values: dict[str, Any] = {}
    origins = {f.name: "default" for f in fields(Settings) if "toml" in f.metadata}
    notes: list[str] = []
    for name, value in _from_file(path, notes).items():
        values[name], origins[name] = value, str(path)
    current = {name: env for name, env, _ in setting_names()}
    variables = [(name, env) for env, name in _old_names().items() if "." not in env]
    for name, env in [*variables, *current.items()]:
        if env and (text := environment.get(env, "")):
            if env != current[name]:
                notes.append(f"{env} is now {current[name]}.")
            values[name], origins[name] = _convert(name, text, f"the environment variable {env}"), env
    for name, value in (overrides or {}).items():
        if value is not None:
            values[name], origins[name] = value, "command line"
    return replace(_check(Settings(**values), origins), origins=origins, notes=tuple(notes))


def _from_file(path: Path, notes: list[str]) -> dict[str, Any]:
    document = _parse(path)
    known = {toml: name for name, _, toml in setting_names()}
    current, old = {name: toml for toml, name in known.items()}, _old_names()
    values: dict[str, Any] = {}
    for key, value in _flatten(document, {*known, *old}):
        if key in old:
            values.setdefault(old[key], _convert(old[key], value, f"'{key}' in {path}"))
            notes.append(f"The setting {key} in {path} is now {current[old[key]]}.")
            continue
        if key not in known:
            import difflib

            near = difflib.get_close_matches(key[:60], known, n=3, cutoff=0.6)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Known settings: {', '.join(known)}."
            raise UsageError(f"The settings file {path} has an unknown setting {_quote(key)}.", hint)
        values[known[key]] = _convert(known[key], value, f"'{key}' in {path}")
    return values


def _parse(path: Path) -> dict[str, Any]:
    """The TOML document of a settings file, {} if there is none. Raises `UsageError` with the line, if it has one."""
    content = _read(path)
    if not content:
        return {}
    import tomllib  # most users have no settings file, and it costs every start 5 ms

    try:
        if sum(line.count(b".") ** 2 for line in _lines(content)) > _MOST_WORK:
            raise RecursionError
        return tomllib.loads(content.decode("utf-8-sig"))  # editors on Windows begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"The settings file {path} is not UTF-8 text (line {line}).", "Fix or remove it.") from error
    except tomllib.TOMLDecodeError as error:
        line = content.rstrip().count(b"\n") + 1
        words = str(error).replace("(at end of document)", f"(at line {line}, the end of the file)")
        raise UsageError(f"The settings file {path} is not valid TOML: {words}.", "Fix or remove it.") from error
    except RecursionError as error:
        line = _deepest_line(content)
        raise UsageError(
            f"The settings file {path} is nested too deeply (line {line}).", "Fix or remove it."
        ) from error
    except ValueError as error:  # an integer of more digits than Python reads
        raise UsageError(
            f"The settings file {path} has a number that is too long (line {_longest_number_line(content)}).",
            "Fix or remove it.",
        ) from error


def _read(path: Path) -> bytes:
    """The settings file, empty if there is none. Raises `UsageError`."""
    if path == Path(os.devnull):  # the usual way to say "none"
        return b""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"The settings file {path} is not a regular file.", "Fix or remove it.")
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        words = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"The settings file {path} cannot be read: {words}.", "Check its permissions.") from error
    if len(content) > _LARGEST_FILE:
        raise UsageError(f"The settings file {path} is larger than {_LARGEST_FILE // 1000} kB.", "Fix or remove it.")
    return content


def _lines(content: bytes) -> list[bytes]:
    """Every line, comments as empty ones."""
    return [b"" if line.lstrip().startswith(b"#") else line for line in content.split(b"\n")]


def _deepest_line(content: bytes) -> int:
    depths = [max(line.count(b"["), line.count(b"{"), line.count(b".")) for line in _lines(content)]
    return 1 + max(range(len(depths)), key=depths.__getitem__)


def _longest_number_line(content: bytes) -> int:
    longest = max(re.finditer(rb"[0-9A-Fa-fx_]+", content), key=lambda found: found.end() - found.start())
    return content.count(b"\n", 0, longest.start()) + 1


def _quote(text: str) -> str:
    """A name from a settings file in quotes, shortened, with nothing that a terminal would obey."""
    printable = "".join(character if character.isprintable() else "�" for character in text)
    return f"'{printable if len(printable) <= 60 else printable[:59] + '…'}'"


def _describe_value(value: Any) -> str:
    """A value of the wrong type, much as it stands in the file."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    try:
        return _quote(str(value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number that is too long"


def _flatten(document: Mapping[str, Any], stop: set[str]) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) in the order of the file. Not recursive: a key of 100,000 dots is a table that deep."""
    waiting = list(document.items())[::-1]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict) and value and name not in stop and name.count(".") < _DEEPEST_KEY:
            waiting += [(f"{name}.{key}", inner) for key, inner in list(value.items())[::-1]]
        else:
            yield name, value


def _convert(name: str, value: Any, where: str) -> Any:
    default = getattr(Settings(), name)
    if isinstance(default, Mapping):
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise UsageError(f"{where} must be a table of strings, e.g. [keys] with download = 'd,ctrl+d'.")
        return value
    if isinstance(default, int):
        return _whole_number(value, where)
    if not isinstance(value, str):
        raise UsageError(f"{where} must be a string, not {_describe_value(value)}.")
    return value


def _whole_number(value: Any, where: str) -> int:
    """A whole number as written; `true`, 3.7, inf and a number of 300 digits are none."""
    number = value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,30}\s*", value):
        number = int(value)
    if not isinstance(number, int) or isinstance(number, bool) or not -(2**63) <= number < 2**63:
        raise UsageError(f"{where} must be a whole number, not {_describe_value(value)}.")
    return number


def _check(settings: Settings, origins: Mapping[str, str]) -> Settings:
    if not 0 <= settings.jobs <= 64:
        raise UsageError(f"jobs is {settings.jobs} ({origins['jobs']}).", "It must be between 1 and 64, or 0.")
    if settings.cache_bytes < 10_000_000:
        raise UsageError(f"cache_bytes is {settings.cache_bytes}.", "It must be at least 10000000 (10 MB).")
    if settings.images not in IMAGE_SETTINGS:
        where = f"images is {_quote(settings.images)} ({origins['images']})."
        raise UsageError(where, f"It must be one of {', '.join(IMAGE_SETTINGS)}.")
    for name in ("cache_dir", "state_dir", "output", "submit_credentials"):
        _check_path(getattr(settings, name), f"{name} ({origins[name]})")
    return settings


def _check_path(text: str, where: str) -> None:
    """Raises `UsageError` for what no file can be called; whether there is one is another question."""
    if why := explain_impossible(text):
        raise UsageError(f"{where} is not a usable path: {why}.", "Set another path.")
