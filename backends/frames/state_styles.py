"""What sign and what tone a state word is drawn with, so that it reads without colour and without knowing the system.

One table for the words of Taskcluster (task and run states), Prow (job states), Treeherder (job results), Perfherder
(alert states) and our own downloads. The set is open: a word that nobody has seen before gets a neutral look.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Tone(StrEnum):
    """What a state means to its reader; the interface maps each tone to a colour of the theme."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    ACTIVE = "active"
    QUIET = "quiet"
    PLAIN = "plain"


class StateStyle(NamedTuple):
    """One sign of exactly one cell, and a tone. No two tones share a sign: colour is never the only difference."""

    glyph: str
    tone: Tone


_GOOD = StateStyle("✔", Tone.GOOD)
_BAD = StateStyle("✖", Tone.BAD)
_BROKEN = StateStyle("⚠", Tone.WARNING)  # the infrastructure failed, not the code under test
_STOPPED = StateStyle("⊘", Tone.WARNING)
_AGAIN = StateStyle("↻", Tone.WARNING)
_RUNNING = StateStyle("▶", Tone.ACTIVE)
_PENDING = StateStyle("◌", Tone.QUIET)
_WAITING = StateStyle("○", Tone.QUIET)
_SKIPPED = StateStyle("–", Tone.QUIET)
_UNKNOWN = StateStyle("?", Tone.PLAIN)
_OTHER = StateStyle("·", Tone.PLAIN)

_WORDS: dict[StateStyle, str] = {
    _GOOD: "completed success succeeded passed pass ok verified fixed improvement finished green acknowledged",
    _BAD: "failed failure fail new-failure testfailed busted regression rejected red",
    _BROKEN: "exception error errored broken infra warning unchecked incomplete backedout downstream",
    _STOPPED: "aborted cancelled canceled usercancel superseded deadline-exceeded timeout timedout",
    _AGAIN: "retry retriggered intermittent flaky rerun reassigned returned",
    _RUNNING: "running active started investigating confirming downloading sending in-progress",
    _PENDING: "pending triggered scheduling queued untriaged requested accepted",
    _WAITING: "unscheduled scheduled waiting coalesced",
    _SKIPPED: "skipped unchanged neutral invalid wontfix expired disabled",
    _UNKNOWN: "unknown",
}
_LOOKS: dict[str, StateStyle] = {word: look for look, words in _WORDS.items() for word in words.split()}


def state_style(state: str) -> StateStyle:
    """The look of a state word; spelling variants ("Timed Out", "timed_out", "TIMEDOUT") are the same word."""
    found = _LOOKS.get(state)
    if found is not None:
        return found
    word = state[:40].strip().lower().replace("_", "-").replace(" ", "-")
    return _LOOKS.get(word) or _LOOKS.get(word.replace("-", "")) or (_OTHER if word else _UNKNOWN)


def state_glyph(state: str) -> str:
    """One sign, one cell wide."""
    return state_style(state).glyph


def state_tone(state: str) -> Tone:
    return state_style(state).tone
