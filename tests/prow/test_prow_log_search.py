"""What stands around a line that a search of Prow's logs found, wherever the windows of the log begin."""

from __future__ import annotations

import random

import pytest

from backends.http import Http
from backends.logs.matching import line_text
from backends.prow.locators import LogSearchView
from tests.prow.bucket_server import Bucket
from tests.prow.making import JOB, NAME, build, opened, rows, snowflake


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("context", [0, 1, 5])
def test_lines_and_their_neighbours_do_not_depend_on_the_windows(
    bucket: Bucket, http: Http, monkeypatch: pytest.MonkeyPatch, seed: int, context: int
) -> None:
    chance = random.Random(seed)
    parts = [b"needle", b"Needle", b"x" * 700, "é".encode(), b"\xff", b"\x1b[31m", b" ", b"\r"]
    lines = [b"".join(chance.choices(parts, k=chance.randrange(6))) for _ in range(400)]
    build(bucket, snowflake(1000), log=b"\r\n".join(lines))  # type: ignore[arg-type]
    monkeypatch.setattr("backends.prow.logs.WINDOW_BYTES", 3000)
    monkeypatch.setattr("backends.prow.logs._LAST_BYTES", 30_000)
    texts = [line_text(line) for line in b"\r\n".join(lines).removesuffix(b"\n").split(b"\n")]
    cut = [text if len(text) <= 1000 else f"{text[:1000]}…" for text in texts]
    view = LogSearchView(NAME, JOB, pattern="needle", context=context)
    found = rows(opened(bucket, http, view.text()))
    assert [row["line"] for row in found] == [at + 1 for at, text in enumerate(texts) if "needle" in text.lower()]
    for row in found:
        at = row["line"] - 1
        assert row["text"] == cut[at]
        assert (row["before"] or "") == "\n".join(cut[max(at - context, 0) : at])
        assert (row["after"] or "") == "\n".join(cut[at + 1 : at + 1 + context])
