"""Is a build's only failure still found in a JUnit file that is cut off, hostile, or not quite XML?"""

from __future__ import annotations

import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.demo.prow import builds, junit
from backends.prow import junit_reader
from backends.prow.junit_reader import MAX_CHARACTERS, JUnitCase, JUnitReader, read_junit
from backends.prow.xml_cleaner import XmlCleaner, encoding_of

SIMPLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="outer"><testsuite name="inner">
<testcase classname="c" name="passes" time="1.5"/>
<testcase classname="c" name="fails" time="1,234.5">
<failure message="why">long &lt;why&gt;<![CDATA[ & <raw>]]></failure>
<system-out>printed</system-out></testcase>
<testcase classname="c" name="errs"><error>first line
second line</error></testcase>
<testcase classname="c" name="skipped" time="whatever"><skipped/></testcase>
</testsuite></testsuite></testsuites>
"""


def test_a_sound_file_is_read_as_it_is() -> None:
    found = read_junit(SIMPLE)
    assert found.cases == (
        JUnitCase("outer / inner", "c", "passes", "P", 1.5),
        JUnitCase("outer / inner", "c", "fails", "F", 1234.5, "why", "long <why> & <raw>", "printed"),
        JUnitCase("outer / inner", "c", "errs", "F", None, "first line", "first line\nsecond line"),
        JUnitCase("outer / inner", "c", "skipped", "S", None),
    )
    assert found.missing == ("1 time is not a number.",)
    assert not found.partial


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("1", 1.0), ("2.065e-05", 2.065e-05), ("1,000", 1000.0), (".5", 0.5), ("", None)]
    + [(text, None) for text in ("NaN", "inf", "-1", "1e999", "whatever", "1h2m", "٣", ".", "9" * 5000)],
)
def test_a_time_is_a_number_or_nothing(time: str, seconds: float | None) -> None:
    (case,) = read_junit(f'<testsuite><testcase name="t" time="{time}"/></testsuite>'.encode()).cases
    assert case.seconds == seconds


def test_the_first_tests_of_a_cut_off_file_are_read() -> None:
    found = read_junit(SIMPLE[: SIMPLE.index(b"errs") - 20])
    assert [case.name for case in found.cases] == ["passes", "fails"]
    assert found.missing[0] == "It ends in the middle; 2 tests were read before that."
    assert found.partial


def test_a_failure_counts_that_is_cut_off_itself_and_a_pass_does_not() -> None:
    failing = read_junit(b'<testsuite><testcase name="a"><failure message="why">beg')
    assert failing.cases == (JUnitCase("", "", "a", "F", None, "why", "beg"),)
    assert read_junit(b'<testsuite><testcase name="a"><system-out>beg').cases == ()


def test_tests_before_the_damage_are_read_and_its_place_is_said() -> None:
    found = read_junit(
        b'<testsuite>\n<testcase name="a"/>\n<testcase name="b"></wrong>\n<testcase name="c"/></testsuite>'
    )
    assert [case.name for case in found.cases] == ["a"]
    assert found.missing[0] == "It is damaged at line 3 (mismatched tag); 1 test was read before that."


def test_several_documents_and_junk_before_the_declaration_are_one_file() -> None:
    found = read_junit(b"<!-- junk -->\nmore junk & < junk\n" + SIMPLE + b"\n" + SIMPLE)
    assert len(found.cases) == 8
    assert not found.partial


def test_control_characters_and_bad_bytes_cost_themselves_only() -> None:
    found = read_junit(
        b'<testsuite><testcase name="a"><failure>\x1b[31mre\x00d &#27; &#xFFFE; \xff</failure></testcase></testsuite>'
    )
    assert found.cases[0].text == "re\ufffdd \u241b \ufffd \ufffd"
    assert found.missing == ("3 invalid characters were replaced.",)
    genuine = read_junit('<testsuite><testcase name="\ufffd"/></testsuite>'.encode())
    assert (genuine.cases[0].name, genuine.missing) == ("\ufffd", ())


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "UTF-16"), ("utf-16-le", "utf-16"), ("iso-8859-1", "ISO-8859-1"),
     ("windows-1252", "windows-1252"), ("utf-8", "utf-16"), ("utf-8", "no-such"), ("utf-8", "unicode_escape")],
)  # fmt: skip
def test_names_survive_the_encodings_of_ci(encoding: str, declared: str) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    content = f'{head}<testsuite><testcase name="größe"/></testsuite>'.encode(encoding)
    assert [case.name for case in read_junit(content).cases] == ["größe"]


def test_a_bomb_is_not_expanded_and_no_file_is_read() -> None:
    entities = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 10))
    content = f"""<!DOCTYPE t [<!ENTITY e0 "aaaaaaaaaa">{entities}<!ENTITY file SYSTEM "file:///etc/passwd">]>
    <testsuite><testcase name="x&e9;y&file;z"/><testcase name="nbsp&nbsp;"/></testsuite>"""
    found = read_junit(content.encode())
    assert [case.name for case in found.cases] == ["x\ufffdy\ufffdz", "nbsp\ufffd"]
    assert "It uses entities of its own, which are not expanded." in found.missing


def test_a_declaration_inside_is_text_or_nothing() -> None:
    content = (
        b'<testsuite><testcase name="a"><failure><![CDATA[<!DOCTYPE html [<?xml ?>&amp;]]></failure></testcase>'
        b'<!DOCTYPE x><?xml version="1.0"?><testcase name="b"/></testsuite>'
    )
    found = read_junit(content)
    assert [case.name for case in found.cases] == ["a", "b"]
    assert found.cases[0].text == "<!DOCTYPE html [<?xml ?>&amp;"


def test_endless_nesting_is_left_out() -> None:
    deep = b"<testsuite>" * 20_000 + b'<testcase name="deep"/>' + b"</testsuite>" * 20_000
    found = read_junit(b'<testsuites><testsuite><testcase name="a"/></testsuite>' + deep + b"</testsuites>")
    assert [case.name for case in found.cases] == ["a"]
    assert found.partial
    assert found.missing == ("What is nested more than 64 deep was left out.",)


def test_long_texts_are_cut_and_said_to_be() -> None:
    long = b"x" * (MAX_CHARACTERS + 1)
    found = read_junit(
        b'<testsuite><testcase name="%s"><failure message="%s">%s</failure><system-out>%s</system-out></testcase>'
        b"</testsuite>" % (long, long, long, long)
    )
    (case,) = found.cases
    assert {len(text) for text in (case.name, case.message, case.text, case.output)} == {MAX_CHARACTERS}
    assert found.missing == ("4 texts were cut.",)


def test_a_file_over_the_limit_is_read_up_to_it() -> None:
    exactly = read_junit([SIMPLE], limit=len(SIMPLE))
    assert not exactly.partial
    less = read_junit([SIMPLE, b"more"], limit=len(SIMPLE) - 100)
    assert less.partial
    assert less.missing[0].startswith(f"Only its first {len(SIMPLE) - 100} bytes were read: ")


def test_what_is_no_junit_at_all_is_said() -> None:
    assert read_junit(b"").missing == ("The file is empty.",)
    assert read_junit(b"<html><body>404</body></html>").missing == ("There is no test suite in it.",)
    assert read_junit(b"\x1f\x8b\x08\x00garbage").cases == ()


def test_a_flood_of_text_and_tests_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit_reader, "MAX_CASES", 5_000)

    def flood() -> Iterator[bytes]:
        yield b'<testsuite><testcase name="a"><failure>'
        for _ in range(300):
            yield b"y" * (1 << 16)
        yield b"</failure></testcase>"
        for _ in range(100):
            yield b'<testcase name="z"/>' * 100

    reader = JUnitReader()
    tracemalloc.start()
    count = sum(1 for piece in flood() for _ in reader.feed(piece)) + sum(1 for _ in reader.finish())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5_000
    assert reader.partial
    assert peak < 4 << 20


def test_the_tests_of_a_suite_share_its_name() -> None:
    suites = b'<testsuite name="%s">' % (b"n" * 9_000) * 3
    cases = read_junit(suites + b"<testcase name='a'/><testcase name='b'/>").cases
    assert cases[0].suite is cases[1].suite
    assert len(cases[0].suite) == MAX_CHARACTERS


def test_all_the_samples_are_read(samples: Path) -> None:
    files = sorted((samples / "prow" / "junit").glob("*/*.xml"))
    assert len(files) == 13
    for path in files:
        content = path.read_bytes()
        found = read_junit(content)
        try:
            root = ElementTree.fromstring(content)
        except ElementTree.ParseError:
            assert path.name == "malformed.xml"
            assert (len(found.cases), found.partial) == (2, True)
            continue
        assert not found.partial, path
        assert len(found.cases) == sum(1 for _ in root.iter("testcase"))
        assert sum(case.state == "F" for case in found.cases) == len(root.findall(".//testcase/failure/.."))
        assert sum(case.state == "S" for case in found.cases) == len(root.findall(".//testcase/skipped/.."))
        names = [element.get("name", "").strip() for element in root.iter("testcase")]
        assert [case.name for case in found.cases] == names


BUILD = builds.openshift_builds(1)[5]
VALID = [SIMPLE, junit.suite_file(1, BUILD, 0, 1), junit.operator_file(1, BUILD), b"\xef\xbb\xbf" + SIMPLE]
SNIPPETS = st.sampled_from(
    [b"<", b">", b"&", b"&#0;", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?xml", b"<!DOCTYPE a [", b"\x00", b"\xff",
     b'"', b"</testcase>", b"<testcase", b"</testsuite>", b"\xfe\xff", b"&e;", b"<!ENTITY e SYSTEM 'file:///etc/passwd'>"]
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(VALID), st.data())
def test_a_file_cut_anywhere_gives_the_tests_before_the_cut(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content)))
    whole, part = read_junit(content), read_junit(content[:at])
    assert part.cases[:-1] == whole.cases[: max(len(part.cases) - 1, 0)]
    assert len(part.cases) <= len(whole.cases)
    if len(part.cases) < len(whole.cases):
        assert part.missing


@settings(deadline=None)
@given(st.sampled_from(VALID), st.lists(st.tuples(st.floats(0, 1), SNIPPETS | st.binary(max_size=4)), max_size=6))
def test_no_damage_raises_and_none_adds_an_entity(content: bytes, edits: list[tuple[float, bytes]]) -> None:
    for place, snippet in edits:
        at = int(place * len(content))
        content = content[:at] + snippet + content[at + len(snippet) // 2 :]
    found = read_junit(content)
    assert all("root:" not in case.name + case.text for case in found.cases)
    assert all(case.state in ("P", "F", "S") for case in found.cases)


@settings(deadline=None)
@given(
    st.sampled_from(VALID) | st.lists(SNIPPETS | st.binary(max_size=5), max_size=12).map(b"".join),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_it_does_not_matter_in_what_pieces_a_file_comes(content: bytes, sizes: list[int]) -> None:
    pieces, at, turn = [], 0, 0
    while at < len(content):
        size = sizes[turn % len(sizes)]
        pieces.append(content[at : at + size])
        at, turn = at + size, turn + 1
    assert read_junit(pieces) == read_junit(content)


VALUES = st.lists(
    st.sampled_from(["a", "b c", "&lt;", "&#34;", "&#10;", "[31m", "[0m", "é", "'", ">", " ", "\u009b", "#x1B["]),
    max_size=3,
).map("".join)  # fmt: skip
ATTRIBUTES = st.sampled_from(
    ["name classname time", "classname name time", "name", "time name", "name name", "file name"]
)
BODIES = st.sampled_from(
    ["/>", "></testcase>", "><skipped/></testcase>", '>\n<skipped message="{0}"></skipped></testcase>',
     '><failure message="{0}">{0}</failure></testcase>', '><testcase name="inner"/><testcase name="inner"/></testcase>',
     "><system-out>{0}</system-out></testcase>", "><testsuite name='s'></testcase>",
     "/></testsuite><testsuite name='t'>"]
)  # fmt: skip
BETWEEN = st.sampled_from(["", "\n", "\r\n", " ", "text"])


@st.composite
def many_like_another(draw: st.DrawFn) -> bytes:
    """Documents with many cases of the same form one after the other, as most are, with others between them."""
    parts = ["<testsuite name='s'>"]
    for names, body, between, times in draw(
        st.lists(st.tuples(ATTRIBUTES, BODIES, BETWEEN, st.integers(1, 6)), min_size=1, max_size=5)
    ):
        for _ in range(times):
            pairs = (
                (name, draw(st.sampled_from(["1", "1.5", "x", ""]) if name == "time" else VALUES))
                for name in names.split()
            )
            attributes = " ".join(f'{name}="{value}"' for name, value in pairs)
            parts.append(f"<testcase {attributes}{body.format(draw(VALUES))}{between}")
    return "".join(parts).encode()


@settings(deadline=None)
@given(many_like_another(), st.sampled_from([3, 200_000]), st.integers(3, 40))
def test_cases_that_are_matched_together_are_as_they_are_one_by_one(content: bytes, most: int, size: int) -> None:
    """Of a file in pieces that are shorter than a case, expat reads each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(junit_reader, "MAX_CASES", most)
        patch.setattr(junit_reader, "MAX_CHARACTERS", size)
        whole = read_junit(content + b"</testsuite>")
        single = read_junit([(content + b"</testsuite>")[at : at + 5] for at in range(0, len(content) + 12, 5)])
    assert single.cases == whole.cases
    if most > len(whole.cases):  # else the pieces behind the last case are not looked at
        assert single == whole


