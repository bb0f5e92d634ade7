"""ArtifactDownloader's function called by other programs: all of a download without the command line."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from backends import config
from backends.cancel import CancelToken
from backends.http import Http
from backends.taskcluster.credentials import identities
from backends.taskcluster.original_download import OriginalDownload
from backends.taskcluster.original_layout import CODE_SEPARATOR, Choices
from backends.taskcluster.queue import Deployment
from backends.taskcluster.roots import normalise_root
from backends.transfers.plan import make_plan
from backends.transfers.states import TransferState
from backends.transfers.transfer import Transfer

NAMED = 5  # failures that a warning names; the manifest has all


def download(
    group_id: str,
    output: Path,
    suites: Sequence[str],
    artifacts: Sequence[str],
    *,
    include_failed: bool,
    unzip: bool,
    platform: str,
    resume: str | None,
) -> tuple[str, str]:
    """See `results.artifact_downloader`."""
    choices = Choices(
        suites=tuple(suites),
        platform=platform,
        artifacts=tuple(artifacts),
        unzip=unzip,
        include_failed=include_failed,
        separator=CODE_SEPARATOR,
    )
    settings, cancel, place = config.load(), CancelToken(), output.expanduser().absolute()
    root = normalise_root(settings.taskcluster_root_url)
    with Http(
        cache_dir=settings.cache_path, cache_bytes=settings.cache_bytes, identities=identities(root, os.environ)
    ) as http:
        work = OriginalDownload(Deployment(http, root), group_id, choices, place, resume)
        files = [file for batch in work.files(cancel) for file in batch]
        transfer = Transfer(
            make_plan(files, place, cancel=cancel),
            open_downloader=http.downloader,
            jobs=settings.jobs or None,
            settings=http.downloader_settings(),
        )
        transfer.start()
        try:
            while not transfer.wait(0.5):
                pass
        finally:
            transfer.cancel()
            transfer.wait()
        if (problem := transfer.snapshot().problem) is not None:
            raise problem
        frame = transfer.frame()
        failed = frame.filter(frame["state"] == TransferState.FAILED.value).select("target", "detail").rows()
        placed = work.place(cancel)
    for what, left in (("could not be downloaded", failed), ("could not be placed", placed.problems)):
        if left:
            words = "; ".join(f"{name}: {why}" for name, why in left[:NAMED])
            warnings.warn(f"{len(left)} files {what}: {words}", RuntimeWarning, stacklevel=3)
    return str(placed.run), head_revision(work.entries, set(work.task_ids))


def head_revision(entries: bytes, task_ids: set[str]) -> str:
    """GECKO_HEAD_REV of the last of these tasks that has one, in the order of the listing; "" if none has."""
    found = ""
    for entry in msgspec.json.decode(entries):
        value: Any = entry
        task_id = _member(_member(value, "status"), "taskId")
        revision = _member(_member(_member(_member(value, "task"), "payload"), "env"), "GECKO_HEAD_REV")
        if task_id in task_ids and isinstance(revision, str):
            found = revision
    return found


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
