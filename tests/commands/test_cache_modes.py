"""--offline, --refresh, --no-cache and `cache info|clear`: what is asked of the server, and what is kept."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from backends.demo import DemoServer
from tests.commands.calling import Caller, environment


def asked(server: DemoServer, ciexplore: Caller, *call: str) -> int:
    """How many requests one call costs; it must succeed."""
    before = len(server.requests)
    assert ciexplore(*call).code == 0
    return len(server.requests) - before


def entries(ciexplore: Caller) -> int:
    found = re.search(r"entries +([\d,]+)", ciexplore("cache", "info").text)
    assert found is not None
    return int(found[1].replace(",", ""))


def test_offline_shows_what_was_listed_and_asks_nobody(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer
) -> None:
    call = ("taskcluster", "tasks", demo["taskcluster.finished-group"])
    online = ciexplore(*call)
    assert asked(demo_server, ciexplore, *call, "--offline") == 0
    assert ciexplore(*call, "--offline").out == online.out


def test_a_stored_listing_is_shown_without_what_only_a_request_needs(ciexplore: Caller, demo: dict[str, str]) -> None:
    group = demo["taskcluster.finished-group"]
    online = ciexplore("taskcluster", "tasks", group)
    script = (
        "import sys\nfrom tui.cli import run\n"
        f"code = run(['taskcluster', 'tasks', {group!r}, '--offline'])\n"
        "heavy = {'httpx', 'httpcore', 'h11', 'diskcache', 'ssl'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, online.out), done.stderr.decode()


def test_offline_without_a_stored_listing_is_a_sentence(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer
) -> None:
    before = len(demo_server.requests)
    for call in (("tasks",), ("stats",), ("download", "--output", "out")):
        done = ciexplore("taskcluster", *call, demo["taskcluster.finished-group"], "--offline")
        assert done.code == 3 and "ffline" in done.err
    assert len(demo_server.requests) == before
    assert not Path("out").exists()


def test_refresh_asks_again_and_no_cache_leaves_no_trace(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer, own_directories: Path
) -> None:
    call = ("taskcluster", "artifacts", demo["taskcluster.task"])
    assert asked(demo_server, ciexplore, *call, "--no-cache") > 0
    assert entries(ciexplore) == 0
    first = asked(demo_server, ciexplore, *call)
    assert first > 0 and entries(ciexplore) > 0
    assert asked(demo_server, ciexplore, *call) == 0
    assert asked(demo_server, ciexplore, *call, "--refresh") == first
    assert asked(demo_server, ciexplore, *call, "--no-cache") == first


def test_clearing_the_cache_forgets_answers_and_keeps_downloads(
    ciexplore: Caller, demo: dict[str, str], demo_server: DemoServer, tmp_path: Path
) -> None:
    call = ("taskcluster", "download", demo["taskcluster.artifact"], "--output", "out")
    ciexplore(*call)
    assert entries(ciexplore) > 0
    assert ciexplore("cache", "clear").code == 0
    assert entries(ciexplore) == 0
    before = len(demo_server.requests)
    assert "1 unchanged" in ciexplore(*call).err
    assert not [one for one in list(demo_server.requests)[before:] if one.path.startswith("/pub/")]


def test_a_cache_that_cannot_be_written_costs_only_the_cache(
    ciexplore: Caller, demo: dict[str, str], own_directories: Path
) -> None:
    (own_directories / "cache").write_text("not a directory")
    done = ciexplore("taskcluster", "tasks", demo["taskcluster.finished-group"])
    assert done.code == 0 and len(done.rows) == 150
    for verb in ("info", "clear"):
        assert ciexplore("cache", verb).code in (0, 1)


def test_a_damaged_cache_is_begun_again_and_said_in_one_note(
    ciexplore: Caller, demo: dict[str, str], own_directories: Path
) -> None:
    call = ("taskcluster", "tasks", demo["taskcluster.finished-group"])
    whole = ciexplore(*call)
    database = own_directories / "cache" / "cache.db"
    database.write_bytes(database.read_bytes()[:5000])
    done = ciexplore(*call)
    assert done.code == 0 and done.rows == whole.rows
    assert done.err.count("note: ") == 1 and "was damaged" in done.err and "emptied" in done.err
    again = ciexplore(*call)
    assert again.rows == whole.rows and again.err == ""
    assert entries(ciexplore) > 0
