"""`python -m backends.demo`: serves the embedded CI until it is interrupted, after printing how to reach it."""

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
    asked = parser.parse_args(arguments)
    try:
        options = DemoOptions(asked.tasks, asked.latency, asked.fault, asked.seed, asked.port)
    except UsageError as error:
        parser.error(str(error))
    if asked.locators:
        return _print_locators(options)
    return _serve(options, until_eof=asked.until_eof, warm=asked.warm)


def _parser() -> argparse.ArgumentParser:
    usual = DemoOptions()
    parser = argparse.ArgumentParser(prog="python -m backends.demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="serve (the default)")
    parser.add_argument("--locators", action="store_true", help="print what can be opened as one JSON object, and end")
    parser.add_argument("--port", type=int, default=usual.port, help="port of the root URL (default: a free one)")
    parser.add_argument("--tasks", type=int, default=usual.tasks, help="tasks in the finished group")
    parser.add_argument("--latency", type=float, default=usual.latency_ms, help="milliseconds before each first byte")
    parser.add_argument("--fault", type=float, default=usual.fault, help="rate of each kind of failure, 0 to 1")
    parser.add_argument("--seed", type=int, default=usual.seed, help="another seed gives another CI")
    parser.add_argument("--warm", action="store_true", help="make the big pages before serving")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends, too")
    return parser


def _print_locators(options: DemoOptions) -> int:
    from backends.demo.names import locators

    # Without a port the address is that of whatever the shell was told to use by --serve.
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
        threading.Thread(target=_set_at_eof, args=(ended,), daemon=True).start()
    lines = [f"export {name}={shlex.quote(value)}" for name, value in server.settings.items()]
    # The empty line tells a parent that all settings have been said.
    print("\n".join([*lines, *([""] if until_eof else [])]), flush=True)
    ended.wait()
    server.stop()
    return 0


def _set_at_eof(ended: threading.Event) -> None:
    sys.stdin.buffer.read()
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
