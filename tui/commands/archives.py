"""`ciexplore archives VERB`: source archives at a revision, without the app."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from backends.archives.locators import SUFFIXES, CachedArchives, SourceRepositories, SourceRepository, SourceRevision
from backends.errors import OperationCancelledError, UsageError
from backends.locators import InvalidLocatorError, Locator
from backends.paths import expand_home
from tui.commands.common import open_and_read, open_session
from tui.commands.options import check_directory, connection_options, filter_option, refuse_options
from tui.commands.output import Progress, check_output, emit, output_options, say

if TYPE_CHECKING:
    from backends.archives.engine import ArchiveEngine, FetchResult
    from backends.archives.fetch import ProgressCallback, ProgressReport
    from backends.archives.spec import ArchiveRequest
    from backends.cancel import CancelToken
    from backends.session import Session


@click.group()
def archives() -> None:
    """Source archives at a revision: fetched, verified, cached, served."""


def _server_options(command: Any) -> Any:
    for option in (
        click.option(
            "--buckets", "archive_buckets", metavar="REGION=BUCKET,...", help="S3 buckets to read from and to copy to."
        ),
        click.option("--hg-url", metavar="URL", help="hgweb that has REPO [default: https://hg.mozilla.org]."),
        connection_options,
    ):
        command = option(command)
    return command


@archives.command()
@click.argument("repository", metavar="REPO")
@click.argument("revision", metavar="REV", required=False)
@click.option("--subdir", metavar="D", default="", help="Only this directory (or file) of the repository.")
@click.option("--suffix", type=click.Choice(SUFFIXES), help="Kind of archive [default: zip].")
@click.option("--region", metavar="R", default="", help="Preferred region of the buckets.")
@click.option(
    "--output", metavar="DIR", required=True, callback=check_directory, help="Output directory (created if missing)."
)
@click.option("--server", "archiver_url", metavar="URL", help="Fetch from this Archiver server.")
@click.option("--overwrite", is_flag=True, help="Replace a file of the same name in DIR.")
@click.option(
    "--yes", is_flag=True, help="Fetch a complete repository without confirmation (required if not on a terminal)."
)
@_server_options
def get(
    repository: str,
    revision: str | None,
    subdir: str,
    suffix: str | None,
    region: str,
    output: str,
    overwrite: bool,
    yes: bool,
    mode: str | None,
    **overrides: Any,
) -> int:
    """Fetch the archive of REPO at REV, verify it by reading it to its end, and put it into DIR.

    REPO is a name on the server or a URL; REV a changeset, branch, tag or bookmark. With the URL of a revision, REV may
    be left out. The archive stays in the cache, so that it is fetched once.
    """
    from backends.archives.fetch import save_copy

    if overrides.get("archiver_url"):
        refuse_options(["archive_buckets"], "has no effect with --server, whose buckets are its own")
    with open_session(None, mode, **overrides) as (session, cancel):
        request = _read_request(session, repository, revision, subdir, suffix)
        if not (request.subdirectory or yes):
            _confirm(request)
        progress = Progress()

        def on_progress(report: ProgressReport) -> None:
            if report.state == "RETRY":
                progress.clear()
                say(f"note: {report.sentence}")
            else:
                progress.show(report.sentence)

        engine = _engine(session)
        try:
            result = _fetch(session, engine, request, region, cancel, on_progress)
            directory = expand_home(output)
            path, is_new = save_copy(engine.store, result.archive, directory, cancel, overwrite=overwrite)
        finally:
            progress.clear()
        for note in result.notes:
            say(f"note: {note}")
        if not is_new:
            say("unchanged: the file was there already.")
        click.echo(str(path))
    return 1 if result.failed_copies else 0


def _read_request(
    session: Session, repository: str, revision: str | None, subdirectory: str, suffix: str | None
) -> ArchiveRequest:
    """From a name and a revision, or from a locator or URL."""
    from backends.archives.spec import ArchiveRequest

    locator: Locator | None = None
    if "/" in repository or ":" in repository:
        try:
            locator = session.parse(repository)
        except InvalidLocatorError:
            if ":" in repository:
                raise
    if isinstance(locator, SourceRevision):
        return ArchiveRequest(
            locator.repository, revision or locator.revision, subdirectory or locator.subdirectory,
            suffix or locator.suffix or "zip", locator.root,
        )  # fmt: skip
    root = ""
    if isinstance(locator, SourceRepository):
        repository, root = locator.repository, locator.root
    elif locator is not None and ":" in repository:
        raise _not_a_repository(repository)
    if revision is None:
        raise UsageError("The revision is missing.", "Use: ciexplore archives get REPO REV --output DIR")
    return ArchiveRequest(repository, revision, subdirectory, suffix or "zip", root)


def _not_a_repository(text: str) -> UsageError:
    return UsageError(f"{text} is not a repository.", "Give its name, e.g. mozilla-central.")


def _confirm(request: ArchiveRequest) -> None:
    """Complete repositories need a confirmation: their size is unknown, hg.mozilla.org's have hundreds of megabytes."""
    if not _on_a_terminal():
        raise UsageError(
            f"All of {request.repository} may have hundreds of MB, and there is no terminal to confirm it.",
            "Add --yes, or choose a directory with --subdir.",
        )
    question = f"Fetch all of {request.repository}? Its size is unknown, often hundreds of MB"
    if not click.confirm(question, err=True):
        raise UsageError("Nothing was fetched.", "Choose a directory with --subdir.")


