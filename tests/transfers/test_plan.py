from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.transfers.files import RemoteFile
from backends.transfers.plan import make_plan
from backends.transfers.states import PlanAction
from tests.transfers.conftest import Runner, file
from tests.transfers.site import Site


def remote(key: str, *parts: str, **fields: object) -> RemoteFile:
    return RemoteFile(key, f"http://127.0.0.1/{key}", parts or ("g", key), **fields)  # type: ignore[arg-type]


def state(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [directory, *directory.rglob("*")]
    }


def test_planning_writes_nothing_at_all(site: Site, runner: Runner) -> None:
    nowhere = runner.output / "not" / "yet"
    assert make_plan([remote("a")], nowhere).counts[PlanAction.FETCH] == 1
    assert not runner.output.exists()
    site.add("/a", b"x" * 100)
    runner.run(file(site, "/a"))
    before = state(runner.output)
    for rehash in (False, True):
        plan = runner.plan(file(site, "/a"), remote("b"), rehash=rehash)
        assert plan.tree() and len(plan.rows) == 2
    assert state(runner.output) == before


def test_verified_file_is_unchanged_even_when_only_its_date_moved(site: Site, runner: Runner) -> None:
    site.add("/a", b"content")
    runner.run(file(site, "/a"))
    os.utime(runner.output / "group" / "a", ns=(1, 1))
    plan = runner.plan(file(site, "/a"))
    assert [row.action for row in plan.rows] == [PlanAction.UNCHANGED] and plan.to_fetch == 0


def test_damage_that_keeps_size_and_date_is_found_by_rehash(site: Site, runner: Runner) -> None:
    site.add("/a", b"content")
    runner.run(file(site, "/a"))
    path = runner.output / "group" / "a"
    found = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert runner.plan(file(site, "/a")).rows[0].action is PlanAction.UNCHANGED
    assert runner.plan(file(site, "/a"), rehash=True).rows[0].action is PlanAction.FETCH


def test_edit_that_keeps_the_size_is_noticed_by_its_date(site: Site, runner: Runner) -> None:
    site.add("/a", b"content")
    runner.run(file(site, "/a"))
    (runner.output / "group" / "a").write_bytes(b"CONTENT")
    os.utime(runner.output / "group" / "a", ns=(1, 1))
    assert runner.run(file(site, "/a")) == {"/a": ("verified", "")} and runner.read("group/a") == b"content"


def test_damaged_or_deleted_download_is_fetched_again(site: Site, runner: Runner) -> None:
    for path in ("/a", "/b", "/c"):
        site.add(path, path.encode() * 10)
    files = [file(site, path) for path in ("/a", "/b", "/c")]
    runner.run(*files)
    (runner.output / "group" / "a").write_bytes(b"short")
    (runner.output / "group" / "b").unlink()
    states = runner.run(*files)
    assert {key: found[0] for key, found in states.items()} == {"/a": "verified", "/b": "verified", "/c": "unchanged"}
    assert runner.read("group/a") == b"/a" * 10
    assert site.counts() == {"/a": 2, "/b": 2, "/c": 1}


def test_file_that_grew_on_the_server_is_fetched_again(site: Site, runner: Runner) -> None:
    site.add("/a", b"12345")
    runner.run(file(site, "/a", size=5))
    site.bodies["/a"] = b"1234567"
    assert runner.run(file(site, "/a", size=7)) == {"/a": ("verified", "")}
    assert runner.read("group/a") == b"1234567"


