"""An update that is killed at any request, again and again, ends with the same rows as one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backends.treeherder.datasets.ledger import now
from backends.treeherder.datasets.store import Store
from tests.datasets.updating import world_of

ROOT = Path(__file__).parents[2]
UPDATE = """
import sys
from pathlib import Path
from tests.datasets.updating import update
update(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
"""


def _started(path: Path, seed: int, at: int, jobs: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", UPDATE, str(path), str(seed), str(at), jobs]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "jobs"), [(1, "sample"), (2, "all")])
def test_killed_updates_lose_and_double_nothing(tmp_path: Path, seed: int, jobs: str) -> None:
    at, chance, path = now(), random.Random(seed), tmp_path / "store"
    for _ in range(8):
        running = _started(path, seed, at, jobs)
        assert running.stdout is not None
        for _ in range(chance.randrange(1, 25)):
            if not running.stdout.readline():
                break
        running.send_signal(signal.SIGKILL)
        running.wait()
        running.stdout.close()
    last = _started(path, seed, at, jobs)
    last.communicate()
    assert last.returncode == 0
    world = world_of(seed, at)
    expected = sorted((row["id"], row["job_id"], row["submit"] if row["job_id"] else None) for row in world.data)
    with Store(path) as store:
        rows = store.read("pairs").select("datum_id", "job_id", "submit_ts").sort("datum_id").rows()
        assert rows == expected
        assert store.count("pushes") == 200
        assert store.count("alert_summaries") == store.count("alerts") == 350
        if jobs == "all":
            assert store.read("jobs")["job_id"].sort().to_list() == sorted(world.jobs)
    quiet = _started(path, seed, at, jobs)
    out, _ = quiet.communicate()
    assert out == b"", "what is known was asked for again"
