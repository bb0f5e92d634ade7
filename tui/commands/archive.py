"""`ciexplore archive VERB`: source archives at a revision, without the app."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backends.problems import UsageProblem
from tui.cli import connection_options
from tui.commands.listing import listed, session_of
from tui.commands.output import Progress, emit, output_options, say

if TYPE_CHECKING:
    from backends.archiver.engine import Engine, Got
    from backends.archiver.reports import Report
    from backends.archiver.wanted import Request
    from backends.cancel import Cancel
    from tui.session import Session

SUFFIXES = ("zip", "tar.gz", "tar.bz2")


@click.group()
def archive() -> None:
    """Source archives at a revision: fetched, verified, kept, served."""


def _server_options(command: Any) -> Any:
    for option in (
        click.option("--buckets", metavar="REGION=BUCKET,...", help="S3 buckets to look in and to copy to."),
        click.option("--hg-url", metavar="URL", help="The hgweb that has REPO [default: https://hg.mozilla.org]."),
        connection_options,
    ):
        command = option(command)
    return command


@archive.command()
@click.argument("repository", metavar="REPO")
@click.argument("revision", metavar="REV", required=False)
@click.option("--subdir", metavar="D", default="", help="Only this directory (or file) of the repository.")
@click.option("--suffix", type=click.Choice(SUFFIXES), help="Kind of archive [default: zip].")
@click.option("--region", metavar="R", default="", help="The bucket's region to prefer.")
@click.option("--output", metavar="DIR", required=True, help="Where to; made if it is missing.")
@click.option("--server", metavar="URL", help="Ask this Archiver instead of making the archive here.")
@click.option("--overwrite", is_flag=True, help="Replace a file of that name in DIR.")
@click.option("--yes", is_flag=True, help="Do not ask before a whole repository is fetched.")
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
) -> None:
    """Fetch the archive of REPO at REV, verify it by reading it to its end, and put it into DIR.

    REPO is a name on the server or an address; REV a changeset, branch, tag or bookmark. With the address of a
    revision, REV may be left out. The archive stays in the cache, so that it is fetched once.
    """
    overrides = {"hg_url": hg_url, "archive_buckets": buckets, "archiver_url": server}
    with session_of(None, mode, **overrides) as (session, cancel):
        request = _request(repository, revision, subdir, suffix)
        if not (request.subdirectory or yes):
            _asked(request)
        progress = Progress()

        def tell(report: Report) -> None:
            if report.state == "RETRY":
                progress.clear()
                say(f"note: {report.sentence}")
            else:
                progress.show(report.sentence)

        try:
            path, new = _fetched(session, request, region, Path(output).expanduser(), overwrite, cancel, tell)
        finally:
            progress.clear()
        if not new:
            say("unchanged: the file was there already.")
        click.echo(str(path))


def _request(repository: str, revision: str | None, subdirectory: str, suffix: str | None) -> Request:
    """From a name and a revision, or from what a person pasted."""
    from backends.archiver.wanted import Request
    from backends.locators import LocatorProblem, parse
    from backends.locators.archive import Repository, Revision

    named: Any = None
    if "/" in repository or ":" in repository:
        try:
            named = parse(repository)
        except LocatorProblem:
            if ":" in repository:
                raise
    if isinstance(named, Revision):
        return Request(
            named.repository, revision or named.revision, subdirectory or named.subdirectory,
            suffix or named.suffix or "zip", named.root,
        )  # fmt: skip
    root = ""
    if isinstance(named, Repository):
        repository, root = named.repository, named.root
    elif named is not None and ":" in repository:
        raise UsageProblem(f"{repository} is no repository.", "Name one, such as mozilla-central.")
    if revision is None:
        raise UsageProblem("No revision is named.", "ciexplore archive get REPO REV --output DIR")
    return Request(repository, revision, subdirectory, suffix or "zip", root)


def _asked(request: Request) -> None:
    """Whole trees are asked about: their size is not known before, and hg.mozilla.org's are hundreds of megabytes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    question = f"Fetch the whole of {request.repository}? Its size is unknown, often hundreds of MB"
    if not click.confirm(question, err=True):
        raise UsageProblem("Nothing was fetched.", "Name a part with --subdir.")


def _fetched(
    session: Session, request: Request, region: str, output: Path, overwrite: bool, cancel: Cancel, tell: Any
) -> tuple[Path, bool]:
    from backends.archiver.placing import place

    engine = _engine(session)
    target_server = session.settings.archiver_url
    got: Got
    if target_server:
        from backends.archiver.protocol import ArchiverClient

        got = ArchiverClient(target_server, engine).get(request, cancel, tell, region)
    else:
        got = engine.get(request, cancel, tell, region)
    for note in got.notes:
        say(f"note: {note}")
    return place(engine.store, got.kept, output, cancel, overwrite=overwrite)


def _engine(session: Session) -> Engine:
    from backends.archiver.engine import Engine
    from backends.archiver.mirror import mirror_of

    return Engine(session.http, session.settings, mirror=mirror_of(session.settings))


__all__ = ["emit", "listed", "output_options"]
