"""`ciexplore prow log | download`: what is in the files of builds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.errors import AppError, UsageError
from tui.commands.log_output import write_log
from tui.commands.output import Progress, say
from tui.commands.prow_session import chosen_builds, common_options, opened, prow_session, window_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backends.cancel import CancelToken
    from backends.prow.archive import Archive
    from backends.resources import LogAddress
    from backends.session import Session
    from backends.transfers.files import RemoteFile


@click.command()
@common_options
@click.option("--container", metavar="NAME", help="Of a build with several containers, the log of this one.")
@click.option("--step", metavar="NAME", help="Of an OpenShift build, the log of the step whose path ends so.")
@click.option("--errors", is_flag=True, help="Only error lines, with five lines around each.")
@click.option("--tail", type=click.IntRange(1), help="Only the last N lines.")
@click.option("-o", "--to", "target", metavar="FILE", help="Write to FILE; - is stdout.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
def log(
    locator: str,
    mode: str | None,
    gcs_url: str | None,
    gcsweb_url: str | None,
    bucket: str | None,
    text: str,
    container: str | None,
    step: str | None,
    errors: bool,
    tail: int | None,
    target: str | None,
    overwrite: bool,
) -> None:
    """Print the log of a build, or any text file.

    Escape sequences and what else could reach into a terminal are taken out; with -o the bytes stay as they are. An
    address of a line is printed from that line on, one of a range of lines (…:101-103) as those lines.
    """
    with prow_session(mode, gcs_url, gcsweb_url, bucket) as (session, cancel):
        from backends.logs.rules import error_lines
        from backends.logs.sources import from_log

        address = _address(session, cancel, locator, text, container, step)
        pieces: Iterable[bytes] | None = None
        if tail is not None and not errors:
            pieces = _end(session, cancel, address, tail)
        if pieces is None:
            body = from_log(session.http, address, session.open_downloader)(cancel)
            pieces = error_lines(body) if errors else body
        line, last = (None, None) if errors else (address.line, address.last)
        write_log(pieces, target, overwrite=overwrite, tail=tail, line=line, last=last)
        if target not in (None, "-"):
            say(f"{address.title} in {target}")


def _end(session: Session, cancel: CancelToken, address: LogAddress, count: int) -> list[bytes] | None:
    """The last lines without the others, where the storage can give them and nothing stored has them already."""
    from backends.http import Mode
    from backends.locators.prow import ProwPath
    from backends.prow import archive_of
    from backends.prow.log_tail import last_lines

    found = address.locator
    if address.live or session.http.mode is Mode.OFFLINE or not isinstance(found, ProwPath):
        return None
    archive = archive_of(found, session.http, session.settings)
    return last_lines(archive.source, found.bucket, found.path, count, cancel)


def _address(
    session: Session, cancel: CancelToken, locator: str, text: str, container: str | None, step: str | None
) -> LogAddress:
    from backends.locators.prow import ProwPath
    from backends.prow import archive_of
    from backends.prow.archive import log_names

    resource = opened(session, cancel, locator)
    if resource.first_log is not None:
        return resource.first_log
    found = resource.locator
    if not isinstance(found, ProwPath):
        raise UsageError(f"{locator} is no build and no file.", "Name a build or a file of one.")
    archive = archive_of(found, session.http, session.settings)
    if step:
        return _step_log(session, cancel, found, step)
    listing, frame = chosen_builds(session, cancel, found.text(), text, 10, None, complete=True)
    row = frame.row(0, named=True)
    if len(frame) != 1:
        row = next((one for one in frame.iter_rows(named=True) if log_names(one["names"])), row)
        say(f"note: of {len(frame):,} builds the newest with a log is {row['build']}")
    if container:
        return _container_log(archive, row, container)
    address = listing.log(row)
    if address is None:
        raise UsageError(
            f"Build {row['build']} ({row['state'] or 'unreadable'}) has no log.",
            "It is written when the build has ended; `prow files` lists what is there.",
        )
    _name_others(row)
    return address


def _name_others(row: dict[str, Any]) -> None:
    """Says which containers' logs are not the one that is printed."""
    from backends.prow.archive import container_of, log_names

    first, *others = map(container_of, log_names(row["names"]) or [""])
    if others:
        words = f"{len(others) + 1:,} containers; this is the log of {first}"
        say(f"note: build {row['build']} has {words}. Others: {', '.join(others)} (--container NAME).")


def _container_log(archive: Archive, row: dict[str, Any], container: str) -> LogAddress:
    from backends.prow.archive import log_names

    name, known = f"{container}-build-log.txt", log_names(row["names"])
    named = archive.log(f"{row['folder']}{name}", f"{container} of {row['build']}", of=row) if name in known else None
    if named is None:
        raise UsageError(
            f"Build {row['build']} has no log of a container {container}.", f"Its logs: {', '.join(known) or 'none'}."
        )
    return named


