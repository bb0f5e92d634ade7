"""What a user would lose: lists that can be compared with those of yesterday, whichever build answered first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from backends.pool import PriorityPool
from tests.commands.calling import Caller
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, snowflake

DAY = 86400
LINKS = "pr-logs/pull/o_r/12/"


class Shuffled(PriorityPool[Any, Any]):
    """The answers in batches and in an order that chance decides."""

    seed = 0

    def batches(self) -> Iterator[list[Any]]:
        found = [one for batch in super().batches() for one in batch]
        chance = random.Random(self.seed)
        chance.shuffle(found)
        while found:
            count = chance.randint(1, 3)
            yield [found.pop() for _ in range(min(count, len(found)))]


@pytest.fixture
def builds(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nine builds of a job and of a pull request's two jobs, some of which cannot be read."""
    made = [snowflake((number + 1) * DAY) for number in range(9)]
    for number, one in enumerate(made):
        result = None if number == 3 else "SUCCESS" if number % 2 else "FAILURE"
        folder = build(bucket, one, result=result, leave_out=("podinfo.json",) if number % 4 == 1 else ())
        if number in (2, 5):
            bucket.faults += [(f"prefix={folder.replace('/', '%2F')}&", 403)] * 100
        for job in ("pull-a", "pull-b"):  # counters: the same number in both
            bucket.put(f"{LINKS}{job}/{number}/started.json", {"timestamp": 1_700_000_000 + number})
    bucket.put("logs/other/1/x", "")
    for module in ("builds", "files", "build_listing"):
        monkeypatch.setattr(f"backends.prow.{module}.PriorityPool", Shuffled)
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", f"gs://{NAME}/logs/"),
        ("builds", f"gs://{NAME}/{JOB}"),
        ("builds", f"gs://{NAME}/{LINKS}"),
        ("files", f"gs://{NAME}/{JOB}", "--count", "9"),
        ("files", f"gs://{NAME}/{JOB}", "--count", "9", "--sizes"),
        ("completeness", f"gs://{NAME}/{JOB}"),
        ("completeness", f"gs://{NAME}/{JOB}", "--by", "counts"),
        ("completeness", f"gs://{NAME}/{JOB}", "--by", "files"),
        ("download", f"gs://{NAME}/{JOB}", "--output", "out", "--dry-run"),
    ],
    ids=lambda arguments: "-".join((arguments[0], *arguments[2:])),
)
def test_the_same_question_has_the_same_answer_byte_by_byte(
    bucket: Bucket, builds: list[str], ciexplore: Caller, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = set()
    for seed in range(3):
        monkeypatch.setattr(Shuffled, "seed", seed)
        done = ciexplore("prow", *arguments, "--gcs-url", bucket.url, "--no-cache")
        answers.add((done.code, done.out, done.err))
    assert len(answers) == 1
    assert done.out.count(b"\n") > 2


def test_files_of_several_builds_are_the_newest_build_s_first(
    bucket: Bucket, builds: list[str], ciexplore: Caller
) -> None:
    done = ciexplore("prow", "files", f"gs://{NAME}/{JOB}", "--count", "9", "--gcs-url", bucket.url)
    listed = list(dict.fromkeys(row["build"] for row in done.rows))
    assert listed == [one for number, one in enumerate(builds) if number not in (2, 5)]


class Early(Shuffled):
    """All answers are there by the time that the listing goes on."""

    def completed(self) -> list[Any]:
        return [one for batch in super().batches() for one in batch]


def test_builds_that_cannot_be_read_are_counted_however_soon_that_is_known(
    builds: list[str], bucket: Bucket, ciexplore: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.prow.builds.PriorityPool", Early)
    command = ("prow", "builds", f"gs://{NAME}/{JOB}", "--columns", "state,entries")
    found = ciexplore(*command, "--gcs-url", bucket.url, "--no-cache")
    assert found.code == 1
    assert "2 builds cannot be read; their notes say why." in found.err
