r"""Which lines Prow's own log viewer marks: Spyglass's default expression and what public Prows add to it.

The default is that of prow pkg/spyglass/lenses/buildlog, read with ASCII classes and case as RE2 does; the others are
patterns of the public configurations (openshift/release, kubernetes/test-infra). Upstream matches raw text, so that
a coloured log matches nothing: on a real OpenShift log `ERRO\[|^error:` finds 0 lines with the colours in and 21
without. Here escapes go first. As there, lines of more than 10,000 bytes are not looked at.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from backends.logs import ansi

AROUND = 5  # lines that Spyglass shows before and after a marked one
SHORTEST_FOLD = 5
LONGEST = 10_000  # bytes
DEFAULT = r"timed out|ERROR:|(FAIL|Failure \[)\b|panic\b|^E\d{4} \d\d:\d\d:\d\d\.\d\d\d]"
CONFIGURED = (
    r"^ERRO\[",
    r"^error:",
    r"level=error",
    r"Step .* failed after",
    r"[Ee]xit.*\s(code|status)\b.*\s[1-9][0-9]*\b",
    r"^not ok [1-9]",
)
ALL = "|".join((DEFAULT, *CONFIGURED))
_MARKED = re.compile(ALL, re.ASCII)


def marks(line: bytes) -> bool:
    """Whether Spyglass would mark this line of a log, had it no colours."""
    if len(line) > LONGEST:
        return False
    return _MARKED.search(ansi.strip(ansi.decoded(line.rstrip(b"\r\n")))) is not None


def around(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Marked lines with `AROUND` before and after; "... N lines" where some are left out."""
    before: deque[bytes] = deque(maxlen=AROUND)
    after = skipped = 0
    for line in lines:
        if marks(line):
            if skipped > len(before):
                yield b"... %d lines\n" % (skipped - len(before))
            yield from before
            yield line
            before.clear()
            after, skipped = AROUND, 0
        elif after:
            yield line
            after -= 1
        else:
            before.append(line)
            skipped += 1
    if skipped:
        yield b"... %d lines\n" % skipped
