from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.transfers.files import default_parts
from backends.transfers.names import NAME_BYTES, PATH_BYTES, Target, assign, fold, is_safe, safe_name

HOSTILE = [
    ("..", "__"),
    (".", "_"),
    ("", "_"),
    ("...", "___"),
    ("../../etc/passwd", ".._.._etc_passwd"),
    ("/etc/passwd", "_etc_passwd"),
    ("a/b", "a_b"),
    ("a\\b", "a_b"),
    ("C:", "C_"),
    ("C:\\Windows", "C__Windows"),
    ("a:stream", "a_stream"),
    ("con", "_con"),
    ("CON", "_CON"),
    ("con.txt", "_con.txt"),
    ("Con .txt", "_Con .txt"),
    ("prn", "_prn"),
    ("aux.h", "_aux.h"),
    ("NUL.tar.gz", "_NUL.tar.gz"),
    ("com1", "_com1"),
    ("COM¹", "_COM¹"),
    ("lpt9.log", "_lpt9.log"),
    ("CONIN$", "_CONIN$"),
    ("conifer", "conifer"),
    ("console.log", "console.log"),
    ("trailing.", "trailing_"),
    ("trailing ", "trailing_"),
    ("trailing . .", "trailing____"),
    ("a\x00b", "a_b"),
    ("a\nb", "a_b"),
    ("a\x1b[31mred", "a_[31mred"),
    ("a\x7fb", "a_b"),
    ("a\x9bb", "a_b"),
    ("gpj.\u202eexe", "gpj._exe"),
    ("a\u2066b\u2069", "a_b_"),
    ("a\u200bb", "a_b"),
    ("\ufeffa", "_a"),
    ("a\u2028b", "a_b"),
    ("a\ud800b", "a_b"),
    ("a\uffffb", "a_b"),
    ("what?", "what_"),
    ("a*b", "a_b"),
    ('say "hi"', "say _hi_"),
    ("<a>|b", "_a__b"),
    ("e\u0301", "é"),
    ("Ko\u0308ln.log", "Köln.log"),
    ("-rf", "-rf"),
    ("~", "~"),
    (".bashrc", ".bashrc"),
    ("=cmd()", "=cmd()"),
    ("日本語.log", "日本語.log"),
    (" leading", " leading"),
]


@pytest.mark.parametrize(("raw", "safe"), HOSTILE)
def test_hostile_name_becomes_one_plain_name(raw: str, safe: str) -> None:
    assert safe_name(raw) == safe


@pytest.mark.parametrize(
    ("name", "end"),
    [("x" * 300 + ".log", ".log"), ("ü" * 200 + ".tar.gz", ".tar.gz"), ("x" * 300, ""), ("a." + "b" * 300, "")],
)
def test_long_name_keeps_its_extension_and_room_for_more(name: str, end: str) -> None:
    short = safe_name(name)
    assert len(short.encode()) <= NAME_BYTES + 11 and short.endswith(end) and short[:1] == name[:1]
    assert short != safe_name(name.replace(end, "y" + end) if end else name + "y")


def test_task_name_is_one_directory_and_artifact_path_several() -> None:
    parts = default_parts("grp", "test-linux1804-64/opt-mochitest-1", "tid", 0, "public/logs/live.log")
    target = ("grp", "test-linux1804-64_opt-mochitest-1", "tid", "0", "public", "logs", "live.log")
    assert assign([("k", parts)]) == {"k": target}


def test_doubled_slash_stays_apart_from_its_twin() -> None:
    twins = {name: default_parts("g", "t", "i", 0, name) for name in ("public/a.log", "public//a.log")}
    assert len(set(assign(twins.items()).values())) == 2


def test_case_twins_both_survive() -> None:
    targets = assign([("1", ("d", "README")), ("2", ("d", "readme")), ("3", ("d", "other"))])
    assert targets["3"] == ("d", "other")
    assert fold(targets["1"][1]) != fold(targets["2"][1])


