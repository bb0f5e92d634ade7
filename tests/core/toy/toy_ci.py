"""A complete third-party system in one file: two lists over a JSON API, with downloads. See test_toy_system.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec
import polars as pl

from backends.cancel import CancelToken
from backends.frames.getters import epoch_seconds, seconds_between
from backends.frames.schema import Column, Kind, Schema
from backends.http.policies import CachePolicy
from backends.listings import Listing
from backends.locators.declared import DeclaredLocator, Verb, param
from backends.resources import Chart, Page, Row
from backends.systems import System
from backends.transfers.files import RemoteFile


class ToyLocator(DeclaredLocator):
    system: ClassVar[str] = "toy"
    common = "server={server:server}"


class Builds(ToyLocator, template="toy:builds/{branch:word}?state={state}", opens="toy_ci:BuildList",
             verb=Verb("builds", "List the builds of a branch.", argument="branch")):  # fmt: skip
    """The builds of a branch."""

    branch: str = param(metavar="BRANCH")
    state: str = param(default="", help="Only in this state, for example failed.")
    server: str = param(default="")


class Logs(
    ToyLocator,
    template="toy:logs/{build}",
    opens="toy_ci:LogList",
    verb=Verb("logs", "List a build's logs.", argument="build"),
):
    """The logs of a build."""

    build: int = param(metavar="BUILD")
    server: str = param(default="")


class Build(msgspec.Struct):
    number: int
    state: str
    began: int
    ended: int


class Log(msgspec.Struct):
    name: str
    size: int


class ToyList(Listing):
    def __init__(self, locator: Builds | Logs, context: tuple[object, str]) -> None:
        super().__init__(locator)
        self.http, self.base = context

    def _get(self, path: str, kind: type, cancel: CancelToken) -> tuple[list, object]:
        answer = self.http.get(f"{self.base}/{path}", policy=CachePolicy.short(60), cancel=cancel)
        return msgspec.json.decode(answer.body, type=list[kind]), answer.freshness


class BuildList(ToyList):
    schema = Schema(
        (
            Column("number", Kind.ID, "Build", section="Build", cell=pl.Int64(), get="number"),
            Column("state", Kind.STATE, "State", section="Build", get="state"),
            Column("took", Kind.DURATION, "Took", "s", section="Times", get=seconds_between("began", "ended")),
            Column("began", Kind.TIME, "Began", section="Times", get=epoch_seconds("began")),
            Column("ended", Kind.TIME, "Ended", hidden=True, section="Times", get=epoch_seconds("ended")),
        ),
        key="number",
    )
    noun = ("build", "builds")
    chart = Chart(x="began", y="took", by="state")

    @property
    def title(self) -> str:
        return f"{self.locator.branch} builds"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        builds, freshness = self._get(f"builds-{self.locator.branch}.json", Build, cancel)
        yield Page(
            self.schema.build([b for b in builds if self.locator.state in ("", b.state)]), freshness, total=len(builds)
        )

    def open(self, row: Row) -> Logs:
        return Logs(int(row["number"]), self.locator.server)


class LogList(ToyList):
    schema = Schema(
        (Column("name", Kind.TEXT, "Name", get="name"), Column("size", Kind.BYTES, "Size", get="size")), key="name"
    )
    noun = ("log", "logs")

    @property
    def title(self) -> str:
        return f"logs of {self.locator.build}"

    def pages(self, cancel: CancelToken) -> Iterator[Page]:
        logs, freshness = self._get(f"logs-{self.locator.build}.json", Log, cancel)
        yield Page(self.schema.build(logs), freshness, total=len(logs))

    def files(self, rows: pl.DataFrame, cancel: CancelToken) -> Iterator[list[RemoteFile]]:
        at = self.locator.build
        yield [
            RemoteFile(f"toy:{at}/{name}", f"{self.base}/{at}/{name}", (str(at), name), name, size)
            for name, size in rows.select("name", "size").iter_rows()
        ]


def context(locator: ToyLocator, http: object, settings: object) -> tuple[object, str]:
    return http, locator.server or "https://toy.example"


SYSTEM = System(
    name="toy",
    label="Toy",
    summary="Builds of the toy CI.",
    locators=(Builds, Logs),
    context="toy_ci:context",
    key="f8",
    roots=(("main", "toy:builds/main"),),
)
