"""`ciexplore demo`: the app on an embedded CI, or that CI alone for other programs."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from backends.errors import UsageError
from tui.commands.options import FiniteRange, refuse_options


@click.command()
@click.argument("locator", required=False)
@click.option(
    "--serve",
    is_flag=True,
    help="Print the settings as `export NAME=VALUE` lines and serve until interrupted. With them in force "
    "`ciexplore demo --locators` says what can be opened.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="With --serve: the port (default: any free one)."
)
@click.option("--locators", "show_locators", is_flag=True, help="Print the locators as JSON and exit.")
@click.option(
    "--tasks", type=click.IntRange(1, 100_000), default=1200, show_default=True, help="Tasks in the finished group."
)
@click.option("--latency", type=FiniteRange(0, 10_000), default=0, metavar="MS", help="Added latency (ms).")
@click.option(
    "--fault",
    type=FiniteRange(0, 1),
    default=0,
    metavar="RATE",
    help="Share of requests that fail; never more than three times in a row, so that retries succeed.",
)
@click.option("--seed", type=int, default=None, help="Random seed.")
def demo(
    locator: str | None,
    serve: bool,
    port: int,
    show_locators: bool,
    tasks: int,
    latency: float,
    fault: float,
    seed: int | None,
) -> int:
    """Open the app on an embedded CI with synthetic data: no network, no account.

    It keeps its own cache and settings and never touches yours. LOCATOR is what to open first: a locator, or one of
    the names that --locators prints.
    """
    from backends.demo import DemoOptions, process
    from backends.demo.fault_injection import KINDS

    if serve or show_locators:
        refuse_options(["locator"], "is opened in the app, which --serve and --locators do not start")
    if serve and show_locators:
        raise UsageError("--serve and --locators exclude each other.", "Leave one of them out.")
    if not serve:
        refuse_options(["port"], "is for --serve", "Add --serve, or leave it out.")
    each = fault / len(KINDS)  # DemoOptions.fault is the rate of each kind
    members: dict[str, Any] = {"tasks": tasks, "latency_ms": latency, "fault": each, "port": port}
    if seed is not None:
        members["seed"] = seed
    options = DemoOptions(**members)
    if show_locators:
        _print_locators(options)
        return 0
    return process.serve(options) if serve else _open(options, locator)


def _print_locators(options: Any) -> None:
    from dataclasses import replace

    from backends.demo import locators
    from backends.systems import parse_locator

    root = os.environ.get("TASKCLUSTER_ROOT_URL", "")
    if root.startswith("http://127.0.0.1:"):  # the settings of a demo that serves are in force: full URLs
        click.echo(json.dumps(locators(options, root), indent=1))
        return
    # No port is known: the short forms, which mean the deployment that is configured when they are used.
    texts = {}
    for name, text in locators(options, "http://127.0.0.1").items():
        short = name.startswith("taskcluster.")
        texts[name] = replace(parse_locator(text), root_url="").text() if short else text  # type: ignore[type-var]
    click.echo(json.dumps(texts, indent=1))


def _open(options: Any, locator: str | None) -> int:
    from backends import config
    from backends.demo import DemoProcess, locators
    from backends.demo.demo_locators import examples
    from backends.session import Session
    from backends.submit.credentials import VARIABLES
    from tui.launch import open_app, temporary_home

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The demo needs a terminal.", "Without one: ciexplore demo --serve, or demo --locators.")
    with temporary_home("ciexplore-demo-") as own, DemoProcess(options) as server:
        environment = {
            **server.settings,
            "CIEXPLORE_CACHE_DIR": str(own / "cache"),
            "CIEXPLORE_STATE_DIR": str(own / "state"),
            "CIEXPLORE_CONFIG": str(own / "config.toml"),
            "CIEXPLORE_CREDENTIALS": str(own / "credentials.toml"),
        }
        for variable in VARIABLES:  # the demo must not get the user's credentials
            os.environ.pop(variable, None)
            if variable in server.settings:
                os.environ[variable] = server.settings[variable]
        settings = config.load(environment)
        names = locators(options, settings.taskcluster_root_url)
        session = Session(settings, demo=True, examples=examples(names))
        return open_app(session, names.get(locator, locator) if locator else None)
