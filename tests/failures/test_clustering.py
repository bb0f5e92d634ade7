"""Clusters agree with the causes that the demo planted, and near texts merge only where their messages are the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import comb

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from backends import config
from backends.cancel import CancelToken
from backends.demo import DemoOptions, DemoServer, locators
from backends.demo.taskcluster.failure_causes import LOG_CAUSES, TEST_CAUSES, log_cause, planted_failures
from backends.demo.taskcluster.fixtures import Fixtures
from backends.failures.clustering import REST, _Block, cluster, mark_varying
from backends.failures.locators import ClustersOf, FailuresOf
from backends.resources import read_list
from backends.session import Session


def ids(*texts: str) -> list[str]:
    return cluster(pl.Series(texts, dtype=pl.String))["cluster"].to_list()


def adjusted_rand_index(one: Sequence[str], other: Sequence[str]) -> float:
    """Hubert and Arabie 1985: 1 for equal partitions, 0 for chance."""
    both = sum(comb(n, 2) for n in Counter(zip(one, other, strict=True)).values())
    first, second = (sum(comb(n, 2) for n in Counter(side).values()) for side in (one, other))
    expected = first * second / comb(len(one), 2)
    return (both - expected) / ((first + second) / 2 - expected)


def test_planted_causes_are_found() -> None:
    """All planted failures are listed; their clusters are the causes; each text names its cause."""
    options = DemoOptions(tasks=1_200)
    fixtures = Fixtures(options)
    causes: dict[tuple[str, str, str], str] = {}
    for task in fixtures.finished.tasks:
        run = len(task.history) - 1
        if run < 0:
            continue
        for one in planted_failures(fixtures.seed, task, run):
            causes[task.id, one.test, one.subtest] = one.cause
        if (found := log_cause(fixtures.seed, task, run)) is not None:
            causes[task.id, "", ""] = found[0].name
    with DemoServer(options) as server:
        session = Session(config.load(server.settings))
        group = locators(options, server.settings["TASKCLUSTER_ROOT_URL"])["taskcluster.finished-group"]
        failures = read_list(session.resource(FailuresOf(group)), CancelToken()).frame
        clusters = read_list(session.resource(ClustersOf(group)), CancelToken()).frame
        session.close()
    rows = failures.filter(~pl.col("status").is_in(["ended", "unreadable"])).to_dicts()
    truth = []
    for row in rows:
        key = (row["task"], row["test"] or "", row["subtest"] or "")
        truth.append(causes.get(key) or causes[row["task"], "", ""])
    assert len(rows) == len(causes) >= 40
    assert adjusted_rand_index(truth, [row["cluster"] for row in rows]) >= 0.95
    texts = dict(clusters.select("cluster", "text").iter_rows())
    words = {
        "video never plays": "timed out after", "cookies out of order": "another order",
        "pixels differ": "image comparison", "port taken": "is in use by", "window leaks": "nsGlobalWindowInner",
        "quota used up": "of its quota", "promise pending": "did not settle", "dialog stays open": 'got "open"',
        "dialog still opens": 'got "opening"', "no selected tab": "selectedTab is null",
        "profile locked": "profile.default/lock", "release twice": "Node::Release",
        "no results": "no results of cycle", "video lost": "cannot be decoded", "phone lost": "went away",
        "member renamed": "no member named",
    }  # fmt: skip
    assert {cause.name for cause in (*TEST_CAUSES, *LOG_CAUSES)} <= words.keys()
    for row, cause in zip(rows, truth, strict=True):
        assert words[cause] in texts[row["cluster"]].replace("«", "").replace("»", ""), cause
    assert clusters["failures"].sum() == failures["cluster"].count()


def test_equal_signatures_are_one_cluster_and_another_word_is_another() -> None:
    one, two, three = ids("no pod web-7d4b9c6f5d-x2x9k", "no pod web-59f8c4b6d7-qwx4z", "no node web-59f8c4b6d7-qwx4z")
    assert one == two != three


def test_stacks_of_other_depths_merge_and_other_messages_with_the_same_stack_do_not() -> None:
    frames = [f"  at step{name}@chrome://browser/{name}.js:{n}:1" for n, name in enumerate("abcdefghijk")]
    deep, cut = "\n".join(frames), "\n".join(frames[:-2])
    one, two, three = ids(f"x is null\n{deep}", f"x is null\n{cut}", f"y is null\n{deep}")
    assert one == two != three


def test_ids_do_not_depend_on_the_order_or_on_what_else_failed() -> None:
    texts = [f"pod {n} of {kind} is gone" for kind in ("alpha", "beta") for n in range(5)]
    together = dict(zip(texts, ids(*texts), strict=True))
    assert dict(zip(reversed(texts), ids(*reversed(texts)), strict=True)) == together
    assert ids("pod 77 of alpha is gone")[0] == together[texts[0]]


def test_a_representative_shows_what_varies() -> None:
    assert mark_varying(["port 1 is used", "port 2 is used"]) == "port «1» is used"
    assert mark_varying(["a b\nc 1", "a b\nd 1 more"]) == "a b\nc 1"
    assert mark_varying(["alone"]) == "alone"


def test_texts_that_differ_only_in_ids_and_texts_that_differ_in_one_word_among_many() -> None:
    assert len(set(ids(*(f"object {n:08x} was not found in bucket {n}" for n in range(20_000))))) == 1
    words = [f"{a}{b}" for a, b in combinations("abcdefghijklmnopqrstuvwxyz", 2)]
    assert len(set(ids(*(f"the step {word} of the release was not found" for word in words)))) == len(words)


def test_nothing_to_cluster() -> None:
    assert ids() == []
    assert cluster(pl.Series([None, None], dtype=pl.String))["cluster"].n_unique() == 1


@given(st.lists(st.lists(st.integers(0, 6), max_size=9).map(tuple), max_size=12))
def test_the_filter_misses_no_near_text(texts: list[tuple[int, ...]]) -> None:
    """The bound: a text that is made a representative has no earlier one within the limit."""
    block = _Block(Counter(line for text in texts for line in set(text)))
    leaders = [block.join(place, text) for place, text in enumerate(texts)]
    heads = [place for place, leader in enumerate(leaders) if leader == place]
    for place in heads:
        for head in heads:
            if head < place:
                limit = int(REST * (len(texts[place]) + len(texts[head])))
                assert Indel.distance(texts[place], texts[head]) > limit
