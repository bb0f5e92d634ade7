"""What the quick way to a match must not change: the lines that are found are those that one line at a time finds."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import UsageError
from backends.logs import prefilter, rules, search, sources
from backends.logs.matching import LineMatcher, line_text
from backends.logs.patterns import TextPattern, is_portable, parse_pattern
from backends.logs.rules import RULES, Findings, Severity, error_lines
from backends.logs.search import LogSearcher
from backends.logs.spool import LogSpool

# ---- the plain model: each line is decoded and searched by itself ----------------------------------------------------


def plain_lines(content: bytes) -> list[str]:
    return [line_text(line) for line in content.removesuffix(b"\n").split(b"\n")] if content else []


def plain_numbers(content: bytes, pattern: TextPattern) -> list[int]:
    matches = pl.Series(plain_lines(content), dtype=pl.String).str.contains(pattern.regex).to_list()
    return [number for number, found in enumerate(matches) if found]


def plain_severities(content: bytes) -> list[Severity | None]:
    lines = pl.Series(plain_lines(content), dtype=pl.String)
    nothing = lines.str.contains(rules.NOTHING).to_list()
    found: list[Severity | None] = [None] * len(lines)
    for severity in reversed(Severity):
        for number, is_it in enumerate(lines.str.contains(rules.rules_regex(severity)).to_list()):
            if is_it and (severity is Severity.SECTION or not nothing[number]):
                found[number] = severity
    return found


@contextmanager
def way(quick: bool, window: int = 1 << 20) -> Iterator[None]:
    """With the prefilter from the first byte on, or without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "WINDOW", window)
        patch.setattr(prefilter, "_PAYS_AFTER", 0)
        patch.setattr(prefilter, "_SKIPPED", 0)
        if not quick:
            patch.setattr(prefilter, "_hyperscan", lambda: None)
        yield


WAYS = [False]
if prefilter._hyperscan() is not None:
    WAYS.append(True)
ways = pytest.mark.parametrize("quick", WAYS)


def spooled(content: bytes) -> LogSpool:
    spool = LogSpool(sources.from_bytes(content))
    spool.fill()
    return spool


def numbers_found(content: bytes, text: str, start: int = 0) -> list[int]:
    spool = spooled(content)
    searcher = LogSearcher(spool, text, start)
    searcher.run()
    assert searcher.complete
    return [number for number in range(spool.line_count) if number in searcher]


def severities_found(content: bytes) -> list[Severity | None]:
    spool = spooled(content)
    found = Findings(spool)
    found.run()
    return [found.severity(number) for number in range(spool.line_count)]


# ---- search ----------------------------------------------------------------------------------------------------------

# Kelvin's sign and the long s are the letters k and s where case does not matter; the rest is what logs really hold.
WORDS = [
    *(b"error", b"Error", b"ERROR", b"task", b"12", b" ", b"\t", b".", b"_", b"-", b"x", b"k", b"S"),
    *(word.encode() for word in ("\u212a", "\u017f", "é", "É", "漢", "\u00a0", "\u1680", "\x9b1m")),
    *(b"\x1b[31m", b"\x1b[0m", b"\x1b]0;t\x07", b"\x1b", b"\xff", b"\xc3", b"\r", b"\x0b", b"\x00"),
]  # fmt: skip
lines = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(b"".join), max_size=30)
ATOMS = [
    *("error", "Error", "k", "s", "K", "\u212a", "\u017f", "é", "x", "12", " ", "_", "-", ".", "^", "$"),
    *(r"\.", r"\d", r"\w", r"\s", r"\S", r"\W", r"\D", r"\b", r"\B", r"\t", r"\x6b", r"\pL", r"\<"),
    *("[a-z]", "[^x]", "[^a-z ]", r"[\w-]", "[x.]", "[k-s]", "[[:alpha:]]", "[a-z&&[^e]]"),
    *("(?i:ERR)", "(?i)e", "(?P<a>x)", "(?:r+|k)"),
]
TIMES = ["*", "+", "?", "{2}", "{1,3}", "{1,}", "*?", "+?", "++", "?+", "{,2}"]
patterns = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda both: f"(?:{both[0]}|{both[1]})"),
        st.tuples(inner, st.sampled_from(TIMES)).map("".join),
        st.tuples(inner, st.sampled_from(TIMES)).map(lambda of: f"(?:{of[0]}){of[1]}"),
    ),
    max_leaves=5,
)


@ways
@settings(max_examples=300, deadline=None)
@given(
    content=lines,
    end=st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
    last=st.booleans(),
    text=patterns,
    window=st.sampled_from([10, 60, 1 << 20]),
    start=st.integers(0, 35),
)
def test_a_search_finds_what_each_line_by_itself_says(
    quick: bool, content: list[bytes], end: bytes, last: bool, text: str, window: int, start: int
) -> None:
    raw = end.join(content) + (end if last else b"")
    try:
        pattern = parse_pattern(text)
    except UsageError:
        return
    with way(quick, window):
        assert numbers_found(raw, text, start) == plain_numbers(raw, pattern)


@ways
def test_matches_at_the_borders_of_a_window_are_found(quick: bool) -> None:
    content = b"".join(b"%d needle\n" % number if number % 3 else b"Needle\n" for number in range(3000))
    for window in (7, 8, 9, 1000, 4096):
        with way(quick, window):
            assert numbers_found(content, "needle") == list(range(3000))
            assert numbers_found(content, "needle$", 1500) == list(range(3000))


