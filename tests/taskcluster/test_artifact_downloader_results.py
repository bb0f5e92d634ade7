"""Reading downloaded trees by suite, as the README of ArtifactDownloader promises it: ours and its own."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest
import zstandard

from backends.errors import AppError
from backends.taskcluster.artifact_downloader.results import (
    NoResultsError,
    UnreadableResultError,
    get_task_data,
    get_task_data_paths,
    task_id_of,
)

GROUP = "SssyewAFQiKm40PIouxo_g"
TASK = "fN1SbArXTPSVFNUvaOlinQ"
RETRIGGER = "Y_3-yQ0GR_eMGr1zdJzLAQ"


def stored(root: Path, name: str, content: object) -> str:
    path = root / GROUP / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


@pytest.mark.parametrize("separator", ["_", "|", "+-+"])
def test_the_readmes_calls_give_the_readmes_shape(separator: str, tmp_path: Path) -> None:
    stored(tmp_path, f"4/talos/downloads/{TASK}{separator}perfherder-data.json", {"n": 0})
    first = stored(tmp_path, f"4/talos/perfherder-data_data/0/{TASK}{separator}perfherder-data.json", {"n": 1})
    second = stored(tmp_path, f"4/talos/perfherder-data_data/1/{RETRIGGER}{separator}perfherder-data.json", [2])
    stored(tmp_path, "4/talos/grcov_data/0/other.json", {"n": 3})
    stored(tmp_path, "4/taskid_to_file_map.json", {TASK: "x"})
    data = get_task_data(GROUP, str(tmp_path), artifact="perfherder-data", run_number="4")
    assert data == {"talos": [{"data": {"n": 1}, "file": first}, {"data": [2], "file": second}]}
    assert get_task_data_paths(GROUP, tmp_path, artifact=["perfherder-data"], run_number=4) == {
        "talos": [first, second]
    }
    assert task_id_of(Path(first).name) == TASK and task_id_of(Path(second).name) == RETRIGGER


def test_directories_and_files_come_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 2, 0, 11, 1):
        for chunk in (10, 2):
            stored(tmp_path, f"1/suite-{chunk}/grcov_data/{number}/part-{chunk}.txt", b"x\n")
    paths = get_task_data_paths(GROUP, tmp_path, artifact="grcov")
    assert list(paths) == ["suite-2", "suite-10"]
    assert [int(Path(path).parent.name) for path in paths["suite-2"]] == [0, 1, 2, 9, 10, 11]


def test_without_a_run_it_is_the_highest_that_has_something(tmp_path: Path) -> None:
    for number in ("2", "10"):
        stored(tmp_path, f"{number}/suite/grcov_data/0/a.json", number)
    stored(tmp_path, "11/config.json", {})
    stored(tmp_path, "notes/suite/grcov_data/0/a.json", "foreign")
    assert get_task_data(GROUP, tmp_path)["suite"][0]["data"] == "10"
    assert get_task_data(GROUP, tmp_path / GROUP, run_number=2)["suite"][0]["data"] == "2"


def test_a_group_or_run_that_is_missing_is_said_and_never_none(tmp_path: Path) -> None:
    with pytest.raises(NoResultsError, match=GROUP):
        get_task_data(GROUP, tmp_path)
    stored(tmp_path, "1/suite/grcov_data/0/a.json", 1)
    with pytest.raises(NoResultsError, match="no run 7"):
        get_task_data_paths(GROUP, tmp_path, run_number="7")
    with pytest.raises(NoResultsError):
        get_task_data_paths(GROUP, tmp_path, run_number="../1")
    stored(tmp_path, "../other/1/config.json", 1)
    with pytest.raises(AppError, match="No run"):
        get_task_data("other", tmp_path)


@pytest.mark.parametrize(
    ("ending", "compress"),
    [("", bytes), (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstandard.compress)],
)
def test_compressed_json_and_text_are_read_like_plain_ones(ending: str, compress: object, tmp_path: Path) -> None:
    stored(tmp_path, f"1/s/x_data/0/a.json{ending}", compress(b'{"a": [1]}'))  # type: ignore[operator]
    stored(tmp_path, f"1/s/x_data/0/b.log{ending}", compress("één\ntwo".encode()))  # type: ignore[operator]
    stored(tmp_path, f"1/s/x_data/0/c.bin{ending}", compress(b"\x00\xff"))  # type: ignore[operator]
    assert [one["data"] for one in get_task_data(GROUP, tmp_path)["s"]] == [{"a": [1]}, ["één\n", "two"], b"\x00\xff"]


def test_binary_files_and_archives_are_bytes(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "b.zip", "c.png", "d"):
        stored(tmp_path, f"1/s/x_data/0/{name}", b"\x89\xfe\xff" + name.encode())
    assert [one["data"][3:] for one in get_task_data(GROUP, tmp_path)["s"]] == [b"a.tar.gz", b"b.zip", b"c.png", b"d"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", b'{"a": '), ("a.json.gz", gzip.compress(b"{}")[:-4])],
    ids=["plain", "gzip"],  # the bytes hold the time
)
def test_a_damaged_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    stored(tmp_path, f"1/s/x_data/0/{name}", content)
    with pytest.raises(UnreadableResultError, match=name):
        get_task_data(GROUP, tmp_path)


def test_suites_and_directories_can_be_chosen(tmp_path: Path) -> None:
    for suite in ("talos-a", "raptor-a"):
        stored(tmp_path, f"1/{suite}/perfherder-datajson_data/0/T_perfherder-data.json", 1)
        stored(tmp_path, f"1/{suite}/grcov_data/0/unpacked/deep/file.json", 2)
    assert list(get_task_data(GROUP, tmp_path, suite_matcher="talos")) == ["talos-a"]
    assert [one["data"] for one in get_task_data(GROUP, tmp_path, artifact="grcov")["talos-a"]] == [2]
    assert [one["data"] for one in get_task_data(GROUP, tmp_path, artifact="perfherder-data.json")["raptor-a"]] == [1]
    assert [one["data"] for one in get_task_data(GROUP, tmp_path, artifact="perfherder-data")["raptor-a"]] == [1]
    assert [one["data"] for one in get_task_data(GROUP, tmp_path, artifact_dir="grcov")["talos-a"]] == [2]
    assert get_task_data(GROUP, tmp_path, artifact_dir="grcov", artifact="nothing") == {}
    assert [one["data"] for one in get_task_data(GROUP, tmp_path, silent=True)["talos-a"]] == [2, 1]


def test_what_is_unfinished_is_not_read(tmp_path: Path) -> None:
    stored(tmp_path, "1/s/x_data/0/a.json", 1)
    stored(tmp_path, "1/s/x_data/.1.new/a.json", 2)
    stored(tmp_path, "1/s/x_data/0/.0123456789abcdef.new", 2)
    stored(tmp_path, "1/s/x_data/notes/a.json", 3)
    assert [one["data"] for one in get_task_data(GROUP, tmp_path)["s"]] == [1]


def test_unpacked_directories_are_given_as_directories_as_the_original_gives_them(tmp_path: Path) -> None:
    for number, task in enumerate((TASK, RETRIGGER)):
        name = f"1/tp6/browsertime-results_data/{number}/{task}+-+browsertime-results"
        stored(tmp_path, f"{name}/amazon/browsertime.json", {"n": number})
        stored(tmp_path, f"{name}/amazon/screenshots/1.txt", b"x\n")
    run = tmp_path / GROUP / "1" / "tp6" / "browsertime-results_data"
    paths = get_task_data_paths(GROUP, tmp_path, artifact="browsertime-results")
    assert paths == {
        "tp6": [str(run / "0" / f"{TASK}+-+browsertime-results"), str(run / "1" / f"{RETRIGGER}+-+browsertime-results")]
    }
    data = get_task_data(GROUP, tmp_path, artifact="browsertime-results")["tp6"]
    assert [Path(one["file"]).name for one in data] == ["browsertime.json", "1.txt"] * 2
    assert data[0]["data"] == {"n": 0}


def test_a_suite_without_files_is_an_empty_list_and_one_that_was_not_asked_for_is_not_there(tmp_path: Path) -> None:
    stored(tmp_path, f"1/full/perfherder-data_data/0/{TASK}_perfherder-data.json", 1)
    (tmp_path / GROUP / "1" / "empty" / "perfherder-data_data").mkdir(parents=True)
    (tmp_path / GROUP / "1" / "other" / "grcov_data").mkdir(parents=True)
    (tmp_path / GROUP / "1" / "nothing").mkdir()
    assert {name: len(files) for name, files in get_task_data(GROUP, tmp_path, artifact="perfherder-data").items()} == {
        "empty": 0,
        "full": 1,
    }
    assert get_task_data_paths(GROUP, tmp_path, artifact="perfherder-data")["empty"] == []
    assert get_task_data_paths(GROUP, tmp_path).keys() == {"empty", "full", "other"}
