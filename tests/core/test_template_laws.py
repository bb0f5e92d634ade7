"""Laws of every declared locator, derived from its template: nothing here names a list."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.locators import InvalidLocatorError
from backends.locators.declared import DeclaredLocator, param
from backends.locators.template import KINDS, FieldKind
from backends.resources import Resource
from backends.systems import load, parse_locator, systems
from tui.commands.verbs import SystemGroup

LOCATORS = [cls for system in systems().values() for cls in system.locator_classes]
SERVERS = ["https://th.example", "http://127.0.0.1:8200", "http://[::1]:9"]
PUNCTUATION = st.sampled_from(["", ".", ",", ")", ":", "!", "…", "»"])


def values(kind: FieldKind, name: str) -> st.SearchStrategy[Any]:
    if kind is KINDS["server"] or name == "server":
        return st.sampled_from(SERVERS)
    if kind.choices:
        return st.sets(st.sampled_from(kind.choices)).map(lambda chosen: tuple(w for w in kind.choices if w in chosen))
    if kind.noun == KINDS["day"].noun:
        return st.dates().map(str)
    if kind.pattern == r"(?s:.*)":
        return st.text(st.characters(), max_size=20)
    return st.from_regex(rf"\A(?:{kind.pattern})\Z", alphabet=st.characters(codec="ascii")).map(kind.parse)


def locators(cls: type[DeclaredLocator]) -> st.SearchStrategy[DeclaredLocator]:
    fields = {}
    for one in dataclasses.fields(cls):
        if not one.compare:
            continue  # not in the text
        fields[one.name] = values(cls.template.kind(one.name), one.name)
        if one.default is not dataclasses.MISSING:
            fields[one.name] |= st.just(one.default)
    return st.builds(cls, **fields)


@pytest.mark.parametrize("cls", LOCATORS, ids=lambda cls: cls.__name__)
@settings(deadline=None)
@given(data=st.data(), behind=PUNCTUATION)
def test_a_copied_locator_pastes_as_itself_even_from_a_sentence(
    cls: type[DeclaredLocator], data: st.DataObject, behind: str
) -> None:
    locator = data.draw(locators(cls))
    assert parse_locator(f"({locator.text()}{behind}") == locator


@pytest.mark.parametrize("cls", LOCATORS, ids=lambda cls: cls.__name__)
def test_every_template_completes_from_its_own_beginning_and_shows_its_syntax(cls: type[DeclaredLocator]) -> None:
    template = cls.template
    head = f"{template.prefix}:{template.head}"
    assert head in template.complete(f"{template.prefix}:")
    assert template.syntax.startswith(head)
    assert cls.__doc__ and cls.__doc__.partition("\n")[0].endswith((".", "own.", "."))


def test_options_and_fields_are_completed() -> None:
    [system] = [one for one in systems().values() if one.name == "treeherder"]
    known = {"repository": ["autoland", "try"]}
    assert system.complete("treeherder:pu") == ["treeherder:push", "treeherder:pushes"]
    assert system.complete("treeherder:pushes/a", lambda name: known.get(name, [])) == ["treeherder:pushes/autoland"]
    assert system.complete("treeherder:pushes/try?author=x&c") == ["treeherder:pushes/try?author=x&count="]
    assert system.complete("treeherder:alerts/all/all?mon") == ["treeherder:alerts/all/all?monitored="]


def test_a_refusal_names_the_field_and_shows_the_syntax() -> None:
    with pytest.raises(InvalidLocatorError) as refused:
        parse_locator("treeherder:pushes/try?from=yesterday")
    assert "'yesterday' is not a day (YYYY-MM-DD)" in refused.value.sentence
    assert refused.value.hint.startswith("Syntax: treeherder:pushes/REPOSITORY[?author=TEXT")


def test_a_template_that_does_not_fit_its_fields_is_refused_when_it_is_declared() -> None:
    with pytest.raises(ValueError, match="its fields are"):

        class Wrong(DeclaredLocator, template="x:y/{name}"):
            name: str = param()
            other: str = param(default="")


@pytest.mark.parametrize("cls", [cls for cls in LOCATORS if cls.opens], ids=lambda cls: cls.__name__)
def test_what_a_locator_opens_is_there(cls: type[DeclaredLocator]) -> None:
    assert issubclass(load(cls.opens), Resource)


@pytest.mark.parametrize(
    "text",
    ["taskcluster:namespace/gecko.v2?rot=http://127.0.0.1:9", "treeherder:pushes/try?autor=x", "prow:at/gs/B/P?x=1"],
)
def test_an_option_that_a_list_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(InvalidLocatorError, match="has no option"):
        parse_locator(text)


def test_options_alone_mean_the_default_list() -> None:
    found = parse_locator("perf:?server=https://treeherder.allizom.org")
    assert found == parse_locator("treeherder:repositories?server=https://treeherder.allizom.org")


def test_old_command_lines_are_rewritten_before_a_double_dash_only() -> None:
    group = SystemGroup(systems()["treeherder"])
    assert group._current_spelling(["jobs", "--similar", "1"]) == ["similar", "1"]
    assert group._current_spelling(["jobs", "--", "--similar"]) == ["jobs", "--", "--similar"]
