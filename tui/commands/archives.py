"""`ciexplore archive VERB`: source archives at a revision, without the app."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.errors import UsageError
from tui.commands.listing import listed, session_of
from tui.commands.options import connection_options
from tui.commands.output import Progress, check_output, emit, output_options, say

if TYPE_CHECKING:
    from backends.archives.engine import ArchiveEngine, FetchResult
    from backends.archives.fetch import ProgressReport
    from backends.archives.spec import ArchiveRequest
    from backends.cancel import CancelToken
    from backends.session import Session

SUFFIXES = ("zip", "tar.gz", "tar.bz2")


@click.group()
def archives() -> None:
    """Source archives at a revision: fetched, verified, kept, served."""


def _server_options(command: Any) -> Any:
    for option in (
        click.option("--buckets", metavar="REGION=BUCKET,...", help="S3 buckets to look in and to copy to."),
        click.option("--hg-url", metavar="URL", help="The hgweb that has REPO [default: https://hg.mozilla.org]."),
        connection_options,
    ):
        command = option(command)
    return command


@archives.command()
@click.argument("repository", metavar="REPO")
@click.argument("revision", metavar="REV", required=False)
@click.option("--subdir", metavar="D", default="", help="Only this directory (or file) of the repository.")
@click.option("--suffix", type=click.Choice(SUFFIXES), help="Kind of archive [default: zip].")
@click.option("--region", metavar="R", default="", help="The bucket's region to prefer.")
@click.option("--output", metavar="DIR", required=True, help="Where to; made if it is missing.")
@click.option("--server", metavar="URL", help="Ask this Archiver instead of making the archive here.")
@click.option("--overwrite", is_flag=True, help="Replace a file of that name in DIR.")
@click.option(
    "--yes", is_flag=True, help="Fetch a whole repository without asking; where nobody can be asked, it takes this."
)
@_server_options
def get(
    repository: str,
    revision: str | None,
    subdir: str,
    suffix: str | None,
    region: str,
    output: str,
    server: str | None,
    overwrite: bool,
    yes: bool,
    mode: str | None,
    hg_url: str | None,
    buckets: str | None,
) -> int:
    """Fetch the archive of REPO at REV, verify it by reading it to its end, and put it into DIR.

    REPO is a name on the server or an address; REV a changeset, branch, tag or bookmark. With the address of a
    revision, REV may be left out. The archive stays in the cache, so that it is fetched once.
    """
    from backends.archives.fetch import save_copy

    overrides = {"hg_url": hg_url, "archive_buckets": buckets, "archiver_url": server}
    with session_of(None, mode, **overrides) as (session, cancel):
        request = _request(repository, revision, subdir, suffix)
        if not (request.subdirectory or yes):
            _asked(request)
        progress = Progress()

        def on_progress(report: ProgressReport) -> None:
            if report.state == "RETRY":
                progress.clear()
                say(f"note: {report.sentence}")
            else:
                progress.show(report.sentence)

        try:
            got = _fetched(session, request, region, cancel, on_progress)
            path, new = save_copy(
                _engine(session).store, got.archive, Path(output).expanduser(), cancel, overwrite=overwrite
            )
        finally:
            progress.clear()
        for note in got.notes:
            say(f"note: {note}")
        if not new:
            say("unchanged: the file was there already.")
        click.echo(str(path))
    return 1 if got.failed_copies else 0


def _request(repository: str, revision: str | None, subdirectory: str, suffix: str | None) -> ArchiveRequest:
    """From a name and a revision, or from what a person pasted."""
    from backends.archives.locators import SourceRepository, SourceRevision
    from backends.archives.spec import ArchiveRequest
    from backends.locators import InvalidLocatorError
    from backends.systems import parse_locator

    named: Any = None
    if "/" in repository or ":" in repository:
        try:
            named = parse_locator(repository)
        except InvalidLocatorError:
            if ":" in repository:
                raise
    if isinstance(named, SourceRevision):
        return ArchiveRequest(
            named.repository, revision or named.revision, subdirectory or named.subdirectory,
            suffix or named.suffix or "zip", named.root,
        )  # fmt: skip
    root = ""
    if isinstance(named, SourceRepository):
        repository, root = named.repository, named.root
    elif named is not None and ":" in repository:
        raise UsageError(f"{repository} is no repository.", "Name one, such as mozilla-central.")
    if revision is None:
        raise UsageError("No revision is named.", "ciexplore archive get REPO REV --output DIR")
    return ArchiveRequest(repository, revision, subdirectory, suffix or "zip", root)


def _asked(request: ArchiveRequest) -> None:
    """Whole trees are asked about: their size is not known before, and hg.mozilla.org's are hundreds of megabytes."""
    if not _on_a_terminal():
        raise UsageError(
            f"The whole of {request.repository} may have hundreds of MB, and nobody can be asked here.",
            "Say --yes, or name a part with --subdir.",
        )
    question = f"Fetch the whole of {request.repository}? Its size is unknown, often hundreds of MB"
    if not click.confirm(question, err=True):
        raise UsageError("Nothing was fetched.", "Name a part with --subdir.")


