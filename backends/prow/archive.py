"""One bucket as all lists of it need it: its source, how its places are located, and where read builds are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends.cancel import CancelToken
from backends.locators.prow import Place, ProwPath, route
from backends.prow.build_columns import SEPARATOR
from backends.prow.build_reading import BuildPlace, BuildReader, Row, settled
from backends.prow.build_state import FAILED
from backends.prow.source import Source
from backends.resources import Document, LogAddress

if TYPE_CHECKING:
    from backends.http.cache import BlobCache

BUILD_LOG = "build-log.txt"


@dataclass(frozen=True)
class Archive:
    """`store`: the locators' name for where it is. `scope`: tells stored answers of two servers apart, `who` those of
    two users (the public name of who we are to the server)."""

    source: Source
    bucket: str
    store: str = ""
    stored: BlobCache | None = None
    scope: str = ""
    who: str = ""

    @property
    def kept_under(self) -> str:
        """Begins the keys of all that is kept of this archive."""
        return f"{self.store}|{self.scope}{f'|{self.who}' if self.who else ''}"

    @property
    def reader(self) -> BuildReader:
        return BuildReader(self.source, self.bucket, self.stored, self.kept_under)

    def at(self, path: str, line: int | None = None, last: int | None = None) -> ProwPath:
        return ProwPath(self.bucket, path, self.store, line, last)

    def log(
        self, path: str, title: str, line: int | None = None, last: int | None = None, *, of: Row | None = None
    ) -> LogAddress | None:
        """A text by its object's name; None where no address leads to it. `of`: the row of its build, if that is known:
        the log of one that has ended is never another, and that of a failed one is read for its errors."""
        url = self.source.address(self.bucket, path)
        if not url:
            return None
        final, failed = of is not None and settled(of), of is not None and of.get("state") in FAILED
        last = last if line is not None and last is not None and last >= line else None
        at = self.at(path, line, last)
        return LogAddress(url, title, at, line=line, final=final, failed=failed, last=last)

    def document(self, path: str, title: str) -> Document:
        def read(cancel: CancelToken) -> Any:
            from backends.prow.documents import read_document

            return read_document(self.source, self.bucket, path, cancel)

        return Document(title, self.at(path), read)


def place_of(folder: str, build: str) -> BuildPlace:
    """A build of a job by the job's folder; those under pr-logs/directory/ are links."""
    found = route(folder)
    job = found.job or folder.rstrip("/").rpartition("/")[2]
    if found.place is Place.LINKS:
        return BuildPlace(f"{job}/{build}", job, build, link=f"{folder}{build}.txt")
    return BuildPlace(f"{job}/{build}", job, build, f"{folder}{build}/")


def log_names(names: str | None) -> list[str]:
    """The logs of a build's first level: build-log.txt, or one for each container where it has several ("test" is
    Prow's usual name of the one that matters, so it comes first)."""
    found = (names or "").split(SEPARATOR)
    if BUILD_LOG in found:
        return [BUILD_LOG]
    several = [name for name in found if name.endswith(f"-{BUILD_LOG}")]
    return sorted(several, key=lambda name: (name != f"test-{BUILD_LOG}", name))


def container_of(name: str) -> str:
    """The container whose log has that name; "" for the only one."""
    return name.removesuffix(BUILD_LOG).removesuffix("-")