def test_file_where_another_needs_a_directory_moves_aside_and_the_directory_keeps_its_name() -> None:
    targets = assign([("1", ("a",)), ("2", ("a", "b"))])
    assert targets["2"] == ("a", "b") and targets["1"][0] not in ("a",)


def test_name_made_to_look_like_a_collision_hash_takes_nobody_s_place() -> None:
    first = assign([("1", ("X",)), ("2", ("x",))])
    files = [("1", ("X",)), ("2", ("x",)), ("3", first["1"]), ("4", first["2"])]
    assert len({fold(target[0]) for target in assign(files).values()}) == 4


def test_our_own_directory_cannot_be_written_into() -> None:
    for own in (".ciexplore", ".CIEXPLORE"):
        assert fold(assign([("k", (own, "manifest.sqlite"))])["k"][0]) != ".ciexplore"


def test_endless_path_is_shortened() -> None:
    targets = assign([(str(n), ("g", *["directory-with-a-name"] * 200, f"f{n}.log")) for n in range(3)])
    assert {len(target) for target in targets.values()} == {3}
    assert [target[-1] for target in targets.values()] == ["f0.log", "f1.log", "f2.log"]
    assert all(len("/".join(target).encode()) <= PATH_BYTES for target in targets.values())


def test_files_of_earlier_runs_keep_their_names_and_new_ones_go_around_them() -> None:
    taken: dict[str, Target] = {"old": ("d", "log"), "deep": ("e", "x", "y")}
    targets = assign(
        [("old", ("d", "renamed")), ("new", ("d", "LOG")), ("flat", ("e", "x")), ("in", ("d", "log", "z"))], taken
    )
    assert targets["old"] == ("d", "log")
    assert_apart([*targets.values(), ("e", "x", "y")])


@pytest.mark.parametrize("target", [("..", "x"), ("a", ""), (), ("/a",), (".ciexplore", "x"), ("a\x00",), (".",)])
def test_edited_manifest_cannot_lead_out(target: Target) -> None:
    assert not is_safe(target)
    assert assign([("k", ("a", "b"))], {"k": target}) == {"k": ("a", "b")}


def assert_apart(targets: list[Target]) -> None:
    """Inside, one place each, also on a disk that ignores case and normalisation, and no file where a directory is."""
    folded = [tuple(fold(name) for name in target) for target in targets]
    assert len(set(folded)) == len(folded)
    files = set(folded)
    spellings: dict[tuple[str, ...], Target] = {}
    for target, plain in zip(targets, folded, strict=True):
        assert is_safe(target) and all(unicodedata.normalize("NFC", name) == name for name in target)
        for end in range(1, len(plain)):
            assert plain[:end] not in files
            assert spellings.setdefault(plain[:end], target[:end]) == target[:end]


nasty = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "",
        ".",
        "..",
        "a/b",
        "a_b",
        "A_B",
        "con",
        "_con",
        "é",
        "e\u0301",
        "ß",
        "ss",
        "a.",
        "a_",
        ".ciexplore",
        "x" * 230,
    ]
)
element = nasty | st.text(max_size=4) | st.text(st.characters(), min_size=1, max_size=2)
several = st.lists(st.lists(element, max_size=4).map(tuple), max_size=25)


@given(several, st.randoms(use_true_random=False))
@example([("a",), ("A",), ("a", "b"), ("A", "B")], random.Random(0))
def test_targets_are_inside_apart_and_the_same_in_any_order(paths: list[tuple[str, ...]], dice: random.Random) -> None:
    files = [(f"key{number}", parts) for number, parts in enumerate(paths)]
    targets = assign(files)
    assert_apart(list(targets.values()))
    dice.shuffle(files)
    assert assign(files) == targets


@given(several, several)
def test_later_runs_move_nothing_and_meet_nothing(before: list[tuple[str, ...]], after: list[tuple[str, ...]]) -> None:
    old = [(f"old{number}", parts) for number, parts in enumerate(before)]
    new = [(f"new{number}", parts) for number, parts in enumerate(after)]
    taken = assign(old)
    targets = assign([*new, *old], taken)
    assert {key: targets[key] for key in taken} == taken
    assert_apart(list(targets.values()))
