"""Files of jobs are read as what is written in them, with the place of each job; broken ones say where."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.demo.submit import EXAMPLES
from backends.errors import AppError, FileError, UsageError
from backends.submit.entries import JobForm
from backends.submit.read import column_path, read_files, read_text
from tests.submit.jobs import message, messages

Write = Callable[[str, str], str]


def bodies(name: str, text: str) -> list[object]:
    return [entry.body for entry in read_text(name, text)]


def test_one_object_a_list_and_lines_are_the_same_jobs() -> None:
    jobs = messages(3)
    listed = json.dumps(jobs, indent=2)
    lines = "\n".join(json.dumps(job) for job in jobs) + "\n"
    assert bodies("a.json", listed) == bodies("a.jsonl", lines) == bodies("-", lines) == bodies("-", listed) == jobs
    assert bodies("a.json", json.dumps(jobs[0])) == [jobs[0]]


def test_each_job_of_a_list_knows_its_line() -> None:
    text = '[\n {"taskId": "a"},\n\n {"taskId":\n  "b"}, {"taskId": "c"}\n]'
    assert [(entry.place, entry.job_id) for entry in read_text("x.json", text)] == [
        ("line 2", "a"),
        ("line 4", "b"),
        ("line 5", "c"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1', "line 1, column 8"),
        ('[{"a": 1}, {]', "line 1, column 13"),
        ('{"a": 1}\n{"a": 2}', "line 2, column 1: extra data. One object per line is JSON lines"),
        ('[{"a": 1}] x', "extra data"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": ' + "9" * 5000 + "}", "not usable JSON: a number is too long"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 70 + "1" + "}" * 70, "nested deeper than 60"),
        ("", "line 1"),
        ("[]", "has no jobs"),
    ],
)
def test_what_is_no_json_says_where(text: str, says: str) -> None:
    with pytest.raises(FileError) as told:
        read_text("x.json", text)
    assert says in str(told.value)


def test_digits_that_are_no_number_and_numbers_without_end_are_read_as_texts_of_a_table() -> None:
    """A column called `¹` and a number of 5,000 digits were a fault of the app."""
    (entry,) = read_text("x.csv", f"taskId,¹,logs.{'9' * 5000},tier\na,b,c,{'9' * 5000}\n")
    assert not entry.parse_error or "contradict" in entry.parse_error
    (entry,) = read_text("x.csv", f"taskId,¹,tier\na,b,{'9' * 5000}\n")
    assert entry.body == {"taskId": "a", "¹": "b", "tier": "9" * 5000}


def test_a_broken_line_costs_only_itself() -> None:
    first, broken, last = read_text("x.jsonl", '{"taskId": "a"}\n{"taskId"\n\n{"taskId": "c"}\n')
    assert (first.job_id, last.job_id, last.place) == ("a", "c", "line 4")
    assert "column" in broken.parse_error and broken.place == "line 2"


def test_a_name_written_twice_is_noticed() -> None:
    (entry,) = read_text("x.json", '{"taskId": "a", "display": {"x": 1, "x": 2}}')
    assert entry.warnings == ("x is written more than once; the last one counts",)
    (entry,) = read_text("x.yml", "taskId: a\ntaskId: b\n")
    assert entry.warnings


NAMES = st.sampled_from(["a", "b", ':"', '":', " :", "\\"])
PAIRS = st.lists(st.tuples(NAMES, st.sampled_from(["1", '": "', "{}", "x :y"])), max_size=4)


@given(PAIRS, PAIRS, st.sampled_from([":", ": ", " :", "\t:", "\n\n:"]))
def test_names_are_counted_whatever_looks_like_one(
    outer: list[tuple[str, str]], inner: list[tuple[str, str]], colon: str
) -> None:
    def write(pairs: list[tuple[str, str]], *more: str) -> str:
        members = [f"{json.dumps(name)}{colon}{json.dumps(value)}" for name, value in pairs]
        return "{" + ",".join([*members, *more]) + "}"

    (entry,) = read_text("x.json", write(outer, f'"inner"{colon}[{write(inner)}]'))
    assert entry.body == {**dict(outer), "inner": [dict(inner)]}
    assert len(entry.warnings) == sum(
        [name for name, _ in pairs].count(one) > 1 for pairs in (outer, inner) for one in dict(pairs)
    )


def test_yaml_keeps_texts_that_look_like_something_else() -> None:
    (entry,) = read_text(
        "x.yml",
        "taskId: 0123\nrevision: 4317900000000000000000000000000000000000\ntimeStarted: 2013-12-16T19:34:58Z\n"
        "symbol: no\ny: on\noctal: 010\nbase: 1:30\nhex: 0x10\n1: one\nempty:\nnumber: 5\ntrue_: true\nfloat: 1.5\n",
    )
    assert entry.body == {
        "taskId": "0123",
        "revision": "4317900000000000000000000000000000000000",
        "timeStarted": "2013-12-16T19:34:58Z",
        "symbol": "no",
        "y": "on",
        "octal": "010",
        "base": "1:30",
        "hex": "0x10",
        "1": "one",
        "empty": None,
        "number": 5,
        "true_": True,
        "float": 1.5,
    }


def test_yaml_lists_documents_and_anchors() -> None:
    text = "- taskId: a\n  m: &m {os: linux}\n- taskId: b\n  m: *m\n---\ntaskId: c\n"
    entries = read_text("x.yaml", text)
    assert [(entry.job_id, entry.place) for entry in entries] == [("a", "line 1"), ("b", "line 3"), ("c", "line 6")]
    assert entries[1].body["m"] == {"os": "linux"}


def test_yaml_merges_what_an_anchor_names() -> None:
    first, second = bodies("x.yml", "- &first {taskId: a, tier: 1}\n- <<: *first\n  taskId: b\n")
    assert (first, second) == ({"taskId": "a", "tier": 1}, {"taskId": "b", "tier": 1})


def test_yaml_that_overrides_what_it_merges_is_not_told_that_it_writes_twice() -> None:
    text = "- &a {taskId: a, tier: 1, reason: x}\n- <<: [*a, {tier: 2, kind: k}]\n  taskId: b\n  '<<': no merge\n"
    _, entry = read_text("x.yml", text)
    assert entry.body == {"taskId": "b", "tier": 1, "reason": "x", "kind": "k", "<<": "no merge"}
    assert entry.warnings == ()


def test_yaml_in_documents_of_every_kind_keeps_its_lines() -> None:
    text = "# jobs\n---\n- taskId: a\n- &b {taskId: b}\n- *b\n--- &whole\n- taskId: c\n--- ~\n---\ntaskId: d\n"
    assert [(one.job_id, one.place) for one in read_text("x.yml", text)] == [
        ("a", "line 3"),
        ("b", "line 4"),
        ("b", "line 5"),
        ("c", "line 6"),
        ("d", "line 10"),
    ]


def test_reading_much_yaml_leaves_others_their_turn() -> None:
    """A parser that puts a whole document together in one go holds the interpreter, and with it every key."""
    text = "--- # &anchors and *aliases\n" + "".join(f"- {json.dumps(job)}\n" for job in messages(3_000))
    turns, done = 0, threading.Event()

    def read() -> None:
        read_text("x.yml", text)
        done.set()

    reader = threading.Thread(target=read)
    reader.start()
    while not done.wait(0.001):
        turns += 1
    reader.join()
    assert turns >= 10


def test_yaml_whose_text_looks_like_a_list_is_not_cut() -> None:
    text = "- taskId: a\n" * 30 + '- reason: "one\n- two"\n' + "- taskId: b\n" * 30
    assert len(read_text("x.yml", text)) == 61


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['true']",
        "a: !mine x",
        "a: !!binary aGVsbG8=",
        "a: &a [*a]",
        "a: *nobody",
        "- &a x\n---\n- *a",
        "a: !!int x",
        "a: !!set {x}",
        "<<: x",
        "[1, 2]: x",
        "&a [1]: x",
        "[" * 70 + "]" * 70,
        "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40,
        "? [1, 2]\n: x",
        "a: [",
        "\t- x",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)),
    ],
)
def test_yaml_that_is_more_than_json_is_refused(text: str) -> None:
    with pytest.raises(FileError):
        read_text("x.yml", text)


# Not beyond U+FFFF: JSON escapes those as two halves, which YAML takes for two characters that do not exist.
CHARACTERS = st.characters(max_codepoint=0xFFFF, exclude_categories=("Cs",))
LEAVES = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(CHARACTERS, max_size=8)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=5), inner, max_size=3),
)


@given(VALUES)
@settings(deadline=None)
def test_what_json_says_yaml_says(value: object) -> None:
    text = json.dumps({"taskId": "a", "value": value})
    assert bodies("a.yml", text) == bodies("a.json", text)


def test_a_table_is_typed_by_the_schema() -> None:
    header = "taskId,tier,isRetried,labels,logs.0.url,logs[0].name,logs.1.url,display.chunkId,version"
    first, second = bodies("x.csv", f"{header}\na/0,1,false,opt; x,u,n,,5,1\nb/0,q,TRUE,,,,v,,1\n")
    assert first == {
        "taskId": "a/0",
        "tier": 1,
        "isRetried": False,
        "labels": ["opt", "x"],
        "logs": [{"url": "u", "name": "n"}],
        "display": {"chunkId": 5},
        "version": 1,
    }
    assert second == {"taskId": "b/0", "tier": "q", "isRetried": True, "logs": [{"url": "v"}], "version": 1}


def test_a_table_of_collections() -> None:
    header = "project;revision;job.job_guid;job.option_collection.opt;job.submit_timestamp;job.tier"
    (entry,) = read_text("x.csv", f"{header}\nautoland;abc;g;true;17;2\n")
    assert entry.form is JobForm.COLLECTION
    assert entry.body["job"] == {"job_guid": "g", "option_collection": {"opt": True}, "submit_timestamp": 17, "tier": 2}


def test_a_row_knows_its_line_even_after_a_cell_of_two_lines() -> None:
    first, second = read_text("x.csv", 'taskId,reason\na,"one\ntwo"\nb,x\n')
    assert (first.place, second.place) == ("line 2", "line 4")
    assert first.body["reason"] == "one\ntwo"


@pytest.mark.parametrize("text", ["taskId,taskId\na,b\n", 'taskId,x\na,"b\n', "\n"])
def test_a_table_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FileError):
        read_text("x.csv", text)


def test_a_row_with_too_many_cells_or_columns_that_contradict_costs_only_itself() -> None:
    first, second = read_text("x.csv", "taskId,x\na,b,c\nd,e\n")
    assert "3 cells" in first.parse_error and second.body == {"taskId": "d", "x": "e"}
    (one,) = read_text("x.csv", "taskId,taskId.x\na,b\n")
    assert "contradict" in one.parse_error
    (one,) = read_text("x.csv", "taskId,logs.500.url\na,b\n")
    assert "more than 200" in one.parse_error


def test_paths_of_columns() -> None:
    assert column_path("logs[10].url") == column_path("logs.10.url") == ("logs", 10, "url")


def test_a_file_with_a_byte_order_mark_and_one_that_is_no_text(write: Write, tmp_path: Path) -> None:
    (entry,) = read_files([write("a.json", "\ufeff" + json.dumps(message()))])
    assert entry.body == message()
    (tmp_path / "b.json").write_bytes(b'{"a": 1}\n\xff\xfe')
    with pytest.raises(FileError, match="line 2"):
        read_files([str(tmp_path / "b.json")])
    with pytest.raises(FileError, match="cannot be read"):
        read_files([str(tmp_path / "none.json")])
    with pytest.raises(FileError):
        read_files([str(tmp_path)])


def test_the_form_is_seen_and_can_be_said() -> None:
    seen = {name: read_files([str(EXAMPLES / name)])[0].form for name in ("jobs.json", "collection.json", "tasks.json")}
    assert list(seen.values()) == [JobForm.PULSE, JobForm.COLLECTION, JobForm.TASK]
    assert read_text("p.json", '{"framework": {}, "suites": []}')[0].form is JobForm.PERFORMANCE
    assert read_text("p.json", json.dumps(message()), JobForm.PULSE_2018)[0].form is JobForm.PULSE_2018


@given(st.text(max_size=200), st.sampled_from(["a.json", "a.jsonl", "a.yml", "a.csv", "-"]))
@settings(deadline=None)
def test_no_text_makes_reading_fail_without_words(text: str, name: str) -> None:
    with contextlib.suppress(AppError):
        read_text(name, text)


def test_a_file_above_256_mb_is_refused_before_it_is_looked_at(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate(256 * 1024 * 1024 + 1)
    with pytest.raises(UsageError, match="larger than 256 MB"):
        read_files([str(huge)])
