"""What suite, platform, build type, chunk and symbol a task has.

Firefox tasks say it in `extra` and `tags`, in ways that changed over the years (samples of 2018 to 2020 and the names
of 2026); where they do not, the name does: `<kind>-<platform>/<build type>-<suite>[-<chunk>]`.
"""

from __future__ import annotations

from backends.taskcluster.models import Chunks, Definition, Extra, Suite, Treeherder


def platform_and_build(task: Definition, name: str) -> tuple[str | None, str | None]:
    """1. extra["treeherder-platform"] "linux64/asan" (2019 on), 2. the tag test-platform of the same form,
    3. extra.treeherder.machine.platform with the first key of collection (2018), 4. the name around its slash.
    """
    stated = task.extra.platform or task.tags.get("test-platform")
    if stated:
        platform, slash, build = stated.rpartition("/")
        return (platform, build) if slash else (stated, None)
    treeherder = task.extra.treeherder
    if treeherder is not None and treeherder.machine is not None and treeherder.machine.platform:
        return treeherder.machine.platform, next((key for key, on in (treeherder.collection or {}).items() if on), None)
    left, slash, right = name.partition("/")
    if not slash or "/" in right or " " in name:  # prose such as "Action: Retrigger" has no platform in it
        return None, None
    return _without_kind(left, task.tags.get("kind")), right.partition("-")[0] or None


def _without_kind(left: str, kind: str | None) -> str | None:
    if kind and left.startswith(f"{kind}-"):
        return left[len(kind) + 1 :] or None
    return left.partition("-")[2] or left or None


def suite(task: Definition, name: str) -> str | None:
    """1. extra.suite, a string (2019 on) or {name, flavor} (2018: jsreftest of reftest is "jsreftest", plain-chunked
    of mochitest is "mochitest-plain-chunked"), 2. the tags test-suite and test-type, 3. the name after its slash and
    build type, less the chunk.
    """
    stated = task.extra.suite
    if isinstance(stated, Suite):
        stated = _with_flavor(stated.name, stated.flavor)
    stated = stated or task.tags.get("test-suite")
    if stated:
        return stated
    rest = name.partition("/")[2].partition("-")[2] if " " not in name else ""
    if rest:
        return _without_chunk(rest, task.extra.chunks)
    return task.tags.get("test-type")


def _with_flavor(name: str | None, flavor: str | None) -> str | None:
    if not name or not flavor:
        return name or flavor
    return flavor if name in flavor else f"{name}-{flavor}"


def _without_chunk(rest: str, chunks: Chunks | None) -> str:
    """Only a number that extra.chunks vouches for: raptor-tp6-7 is the suite's own name."""
    if chunks is None or not chunks.total or chunks.total < 2:
        return rest
    return rest.removesuffix(f"-{chunks.current}")


def chunk(extra: Extra) -> str | None:
    """ "3/16" from extra.chunks; nothing where there is only one."""
    chunks = extra.chunks
    if chunks is None or chunks.current is None or not chunks.total or chunks.total < 2:
        return None
    return f"{chunks.current}/{chunks.total}"


def symbol(treeherder: Treeherder | None) -> str | None:
    """As Treeherder shows it: M(3), or the bare symbol; "?" is its word for no group."""
    if treeherder is None:
        return None
    group = treeherder.groupSymbol
    return f"{group}({treeherder.symbol or ''})" if group and group != "?" else treeherder.symbol or None


def push(routes: list[str]) -> tuple[str | None, str | None]:
    """(project, revision) from the route tc-treeherder.v2.<project>.<revision>.<push log id>."""
    for route in routes:
        if route.startswith("tc-treeherder.v2."):
            parts = route.split(".")
            if len(parts) >= 4:
                return parts[2], parts[3]
    return None, None
