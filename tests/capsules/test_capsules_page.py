"""What docs/capsules.md says: its commands run, its tables name every key, its script reads a capsule."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

from backends.capsules.layout import FOLDERS, VERSION, Entry, Manifest, RecordedError, SavedList
from tests.capsules.conftest import SavedDemo
from tests.commands.calling import Caller

PAGE = (Path(__file__).parents[2] / "docs" / "capsules.md").read_text("utf-8")
NAMES = {"GROUP": "taskcluster.finished-group", "TASK": "taskcluster.failed-task"}


def test_the_commands_of_the_page(ciexplore: Caller, demo: dict[str, str]) -> None:
    [block] = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.strip().splitlines():
        words = [re.sub("GROUP$|TASK$", lambda found: demo[NAMES[found[0]]], word) for word in shlex.split(line)[1:]]
        done = ciexplore(*words)
        assert done.code == 0, (line, done.err)


def test_the_tables_name_every_key() -> None:
    _, manifest, entry = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    for table, struct in ((manifest, Manifest), (manifest, SavedList), (entry, Entry), (entry, RecordedError)):
        for name in struct.__struct_fields__:
            assert f"`{name}`" in table, name
    for folder in FOLDERS.values():
        assert f"`{folder}/HOST/`" in PAGE
    assert f"`{VERSION}`" in manifest


def test_every_key_of_a_capsule_is_in_the_tables(saved_demo: SavedDemo) -> None:
    with zipfile.ZipFile(saved_demo.group) as archive:
        manifest = json.loads(archive.read("capsule.json"))
    for described in (manifest, *manifest["lists"], *manifest["entries"]):
        for key in described:
            assert f"`{key}`" in PAGE, key


def test_the_script_of_the_page_reads_a_capsule(saved_demo: SavedDemo) -> None:
    [script] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    command = [sys.executable, "-I", "-S", "-c", script, str(saved_demo.group)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"response", "log", "artifact"}
