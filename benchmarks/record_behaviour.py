"""Record what a checkout does, command by command and screen by screen, and compare two recordings.

    python benchmarks/record_behaviour.py record .venv/bin/ciexplore before [--jobs 2] [--only prow] [--no-screens]
    python benchmarks/record_behaviour.py compare before after [--data-only]

Every scene of commands (`behaviour_commands.py`) and every walk through the app (`behaviour_walks.py`) runs on an
embedded CI of its own, with a home directory of its own. Of a command its exit code, its rows, the files that it wrote
and the manifests of its downloads are data; its stderr, the headers of its tables and sentences are wording. Ports,
temporary directories and what depends on the clock are replaced by names. Nothing of the app is imported.

`compare` prints differences in data first, then those in wording. It ends with 1 if data differ, with 2 if only
wording does, and with 0 otherwise; `--data-only` ends with 0 also where wording differs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from behaviour_commands import CLOSED_PORT, SCENES, Scene

TASKS, SEED = 60, 20261121
PATIENCE = 120.0  # seconds for one command; only what hangs takes that long
# Renamed verbs keep their old spelling as an alias, but what they print may name the new one: both are read as the new.
RENAMED_PREFIXES = {"perf": "treeherder", "archive": "archives"}
# Columns that a redesign renamed: old name -> new name.
RENAMED_COLUMNS: dict[str, str] = {}
# What a row that is of the present moment measures up to it.
CLOCK_COLUMNS = {"age", "duration", "kept", "changed", "queued", "visited", "queue_time"}
# Of a manifest's row these say what happened; the others when.
MANIFEST_COLUMNS = ("key", "url", "target", "state", "size", "sha256", "reason", "detail", "tries", "checked_by")
MOMENT = re.compile(r"\b(20\d\d-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?(Z|\+00:00)?")
SPAN = re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|min|m|h|d)\b(?: \d\d[ms])?")
_CHANGING = (
    (r"127\.0\.0\.1:\d{4,5}\b", "{server}"),  # a port of the demo that its settings do not name
    (r"~[0-9a-f]{10}(?=\W|$)", "~{hash}"),  # a name that would be taken has a digest of its address, with the port
    (r"\b1\d{18}-(?=\d)", "{mtime}-"),  # the generation of a file on the disk
    (r"/[0-9a-f]{24}/", "/{hash}/"),  # what a dataset keeps of its views, by the state that they show
    (r"stored copy, [\w ]+ old", "stored copy, {age} old"),
)
_REVISIONS = {
    "base": ("perf.compare", "baseRev=([0-9a-f]+)"),
    "new": ("perf.compare", "newRev=([0-9a-f]+)"),
    "revision": ("archive.revision", "@([0-9a-f]+)"),
}
SHOWN = 12  # differences printed of one command


class Ci:
    """`COMMAND demo --serve` with a home and a working directory of its own, all below `base`."""

    def __init__(self, command: Path, base: Path) -> None:
        self.command, self.base = command, base
        self.home, self.work = base / "home", base / "work"
        for folder in (self.home, self.work):
            folder.mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "MPLCONFIGDIR": str(self.home / "matplotlib"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        self.locators: dict[str, str] = {}
        self._names: list[tuple[str, str]] = []
        self.since = datetime.now(UTC) - timedelta(hours=2)

    def __enter__(self) -> Self:
        options = ["--tasks", str(TASKS), "--seed", str(SEED)]
        self._server, settings = self.serve(["demo", "--serve", *options], self.environment)
        self.environment |= settings
        for name, value in settings.items():
            if found := re.search(r"127\.0\.0\.1:(\d+)", value):
                self._names.append((found[1], name.lower().removesuffix("_url")))
        self.environment["CIEXPLORE_PULSE_URL"] = f"amqp://127.0.0.1:{CLOSED_PORT}"
        listed = subprocess.run(
            [str(self.command), "demo", "--locators", *options],
            env=self.environment,
            cwd=self.work,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        self.locators = json.loads(listed)
        self.examples = re.sub(r"^submit:|\?.*", "", self.locators["submit.example"]).rpartition("/")[0]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        stop(self._server)

    def serve(self, words: list[str], environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
        """Starts a command that prints `export NAME=VALUE` lines and serves; gives it and those settings."""
        server = subprocess.Popen(
            [str(self.command), *words],
            stdout=subprocess.PIPE,
            env=environment,
            cwd=self.work,
            start_new_session=True,
        )
        assert server.stdout is not None
        said = b""
        while not said.endswith(b"\n"):  # all settings are written at once
            piece = os.read(server.stdout.fileno(), 1 << 16)
            if not piece:
                raise SystemExit(f"{self.command} {' '.join(words)} ended at once")
            said += piece
        pairs = [line.removeprefix("export ").partition("=") for line in said.decode().splitlines()]
        return server, {name: shlex.split(value)[0] for name, _, value in pairs}

    @property
    def pid(self) -> int:
        """The process of the embedded CI."""
        return self._server.pid

    def fill(self, text: str) -> str:
        """`<NAME>` in the template of a command is a locator of the embedded CI, or the folder of its examples."""

        def value(found: re.Match[str]) -> str:
            name = found[2]
            if name == "examples":
                return self.examples
            if name in _REVISIONS:
                name, form = _REVISIONS[name]
            else:
                form = "[\\w-]{22}" if found[1] else ".*"
            system, _, rest = name.partition(".")
            locator = self.locators.get(name) or self.locators[f"{RENAMED_PREFIXES.get(system, system)}.{rest}"]
            return str(re.findall(form, locator)[0])

        return re.sub(r"<(id:)?([a-z.-]+)>", value, text)

    def settle(self, text: str) -> str:
        """The same text without ports, temporary directories and what depends on the clock."""
        for path, name in ((self.examples, "{examples}"), (str(self.base), "{tmp}"), (tempfile.gettempdir(), "{tmp}")):
            text = text.replace(path, name)
        for port, name in self._names:
            text = re.sub(rf"\b127\.0\.0\.1([:_]|%3[Aa]){port}\b", f"{{{name}}}", text)
            text = re.sub(rf"(?<![\d.]){port}(?![\d.])", f"{{{name}-port}}", text)
        for form, name in _CHANGING:
            text = re.sub(form, name, text)
        return self.settle_moments(text)

    def settle_moments(self, text: str, mark: Callable[[str], str] = lambda _: "{now}") -> str:
        """The same text with a mark for every moment of the last hours, and {today} for the day."""
        until = datetime.now(UTC) + timedelta(hours=2)

        def moment(found: re.Match[str]) -> str:
            try:
                at = datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
            except ValueError:
                return found[0]
            return mark(found[0]) if self.since <= at <= until else found[0]

        return MOMENT.sub(moment, text).replace(f"{datetime.now(UTC):%Y-%m-%d}", "{today}")


@dataclass
class Record:
    """What one command did. `data` depends on the kind of output; `words` is what people read."""

    id: str
    scene: str
    argv: list[str]
    exit_code: int
    kind: str
    data: Any
    words: dict[str, list[str]]
    files: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class Tree:
    """The files of a working directory, and which of them a command changed."""

    def __init__(self, ci: Ci) -> None:
        self._ci = ci
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}

    def changes(self) -> dict[str, str]:
        """Path -> "SIZE SHA256 MODE" of what is new or changed since the last call; "gone" of what was removed."""
        found: dict[str, tuple[tuple[int, int, int], str]] = {}
        changed: dict[str, str] = {}
        for path in sorted(self._ci.work.rglob("*")):
            if not path.is_file() and not path.is_symlink():
                continue
            name, about = str(path.relative_to(self._ci.work)), path.lstat()
            stamp = (about.st_ino, about.st_size, about.st_mtime_ns)
            old = self._known.get(name)
            found[name] = old if old is not None and old[0] == stamp else (stamp, self._describe(path))
            if old is None or old[1] != found[name][1]:
                changed[self._ci.settle(name)] = found[name][1]
        changed |= {self._ci.settle(name): "gone" for name in self._known.keys() - found.keys()}
        self._known = found
        return changed

    def _describe(self, path: Path) -> str:
        mode = f"{path.lstat().st_mode & 0o777:o}"
        if path.is_symlink():
            return f"link to {self._ci.settle(str(path.readlink()))}"
        if ".ciexplore" in path.parts or path.name.endswith((".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock")):
            return f"present {mode}"
        content = path.read_bytes()
        if content[:4] == b"PAR1":
            return f"parquet {digest(json.dumps(self._parquet(content), sort_keys=True).encode())} {mode}"
        with suppress(UnicodeDecodeError):
            content = as_renamed(self._ci.settle(content.decode())).encode()
        return f"{len(content)} {digest(content)} {mode}"

    def _parquet(self, content: bytes) -> list[dict[str, str]]:
        moments = range(int(self._ci.since.timestamp()), int(self._ci.since.timestamp()) + 6 * 3600)

        def settled(value: Any) -> str:
            return "{now}" if isinstance(value, int) and value in moments else self._ci.settle(str(value))

        return [{name: settled(value) for name, value in row.items()} for row in read_parquet(content)]


def stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    assert server.stdout is not None
    server.stdout.close()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_parquet(content: bytes) -> list[dict[str, Any]]:
    import polars as pl

    return pl.read_parquet(io.BytesIO(content)).to_dicts()


def read_manifests(ci: Ci, changed: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Folder -> the rows of its downloads' manifest, without times."""
    found = {}
    for path in sorted(ci.work.rglob(".ciexplore/manifest.sqlite")):
        folder = str(path.parent.parent.relative_to(ci.work))
        if folder not in changed and not (folder == "." and any(name.startswith(".ciexplore/") for name in changed)):
            continue
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = [dict(row) for row in database.execute("SELECT * FROM files ORDER BY key")]
        kept = [{name: row[name] for name in MANIFEST_COLUMNS if name in row} for row in rows]
        found[folder] = json.loads(ci.settle(json.dumps(kept)))
    return found


