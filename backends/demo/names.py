"""What can be opened in the embedded CI: a name for each interesting thing, and the text that leads there."""

from __future__ import annotations

from backends.demo import services
from backends.demo.options import DemoOptions
from backends.demo.taskcluster.locators import locators as taskcluster_locators


def locators(options: DemoOptions, root_url: str = "") -> dict[str, str]:
    """Names that begin with the system. `root_url`: of the synthetic Taskcluster, "" for whatever is configured."""
    return {**taskcluster_locators(options, root_url), **services.locators(options)}
