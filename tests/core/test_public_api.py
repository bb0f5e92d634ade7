"""`import ciexplore` and `python -m ciexplore`: a small surface that other people's code may rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ciexplore
from tests.commands.calling import ROOT, environment


def run_python(code: str, *, pythonpath: str = "") -> subprocess.CompletedProcess[str]:
    extra = {"PYTHONPATH": f"{pythonpath}:{ROOT}" if pythonpath else str(ROOT)}
    return subprocess.run(
        [sys.executable, *code.split(" ", 1)],
        capture_output=True,
        text=True,
        env=environment(extra),
        timeout=60,
        cwd="/",
    )


def test_the_surface_is_what_is_promised() -> None:
    assert ciexplore.__all__ == [
        "AppError", "Listing", "Log", "LogLine", "get_task_data", "get_task_data_paths", "open",
    ]  # fmt: skip
    assert all(getattr(ciexplore, name) is not None for name in ciexplore.__all__)
    methods = {name for name in vars(ciexplore.Listing) if not name.startswith("_")}
    assert methods == {
        "close", "download", "failures", "frame", "lazy", "locator", "log", "notes", "pages", "plot", "report",
        "schema", "sql", "title",
    }  # fmt: skip
    assert (ROOT / "ciexplore" / "py.typed").exists()


def test_a_list_is_read_filtered_and_downloaded(demo: dict[str, str], tmp_path: Path) -> None:
    with ciexplore.open(demo["taskcluster.finished-group"]) as tasks:
        frame = tasks.frame()
        assert "name" in tasks.schema.names and frame["state"].is_not_null().all() and "autoland" in tasks.title
        failed = tasks.frame("state:failed")
        assert 0 < len(failed) < len(frame) and set(failed["state"]) == {"failed"}
        assert sum(len(page.frame) for page in tasks.pages()) >= len(frame)
        paths = tasks.download(tmp_path / "out", match=["live_backing.log"], filter=f"task_id:{failed['task_id'][0]}")
    assert paths and all(path.stat().st_size > 0 and path.name == "live_backing.log" for path in paths)


def test_errors_are_sentences() -> None:
    with pytest.raises(ciexplore.AppError) as error:
        ciexplore.open("hello")
    assert "Unrecognized" in error.value.sentence and error.value.hint


@pytest.mark.parametrize("name", ["tui", "backends"])
@pytest.mark.parametrize("kind", ["package", "folder", "module"])
def test_a_package_that_shadows_ours_is_named(name: str, kind: str, tmp_path: Path) -> None:
    if kind == "module":
        (tmp_path / f"{name}.py").write_text("")
    else:
        (tmp_path / name).mkdir()
        (tmp_path / name / ("__init__.py" if kind == "package" else "notes.txt")).write_text("")
    done = run_python("-m ciexplore", pythonpath=str(tmp_path))
    if kind == "folder":  # a folder without __init__.py gives way to a real package
        assert done.returncode == 2 and "shadowed" not in done.stderr
        return
    assert done.returncode == 2 and done.stdout == ""
    assert str(ROOT / name) in done.stderr and str(tmp_path / name) in done.stderr and "Traceback" not in done.stderr
    imported = run_python("-c import ciexplore; ciexplore.open('x')", pythonpath=str(tmp_path))
    assert "ImportError" in imported.stderr and str(tmp_path / name) in imported.stderr


def test_a_headless_verb_imports_no_interface(demo: dict[str, str]) -> None:
    code = (
        "import sys; from tui.cli import run; "
        f"code = run(['taskcluster', 'tasks', {demo['taskcluster.finished-group']!r}, '--format', 'csv']); "
        "print(code, [m for m in sys.modules if m.split('.')[0] in ('textual', 'rich') or m.startswith('tui.widgets')])"
    )
    done = run_python(f"-c {code}")
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