def _on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _fetch(
    session: Session, engine: ArchiveEngine, request: ArchiveRequest, region: str, cancel: CancelToken,
    on_progress: ProgressCallback,
) -> FetchResult:  # fmt: skip

    if session.settings.archiver_url:
        from backends.archives.client import ArchiverClient

        return ArchiverClient(session.settings.archiver_url, engine).get(request, cancel, on_progress, region)
    if region and engine.mirror is None:
        say("note: --region has no effect without buckets (--buckets) or an Archiver server (--server).")
    if not session.http.mode.is_offline:
        _check_buckets(engine)
    return engine.get(request, cancel, on_progress, region)


def _engine(session: Session) -> ArchiveEngine:
    from backends.archives.buckets import configured_mirror
    from backends.archives.engine import ArchiveEngine

    return ArchiveEngine(session.http, session.settings, mirror=configured_mirror(session.settings))


def _check_buckets(engine: ArchiveEngine) -> None:
    """Notes the buckets that cannot be used, before anything is fetched. Raises the reason if none can."""
    if engine.mirror is None:
        return
    errors = engine.mirror.check()
    if len(errors) == len(engine.mirror.regions):
        raise next(iter(errors.values()))
    for error in errors.values():
        say(f"note: {error}")


@archives.command()
@filter_option
@_server_options
@output_options
def repositories(filter_text: str, mode: str | None, **given: Any) -> None:
    """List the repositories of the hgweb."""
    _list(lambda _: SourceRepositories(), filter_text, mode, given)


@archives.command()
@click.argument("repository", metavar="REPO")
@filter_option
@_server_options
@output_options
def revisions(repository: str, filter_text: str, mode: str | None, **given: Any) -> None:
    """List the newest revisions of REPO, a name or a URL."""

    def read(session: Session) -> SourceRepository:
        locator = session.parse(repository) if ":" in repository else SourceRepository(repository)
        if isinstance(locator, SourceRepository | SourceRevision):
            return SourceRepository(locator.repository, locator.root)
        raise _not_a_repository(repository)

    _list(read, filter_text, mode, given)


@archives.command()
@click.argument("task", required=False)
@filter_option
@click.option("--server", "archiver_url", metavar="URL", help="The Archiver server that has TASK.")
@connection_options
@output_options
def status(task: str | None, filter_text: str, mode: str | None, archiver_url: str | None, **output: Any) -> None:
    """List the cached archives, or show the state of TASK of an Archiver server."""
    if task is None:
        refuse_options(["archiver_url"], "has the state of a TASK, and none is named", "Name a task, or leave it out.")
        _list(lambda _: CachedArchives(), filter_text, mode, output)
        return
    with open_session(None, mode, archiver_url=archiver_url) as (session, cancel):
        _show_task(session, task, cancel, filter_text, output)


