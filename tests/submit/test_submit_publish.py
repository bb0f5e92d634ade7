"""`ciexplore submit publish --via pulse` on a real broker, and no secret in anything that it or its siblings write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.calling import Caller
from tests.submit.jobs import messages
from tests.submit.rabbit import PASSWORD, USER, Rabbit

pytestmark = [pytest.mark.timeout(300)]
Write = Callable[[str, str], str]
EXCHANGE, QUEUE = f"exchange/{USER}/v1/command", "queue/boss/command"


@pytest.fixture
def ciexplore(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Caller]:
    monkeypatch.chdir(tmp_path)
    yield Caller(capsysbinary)


@pytest.fixture
def pulse(rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch) -> Rabbit:
    """The broker as the configured one."""
    monkeypatch.setenv("CIEXPLORE_PULSE_URL", f"amqp://127.0.0.1:{rabbit.port}")
    monkeypatch.setenv("CIEXPLORE_PULSE_EXCHANGE", EXCHANGE)
    monkeypatch.setenv("CIEXPLORE_PULSE_USER", USER)
    monkeypatch.setenv("CIEXPLORE_PULSE_PASSWORD", PASSWORD)
    return rabbit


def test_jobs_of_a_file_arrive_in_the_queue(pulse: Rabbit, ciexplore: Caller, write: Write) -> None:
    jobs = write("jobs.json", json.dumps(messages(3)))
    ended = ciexplore("submit", "publish", jobs, "--via", "pulse")
    assert ended.code == 1 and "3 returned" in ended.err and "status --state returned,failed" in ended.err
    assert {row["words"] for row in ciexplore("submit", "status").rows} == {"NO_ROUTE: nobody is bound for " + KEY}
    pulse.bind(EXCHANGE, QUEUE, KEY)
    ended = ciexplore("submit", "publish", jobs, "--via", "pulse")
    assert ended.code == 0 and "3 queued" in ended.err and "3 acknowledged" in ended.err
    assert [json.loads(one.body) for one in pulse.messages(QUEUE)] == messages(3)
    assert ciexplore("submit", "publish", jobs, "--via", "pulse").code == 0  # they are there already
    assert pulse.messages(QUEUE) == []
    ended = ciexplore("submit", "publish", jobs, "--via", "pulse", "--routing-key", "other.{project}")
    assert "0 queued, 3 there already" in ended.err


KEY = "treeherder.autoland._"


def test_what_the_broker_refuses_is_exit_code_3_and_the_jobs_stay(
    pulse: Rabbit, ciexplore: Caller, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = write("jobs.json", json.dumps(messages(2)))

    async def make(channel: object) -> None:
        await channel.declare_exchange(f"exchange/{USER}/v1/direct", "direct", durable=True)  # type: ignore[attr-defined]

    pulse.as_boss(make)
    for exchange, words in ((f"exchange/{USER}/v1/direct", "406"), ("exchange/other/none", "404")):
        ended = ciexplore("submit", "publish", jobs, "--via", "pulse", "--exchange", exchange)
        assert ended.code == 3 and words in ended.err and "2 jobs stay in the outbox" in ended.err
    monkeypatch.setenv("CIEXPLORE_PULSE_PASSWORD", "wrong-and-secret")
    ended = ciexplore("submit", "publish", jobs, "--via", "pulse")
    assert ended.code == 3 and f"does not let user {USER} in" in ended.err and "secret" not in ended.err
    assert {row["state"] for row in ciexplore("submit", "status").rows} == {"queued"}


def test_no_secret_is_in_what_is_kept_or_written(
    demo: dict[str, str], pulse: Rabbit, ciexplore: Caller, write: Write, own_directories: Path, tmp_path: Path
) -> None:
    """Both routes with all that is written around them: cache, outbox, history, exports in every format, settings."""
    secrets = [PASSWORD, os.environ["CIEXPLORE_HAWK_KEY"]]
    jobs = write("jobs.json", json.dumps(messages(3)))
    said = []
    for via in ("pulse", "hawk"):
        ended = ciexplore("submit", "publish", jobs, "--via", via)
        said.append(ended.err)
        assert "3 queued" in ended.err
    task = demo["taskcluster.task"].rsplit("/", 1)[1]
    ciexplore("submit", "lint", f"submit:tasks/{task}?root={os.environ['TASKCLUSTER_ROOT_URL']}")  # fills the cache
    server = os.environ["CIEXPLORE_SUBMIT_URL"]
    for ending in ("csv", "json", "jsonl", "parquet"):
        for number, words in enumerate(
            (
                ["status"],
                ["lint", jobs],
                ["preview", jobs, "--against", server],
                ["routes"],
                ["lint", "--generation", jobs],
            )
        ):
            name = f"out{number}.{ending}"
            ciexplore("submit", *words, "-o", name)
            assert Path(name).exists()
    for words in (["config", "--show"], ["cache", "info"], ["submit", "registration"]):
        ended = ciexplore(*words)
        said += [ended.text, ended.err]
    written = [path for folder in (own_directories, tmp_path) for path in folder.rglob("*") if path.is_file()]
    assert {"outbox.sqlite", "out0.parquet"} <= {path.name for path in written}
    assert any("cache" in path.parts for path in written)
    for secret in secrets:
        assert not any(secret in text for text in said)
        assert [path for path in written if secret.encode() in path.read_bytes()] == []
