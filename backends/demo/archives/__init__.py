"""A synthetic hgweb: a few repositories whose pushes are those of the synthetic Taskcluster, and zips of them."""

from __future__ import annotations

from backends.demo.archives.history import AUTOLAND, Histories
from backends.demo.archives.service import Hgweb
from backends.demo.options import DemoOptions


def service(options: DemoOptions) -> Hgweb:
    return Hgweb(options)


def locators(options: DemoOptions) -> dict[str, str]:
    """Short forms, which mean the configured hgweb."""
    pushed = Histories(options).pushed
    return {
        "archive.repositories": "archive:repositories",
        "archive.repository": f"archive:{AUTOLAND}",
        "archive.revision": f"archive:{AUTOLAND}@{pushed}",
        "archive.directory": f"archive:{AUTOLAND}@{pushed}/testing/mozharness",
        "archive.kept": "archive:held",
    }
