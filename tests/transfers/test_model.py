"""Random faults, cancels and runs: whatever happens, no wrong byte has a final name and the last good run has all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.errors import OperationCancelledError
from backends.http.errors import IncompleteBodyError, NetworkError, NotFoundError, ServerError
from backends.transfers import fetch, recorder
from backends.transfers.files import RemoteFile
from backends.transfers.manifest import Manifest
from backends.transfers.plan import make_plan
from backends.transfers.states import FINAL_STATES, PlanAction
from backends.transfers.transfer import Transfer
from tests.transfers.conftest import ends

FAULTS = ("", "", "", "cut", "refuse", "500", "404", "lie", "short", "cancel")


@dataclass
class FakeStream:
    status: int
    headers: Mapping[str, str]
    pieces: list[bytes]
    fault: str
    hops: tuple[tuple[str, Mapping[str, str]], ...] = ()
    encoding: str = ""

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def chunks(self) -> Iterator[bytes]:
        for number, piece in enumerate(self.pieces):
            if number and self.fault == "cut":
                raise IncompleteBodyError("It ended early.")
            if number and self.fault == "cancel":
                raise OperationCancelledError
            yield piece


@dataclass
class FakeServer:
    """Answers from `bodies`; each request takes the next of `faults`."""

    bodies: dict[str, bytes]
    faults: list[str]
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def open(self, url: str, *, offset: int = 0, if_range: str | None = None, cancel: object = None) -> FakeStream:
        self.asked.append(url)
        fault = self.faults.pop() if self.faults else ""
        body = self.bodies[url]
        tag = f'"{hash(body)}"'
        if fault == "refuse":
            raise NetworkError("Refused.")
        if fault == "500":
            raise ServerError("It failed.", status=500)
        if fault == "404":
            raise NotFoundError("It is not there.", status=404)
        headers = {"etag": tag, "content-length": str(len(body))}
        if fault == "lie":
            body = b"!" + body[:-1] + b"!" if body else b"!"
        if fault == "short":
            body = body[:-1]
        if offset and if_range == tag and fault not in ("lie", "short"):
            total, body = len(body), body[offset:]
            headers = {"etag": tag, "content-range": f"bytes {offset}-{total - 1}/{total}"}
            headers["content-length"] = str(len(body))
            return FakeStream(206, headers, _split(body), fault)
        return FakeStream(200, headers, _split(body), fault)


def _split(body: bytes) -> list[bytes]:
    return [body[at : at + 7] for at in range(0, len(body), 7)]


bodies = st.dictionaries(st.sampled_from([f"http://h/{n}" for n in range(8)]), st.binary(max_size=40), min_size=1)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies, st.lists(st.lists(st.sampled_from(FAULTS), max_size=30), max_size=3), st.booleans())
def test_no_fault_puts_wrong_bytes_under_a_final_name_and_a_good_run_completes(
    contents: dict[str, bytes], runs: list[list[str]], several: bool
) -> None:
    files = [RemoteFile(url, url, ("d", url[-1]), size=len(body)) for url, body in contents.items()]
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "out"
        done: set[str] = set()
        for faults in [*runs, []]:
            server = FakeServer(contents, list(faults))
            worth, at_once = recorder.WORTH_RESUMING, fetch.AT_ONCE
            recorder.WORTH_RESUMING, fetch.AT_ONCE = 1, 10 if several else -1
            try:
                plan = make_plan(files, output)
                transfer = Transfer(
                    plan, open_downloader=lambda server=server: server, jobs=3 if several else 1, tries=3,
                    delays=lambda: iter([0.0] * 9),
                )  # type: ignore[misc]  # fmt: skip
                transfer.start()
                assert transfer.wait(30)
            finally:
                recorder.WORTH_RESUMING, fetch.AT_ONCE = worth, at_once
            found = ends(transfer)
            assert {row.file.key for row in plan.rows if row.action is PlanAction.UNCHANGED} == done
            assert done.isdisjoint(server.asked)
            assert {state for state, _ in found.values()} <= {str(state) for state in FINAL_STATES}
            done = {key for key, (state, _) in found.items() if state in ("verified", "unchanged")}
            on_disk = {path.name: path.read_bytes() for path in (output / "d").glob("*")}
            assert on_disk == {key[-1]: contents[key] for key in done}
            with Manifest.read(output) as manifest:
                assert {key: (entry.state, entry.reason) for key, entry in manifest.entries().items()} == found
        assert done == set(contents)
