"""Earlier builds of a Prow job. A build that is looked at costs started.json and finished.json, and one that failed the
JUnit files for a test, or what its list of failures reads for a cluster.

A build that passed counts as a pass of every test.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from backends.cancel import CancelToken
from backends.failures.boundary import FAILED, PASSED, SILENT, RunCounts
from backends.failures.build_sources import read_build_failures
from backends.failures.records import clean_text
from backends.failures.run_history import FLAKED, RUNS, History, Place, Suspect, Target
from backends.http.errors import HttpError
from backends.prow.bucket import BucketReader, open_bucket
from backends.prow.build_listing import BuildListing
from backends.prow.build_reader import BuildPlace, BuildReader, Part, created_ms, parse_object, sort_key
from backends.prow.junit import read_reports, state_of_results
from backends.prow.locators import ProwPath, route

if TYPE_CHECKING:
    from backends.config import Settings
    from backends.http import Http

MOST_UNENDED = 20  # the newest builds of a job that may still run, or have been aborted
_STATES = {"failed": FAILED, "passed": PASSED, "flaky": FLAKED}


def build_history(build: ProwPath, target: Target, http: Http, settings: Settings, cancel: CancelToken) -> History:
    """`build`: a build's folder, or something in it. Raises `AppError`s: of the list of builds."""
    return _BuildHistory(build, target, open_bucket(build, http, settings), cancel)


def newest_ended_build(job: ProwPath, http: Http, settings: Settings, cancel: CancelToken) -> ProwPath | None:
    """The folder of the newest build of a job that passed or failed, of the newest `MOST_UNENDED`; None without one.
    Raises `AppError`s of the list of builds."""
    bucket = open_bucket(job, http, settings)
    reader = BuildReader(bucket)
    for batch in BuildListing(bucket, job.path, MOST_UNENDED).batches(cancel):
        for place in batch.places:
            row = reader.read_row(place, cancel, Part.ENDS)
            if row.state in ("success", "failure") and row.folder:
                return bucket.locator(row.folder)
    return None


class _BuildHistory(History):
    """Places are builds, by their ids."""

    noun = ("build", "builds")

    def __init__(self, build: ProwPath, target: Target, bucket: BucketReader, cancel: CancelToken) -> None:
        self.bucket, self.target, self.reader = bucket, target, BuildReader(bucket)
        at = route(build.path)
        notes = []
        folder = at.base[: -len(at.build) - 1]
        if at.base.startswith("pr-logs/pull/"):
            folder = f"pr-logs/directory/{at.job}/"
            notes.append("The builds are of different changes: the job runs for pull requests.")
        found: dict[str, BuildPlace] = {at.build: BuildPlace(f"{at.job}/{at.build}", at.job, at.build, at.base)}
        for batch in BuildListing(bucket, folder).batches(cancel):
            older = [place for place in batch.places if sort_key(place.build) < sort_key(at.build)]
            found.update((place.build, place) for place in older)
            if len(found) > RUNS:
                break
        self.builds = sorted(found.values(), key=lambda place: sort_key(place.build), reverse=True)[: RUNS + 1]
        places = [
            Place(one.build, lambda cancel, one=one: self._look(one, cancel), None, created_ms(one.build))  # type: ignore[misc]
            for one in self.builds
        ]
        super().__init__(places, at.job, notes)

    def _look(self, place: BuildPlace, cancel: CancelToken) -> RunCounts:
        row = self.reader.read_row(place, cancel, Part.ENDS)
        if row.state == "success":
            return PASSED
        if row.is_unread or row.state != "failure":
            return SILENT  # aborted, lost, or still running
        if self.target.is_job:
            return FAILED
        if not self.target.test:
            return self.target.judge(read_build_failures(self.bucket, place, row, cancel))
        try:
            reports = read_reports(self.bucket, place, cancel)
        except HttpError:
            return SILENT
        cases = [case for file in reports.files for case in file.content.cases]
        letters = [
            letter
            for case in cases
            if clean_text(case.name) == self.target.test
            for letter in (case.state, *("F" * (case.state == "P" and case.reruns > 0)))
        ]
        return _STATES.get(state_of_results(letters), SILENT) if letters else SILENT

    def suspects(self, first_failure: int, last_pass: int, cancel: CancelToken) -> list[Suspect]:
        """The changes of each are those since the build before it that is not older than the last pass."""
        revisions = [self._revisions(self.builds[place], cancel) for place in range(first_failure, last_pass + 1)]
        found = []
        for place in range(first_failure, last_pass):
            new, old = revisions[place - first_failure], revisions[place - first_failure + 1]
            found.append(self._suspect(place, describe_changes(old, new), cancel))
        return found

    def describe(self, place: int, cancel: CancelToken) -> Suspect:
        return self._suspect(place, ("", ""), cancel)

    def _suspect(self, place: int, changes: tuple[str, str], cancel: CancelToken) -> Suspect:
        build = self.builds[place]
        row = self.reader.read_row(build, cancel, Part.ENDS | Part.JOB)
        revision = row.commit or ""
        opens = self.bucket.locator(row.folder or build.folder)
        return Suspect(
            build.build, build.build, row.started, row.author or "", row.title or changes[0], None, revision,
            changes[1], opens.text(), self.bucket.web_page(opens.path) or "",
        )  # fmt: skip

    def _revisions(self, build: BuildPlace, cancel: CancelToken) -> dict[str, str]:
        """Repository ("ORG/REPO") -> the commit of its branch, as started.json has it: "BRANCH:SHA,..."."""
        content: object = None
        with suppress(HttpError):
            folder = self.reader.folder_of(build, cancel)
            content = parse_object(self.bucket.read(f"{folder}started.json", cancel)).get("repos")
        if not isinstance(content, dict):
            return {}
        return {
            name: refs.partition(",")[0].rpartition(":")[2]
            for name, refs in content.items()
            if isinstance(name, str) and isinstance(refs, str)
        }


def describe_changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, str]:
    """What changed between two builds in the first repository of both, and GitHub's page of that; "" where none is
    known."""
    for name, revision in new.items():
        before = old.get(name, "")
        parts = name.split("/")
        if len(parts) == 2 and all(_is_name(part) for part in parts) and _is_hash(before) and _is_hash(revision):
            if before == revision:
                return f"{name}: no change", f"https://github.com/{name}/commit/{revision}"
            words = f"{name}: {before[:9]}..{revision[:9]}"
            return words, f"https://github.com/{name}/compare/{before}...{revision}"
    return "", ""


def _is_name(text: str) -> bool:
    return text not in ("", ".", "..") and text.isascii() and all(one.isalnum() or one in "-_." for one in text)


def _is_hash(text: str) -> bool:
    return 7 <= len(text) <= 40 and all(one in "0123456789abcdef" for one in text)
