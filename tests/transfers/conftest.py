from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backends.http import Http
from backends.transfers.files import RemoteFile
from backends.transfers.plan import TransferPlan, make_plan
from backends.transfers.transfer import Transfer
from tests.transfers.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    served.start()
    yield served
    served.stop()


@dataclass
class Runner:
    """Plans and runs downloads into one directory."""

    output: Path
    http: Http
    engine: str = "threads"
    transfers: list[Transfer] = field(default_factory=list)

    def plan(self, *files: RemoteFile, **options: bool) -> TransferPlan:
        return make_plan(files, self.output, **options)  # type: ignore[arg-type]

    def start(self, *files: RemoteFile, overwrite: bool = False, rehash: bool = False, **options: object) -> Transfer:
        plan = self.plan(*files, overwrite=overwrite, rehash=rehash)
        options.setdefault("delays", lambda: iter([0.0] * 100))
        settings = self.http.downloader_settings() if self.engine == "libcurl" else None
        transfer = Transfer(plan, open_downloader=self.http.downloader, settings=settings, **options)  # type: ignore[arg-type]
        transfer.start()
        self.transfers.append(transfer)
        return transfer

    def run(self, *files: RemoteFile, **options: object) -> dict[str, tuple[str, str]]:
        """key -> (state, reason) after the run."""
        transfer = self.start(*files, **options)  # type: ignore[arg-type]
        assert transfer.wait(30), transfer.snapshot()
        return ends(transfer)

    def read(self, target: str) -> bytes:
        return (self.output / target).read_bytes()

    def everything(self) -> set[str]:
        """All files under final names."""
        found = (path.relative_to(self.output) for path in self.output.rglob("*") if path.is_file())
        return {str(path) for path in found if path.parts[0] != ".ciexplore"}

    def parts(self) -> list[Path]:
        return sorted((self.output / ".ciexplore" / "parts").iterdir())


def ends(transfer: Transfer) -> dict[str, tuple[str, str]]:
    return {key: (state, reason) for key, state, reason in transfer.frame().select("key", "state", "reason").rows()}


@pytest.fixture(params=["threads", "libcurl"])
def engine(request: pytest.FixtureRequest) -> str:
    """What downloads over HTTP: both must keep all promises."""
    if request.param == "libcurl":
        pytest.importorskip("pycurl", reason="libcurl is optional: pip install 'ciexplore[fast]'")
    return str(request.param)


@pytest.fixture
def runner(tmp_path: Path, engine: str) -> Iterator[Runner]:
    http = Http()
    one = Runner(tmp_path / "out", http, engine)
    yield one
    for transfer in one.transfers:
        transfer.cancel()
        assert transfer.wait(20)
    http.close()


def file(site: Site, path: str, **fields: object) -> RemoteFile:
    return RemoteFile(path, site.url(path), ("group", path.strip("/")), **fields)  # type: ignore[arg-type]
