"""`python -m backends.demo`: serves the embedded CI until it is interrupted, after printing its settings."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Sequence

from backends.demo.options import DemoOptions
from backends.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        options = DemoOptions(parsed.tasks, parsed.latency, parsed.fault, parsed.seed, parsed.port)
    except UsageError as error:
        parser.error(str(error))
    if parsed.locators:
        return _print_locators(options)
    return _serve(options, until_eof=parsed.until_eof, warm=parsed.warm)


def _parser() -> argparse.ArgumentParser:
    defaults = DemoOptions()
    parser = argparse.ArgumentParser(prog="python -m backends.demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="serve (the default)")
    parser.add_argument("--locators", action="store_true", help="print the locators as JSON and exit")
    parser.add_argument("--port", type=int, default=defaults.port, help="port of the root URL (default: any free one)")
    parser.add_argument("--tasks", type=int, default=defaults.tasks, help="tasks in the finished group")
    parser.add_argument("--latency", type=float, default=defaults.latency_ms, help="added latency (ms)")
    parser.add_argument("--fault", type=float, default=defaults.fault, help="error rate per fault type, 0 to 1")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="random seed")
    parser.add_argument("--warm", action="store_true", help="generate the large pages before serving")
    parser.add_argument("--until-eof", action="store_true", help="exit when standard input is closed, too")
    return parser


def _print_locators(options: DemoOptions) -> int:
    from backends.demo.demo_locators import locators

    # Without a port the root URL is the one that --serve told the shell.
    root = f"http://127.0.0.1:{options.port}" if options.port else os.environ.get("TASKCLUSTER_ROOT_URL", "")
    print(json.dumps(locators(options, root.rstrip("/")), indent=2))
    return 0


def _serve(options: DemoOptions, *, until_eof: bool, warm: bool) -> int:
    from backends.demo.server import DemoServer

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = DemoServer(options)
    try:
        server.start()
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 3
    if warm:
        server.warm()
    if until_eof:
        threading.Thread(target=_set_on_eof, args=(ended,), daemon=True).start()
    lines = [f"export {name}={shlex.quote(value)}" for name, value in server.settings.items()]
    # The empty line tells a parent process that all settings are printed.
    print("\n".join([*lines, *([""] if until_eof else [])]), flush=True)
    ended.wait()
    server.stop()
    return 0


def _set_on_eof(ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
