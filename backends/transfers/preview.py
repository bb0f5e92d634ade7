"""A plan drawn as a tree of directories with counts and sizes, never longer than the screen has room for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backends.frames.formats import format_bytes


@dataclass
class _Node:
    name: str
    depth: int
    count: int = 0
    known: int = 0
    unknown: int = 0
    below: dict[str, _Node] = field(default_factory=dict)
    opened: bool = False

    @property
    def line(self) -> str:
        about = format_bytes(self.known) if self.known or not self.unknown else "size unknown"
        if self.known and self.unknown:
            about += f" and {files(self.unknown)} of unknown size"
        what = about if not self.below else f"{files(self.count)}, {about}"
        return f"{'  ' * self.depth}{self.name}{'/' if self.below else ''}  {what}"


def tree(root: str, paths: Iterable[tuple[tuple[str, ...], int | None]], max_lines: int) -> str:
    """`paths`: (path, size in bytes or None). Opens level by level as long as all of a directory fits."""
    top = _grown(root, paths)
    lines, level = 1, [top]
    while level:
        deeper: list[_Node] = []
        for node in level:
            if node.below and lines + len(node.below) <= max_lines:
                node.opened = True
                lines += len(node.below)
                deeper += node.below.values()
        level = deeper
    if not top.opened and top.below and max_lines > 2:  # too many for one level: the first few, and how many more
        kept = sorted(top.below)[: max_lines - 2]
        shown = [top.line, *(top.below[name].line for name in kept)]
        return "\n".join([*shown, f"  … and {len(top.below) - len(kept):,} more"])
    return "\n".join(_drawn(top))


def _grown(root: str, paths: Iterable[tuple[tuple[str, ...], int | None]]) -> _Node:
    top = _Node(root, 0)
    for path, length in paths:
        node = top
        for name in (None, *path):
            if name is not None:
                node = node.below.setdefault(name, _Node(name, node.depth + 1))
            node.count += 1
            node.known += length or 0
            node.unknown += length is None
    return top


def _drawn(node: _Node) -> list[str]:
    lines = [node.line]
    if node.opened:
        for name in sorted(node.below):
            lines += _drawn(node.below[name])
    return lines


def files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