@given(st.text(max_size=40))
def test_text_that_is_no_markup_is_kept_by_the_cleaner(text: str) -> None:
    cleaner = XmlCleaner()
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        return
    shown = cleaner.feed(escaped.encode()) + cleaner.finish()
    if cleaner.replaced == 0 and encoding_of(escaped.encode()) == "utf-8":
        assert shown == escaped.replace("\x1b", "\u241b")


SUREFIRE = b"""<testsuite name="t"><testcase classname="c" name="flaked" time="0.5">
<flakyFailure message="first try" type="E"><stackTrace>at a.java:1</stackTrace><system-out>before</system-out>
</flakyFailure>
<flakyError message="second try"><stackTrace>at b.java:2</stackTrace></flakyError><system-out>at last</system-out>
</testcase>
<testcase classname="c" name="failed"><failure message="the end">text</failure>
<rerunFailure message="again"><stackTrace>x</stackTrace></rerunFailure><rerunError message="and again"/></testcase>
<testcase classname="c" name="both"><failure message="f"/><skipped message="s"/></testcase></testsuite>"""


def test_earlier_runs_inside_a_case_make_it_flaky_or_failed_with_reruns() -> None:
    flaked, failed, both = read_junit(SUREFIRE).cases
    assert flaked == JUnitCase("t", "c", "flaked", "P", 0.5, "second try", "at b.java:2", "", 2)
    assert (failed.state, failed.message, failed.text, failed.reruns) == ("F", "the end", "text", 2)
    assert both.state == "S"  # as the lens has it