@archives.command()
@filter_option
@click.option("--all", "everything", is_flag=True, help="All of them; required without --filter.")
def remove(filter_text: str, everything: bool) -> None:
    """Delete cached archives: those that `status` lists with the same --filter, e.g. 'age>30d'.

    Saved copies and copies in buckets stay.
    """
    from backends.archives.engine import archive_store
    from backends.frames.formats import format_bytes

    if not (filter_text.strip() or everything):
        raise UsageError("No archives are selected.", "Use --filter F, or --all.")
    with open_session(None, None) as (session, cancel):
        _, gathered = open_and_read(session, cancel, CachedArchives(), filter_text)
        store, size = archive_store(session.settings), 0
        for digest in gathered.frame["key"].to_list():
            archive = store.find_by_digest(digest)
            if archive is not None:
                store.delete(archive.record.spec)
                size += archive.record.size
        noun = "archive" if len(gathered.frame) == 1 else "archives"
        click.echo(f"Removed {len(gathered.frame):,} {noun}, {format_bytes(size)}.")


def _list(read: Callable[[Session], Locator], text: str, mode: str | None, given: dict[str, Any]) -> None:
    """`read`: the locator of the list; `given`: output options, and settings of the servers."""
    overrides = {name: given.pop(name) for name in ("hg_url", "archive_buckets") if name in given}
    with open_session(None, mode, **overrides) as (session, cancel):
        prepare = lambda found: check_output(found.schema, given)  # noqa: E731
        resource, gathered = open_and_read(session, cancel, read(session), text, prepare)
        emit(gathered.frame, resource.schema, resource=resource, **given)


def _show_task(session: Session, task: str, cancel: CancelToken, text: str, output: dict[str, Any]) -> None:
    """One row. The URLs are signed and expire within minutes: `get` fetches from them, they are not shown."""
    from backends.archives.client import TASK_STATE, ArchiverClient
    from backends.frames import filters

    condition = filters.parse(text, TASK_STATE)
    check_output(TASK_STATE, output)
    if not session.settings.archiver_url:
        raise UsageError("No Archiver server is set.", "Use --server URL, or set CIEXPLORE_ARCHIVES_URL.")
    state = ArchiverClient(session.settings.archiver_url, _engine(session)).status(task, cancel)
    rows = TASK_STATE.build([state], task.rpartition("/")[2])
    emit(rows.filter(condition.mask(rows)), TASK_STATE, **output)


@archives.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Host to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8010, show_default=True, help="Port; 0 chooses a free one."
)
@_server_options
def serve(host: str, port: int, mode: str | None, **overrides: Any) -> int:
    """Serve the Archiver's protocol until interrupted: /archiver/hgmo/REPO/REV and /archiver/status/TASK.

    With buckets the archives are copied to them and served by URLs that are signed for 300 s; without, from this
    machine. There is no authentication: listen on the loopback, or behind a server that authenticates.
    """
    from backends.archives.server import ArchiverServer
    from backends.net import is_loopback

    with open_session(None, mode, **overrides) as (session, cancel):
        if not is_loopback(host):
            say("note: this is not a loopback address; everyone who can reach this port can fetch archives.")
        engine = _engine(session)
        _check_buckets(engine)
        with ArchiverServer(engine, host, port, say) as server:
            signal.signal(signal.SIGTERM, lambda *_: cancel.cancel())
            click.echo(f"export CIEXPLORE_ARCHIVES_URL={server.url}")
            sys.stdout.flush()
            with contextlib.suppress(OperationCancelledError, KeyboardInterrupt):
                while True:
                    cancel.sleep(3600)
    return 0