@pytest.mark.parametrize("kind", ["file", "directory", "link", "linked directory", "file above"])
def test_what_is_not_ours_is_left_alone(site: Site, runner: Runner, tmp_path: Path, kind: str) -> None:
    site.add("/a", b"ours")
    outside = tmp_path / "outside"
    outside.mkdir()
    place = runner.output / "group"
    if kind == "linked directory":
        runner.output.mkdir()
        place.symlink_to(outside)
    elif kind == "file above":
        runner.output.mkdir()
        place.write_bytes(b"theirs")
    else:
        place.mkdir(parents=True)
        target = place / "a"
        if kind == "file":
            target.write_bytes(b"theirs")
        elif kind == "directory":
            target.mkdir()
        else:
            target.symlink_to(outside / "a")
    reason = "symlink" if "link" in kind else "exists"
    assert runner.plan(file(site, "/a")).rows[0].action is PlanAction.CONFLICT
    assert runner.run(file(site, "/a")) == {"/a": ("failed", reason)}
    assert list(outside.iterdir()) == [] and site.requests == []
    if kind in ("file", "file above"):
        assert (place / "a" if kind == "file" else place).read_bytes() == b"theirs"


def test_overwrite_replaces_a_foreign_file_and_only_that(site: Site, runner: Runner, tmp_path: Path) -> None:
    site.add("/a", b"ours")
    (runner.output / "group").mkdir(parents=True)
    (runner.output / "group" / "a").write_bytes(b"theirs")
    assert runner.run(file(site, "/a"), overwrite=True) == {"/a": ("verified", "")}
    assert runner.read("group/a") == b"ours"


def test_files_of_one_key_are_one_file(runner: Runner) -> None:
    one, two = remote("a", "g", "x"), remote("a", "g", "x", size=9)
    for files in ([one, two], [two, one]):
        plan = make_plan(files, runner.output)
        assert [row.file.size for row in plan.rows] == [9]


def test_totals_and_warnings_say_what_will_come(runner: Runner) -> None:
    plan = runner.plan(
        remote("a", size=10), remote("b"), remote("c", skip="an error artifact"), remote("d", size=10**18, expires_ms=1)
    )
    assert (plan.to_fetch, plan.bytes_to_fetch, plan.unknown_sizes) == (3, 10**18 + 10, 1)
    assert plan.free is not None
    text = " ".join(plan.warnings)
    assert "only" in text and "not known" in text and "Expired" in text
    assert [row.reason for row in plan.rows if row.action is PlanAction.SKIP] == ["an error artifact"]


def test_tree_fits_the_screen_and_counts_everything(runner: Runner) -> None:
    files = [remote(f"{d}-{f}", "grp", f"task{d}", f"{f}.log", size=1000) for d in range(5) for f in range(30)]
    plan = runner.plan(*files)
    for lines in (1, 3, 10, 40, 500):
        drawn = plan.tree(lines).splitlines()
        assert len(drawn) <= lines and "150 files, 150" in drawn[0]
    assert "task3/  30 files, 30" in plan.tree(10)
    many = runner.plan(*(remote(str(n), f"{n}.log") for n in range(100)))
    assert many.tree(10).splitlines()[-1] == "  … and 92 more"


def test_plan_can_be_cancelled(runner: Runner) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(OperationCancelledError):
        make_plan([remote("a")], runner.output, cancel=cancel)


def test_what_is_skipped_is_neither_drawn_nor_counted_and_one_is_no_plural(runner: Runner) -> None:
    from tui.widgets.download_dialog import describe_plan

    plan = runner.plan(remote("a", size=10), remote("b", "g", "lost.log", skip="an error artifact"))
    assert "1 file, 10 B" in plan.tree() and "lost.log" not in plan.tree()
    assert "1 skipped" in describe_plan(plan).plain


def test_the_plan_the_tree_and_the_progress_count_the_same_files(site: Site, runner: Runner) -> None:
    """A skipped file was counted by the progress ("538 files") and by neither the plan nor the tree ("537 files")."""
    site.add("/a", b"a")
    runner.run(file(site, "/a"))
    (runner.output / "group" / "taken").write_bytes(b"not ours")
    site.add("/b", b"b")
    plan = runner.plan(
        *(file(site, f"/{name}") for name in ("a", "b", "taken")), file(site, "/lost", skip="no content")
    )
    snapshot = runner.start(*(row.file for row in plan.rows)).snapshot()
    counted = sum(count for action, count in plan.counts.items() if action is not PlanAction.SKIP)
    assert counted == snapshot.total == 3
    assert plan.tree().splitlines()[0].split("  ")[1].startswith("3 files")
