"""Texts that name job data are recognised, copy themselves, and take no other system's paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.locators import InvalidLocatorError
from backends.submit.entries import JobForm
from backends.submit.locators import FORMS, VIEWS, JobFile, OutboxLocator, TaskJobs
from backends.systems import parse_locator

TASK = "fN1SbArXTPSVFNUvaOlinQ"
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=30)


@given(NAMES, st.sampled_from(VIEWS), st.none() | st.integers(0, 10_000), st.sampled_from(["", *FORMS]))
@settings(deadline=None)
def test_a_file_copies_itself_whatever_its_name(name: str, view: str, entry: int | None, form: str) -> None:
    locator = JobFile(str(Path("/tmp/jobs") / f"x{name}x".replace("/", "_")), view, entry, form)
    assert parse_locator(locator.text()) == locator


@given(st.sampled_from(VIEWS), st.none() | st.integers(0, 99), st.sampled_from(["", "https://tc.example.com"]))
@settings(deadline=None)
def test_tasks_copy_themselves(view: str, entry: int | None, root: str) -> None:
    locator = TaskJobs((TASK, "JxtO1WLITBmSGFEEVOqRWQ"), root, view, entry)
    assert parse_locator(locator.text()) == locator


def test_forms_are_those_of_job_data() -> None:
    assert tuple(JobForm) == FORMS


def test_short_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_locator("submit:outbox") == OutboxLocator()
    assert parse_locator("submit:jobs.json") == JobFile(str(tmp_path / "jobs.json"))
    assert parse_locator("submit:./outbox") == JobFile(str(tmp_path / "outbox"))
    assert parse_locator("submit:jobs.yml?view=lint") == JobFile(str(tmp_path / "jobs.yml"), "lint")
    assert parse_locator("submit:~/j.json") == JobFile(str(Path.home() / "j.json"))


@pytest.mark.parametrize(
    "text",
    ["submit:", "submit:?view=lint", "submit:x?view=y", "submit:x?entry=-1", "submit:x?form=xml", "submit:tasks/abc",
     "submit:x?root=https://h", f"submit:tasks/{TASK}?root=http://h.example", f"submit:tasks/{TASK}?form=pulse",
     "submit:x%00y", "submit:~nobody-of-this-name/x", "submit:outbox?view=lint&x=1"],
)  # fmt: skip
def test_what_cannot_be_opened_says_so(text: str) -> None:
    with pytest.raises(InvalidLocatorError):
        parse_locator(text)


@pytest.mark.parametrize("path", ["/path/jobs.json", "./jobs.jsonl", "~/jobs.yaml", "../jobs.yml", "/a b/jobs.csv"])
def test_a_path_of_job_data_needs_no_prefix(path: str) -> None:
    found = parse_locator(path)
    assert found == JobFile(str(Path(path).expanduser().absolute()))
    assert parse_locator(found.text()) == found


@pytest.mark.parametrize("path", ["/build/finished.json", "./podinfo.json", "/tree/logs/job", "./junit.xml"])
def test_files_of_a_build_are_not_taken_for_job_data(path: str) -> None:
    try:
        found = parse_locator(path)
    except InvalidLocatorError:
        return
    assert not isinstance(found, JobFile)
