"""Messages, help and docs are plain technical English; no function or class is named by a bare participle.

`python tests/test_wording.py PATH...` lists the places.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PHRASES = re.compile(
    r"\b((?<![Tt]here )is no (?!longer|more|such|default|way|need)\w+|anew|mend(?:s|ed)?|goes? on(?! to)|such as|"
    r"none fits|store of answers|whereof|how-manieth|(?<!e-mail )(?<!IP )(?<!loopback )address(?:es)?|what cannot be|"
    r"as it stands|nothing is known|names no \w+)\b"
)
NAMES = re.compile(
    r"_?(told|shown|kept|wanted|found|asked|given|made|placed|said|heard|known|held|taken|opened|chosen|counted|listed|"
    r"named|written|drawn|joined|sorted_|filtered|gathered|measured|marked|fetched|stored|loaded|one|words|at|seen|done|"
    r"left|spelled|tried|used|needed|allowed|refused|resolved|sniffed|unpacked|decoded|recognised|honoured|quoted|"
    r"cleaned|merged|paired|pooled|matched|numbered|ordered|limited|guarded|numbered|whole|only|rest|such)"
)


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every string that is not a docstring and may be shown: those with a space in them."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            and " " in node.value
        ):
            yield node.lineno, node.value


def problems(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    if path.suffix == ".md":
        for number, line in enumerate(text.splitlines(), 1):
            yield from (f"{name}:{number}: {match[0]!r}" for match in PHRASES.finditer(line))
        return
    tree = ast.parse(text)
    for number, value in strings(tree):
        yield from (f"{name}:{number}: {match[0]!r} in {value[:60]!r}" for match in PHRASES.finditer(value))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and NAMES.fullmatch(
            node.name.lower()
        ):
            yield f"{name}:{node.lineno}: the name {node.name!r}"


def files(places: list[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(path for path in place.rglob("*") if path.suffix in (".py", ".md"))
        elif place.suffix in (".py", ".md"):
            yield place


def test_messages_docs_and_names_are_plain_english() -> None:
    places = [ROOT / name for name in ("backends", "tui", "ciexplore", "docs", "README.md", "CHANGELOG.md")]
    assert [problem for path in files(places) for problem in problems(path)] == []


if __name__ == "__main__":
    for path in files([Path(one).resolve() for one in sys.argv[1:]]):
        for problem in problems(path):
            print(problem)
