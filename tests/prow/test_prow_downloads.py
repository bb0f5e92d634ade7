"""What a user would lose: a file that is whole, the newest version of it, or the way back into the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.cancel import CancelToken
from backends.http import Http
from backends.prow.builds import BuildList
from backends.prow.files import FolderFiles, TreeFiles
from backends.resources import Resource, read_list
from backends.transfers.files import RemoteFile
from backends.transfers.plan import make_plan
from backends.transfers.states import PlanAction
from backends.transfers.transfer import Transfer
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, opened, rows, snowflake

LOG = b"a line of the log\n" * 20_000


def files(resource: Resource) -> list[RemoteFile]:
    frame = resource.schema.empty()
    for page in resource.pages(CancelToken()):
        known = page.frame[resource.schema.key].to_list()
        frame = frame.filter(~frame[resource.schema.key].is_in(known)).vstack(page.frame)
    return [file for batch in resource.files(frame, CancelToken()) for file in batch]


def carried_out(wanted: list[RemoteFile], output: Path, http: Http) -> Transfer:
    transfer = Transfer(make_plan(wanted, output), open_downloader=http.downloader, jobs=2)
    transfer.start()
    while not transfer.wait(0.1):
        pass
    return transfer


def states(transfer: Transfer) -> dict[str, str]:
    return {row["target"].rpartition("/")[2]: row["state"] for row in transfer.frame().iter_rows(named=True)}


@pytest.fixture
def folder(bucket: Bucket) -> str:
    made = build(bucket, snowflake(3 * 86400), log=LOG.decode(), packed=True)
    bucket.put(f"{made}artifacts/report%231.txt", "x")
    return made


def test_the_tree_mirrors_the_bucket_and_opens_again(bucket: Bucket, http: Http, folder: str, tmp_path: Path) -> None:
    remote = opened(bucket, http, f"gs://{NAME}/{JOB}")
    transfer = carried_out(files(remote), tmp_path, http)
    assert set(states(transfer).values()) == {"verified"}
    assert (tmp_path / NAME / folder / "build-log.txt").read_bytes() == LOG
    assert (tmp_path / NAME / folder / "artifacts" / "report%231.txt").read_text() == "x"
    local = opened(bucket, http, f"file://{tmp_path}/{NAME}/{JOB}")
    assert isinstance(local, BuildList) and rows(local)[0]["state"] == "success"
    assert not any(file.skip for file in files(local))  # a copy can be had of that one too


def test_hashes_are_those_of_the_stored_bytes(bucket: Bucket, http: Http, folder: str, tmp_path: Path) -> None:
    wanted = [file for file in files(opened(bucket, http, f"gs://{NAME}/{folder}")) if "build-log" in file.name]
    assert wanted[0].size is None and wanted[0].version.startswith("generation=")  # the listing has the compressed size
    transfer = carried_out(wanted, tmp_path, http)
    assert states(transfer) == {"build-log.txt": "verified"}


def test_a_body_of_another_hash_is_not_counted_as_success(
    bucket: Bucket, http: Http, folder: str, tmp_path: Path
) -> None:
    wanted = [file for file in files(opened(bucket, http, f"gs://{NAME}/{folder}")) if "started" in file.name]
    bucket.faults += [("alt=media", "damaged")] * 20
    transfer = carried_out(wanted, tmp_path, http)
    assert states(transfer) == {"started.json": "failed"} and not (tmp_path / NAME / wanted[0].name).exists()


def test_what_was_overwritten_is_fetched_again(bucket: Bucket, http: Http, folder: str, tmp_path: Path) -> None:
    def log() -> list[RemoteFile]:
        return [file for file in files(opened(bucket, http, f"gs://{NAME}/{folder}")) if "build-log" in file.name]

    carried_out(log(), tmp_path, http)
    assert [row.action for row in make_plan(log(), tmp_path).rows] == [PlanAction.UNCHANGED]
    bucket.put(f"{folder}build-log.txt", LOG.swapcase(), packed=True)  # of the same length
    assert [row.action for row in make_plan(log(), tmp_path).rows] == [PlanAction.FETCH]
    assert set(states(carried_out(log(), tmp_path, http)).values()) == {"verified"}
    assert (tmp_path / NAME / folder / "build-log.txt").read_bytes() == LOG.swapcase()


def test_a_broken_download_goes_on_where_it_stopped(bucket: Bucket, http: Http, folder: str, tmp_path: Path) -> None:
    """The JSON API has no strong ETag: the generation in the address and in the answer is what makes it safe."""
    body = bytes(range(256)) * 40_000
    bucket.put(f"{folder}big.bin", body)
    wanted = [file for file in files(opened(bucket, http, f"gs://{NAME}/{folder}")) if "big" in file.name]
    bucket.faults.append(("alt=media", "broken"))
    transfer = carried_out(wanted, tmp_path, http)
    assert states(transfer) == {"big.bin": "verified"}
    assert (tmp_path / NAME / folder / "big.bin").read_bytes() == body
    ranges = [headers["range"] for headers in bucket.headers if "range" in headers]
    assert len(ranges) == 1 and ranges[0].startswith("bytes=") and "if-range" not in bucket.headers[-1]


def test_files_of_marked_folders_and_of_whole_builds(bucket: Bucket, http: Http, folder: str) -> None:
    level = opened(bucket, http, f"gs://{NAME}/{folder}")
    assert isinstance(level, FolderFiles)
    names = {row["name"] for row in rows(level)}
    assert names == {
        "artifacts/", "build-log.txt", "finished.json", "podinfo.json", "prowjob.json", "started.json",
    }  # fmt: skip
    assert len(files(level)) == 7
    tree = level.menu(None, level.schema.empty())[1]
    whole = opened(bucket, http, tree.opens.text())  # type: ignore[union-attr]
    assert isinstance(whole, TreeFiles) and len(rows(whole)) == 7


def test_a_build_that_cannot_be_listed_stays_in_the_plan(bucket: Bucket, http: Http, folder: str) -> None:
    builds = opened(bucket, http, f"gs://{NAME}/{JOB}")
    frame = read_list(builds, CancelToken()).frame  # not the last page: its rows depend on who was faster
    bucket.private = True
    found = [file for batch in builds.files(frame, CancelToken()) for file in batch]
    assert len(found) == 1 and "cannot be listed" in found[0].skip


# ---- through gcsweb, which decodes what is stored compressed and lists the stored size


@pytest.fixture
def only_gcsweb(bucket: Bucket, folder: str) -> tuple[str, ...]:
    """The options of a command where the storage refuses everything."""
    bucket.private = True
    return ("--gcs-url", bucket.url, "--gcsweb-url", bucket.url)


def test_compressed_logs_are_downloaded_through_gcsweb_and_are_there_the_next_time(
    bucket: Bucket, ciexplore: Caller, folder: str, only_gcsweb: tuple[str, ...], tmp_path: Path
) -> None:
    call = ("prow", "download", f"gs://{NAME}/{JOB}", "--output", "out", *only_gcsweb)
    first = ciexplore(*call)
    assert first.code == 0 and "6 verified, 1 unchecked" in first.err, first.err
    assert (tmp_path / "out" / NAME / folder / "build-log.txt").read_bytes() == LOG
    assert "7 unchanged" in ciexplore(*call).err
    bucket.put(f"{folder}build-log.txt", LOG + b"more", packed=True)
    assert "1 unchecked" in ciexplore(*call).err
    assert (tmp_path / "out" / NAME / folder / "build-log.txt").read_bytes() == LOG + b"more"


def test_a_body_of_gcsweb_that_is_cut_is_not_taken_for_whole(
    bucket: Bucket, ciexplore: Caller, folder: str, only_gcsweb: tuple[str, ...], tmp_path: Path
) -> None:
    bucket.faults.append((f"body {folder}build-log.txt", "broken"))
    call = ("prow", "download", f"gs://{NAME}/{folder}build-log.txt", "--output", "out", *only_gcsweb)
    assert ciexplore(*call).code == 0
    assert (tmp_path / "out" / NAME / folder / "build-log.txt").read_bytes() == LOG


def test_a_plain_file_of_another_length_than_gcsweb_lists_is_no_success(
    bucket: Bucket, http: Http, folder: str, tmp_path: Path
) -> None:
    bucket.private = True
    made = opened(bucket, http, f"gs://{NAME}/{folder}", gcsweb_url=bucket.url)
    wanted = [one for one in files(made) if one.name.endswith("started.json")]
    bucket.put(f"{folder}started.json", '{"timestamp": 12345678901234567890}')
    assert states(carried_out(wanted, tmp_path, http)) == {"started.json": "failed"}


@pytest.mark.parametrize("line", ["", "#1:build-log.txt:3"])
@pytest.mark.parametrize("tail", [(), ("--tail", "2")])
def test_a_file_is_read_through_gcsweb_as_a_build_is(
    bucket: Bucket, ciexplore: Caller, folder: str, only_gcsweb: tuple[str, ...], line: str, tail: tuple[str, ...]
) -> None:
    path = folder if line else f"{folder}build-log.txt"
    done = ciexplore("prow", "log", f"https://prow.example/view/gs/{NAME}/{path}{line}", *tail, *only_gcsweb)
    assert done.code == 0 and done.out.endswith(b"a line of the log\n" * 2), done.err
