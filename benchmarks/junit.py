"""How fast JUnit files are read: `python -m benchmarks.junit`.

Ours against lxml and ElementTree, which make a tree of a sound file in memory and no row of it; both are asked for the
name, class and time of each case too, so that all three give the same. Three forms: tests that pass with long names, as
OpenShift's; the same with skipped and failed ones; and tests that all print, as pytest's and Go's do.
"""

from __future__ import annotations

import argparse
import functools
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import lxml.etree

from backends.prow.junit_reader import read_junit
from benchmarks.measuring import Cost, fit_exponent, measure, print_table, take_turns

SIZES = (2_000, 20_000, 200_000)
PRINTING_SIZES = (2_000, 20_000, 50_000)  # 64 MB of a file are read
NAME = "[sig-network] Services should serve endpoint {} on a node with a shared port [Suite:openshift/conformance]"
CASE = '<testcase name={} classname="k8s.io/kubernetes/test/e2e/network/service_{}" time="{:.6f}"'


def passing(number: int, chance: random.Random) -> str:
    return f"{head(number, chance)}/>\n"


def mixed(number: int, chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.02:
        text = printed(number, 15)
        failure = f"<failure message={quoteattr(text.splitlines()[0])}>{escape(text)}</failure>"
        return f"{head(number, chance)}>\n{failure}\n<system-out>{escape(text)}</system-out></testcase>\n"
    if kind < 0.2:
        return f'{head(number, chance)}><skipped message="skipped: not supported &lt;here&gt;"></skipped></testcase>\n'
    return passing(number, chance)


def printing(number: int, chance: random.Random) -> str:
    return f"{head(number, chance)}><system-out><![CDATA[{printed(number, 15)}]]></system-out></testcase>\n"


def head(number: int, chance: random.Random) -> str:
    return CASE.format(quoteattr(NAME.format(number)), number % 97, chance.random() * 100)


def printed(number: int, lines: int) -> str:
    return "\n".join(
        f'Nov 20 10:{line:02}: INFO: expected <true> & got "false" in pod-{number}' for line in range(lines)
    )


FORMS: dict[str, Callable[[int, random.Random], str]] = {"pass": passing, "mixed": mixed, "print": printing}


def document(form: str, cases: int) -> bytes:
    chance = random.Random(1)
    body = "".join(FORMS[form](number, chance) for number in range(cases))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="e2e">\n{body}</testsuite>\n'.encode()


def ours(content: bytes) -> int:
    return len(read_junit(content).cases)


def read_tree(parse: Callable[[bytes], ElementTree.Element], content: bytes) -> int:
    root = parse(content)
    return len([(case.get("name"), case.get("classname"), case.get("time")) for case in root.iter("testcase")])


def parse_with_lxml(content: bytes) -> Any:
    return lxml.etree.fromstring(content, lxml.etree.XMLParser(huge_tree=True))


READERS: dict[str, Callable[[bytes], int]] = {
    "ours": ours,
    "lxml": functools.partial(read_tree, parse_with_lxml),
    "ElementTree": functools.partial(read_tree, ElementTree.fromstring),
}


def run(reader: Callable[[bytes], int], content: bytes, cases: int, times: int) -> Cost:
    """One reading: the mean of several where one is too short to be measured."""

    def work() -> None:
        for _ in range(times):
            assert reader(content) == cases

    cost = measure(work)
    return Cost(cost.wall / times, cost.cpu / times)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    rows: list[tuple[object, ...]] = []
    for form in FORMS:
        spent: dict[str, list[float]] = {name: [] for name in READERS}
        sizes = PRINTING_SIZES if form == "print" else SIZES
        for cases in sizes:
            content = document(form, cases)
            contenders = {
                name: functools.partial(run, reader, content, cases, max(1, 20_000 // cases))
                for name, reader in READERS.items()
            }
            found = take_turns(contenders, rounds)
            for name, cost in found.items():
                spent[name].append(cost.cpu)
            speeds = [len(content) / 1e3 / found[name].cpu for name in READERS]
            walls = [found[name].wall for name in READERS]
            rows.append((form, f"{cases:,}", len(content) / 1e6, *walls, *speeds, speeds[0] / speeds[2]))
        exponents = ", ".join(f"{name} {fit_exponent(sizes, costs):.2f}" for name, costs in spent.items())
        rows.append((form, "growth", exponents, "", "", "", "", "", "", ""))
    heads = (*(f"{name} ms" for name in READERS), *(f"{name} MB/s of CPU" for name in READERS), "ours / ElementTree")
    print_table(("tests", "cases", "MB", *heads), rows)


if __name__ == "__main__":
    main()