def _on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _fetched(
    session: Session, request: ArchiveRequest, region: str, cancel: CancelToken, on_progress: Any
) -> FetchResult:
    from backends.http.policies import Mode

    engine = _engine(session)
    server = session.settings.archiver_url
    if server:
        from backends.archives.client import ArchiverClient

        return ArchiverClient(server, engine).get(request, cancel, on_progress, region)
    if region and engine.mirror is None:
        say("note: --region chooses among buckets, and there are none (--buckets) and no Archiver (--server).")
    if session.http.mode is not Mode.OFFLINE:
        _check_buckets(engine)
    return engine.get(request, cancel, on_progress, region)


def _engine(session: Session) -> ArchiveEngine:
    from backends.archives.buckets import configured_mirror
    from backends.archives.engine import ArchiveEngine

    return ArchiveEngine(session.http, session.settings, mirror=configured_mirror(session.settings))


def _check_buckets(engine: ArchiveEngine) -> None:
    """Says which buckets cannot be used, before anything is fetched. Raises the reason where none can."""
    if engine.mirror is None:
        return
    problems = engine.mirror.check()
    if len(problems) == len(engine.mirror.regions):
        raise next(iter(problems.values()))
    for error in problems.values():
        say(f"note: {error}")


@archives.command()
@click.option("--filter", "text", metavar="F", default="", help="Only these; as in the app.")
@_server_options
@output_options
def repositories(text: str, mode: str | None, hg_url: str | None, buckets: str | None, **output: Any) -> None:
    """List the repositories of the hgweb."""
    _list("archives:repositories", text, mode, {"hg_url": hg_url, "archive_buckets": buckets}, output)


@archives.command()
@click.argument("repository", metavar="REPO")
@click.option("--filter", "text", metavar="F", default="", help="Only these; as in the app.")
@_server_options
@output_options
def revisions(
    repository: str, text: str, mode: str | None, hg_url: str | None, buckets: str | None, **output: Any
) -> None:
    """List the newest revisions of REPO, a name or an address."""
    from backends.archives.locators import SourceRepository, SourceRevision
    from backends.systems import parse_locator

    named = parse_locator(repository) if ":" in repository else SourceRepository(repository)
    if isinstance(named, SourceRevision):
        named = SourceRepository(named.repository, named.root)
    if not isinstance(named, SourceRepository):
        raise UsageError(f"{repository} is no repository.", "Name one, such as mozilla-central.")
    _list(named.text(), text, mode, {"hg_url": hg_url, "archive_buckets": buckets}, output)