def _step_log(session: Session, cancel: CancelToken, found: Any, step: str) -> LogAddress:
    from backends.locators.prow import ProwView, View
    from backends.prow import archive_of
    from backends.resources import gather

    base = found.route.base or found.path
    tree = session.resource(ProwView(View.TREE, found.bucket, base, (), (), found.store), cancel)
    names = [name for name in gather(tree, cancel).frame["name"].to_list() if name.endswith("/build-log.txt")]
    fitting = [name for name in names if name.removesuffix("/build-log.txt").endswith(step)]
    if not fitting:
        known = ", ".join(name.split("/")[-2] for name in names[:20])
        raise UsageError(f"No step of this build is called {step}.", f"Its steps: {known or 'none'}.")
    if others := fitting[1:]:
        say(f"note: this is the log of {fitting[0]}; {len(others):,} more end so: {', '.join(others[:20])}")
    address = archive_of(found, session.http, session.settings).log(base + fitting[0], fitting[0])
    assert address is not None
    return address


@click.command()
@common_options
@window_options
@click.option(
    "--match",
    "globs",
    metavar="GLOB",
    multiple=True,
    help="Only files whose path within the build matches; repeatable. !GLOB excludes.",
)
@click.option("--output", metavar="DIR", required=True, help="Where to; made if it is missing.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Files at the same time [default: by itself].")
@click.option("--overwrite", is_flag=True, help="Replace files in DIR that ciexplore did not put there.")
@click.option("--rehash", is_flag=True, help="Read files that are already there and compare their SHA-256.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; fetch and write nothing.")
def download(
    locator: str,
    mode: str | None,
    gcs_url: str | None,
    gcsweb_url: str | None,
    bucket: str | None,
    text: str,
    count: int | None,
    since: str | None,
    globs: tuple[str, ...],
    output: str,
    jobs: int | None,
    overwrite: bool,
    rehash: bool,
    dry_run: bool,
) -> int:
    """Download files of a build, a folder, or of builds of a job (--filter chooses builds), resumable.

    DIR mirrors the bucket: DIR/BUCKET/logs/JOB/BUILD/... can be opened as file:///DIR/BUCKET/logs/JOB. Hashes are
    checked on the bytes that the bucket stores; compressed ones are then unpacked.
    """
    from tui.commands.download import run_download

    with prow_session(mode, gcs_url, gcsweb_url, bucket, jobs=jobs) as (session, cancel):
        place = Path(output).expanduser().absolute()
        files = _files(session, cancel, locator, text, count, since, globs)
        if is_there := [file for file in files if file.url.partition("?")[0] == place.joinpath(*file.parts).as_uri()]:
            words = "1 file is" if len(is_there) == 1 else f"{len(is_there):,} files are"
            raise UsageError(f"{words} in {place} already.", "Name another directory.")
        return run_download(session, files, place, cancel=cancel, overwrite=overwrite, rehash=rehash, dry=dry_run)


def _files(
    session: Session, cancel: CancelToken, locator: str, text: str, count: int | None, since: str | None,
    globs: tuple[str, ...],
) -> list[RemoteFile]:  # fmt: skip
    from backends.locators.prow import Place, ProwPath
    from backends.prow import archive_of
    from backends.prow.build_files import files_of, remote_file
    from backends.prow.build_reading import BuildPlace
    from backends.transfers.files import matches_globs

    found = opened(session, cancel, locator).locator
    progress = Progress()
    files: list[RemoteFile] = []
    base, empty = "", True
    if isinstance(found, ProwPath) and found.route.place is Place.FILE:
        archive = archive_of(found, session.http, session.settings)
        return [remote_file(archive, archive.source.stat(found.bucket, found.path, cancel=cancel))]
    if isinstance(found, ProwPath) and found.route.place in (Place.BUILD, Place.FOLDER, Place.JOBS):
        base = found.path
        place = BuildPlace(base, "", "", base)
        batches = files_of(archive_of(found, session.http, session.settings), [place], cancel)
    else:
        listing, frame = chosen_builds(session, cancel, found.text(), text, count, since)
        batches = listing.files(frame, cancel)
    try:
        for batch in batches:
            empty = empty and not batch
            files += [file for file in batch if file.unlisted or matches_globs(_inner(file.name, base), globs)]
            progress.show(f"{len(files):,} files found")
    finally:
        progress.clear()
    if not files and empty:
        raise UsageError(f"No files are in {found.text()}.", "Check its name; builds are deleted after some months.")
    if not files:
        raise UsageError("There is nothing to download.", "Check --match against what `prow files` lists.")
    if all(file.unlisted for file in files):
        raise _nothing_listed(session, files, "builds" if not base else "folders", getattr(found, "store", ""))
    return files


def _nothing_listed(session: Session, files: list[RemoteFile], noun: str, store: str) -> AppError:
    """Of a download that cannot even begin, with the reasons and how often each: "12 builds: 403, the bucket ..."."""
    from collections import Counter

    from backends.http.errors import ServerError
    from backends.prow.gcs_source import sign_in_hint

    reasons = Counter(file.skip.partition(": ")[2] for file in files)
    said = "; ".join(
        f"{count:,} {noun if count != 1 else noun[:-1]}: {reason}" for reason, count in sorted(reasons.items())
    )
    hint = "Check the bucket's name."
    if "refuses" in said and store == "s3":
        hint = "If the bucket is private, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    elif "refuses" in said:
        hint = sign_in_hint(session.http, session.settings.gcs_url, "401" in said)
    return ServerError(f"Nothing can be downloaded. {said}.", hint)


def _inner(name: str, base: str) -> str:
    """The path within the build, as `prow files` shows it."""
    from backends.locators.prow import route

    return name.removeprefix(route(name).base or base)


COMMANDS = (log, download)