def run_step(ci: Ci, scene: Scene, template: str, tree: Tree) -> Record:
    """Runs one command of a scene. `VARIABLE=VALUE` before it is its environment, `< FILE` at its end its input, and
    what stands before ` -- ` is a command that serves meanwhile.
    """
    words = [ci.fill(word) for word in shlex.split(template)]
    environment = dict(ci.environment)
    while re.match(r"[A-Z_]+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    server = None
    if "--" in words:
        at = words.index("--")
        server, settings = ci.serve(words[:at], environment)
        environment |= settings
        words = words[at + 1 :]
    given = b""
    if len(words) > 2 and words[-2] == "<":
        given, words = (ci.work / words[-1]).read_bytes(), words[:-2]
    try:
        done = subprocess.run(
            [str(ci.command), *words],
            input=given,
            capture_output=True,
            env=environment,
            cwd=ci.work,
            timeout=PATIENCE,
        )
    finally:
        if server is not None:
            stop(server)
    kind = kind_of(words)
    data, said = read_output(ci, kind, done.stdout)
    error = ci.settle(done.stderr.decode(errors="replace")).splitlines()
    argv = [ci.settle(word) for word in words]
    record = Record(template, scene.name, argv, done.returncode, kind, data, {"stderr": error, "stdout": said})
    record.files = tree.changes()
    record.manifests = read_manifests(ci, {name.partition("/.ciexplore/")[0] for name in record.files})
    return record


def kind_of(words: list[str]) -> str:
    """How a command's stdout is read: csv, json, jsonl, table, text (lines are data) or words (lines are wording)."""
    verb = words[1] if len(words) > 1 else ""
    if words[0] in ("config", "completion", "cache") or words[0].startswith("-"):
        return "words"
    if {*words[:3]} & {"download", "get", "remove", "publish", "repair", "update"}:
        return "words"
    if {"--to", "-o"} & {*words} and verb != "convert":
        return "words"
    if "--format" in words:
        return words[words.index("--format") + 1]
    if words[0] == "demo" or verb in ("show", "registration"):
        return "json"
    if verb == "convert":
        return "jsonl" if "--lines" in words else "json"
    return "text" if verb == "log" or "--compat" in words else "csv"


def read_output(ci: Ci, kind: str, output: bytes) -> tuple[Any, list[str]]:
    """Data and wording of a command's stdout."""
    if kind == "parquet":
        rows = [{name: str(value) for name, value in row.items()} for row in read_parquet(output)] if output else []
        return [settle_row(ci, row) for row in rows], []
    text = output.decode(errors="replace")
    if kind == "words" or not text:
        return None, ci.settle(text).splitlines()
    if kind == "csv":
        table = list(csv.reader(io.StringIO(text, newline="")))
        rows = [settle_row(ci, dict(zip(table[0], row, strict=False))) for row in table[1:]]
        return {"columns": table[0], "rows": [list(row.values()) for row in rows]}, []
    if kind in ("json", "jsonl"):
        try:
            value = json.loads(text) if kind == "json" else [json.loads(line) for line in text.split("\n") if line]
        except ValueError:
            return None, ci.settle(text).splitlines()
        rows = value if isinstance(value, list) else [value]
        settled = [settle_row(ci, row) if isinstance(row, dict) else row for row in rows]
        return json.loads(ci.settle(json.dumps(settled, ensure_ascii=False))), []
    lines = ci.settle(text).splitlines()
    if kind == "table":
        cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
        return [[settle_spans(cell, row) for cell in row] for row in cells[1:]], [" | ".join(cells[0])] if cells else []
    return lines, []


def settle_row(ci: Ci, row: dict[str, Any]) -> dict[str, Any]:
    """A row that holds a moment of today measures up to now: those columns say no more than that."""
    settled = {name: ci.settle(value) if isinstance(value, str) else value for name, value in row.items()}
    if not any(value in ("{now}", "{today}") for value in settled.values() if isinstance(value, str)):
        return settled
    return {name: "{clock}" if value and name in CLOCK_COLUMNS else value for name, value in settled.items()}


def settle_spans(cell: str, row: list[str]) -> str:
    return SPAN.sub("{clock}", cell) if any("{now}" in other for other in row) else cell


def record_scene(command: Path, base: Path, scene: Scene, steps: list[str], out: Path) -> list[tuple[float, str]]:
    """Runs the steps of a scene one after the other and writes a file for each. Gives how long each took."""
    took, used = [], set()
    with Ci(command, base / scene.name) as ci:
        tree = Tree(ci)
        for name, content in scene.files.items():
            (ci.work / name).write_text(ci.fill(content))
        tree.changes()
        for template in steps:
            began = time.monotonic()
            record = run_step(ci, scene, template, tree)
            while record.id in used:
                record.id += " (again)"
            used.add(record.id)
            took.append((time.monotonic() - began, record.id))
            write_json(out / "commands" / scene.name / f"{file_name(record.id)}.json", record.__dict__)
    return took


def file_name(text: str) -> str:
    """A short name for a file that is another for each text."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', text).strip('-')[:80]}-{digest(text.encode())[:6]}"


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def choose_steps(scene: Scene, only: str) -> list[str]:
    """The steps of a scene that `--only` names by system or verb; of an ordered scene all, if it names any."""
    if not only or only == scene.name:
        return scene.steps
    chosen = [step for step in scene.steps if only in re.sub(r"^([A-Z_]+=\S* )*", "", step).split()[:3]]
    return scene.steps if chosen and scene.ordered else chosen


def record(command: Path, out: Path, only: str, jobs: int, screens: bool) -> int:
    """Records everything that `only` names into the folder `out`, which must be new."""
    if out.exists():
        raise SystemExit(f"{out} exists already")
    began = time.monotonic()
    base = Path(tempfile.mkdtemp(prefix="behaviour-"))
    failed: list[str] = []
    took: list[tuple[float, str]] = []
    work: list[tuple[str, Callable[[], list[tuple[float, str]]]]] = []
    if screens:
        import behaviour_walks

        work += behaviour_walks.jobs(command, base, out, only)
    for scene in SCENES:
        if steps := choose_steps(scene, only):
            work.append((scene.name, partial(record_scene, command, base, scene, steps, out)))
    try:
        with ThreadPoolExecutor(jobs) as pool:
            running = [(name, pool.submit(job)) for name, job in work]
            for name, future in running:
                try:
                    took += future.result()
                    print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)
                except Exception as error:
                    failed.append(f"{name}: {error}")
                    print(f"{time.monotonic() - began:6.1f} s  {name} FAILED: {error}", flush=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    slowest = [f"{seconds:.1f} s  {name}" for seconds, name in sorted(took, reverse=True)[:10]]
    write_json(out / "recording.json", {"only": only, "screens": screens, "failed": failed, "slowest": slowest})
    print(f"{len(took)} steps in {time.monotonic() - began:.0f} s into {out}")
    return 1 if failed else 0


# Comparing


def as_renamed(text: str) -> str:
    """Both spellings of renamed verbs and prefixes as the new one."""
    for old, new in RENAMED_PREFIXES.items():
        text = re.sub(rf"(?<![\w/.-]){old}(?=[:.])", new, text)
    return text


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Id -> record, of all commands and screens, with the new spellings."""
    found = {}
    for path in sorted(folder.glob("*/*/*.json")):
        value = json.loads(path.read_text())
        renamed = json.loads(as_renamed(json.dumps({k: v for k, v in value.items() if k != "id"}, ensure_ascii=False)))
        found[f"{value['scene']}: {value['id']}"] = renamed
    return found


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Where two values differ, one line for each place."""
    if isinstance(old, dict) and isinstance(new, dict):
        old, new = ({RENAMED_COLUMNS.get(name, name): each for name, each in value.items()} for value in (old, new))
        for name in old.keys() - new.keys():
            yield f"{at}.{name}: gone (was {shorten(old[name])})"
        for name in new.keys() - old.keys():
            yield f"{at}.{name}: new ({shorten(new[name])})"
        for name in old:
            if name in new:
                yield from differences(old[name], new[name], f"{at}.{name}")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{at}: {len(old)} entries became {len(new)}"
            yield from lines_apart(old, new, at)
            return
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{at}[{number}]")
    elif old != new:
        yield f"{at}: {shorten(old)} -> {shorten(new)}"


def lines_apart(old: list[Any], new: list[Any], at: str) -> Iterator[str]:
    before, after = ({json.dumps(each, ensure_ascii=False): None for each in value} for value in (old, new))
    yield from (f"{at} - {shorten(each)}" for each in before if each not in after)
    yield from (f"{at} + {shorten(each)}" for each in after if each not in before)


def shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:159]}…"


def as_rows(record: dict[str, Any]) -> Any:
    """CSV as a row of names and values each, so that a moved column is one difference and not one a row."""
    data = record["data"]
    if record["kind"] != "csv" or not isinstance(data, dict):
        return data
    columns = [RENAMED_COLUMNS.get(name, name) for name in data["columns"]]
    rows = [dict(zip(columns, row, strict=False)) for row in data["rows"]]
    return {"columns": columns, "rows": rows}


def data_differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found: list[str] = []
    if old["exit_code"] != new["exit_code"]:
        found.append(f"exit code: {old['exit_code']} -> {new['exit_code']}")
    found += differences(as_rows(old), as_rows(new), "data")
    found += differences(old["files"], new["files"], "files")
    return found + list(differences(old["manifests"], new["manifests"], "manifests"))


def compare(old: Path, new: Path, data_only: bool) -> int:
    """Prints what differs, data first. 1 if data differ, 2 if wording does, 0 if nothing."""
    before, after = load(old), load(new)
    selected = any(json.loads((folder / "recording.json").read_text())["only"] for folder in (old, new))
    data: list[tuple[str, list[str]]] = []
    wording: list[tuple[str, list[str]]] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            if not selected:
                data.append((name, ["not in the new recording" if name in before else "only in the new recording"]))
            continue
        one, other = before[name], after[name]
        if "screen" in one:
            wording.append((name, list(screen_differences(one["screen"], other["screen"]))))
            continue
        data.append((name, data_differences(one, other)))
        wording.append((name, list(differences(one["words"], other["words"]))))
    print_differences("DATA", data)
    if not data_only:
        print_differences("WORDING AND SCREENS", wording)
    differ, reworded = (sum(bool(lines) for _, lines in found) for found in (data, wording))
    print(f"{len(before.keys() & after.keys())} compared: data of {differ} differ, wording or screen of {reworded}.")
    return 1 if differ else 2 if reworded and not data_only else 0


def screen_differences(old: list[str], new: list[str]) -> Iterator[str]:
    for number in range(max(len(old), len(new))):
        one, other = (lines[number] if number < len(lines) else "" for lines in (old, new))
        if one != other:
            yield f"line {number + 1}:\n      - {one}\n      + {other}"


def print_differences(title: str, found: Iterable[tuple[str, list[str]]]) -> None:
    different = [(name, lines) for name, lines in found if lines]
    if not different:
        return
    print(f"=== {title}: {len(different)}")
    for name, lines in different:
        print(name)
        for line in lines[:SHOWN]:
            print(f"    {line}")
        if len(lines) > SHOWN:
            print(f"    ... and {len(lines) - SHOWN} more")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="run everything and write what it did")
    recording.add_argument("command", type=Path, metavar="COMMAND", help="the ciexplore to run")
    recording.add_argument("out", type=Path, metavar="OUT_DIR")
    recording.add_argument("--only", default="", metavar="WORD", help="a system, a verb, a scene, or screens")
    recording.add_argument("--jobs", type=int, default=2, help="scenes at the same time [2]")
    recording.add_argument("--no-screens", action="store_true", help="commands only")
    comparing = verbs.add_parser("compare", help="say what differs between two recordings")
    comparing.add_argument("old", type=Path, metavar="OLD_DIR")
    comparing.add_argument("new", type=Path, metavar="NEW_DIR")
    comparing.add_argument("--data-only", action="store_true", help="leave wording and screens out")
    asked = parser.parse_args()
    if asked.verb == "compare":
        return compare(asked.old, asked.new, asked.data_only)
    return record(asked.command.absolute(), asked.out, asked.only, asked.jobs, not asked.no_screens)


if __name__ == "__main__":
    sys.exit(main())
