"""What can be made of the marked builds, or of all that are shown, from their list."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from backends.archives.locators import GITHUB, SourceRevision
from backends.locators.prow import ProwView, View
from backends.prow.archive import container_of, log_names
from backends.prow.build_columns import SEPARATOR
from backends.prow.file_openings import PODINFO
from backends.resources import Entry, Link, Question, Row

if TYPE_CHECKING:
    from backends.prow.builds import BuildList

# GitHub's names of an owner and a repository, before the branch.
_ORIGIN = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}@", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{7,40}", re.ASCII)
_VIEWS = (
    ("Completeness: which sets of files {} have", View.COMPLETENESS),
    ("Presence: which file is missing how often in {}", View.PRESENCE),
    ("Over time: pass rate and durations of {} by day", View.OVER_TIME),
    ("Failure reasons of {}", View.REASONS),
    ("Tests of {} (JUnit): test by build", View.MATRIX),
    ("Test cases of {} (JUnit)", View.JUNIT),
    ("Kubernetes events of {}", View.EVENTS),
    ("Log statistics of {}: sizes, lines, words", View.LOGS),
    ("All files of {}", View.TREE),
)


def entries(builds: BuildList, row: Row | None, rows: pl.DataFrame) -> list[Entry]:
    """Views of `rows`; where those are of several jobs (of a pull request), of those of the row's own job."""
    found: list[Entry] = []
    every = builds.view(View.BUILDS, rows)
    if every is None and row is not None:
        rows = rows.filter(pl.col("job") == row["job"])
        every = builds.view(View.BUILDS, rows)
    if every is not None:
        words = f"{len(rows):,} build{'' if len(rows) == 1 else 's'}"
        # Made once: 5,000 ids eight times over would keep the key waiting.
        found += [Link(label.format(words), replace(every, view=view)) for label, view in _VIEWS]
        found.append(Question(f"Search the logs of {words}", "Text or regular expression", _search(every)))
    if row is not None and (document := builds.document(row)) is not None:
        found.append(Link(document.title, document))
        found.append(Link(f"Test cases of {row['build']} (JUnit)", _one(builds, View.JUNIT, row)))
        found.append(Link(f"Kubernetes events of {row['build']}", _one(builds, View.EVENTS, row)))
    if row is not None:
        found += _containers(builds, row)
    if row is not None and (source := source_of(row)) is not None:
        found.append(Link(f"Archives of its source: {source.repository} {source.revision[:12]}", source))
    return found


def _containers(builds: BuildList, row: Row) -> list[Entry]:
    """Of a build with several containers the log of each (`l` opens the first), and what became of its pod."""
    archive, folder, names = builds.archive, row.get("folder"), log_names(row.get("names"))
    found: list[Entry] = []
    for name in names if folder and len(names) > 1 else ():
        if (log := archive.log(f"{folder}{name}", f"{name} of {row['build']}", of=row)) is not None:
            found.append(Link(f"Log of container {container_of(name)}", log))
    if folder and PODINFO in str(row.get("names") or "").split(SEPARATOR):
        found.append(Link(PODINFO, archive.document(f"{folder}{PODINFO}", f"{PODINFO} of {row['build']}")))
    return found


def source_of(row: Row) -> SourceRevision | None:
    """The commit that a build tested, on GitHub; None where the build's files do not say both repository and commit.

    Gerrit's repositories (an organisation that is an address) have no archives.
    """
    repository = (_ORIGIN.match(str(row.get("base") or "")) or [""])[0].removesuffix("@")
    commit = str(row.get("commit") or "")
    return SourceRevision(repository, commit, root=GITHUB) if repository and _COMMIT.fullmatch(commit) else None


def _one(builds: BuildList, view: View, row: Row) -> ProwView:
    archive = builds.archive
    return ProwView(view, archive.bucket, builds.job_folder(row), (str(row["build"]),), (), archive.store)


def _search(every: ProwView) -> Callable[[str], ProwView]:
    def opens(text: str) -> ProwView:
        from backends.logs.patterns import parse_pattern

        parse_pattern(text)  # a wrong one is said in the box, not in an empty list
        return replace(every, view=View.SEARCH, options=(("text", text),))

    return opens
