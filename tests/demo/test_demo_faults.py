"""Does the demo fail in every promised way, at the promised rate, and never more than three times in a row?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from backends.demo import DemoOptions, DemoServer, expected_bytes, locators
from backends.demo.asgi import Receive, Scope, Send
from backends.demo.fault_injection import KINDS, Faults
from tui.commands.demo import demo as demo_command


async def nothing(scope: Scope, receive: Receive, send: Send) -> None: ...


@given(st.floats(0.01, 1), st.integers(0, 10**6))
def test_five_tries_of_a_path_always_succeed(rate: float, seed: int) -> None:
    faults = Faults(nothing, rate, seed)
    for _ in range(50):
        assert any(faults.next_kind("/path") == "" for _ in range(4))


def test_each_kind_comes_at_its_rate_and_in_the_same_order() -> None:
    def sequence() -> list[str]:
        faults = Faults(nothing, 0.05, 7)
        return [faults.next_kind(f"/{number}") for number in range(4000)]

    first = sequence()
    assert first == sequence()
    counts = Counter(first)
    assert all(120 < counts[kind] < 290 for kind in KINDS)


def test_every_fault_reaches_the_client_as_what_it_is() -> None:
    options = DemoOptions(tasks=20, fault=0.15)
    with DemoServer(options, stall_seconds=0.001) as server:
        task_id = locators(options)["taskcluster.task"].rsplit("/", 1)[1]
        url = f"{server.root_url}/api/queue/v1/task/{task_id}"
        seen: Counter[str] = Counter()
        with httpx.Client() as client:
            for _ in range(120):
                try:
                    answer = client.get(url)
                    seen[str(answer.status_code)] += 1
                    if answer.status_code == 429:
                        assert answer.headers["retry-after"] in ("0", "1")
                except httpx.RemoteProtocolError as error:
                    seen["short" if "complete message body" in str(error) else "silent"] += 1
                except httpx.ReadError:
                    seen["silent"] += 1
    assert {"200", "429", "503", "silent", "short"} == set(seen)


def test_a_stubborn_client_gets_right_bytes_from_a_faulty_storage() -> None:
    options = DemoOptions(tasks=20, fault=0.1)
    name = "public/build/target.installer.exe"
    with DemoServer(options, stall_seconds=0.001) as server, httpx.Client(follow_redirects=True) as client:
        task_id = locators(options)["taskcluster.big-artifact"].split("/")[1]
        url = f"{server.root_url}/api/queue/v1/task/{task_id}/runs/0/artifacts/{name}"
        for _ in range(30):
            try:
                answer = client.get(url)
            except httpx.TransportError:
                continue
            if answer.status_code == 200:
                break
        else:
            pytest.fail("no try succeeded")
    assert answer.content == expected_bytes(options, task_id, 0, name)


def test_without_a_rate_nothing_fails() -> None:
    faults = Faults(nothing, 0.0, 1)
    assert {faults.next_kind("/path") for _ in range(1000)} == {""}


def test_a_rate_on_the_command_line_is_the_share_of_all_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """As --help says: 0.1 is one request in ten, not one in two because there are five kinds of faults."""
    chosen: list[DemoOptions] = []

    def record_options(**members: Any) -> DemoOptions:
        chosen.append(DemoOptions(**members))
        return chosen[-1]

    monkeypatch.setattr("backends.demo.DemoOptions", record_options)
    assert CliRunner().invoke(demo_command, ["--locators", "--fault", "0.1"]).exit_code == 0
    faults = Faults(nothing, chosen[0].fault, 1)
    wrong = sum(bool(faults.next_kind(f"/{number}")) for number in range(4000))
    assert 320 < wrong < 480
