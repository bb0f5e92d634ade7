"""The settings come from where the user put them, and a wrong one is named."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from backends import config
from backends.errors import UsageError


def settings(tmp_path: Path, text: str = "", **environment: str) -> config.Settings:
    file = tmp_path / "c.toml"
    file.write_text(text)
    return config.load({"CIEXPLORE_CONFIG": str(file), **environment})


def test_command_line_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[taskcluster]\nroot_url = 'https://file.example'\n[download]\njobs = 3\noutput = '/file'\n")
    environment = {"CIEXPLORE_CONFIG": str(file), "TASKCLUSTER_ROOT_URL": "https://env.example", "CIEXPLORE_JOBS": "4"}
    got = config.load(environment, {"jobs": 5, "output": None})
    assert (got.taskcluster_root_url, got.jobs, got.output) == ("https://env.example", 5, "/file")
    assert got.origins["taskcluster_root_url"] == "TASKCLUSTER_ROOT_URL"
    assert got.origins["jobs"] == "command line"
    assert got.origins["output"] == str(file)
    assert got.origins["theme"] == "default"


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert config.load({"CIEXPLORE_CONFIG": str(tmp_path / "none.toml")}).jobs == 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[download]\njops = 3\n", "download.jops"),
        ("[download]\njobs = 'many'\n", "whole number"),
        ("[download]\njobs = 65\n", "between 1 and 64"),
        ("[download\n", "TOML"),
        ("[download]\njobs = true\n", "whole number, not 'True'"),
        ("[download]\njobs = 3.7\n", "whole number"),
        ("[cache]\nbytes = inf\n", "whole number, not 'inf'"),
        (f"[cache]\nbytes = {'9' * 300}\n", "whole number"),
        (f"[cache]\n\nbytes = {'9' * 5000}\n", r"too long \(line 3\)"),
        (f"[look]\na = {'[' * 100_000}\n", r"nested too deeply \(line 2\)"),
        (f"{'a.' * 5000}a = 1\n", "unknown setting 'a.a"),
        (f"a = {'{a=' * 3000}1{'}' * 3000}\n", "too deeply|unknown setting"),
        ("x" * 1_000_001, "larger than 1000 kB"),
        ("[download]\njobz = 3\n", "Did you mean download.jobs"),
        ("[keys]\ndownload = 3\n", "table of strings"),
        ("[taskcluster]\nroot_url = 5\n", "string"),
        (f"[cache]\nbytes = 0x{'f' * 5000}\n", "whole number, not a number that is too long"),
        (f"[look]\ntheme = 0x{'f' * 5000}\n", "a string, not a number that is too long"),
        (f"[cache]\nbytes = [0x{'f' * 5000}]\n", "whole number, not a list"),
        ("[look]\ntheme = 2026-11-29T10:00:00Z\n", "a string, not '2026-11-29 10:00:00"),
        (f"\n[[cache{'.a' * 50_000}]]\n", r"nested too deeply \(line 2\)"),
        (("a." * 9_000 + "a = 1\n") * 50, r"nested too deeply \(line 1\)"),
        (f"# {'.' * 60_000}\n\n{'a.' * 12_000}a = 1\n", r"nested too deeply \(line 3\)"),
        ("[look]\n\ntheme = 'x\n", "at line 3"),
        ('[look]\ntheme = """x\n\n', "line 2, the end of the file"),
        ('[cache]\ndir = "a\\u0000b"\n', "cache_dir .* is not a usable path: it holds a NUL"),
        ('[state]\ndir = "a\\u0000b"\n', "state_dir .* is not a usable path: it holds a NUL"),
        ('[download]\noutput = "a\\u0000b"\n', "output .* is not a usable path: it holds a NUL"),
        ('[submit]\ncredentials = "~nobody-here/x"\n', "submit_credentials .* no such home directory"),
        (f"[cache]\ndir = '{'x' * 5000}'\n", "cache_dir .* not a usable path: file name too long"),
    ],
)
def test_a_wrong_setting_is_named_not_ignored(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        settings(tmp_path, text)


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="CIEXPLORE_JOBS"):
        settings(tmp_path, CIEXPLORE_JOBS="lots")


@pytest.mark.parametrize("name", ["CIEXPLORE_CONFIG", "CIEXPLORE_CACHE_DIR", "CIEXPLORE_STATE_DIR", "CIEXPLORE_OUTPUT"])
def test_a_path_of_a_user_that_there_is_not_gives_a_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}.*no such home directory"):
        config.load({"CIEXPLORE_CONFIG": os.devnull, name: "~nobody-here/x"})


def test_the_null_device_as_settings_file_means_none() -> None:
    assert config.load({"CIEXPLORE_CONFIG": os.devnull}).jobs == 0


def test_a_settings_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    assert settings(tmp_path, "\ufeff[download]\njobs = 3\n").jobs == 3


def test_a_settings_file_that_never_ends_or_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a regular file"):
        config.load({"CIEXPLORE_CONFIG": "/dev/zero"})
    (tmp_path / "c.toml").write_bytes(b"[look]\ntheme = '\xff'\n")
    with pytest.raises(UsageError, match=r"not UTF-8 text \(line 2\)"):
        config.load({"CIEXPLORE_CONFIG": str(tmp_path / "c.toml")})


def test_settings_that_failed_once_give_a_sentence(samples: Path) -> None:
    cases = sorted((samples.parent / "cases" / "config").glob("*.toml"))
    if not cases:
        pytest.skip("the cases are not on this machine")
    for case in cases:
        try:
            config.load({"CIEXPLORE_CONFIG": str(case)})
        except UsageError as problem:
            assert case.name != "bom.toml"
            assert len(problem.sentence) < 400
        else:
            assert case.name == "bom.toml"


def test_keys_are_taken_as_a_table(tmp_path: Path) -> None:
    assert settings(tmp_path, "[keys]\ndownload = 'D'\n").keys == {"download": "D"}


def test_every_setting_a_user_can_make_says_how() -> None:
    source = Path(config.__file__).read_text()
    for name, _, toml in config.setting_names():
        assert toml
        field = source.split(f"    {name}:", 1)[1]
        own = re.split(r"^    \w+: ", field, maxsplit=1, flags=re.MULTILINE)[0]
        assert re.search(r'^    """.+"""$', own, re.MULTILINE), f"{name} has no words for the manual"


def test_old_names_of_settings_keep_working_with_a_note(tmp_path: Path) -> None:
    got = settings(tmp_path, "[archive]\nhg_url = 'https://hg.example'\n", CIEXPLORE_ARCHIVER_URL="https://a.example")
    assert (got.hg_url, got.archiver_url) == ("https://hg.example", "https://a.example")
    assert [note.split()[-1] for note in got.notes] == ["archives.hg_url.", "CIEXPLORE_ARCHIVES_URL."]
    both = settings(tmp_path, "[archives]\nhg_url = 'https://new.example'\n[archive]\nhg_url = 'https://old.example'\n")
    assert both.hg_url == "https://new.example"
    assert (
        settings(tmp_path, "", CIEXPLORE_ARCHIVER_URL="https://old", CIEXPLORE_ARCHIVES_URL="https://new").archiver_url
        == "https://new"
    )


def test_a_way_to_show_images_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    assert settings(tmp_path, CIEXPLORE_IMAGES="sixel").images == "sixel" and settings(tmp_path).images == "auto"
    with pytest.raises(UsageError, match=r"'ascii' \(CIEXPLORE_IMAGES\).*auto, kitty, sixel, blocks, off"):
        settings(tmp_path, CIEXPLORE_IMAGES="ascii")