def test_what_an_earlier_run_printed_is_not_its_stack_trace() -> None:
    only = SUREFIRE[: SUREFIRE.index(b"<flakyError")] + b"</testcase></testsuite>"
    (case,) = read_junit(only).cases
    assert (case.message, case.text, case.output) == ("first try", "at a.java:1", "before")


@pytest.mark.parametrize(
    "escape",
    ["\x1b[1;31m", "&#27;[1;31m", "&#x1B;[1;31m", "#x1B[1;31m", "\u241b[1;31m", "\x1b]8;;http://x\x07", "\x1b(B"],
)
def test_colours_are_no_part_of_a_test_s_name(escape: str) -> None:
    content = (
        f'<testsuite name="{escape}suite"><testcase classname="{escape}class" name="a {escape}test">'
        f'<failure message="{escape}why">{escape}text</failure><system-out>{escape}out</system-out></testcase>'
    )
    (case,) = read_junit(content.encode()).cases
    assert case == JUnitCase("suite", "class", "a test", "F", None, "why", "text", "out")


PYTEST = b"""<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.1" hostname="h">
<properties><property name="p" value="v"/></properties>
<testcase classname="tests.test_a" name="test_one[x-1]" time="0.001">
<properties><property name="k" value="v"/></properties></testcase>
<testcase classname="tests.test_a" name="test_two" time="0.002"><failure message="1 == 2">E   a</failure></testcase>
<testcase classname="" name="tests.test_b" time="0.000"><error message="collection failure">E   I</error></testcase>
<testcase classname="tests.test_a" name="test_three"><skipped type="pytest.skip" message="no">x</skipped></testcase>
</testsuite></testsuites>"""
GRADLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="org.A" tests="2" skipped="1" failures="0" errors="0" timestamp="2026-11-20T10:00:00" time="0.9">
<properties/><testcase name="a()" classname="org.A" time="0.9"/>
<testcase name="b()" classname="org.A" time="0.0"><skipped/></testcase><system-out><![CDATA[x]]></system-out>
</testsuite>"""
GINKGO = b"""<?xml version="1.0" encoding="UTF-8"?><testsuites tests="2" disabled="1" errors="0" failures="1">
<testsuite name="E2E" package="/p" tests="2" disabled="0" skipped="1" errors="0" failures="1" time="9.9">
<properties><property name="SuiteSucceeded" value="false"/></properties>
<testcase name="[It] fails [slow]" classname="E2E" status="failed" time="9.1"><failure message="Timed out">
[FAILED] Timed out</failure><system-err>&gt; Enter [BeforeEach]</system-err></testcase>
<testcase name="[It] waits" classname="E2E" status="skipped" time="0"><skipped message="skipped"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("content", "states"), [(PYTEST, "PFFS"), (GRADLE, "PS"), (GINKGO, "FS")], ids=["pytest", "gradle", "ginkgo"]
)
def test_what_other_tools_write_is_read_without_a_word(content: bytes, states: str) -> None:
    found = read_junit(content)
    assert ("".join(case.state for case in found.cases), found.missing) == (states, ())
    assert all(case.name for case in found.cases)


@pytest.mark.parametrize("escape", ["\ufffd", "&#xFFFD;", ""])
def test_colours_whose_escape_character_the_writer_replaced_or_left_out_are_no_part_of_a_name(escape: str) -> None:
    name = f"{escape}[1;32mworks{escape}[0m [10m] {escape}[2mfast{escape}[22m"
    (case,) = read_junit(f'<testsuite><testcase name="{name}"/></testsuite>'.encode()).cases
    assert case.name == "works [10m] fast"


@pytest.mark.parametrize(
    "name", ["\ufffd[sig-net] a", "\ufffd[main] a", "waits [10m] or [5m", "[m] and [0m]", "[31m lost"]
)
def test_what_only_looks_like_a_colour_stays_in_the_name(name: str) -> None:
    (case,) = read_junit(f'<testsuite><testcase name="{name}"/></testsuite>'.encode()).cases
    assert case.name == name
