"""Example job data, and a server that takes signed job collections as Treeherder did until 2018."""

from __future__ import annotations

from pathlib import Path

from backends.demo.options import DemoOptions
from backends.demo.submit.service import Submissions

EXAMPLES = Path(__file__).parent / "examples"
# name -> file and view
_OPENED = {
    "submit.example": ("jobs.json", "jobs"),
    "submit.example-broken": ("broken.json", "lint"),
    "submit.example-preview": ("jobs.json", "preview"),
    "submit.example-collection": ("collection.json", "generation"),
    "submit.example-table": ("jobs.csv", "jobs"),
    "submit.example-yaml": ("jobs.yml", "jobs"),
    "submit.example-tasks": ("tasks.json", "lint"),
}


def service(options: DemoOptions) -> Submissions:
    return Submissions()


def locators(options: DemoOptions) -> dict[str, str]:
    from backends.submit.locators import JobFile, OutboxLocator

    found = {name: JobFile(str(EXAMPLES / file), view).text() for name, (file, view) in _OPENED.items()}
    return {**found, "submit.outbox": OutboxLocator().text()}
