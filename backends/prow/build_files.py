"""Which files builds and folders have, all the way down, and how each one is downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backends.cancel import CancelToken
from backends.http.errors import AccessDeniedError, HttpError, NotFoundError, sanitize
from backends.prow.archive import Archive
from backends.prow.build_reading import BuildPlace
from backends.prow.parallel import Turns, in_order
from backends.prow.source import Entry, pages
from backends.transfers.files import RemoteFile

MOST_FILES = 200_000  # of one listing: 100 MB of rows; builds with 45,000 files have been seen
_MOST_PAGES = MOST_FILES // 1000
_MOST_FAILURES = 3  # builds in a row that fail to be listed before any other has been: the server has failed


@dataclass(frozen=True)
class Tree:
    """Some files below a folder. `problem`: why there may be more; `whole`: this is the last of them."""

    place: BuildPlace
    folder: str
    files: tuple[Entry, ...] = ()
    problem: HttpError | None = None
    note: str = ""


def tree_of(archive: Archive, place: BuildPlace, cancel: CancelToken) -> Tree:
    """All files of one build. Only `OperationCancelledError` is raised."""
    folder, files, note = place.folder, list[Entry](), ""
    try:
        if place.link and not folder:
            folder = archive.reader.followed(place, cancel)
        for listing in pages(archive.source, archive.bucket, folder, cancel=cancel, deep=True, most=_MOST_PAGES):
            files += listing.files
            note = note or listing.note
    except HttpError as problem:
        return Tree(place, folder, tuple(files), problem)
    return Tree(place, folder, tuple(files), None, note)


def trees_of(archive: Archive, places: Sequence[BuildPlace], cancel: CancelToken) -> Iterator[list[Tree]]:
    """The trees of several builds, in the order of the builds, as they become known."""

    def ask(place: BuildPlace, own: CancelToken) -> Tree:
        return tree_of(archive, place, own)

    with Turns(ask, cancel, name="trees") as turns:
        turns.add((place.key, place) for place in places)
        yield from in_order(turns.rest(), (place.key for place in places), lambda tree: tree.place.key)


def files_of(archive: Archive, places: Sequence[BuildPlace], cancel: CancelToken) -> Iterator[list[RemoteFile]]:
    """What to download. A build that cannot be listed stays in the plan, skipped with the reason.

    Raises the `HttpError` of a server that fails altogether.
    """
    answers, failures = False, 0
    for trees in trees_of(archive, places, cancel):
        found: list[RemoteFile] = []
        for tree in trees:
            if tree.problem is None or isinstance(tree.problem, AccessDeniedError | NotFoundError):
                answers = True
            else:
                failures += 1
                if not answers and failures >= min(_MOST_FAILURES, len(places)):
                    raise tree.problem
            found += [remote_file(archive, entry) for entry in tree.files]
            if tree.problem is not None or (tree.place.build and not tree.files):
                found.append(_unlisted(archive, tree))
        yield found


def remote_file(archive: Archive, entry: Entry) -> RemoteFile:
    """One object as a file: it goes where the bucket has it. Its address names the version that was listed."""
    url, version = archive.source.download(archive.bucket, entry)
    return RemoteFile(
        key=f"{archive.scope or archive.store}/{archive.bucket}/{entry.name}",
        name=entry.name,
        url=url or "about:blank",
        parts=(archive.bucket, *entry.name.split("/")),
        size=entry.content_size,
        content_type=entry.content_type,
        skip="" if url else "its name cannot be a file's",
        version=version,
    )


def _unlisted(archive: Archive, tree: Tree) -> RemoteFile:
    folder = tree.folder or tree.place.link
    return RemoteFile(
        key=f"{archive.scope or archive.store}/{archive.bucket}/{folder}",
        url=archive.source.address(archive.bucket, folder) or "about:blank",
        parts=(archive.bucket, *[part for part in folder.split("/") if part]),
        skip=f"its files cannot be listed: {_refusal(archive, tree)}",
        unlisted=True,
    )


def _refusal(archive: Archive, tree: Tree) -> str:
    """The same words for the same cause, so that they can be counted: the problem's own have each build's address."""
    problem = tree.problem
    if problem is None:
        return "the build has none any more"
    number = f"{problem.status}, " if problem.status is not None else ""
    if isinstance(problem, AccessDeniedError):
        return f"{number}the bucket {sanitize(archive.bucket)} refuses listing"
    if not isinstance(problem, NotFoundError):
        return f"{number or f'{problem.reason}, '}the server failed"
    if tree.place.link and not tree.folder:
        return f"{number}the link to the build leads nowhere"
    return f"{number}there is no bucket {sanitize(archive.bucket)}"