@ways
@pytest.mark.parametrize("text", ["needle", "^needle", "nee.le$", r"\bneedle\b", "^$", "^", "$", r"x*"])
def test_lines_are_numbered_right_wherever_the_matches_are(quick: bool, text: str) -> None:
    content = b"\nneedle\n\n\nx needle\nneedle\r\nneedle\x1b[0m\n\xff needle\nn\xe2\x84\xaaeedle\n\nneedle"
    for raw in (content, content + b"\n", content + b"\r", content + b"\r\r\n"):
        with way(quick):
            assert numbers_found(raw, text) == plain_numbers(raw, parse_pattern(text))


@ways
def test_a_line_of_megabytes_without_an_end_is_searched(quick: bool) -> None:
    content = b"first\n" + b"x" * (9 << 20) + b"needle" + b"y" * (3 << 20) + b"\nneedle"
    with way(quick):
        assert numbers_found(content, "NEEDLE".lower()) == [1, 2]


def test_many_matches_are_left_to_the_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where most lines match, one call for each of them would take longer than a look at all."""
    pytest.importorskip("hyperscan")
    monkeypatch.setattr(prefilter, "_PAYS_AFTER", 0)
    sieve = prefilter.Prefilter(("e",), ignore_case=True)
    assert sieve.match_ends(b"e\n" * 10_000) is None and sieve.match_ends(b"x\n") is None  # the next ones too
    assert prefilter.Prefilter(("e",), ignore_case=True).match_ends(b"x\nE\n") == [3]


def test_the_program_ends_well_in_the_middle_of_a_search() -> None:
    """A daemon thread that looks at a log is not waited for; a match in it must not be told to what is gone."""
    pytest.importorskip("hyperscan")
    code = """
import threading, time
from backends.logs.prefilter import Prefilter
raw = (b"x" * 40 + b"aab\\n") * 20_000
sieve = Prefilter(("a+b",), ignore_case=False)
sieve._bytes_per_hit = 1
def work():
    while True:
        sieve.match_ends(raw)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
    root = Path(__file__).parents[2]
    for _ in range(5):
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, cwd=root)
        assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    "text",
    [
        *("a++", "[a&&b]", "[[:alpha:]]", r"\x41", "(?i)a", "(?x)a b", r"\<a", "é", "a{,2}", r"\pL", "[a--b]"),
        *("(?:a{9}){9}", "a{100}", "a" * 501),
    ],
)
def test_what_means_something_else_to_the_prefilter_is_not_given_to_it(text: str) -> None:
    assert not is_portable(text)


@pytest.mark.parametrize(
    "text", ["channel error", r"took \d+ms", r"slot (1[0-9]|2[0-5]) unavail", "^a.*b$", r"[\w.-]+: \[x\]"]
)
def test_usual_patterns_are(text: str) -> None:
    assert is_portable(text) and parse_pattern(text).prefilter == (text,)


# ---- rules -----------------------------------------------------------------------------------------------------------

_PARTS = sorted({part for rule in RULES for part in re.findall(r"\w+|[^\w\s]+|\s+", rule.example)})
_STAMPS = [
    *("", "[task 2025-02-12T02:47:00Z] ", "02:47:22     INFO - ", "2021/03/18 16:30:50 ", "#14 7.465 ", "x "),
    *("INFO[2021-04-28T20:08:36Z] ", "Nov 28 12:00:00.123: ", "\x1b[31m", "é "),
]


def random_line(chance: random.Random) -> str:
    kind = chance.randrange(4)
    if kind == 0:
        return "".join(chance.choices(_PARTS, k=chance.randrange(1, 12)))
    example = chance.choice(RULES).example
    if kind == 1:  # one sign less, or another one
        place = chance.randrange(len(example))
        example = example[:place] + chance.choice(["", " ", "x", "0", ":", "é"]) + example[place + 1 :]
    return chance.choice(_STAMPS) + example + chance.choice(["", "", " ", "\r", " none", ": 0"])


@ways
@pytest.mark.parametrize("seed", range(20))
def test_rules_find_what_each_line_by_itself_says(quick: bool, seed: int) -> None:
    chance = random.Random(seed)
    filling = ["nothing to tell here"] * (20 if seed % 2 else 0)
    made = [chance.choice([random_line(chance), *filling]) for _ in range(2000)]
    content = "\n".join(made).encode()
    wanted = plain_severities(content)
    with way(quick, 1 << 16):
        assert severities_found(content) == wanted
        told = b"".join(error_lines([content[:5000], content[5000:]])).split(b"\n")
    errors = [line.encode() for line, severity in zip(made, wanted, strict=True) if severity is Severity.ERROR]
    assert [line for line in told if line in set(errors)] == errors


@pytest.mark.skipif(not WAYS[1:], reason="Hyperscan is not installed")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.severity}-{rule.name}")
def test_the_prefilter_lets_each_rule_through(rule: rules.Rule) -> None:
    with way(quick=True):
        matcher = LineMatcher(rules._rule_pattern())
        assert matcher.numbers(f"before\n{rule.example}\nafter\n".encode()).to_list() == [1]
        assert matcher._prefilter._scanners


def test_all_real_logs_are_judged_the_same_both_ways(samples: Path) -> None:
    paths = [path for path in sorted(samples.rglob("*")) if re.search(r"\.log(\.gz)?$|build-log.*\.txt$", path.name)]
    if not paths or not WAYS[1:]:
        pytest.skip("there are no recorded logs on this machine, or no Hyperscan")
    for path in paths:
        content = b"".join(sources.from_path(path)(search.CancelToken()))
        wanted = plain_severities(content)
        for quick in WAYS:
            with way(quick):
                assert severities_found(content) == wanted, path
