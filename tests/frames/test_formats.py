"""What people read in a cell and what they may type for a number."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backends.frames.formats import (
    LIMIT,
    MISSING,
    QuantityError,
    Tone,
    format_series,
    format_value,
    parse_quantity,
    safe_text,
    state_glyph,
    state_style,
    state_tone,
    with_unit,
)
from backends.frames.schema import Column, Kind

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def column(kind: Kind) -> Column:
    return Column("c", kind, "C")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.DURATION, 0, "0s"),
        (Kind.DURATION, 0.45, "450ms"),
        (Kind.DURATION, 0.9996, "1.0s"),
        (Kind.DURATION, 12.34, "12.3s"),
        (Kind.DURATION, 59.96, "1m 00s"),
        (Kind.DURATION, 245, "4m 05s"),
        (Kind.DURATION, 3599.7, "1h 00m 00s"),
        (Kind.DURATION, 3723, "1h 02m 03s"),
        (Kind.DURATION, 400_000, "4d 15h 06m"),
        (Kind.DURATION, -90, "-1m 30s"),
        (Kind.BYTES, 0, "0 B"),
        (Kind.BYTES, 999, "999 B"),
        (Kind.BYTES, 1_234_567, "1.2 MB"),
        (Kind.BYTES, 99_960_000, "100 MB"),
        (Kind.BYTES, 999_960, "1.0 MB"),
        (Kind.BYTES, -1500, "-1.5 kB"),
        (Kind.COUNT, 1234, "1,234"),
        (Kind.COUNT, -1_234_567, "-1,234,567"),
        (Kind.NUMBER, 12.3456, "12.346"),
        (Kind.NUMBER, 0.01234, "0.0123"),
        (Kind.NUMBER, 7.0, "7"),
        (Kind.NUMBER, 1234.56, "1,234.6"),
        (Kind.NUMBER, 1.5e-9, "1.500e-09"),
        (Kind.NUMBER, float("nan"), "NaN"),
        (Kind.NUMBER, float("-inf"), "-∞"),
        (Kind.TIME, datetime(2026, 11, 21, 22, 7, 16, 900_000, tzinfo=UTC), "2026-11-21 22:07:16"),
        (Kind.TIME, datetime(2026, 11, 21, 23, 7, 16, tzinfo=timezone(timedelta(hours=1))), "2026-11-21 22:07:16"),
        (Kind.TEXT, "two\nlines\tand more", "two⏎lines␉and more"),
        *((kind, None, MISSING) for kind in Kind),
    ],
)
def test_values_read_as_people_write_them(kind: Kind, value: object, text: str) -> None:
    assert format_value(value, column(kind)) == text


@given(
    st.sampled_from([k for k in Kind if k is not Kind.TIME]).flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            st.lists(
                st.none()
                | {
                    pl.String(): st.text(max_size=30),
                    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
                    pl.Float64(): st.floats(),
                }[column(kind).dtype],
                max_size=6,
            ),
        )
    )
)
def test_a_whole_column_reads_as_its_single_values_do(case: tuple[Kind, list[object]]) -> None:
    kind, values = case
    series = pl.Series(values, dtype=column(kind).dtype)
    assert format_series(series, column(kind)) == [format_value(value, column(kind)) for value in series.to_list()]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_any_unit_read_the_same(unit: str) -> None:
    series = pl.Series([NOW, None]).dt.cast_time_unit(unit)  # type: ignore[arg-type]
    assert format_series(series, column(Kind.TIME)) == ["2026-11-21 12:00:00", MISSING]


def test_a_year_that_no_calendar_has_does_not_stop_the_app() -> None:
    series = pl.Series([0, 10**17, -(10**17), 2**63 - 1]).cast(pl.Datetime("ms", "UTC"))
    assert format_series(series, column(Kind.TIME)) == ["1970-01-01 00:00:00", "?", "?", "?"]


def test_values_of_an_unexpected_type_are_shown_and_not_an_error() -> None:
    for kind in Kind:
        assert format_value("a\x1b[0m", column(kind)) == "a␛[0m"
        assert format_value([1, "x"], column(kind)) == "[1, 'x']"
        assert format_value(True, column(kind)) == "True"
        assert format_series(pl.Series([[1], None]), column(kind))[1] == MISSING


@given(
    st.text(st.characters()) | st.text("\x1b[]31m\x9b\r\n\t\x00\u202e\u2066\u2069\u200f\u200b\ufe0f\ud800\u00ad\x7f")
)
def test_no_text_gives_the_terminal_anything_to_obey(text: str) -> None:
    shown = safe_text(text)
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for character in shown)
    assert len(shown) <= len(text)
    assert safe_text(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("a\u202egpj.exe", "a�gpj.exe"),
        ("\ud800", "�"),
        ("zero\u200bwidth", "zero�width"),
        ("no\u00a0break", "no break"),
        ("plain ascii", "plain ascii"),
        ("日本語 é ⚠", "日本語 é ⚠"),
    ],
)
def test_what_is_hidden_becomes_visible_and_the_rest_stays(raw: str, shown: str) -> None:
    assert safe_text(raw) == shown


def test_a_huge_cell_is_cut_before_anything_else_is_done_with_it() -> None:
    looked_at = 0

    class Counting(str):
        def translate(self, table: object) -> str:  # type: ignore[override]
            raise AssertionError("the whole text was worked on")

        def __getitem__(self, index: object) -> str:  # type: ignore[override]
            nonlocal looked_at
            part = super().__getitem__(index)  # type: ignore[index]
            looked_at += len(part)
            return part

    assert safe_text(Counting("x\x1b" * 5_000_000), 10) == "x␛x␛x␛x␛x…"
    assert looked_at < 100
    assert len(format_series(pl.Series(["é" * 3_000_000]), column(Kind.TEXT))[0]) == LIMIT
    assert safe_text("exactly", 7) == "exactly"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("90", Kind.DURATION, 90),
        ("30m", Kind.DURATION, 1800),
        ("1.5h", Kind.DURATION, 5400),
        ("1h30m", Kind.DURATION, 5400),
        ("2 days", Kind.DURATION, 172_800),
        ("250ms", Kind.DURATION, 0.25),
        ("1:02:03", Kind.DURATION, 3723),
        ("4:05", Kind.DURATION, 245),
        ("-5s", Kind.DURATION, -5),
        ("500", Kind.BYTES, 500),
        ("1MB", Kind.BYTES, 1_000_000),
        ("1 mb", Kind.BYTES, 1_000_000),
        ("2GiB", Kind.BYTES, 2**31),
        ("1k", Kind.BYTES, 1000),
        ("1.5Ki", Kind.BYTES, 1536),
        ("12 B", Kind.BYTES, 12),
        ("1,234", Kind.COUNT, 1234),
        ("10k", Kind.COUNT, 10_000),
        ("1e6", Kind.NUMBER, 1e6),
        ("-.5", Kind.NUMBER, -0.5),
        ("2026-11-20", Kind.TIME, datetime(2026, 11, 20, tzinfo=UTC).timestamp()),
        ("2026-11-20 22:07", Kind.TIME, datetime(2026, 11, 20, 22, 7, tzinfo=UTC).timestamp()),
        ("2026-11-20T22:07:16Z", Kind.TIME, datetime(2026, 11, 20, 22, 7, 16, tzinfo=UTC).timestamp()),
        ("2026-11-20T22:07:16+01:00", Kind.TIME, datetime(2026, 11, 20, 21, 7, 16, tzinfo=UTC).timestamp()),
        ("2h ago", Kind.TIME, (NOW - timedelta(hours=2)).timestamp()),
        ("2h", Kind.TIME, (NOW - timedelta(hours=2)).timestamp()),
        ("today", Kind.TIME, datetime(2026, 11, 21, tzinfo=UTC).timestamp()),
        ("Yesterday", Kind.TIME, datetime(2026, 11, 20, tzinfo=UTC).timestamp()),
        ("now", Kind.TIME, NOW.timestamp()),
    ],
)
def test_quantities_mean_what_people_type(text: str, kind: Kind, value: float) -> None:
    assert parse_quantity(text, kind, NOW) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", Kind.NUMBER),
        ("many", Kind.COUNT),
        ("nan", Kind.NUMBER),
        ("inf", Kind.DURATION),
        ("1e999", Kind.NUMBER),
        ("1_000", Kind.COUNT),
        ("1,23", Kind.COUNT),
        ("5 parsecs", Kind.DURATION),
        ("1XB", Kind.BYTES),
        ("iB", Kind.BYTES),
        ("2026-13-01", Kind.TIME),
        ("soon", Kind.TIME),
        ("5", Kind.TEXT),
        ("9" * 1000, Kind.COUNT),
    ],
)
def test_what_is_no_quantity_says_how_to_write_one(text: str, kind: Kind) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_quantity(text, kind, NOW)
    assert caught.value.hint
    assert len(caught.value.sentence) < 120


@given(st.text(max_size=20), st.sampled_from(Kind))
def test_any_typing_is_a_finite_number_or_a_problem(text: str, kind: Kind) -> None:
    try:
        value = parse_quantity(text, kind, NOW)
    except QuantityError:
        return
    assert value - value == 0


@given(st.floats(0, 1e6) | st.integers(0, 10**6))
def test_a_shown_duration_can_be_typed_into_the_filter(seconds: float) -> None:
    value = parse_quantity(format_value(seconds, column(Kind.DURATION)), Kind.DURATION)
    assert value == pytest.approx(seconds, abs=0.0006 if seconds < 0.99 else 0.051 if seconds < 60 else 60)


@given(st.integers(0, 2**62))
def test_a_shown_size_can_be_typed_into_the_filter(size: int) -> None:
    value = parse_quantity(format_value(size, column(Kind.BYTES)), Kind.BYTES)
    assert value == pytest.approx(size, rel=0.051)


@given(st.integers(-(2**53), 2**53))
def test_a_shown_count_can_be_typed_into_the_filter(count: int) -> None:
    assert parse_quantity(format_value(count, column(Kind.COUNT)), Kind.COUNT) == count


@pytest.mark.parametrize(
    ("state", "glyph", "tone"),
    [
        ("completed", "✔", Tone.GOOD),
        ("success", "✔", Tone.GOOD),
        ("failed", "✖", Tone.BAD),
        ("testfailed", "✖", Tone.BAD),
        ("busted", "✖", Tone.BAD),
        ("FAILURE", "✖", Tone.BAD),
        ("exception", "⚠", Tone.EXCEPTION),
        ("error", "⚠", Tone.EXCEPTION),
        ("aborted", "⊘", Tone.EXCEPTION),
        ("retry", "↻", Tone.WARNING),
        ("running", "▶", Tone.ACTIVE),
        ("In Progress", "▶", Tone.ACTIVE),
        ("pending", "◌", Tone.QUIET),
        ("unscheduled", "○", Tone.QUIET),
        ("unknown", "?", Tone.PLAIN),
        ("", "?", Tone.PLAIN),
        ("never seen before", "·", Tone.PLAIN),
    ],
)
def test_states_of_every_system_have_a_sign_and_a_tone(state: str, glyph: str, tone: Tone) -> None:
    assert (state_glyph(state), state_tone(state)) == (glyph, tone)


def test_no_sign_stands_for_two_tones_and_every_sign_is_one_cell_wide() -> None:
    from backends.frames.formats import _LOOKS

    tones: dict[str, set[Tone]] = {}
    for known in _LOOKS.values():
        tones.setdefault(known.glyph, set()).add(known.tone)
    assert all(len(found) == 1 for found in tones.values())
    assert all(cell_len(glyph) == 1 for glyph in tones)
    assert state_style("completed").tone is Tone.GOOD


def test_a_number_beside_its_label_alone_carries_its_unit() -> None:
    columns = (
        Column("rate", Kind.NUMBER, "Failure rate", "%"),
        Column("took", Kind.DURATION, "Took", "s"),
        Column("gone", Kind.TEXT, "Gone"),
    )
    assert with_unit({"rate": 5.5, "took": 61.0, "gone": None}, columns) == (
        ("Failure rate", "5.500 %"),
        ("Took", "1m 01s"),
    )