@archives.command()
@click.argument("task", required=False)
@click.option("--filter", "text", metavar="F", default="", help="Only these; as in the app.")
@click.option("--server", metavar="URL", help="The Archiver that has TASK.")
@connection_options
@output_options
def status(task: str | None, text: str, server: str | None, mode: str | None, **output: Any) -> None:
    """List the archives that are kept here, or show how TASK of an Archiver is doing."""
    if task is None:
        _list("archives:held", text, mode, {}, output)
        return
    with session_of(None, mode, archiver_url=server) as (session, cancel):
        _task_shown(session, task, cancel, output)


@archives.command()
@click.option("--filter", "text", metavar="F", default="", help="Only these of what `status` lists, such as age>30d.")
@click.option("--all", "every", is_flag=True, help="All of them; without it --filter has to choose.")
def remove(text: str, every: bool) -> None:
    """Delete archives that are kept here. What was saved elsewhere, and copies in buckets, stay."""
    from backends.archives.engine import archive_store
    from backends.frames.formats import format_bytes

    if not (text.strip() or every):
        raise UsageError("Nothing is chosen.", "Use --filter F, or --all.")
    with session_of(None, None) as (session, cancel):
        _, gathered = listed(session, cancel, "archives:held", text)
        store, size = archive_store(session.settings), 0
        for digest in gathered.frame["key"].to_list():
            kept = store.find_by_digest(digest)
            if kept is not None:
                store.delete(kept.record.spec)
                size += kept.record.size
        many = "archive" if len(gathered.frame) == 1 else "archives"
        click.echo(f"Removed {len(gathered.frame):,} {many}, {format_bytes(size)}.")


def _list(locator: str, text: str, mode: str | None, overrides: dict[str, Any], output: dict[str, Any]) -> None:
    with session_of(None, mode, **overrides) as (session, cancel):
        resource, gathered = listed(session, cancel, locator, text, lambda found: check_output(found.schema, output))
        emit(gathered.frame, resource.schema, **output)


def _task_shown(session: Session, task: str, cancel: CancelToken, output: dict[str, Any]) -> None:
    """One row. The addresses are signed and good for minutes only: they are fetched with `get`, not shown."""
    from backends.archives.client import TASK_STATE, ArchiverClient

    check_output(TASK_STATE, output)
    if not session.settings.archiver_url:
        raise UsageError("No Archiver is named.", "Use --server URL, or set CIEXPLORE_ARCHIVER_URL.")
    state = ArchiverClient(session.settings.archiver_url, _engine(session)).status(task, cancel)
    regions = " ".join(sorted(state.s3_urls))
    frame = TASK_STATE.frame([(task.rpartition("/")[2], state.shown_state, state.status, state.src_url, regions)])
    emit(frame, TASK_STATE, **output)


@archives.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8010, show_default=True, help="0 takes a free one.")
@_server_options
def serve(host: str, port: int, mode: str | None, hg_url: str | None, buckets: str | None) -> int:
    """Serve the Archiver's protocol until interrupted: /archiver/hgmo/REPO/REV and /archiver/status/TASK.

    With buckets the archives are copied to them and given by addresses that are signed for 300 s; without, from this
    machine. Nobody is asked who they are: listen on the loopback, or behind something that asks.
    """
    from backends.archives.server import ArchiverServer
    from backends.errors import OperationCancelledError
    from backends.net import is_loopback

    with session_of(None, mode, hg_url=hg_url, archive_buckets=buckets) as (session, cancel):
        if not is_loopback(host):
            say("note: this is not the loopback; whoever can reach this port can fetch archives.")
        engine = _engine(session)
        _check_buckets(engine)
        with ArchiverServer(engine, host, port, say) as server:
            signal.signal(signal.SIGTERM, lambda *_: cancel.cancel())
            click.echo(f"export CIEXPLORE_ARCHIVER_URL={server.url}")
            sys.stdout.flush()
            with contextlib.suppress(OperationCancelledError, KeyboardInterrupt):
                while True:
                    cancel.sleep(3600)
    return 0
