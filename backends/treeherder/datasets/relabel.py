"""Which commits of perf_llm_struc.jsonl still count as regressors when some frameworks do not.

A row {"commit_id", "prompt", "response": "0"|"1"} with response "1" becomes "0" if the failing signatures of its
revision are known, at least one, and all of them belong to excluded frameworks. Nothing else changes, not a byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from backends.errors import UsageError


@dataclass
class Relabelling:
    """`failing`: revision -> ids of its failing signatures; `frameworks`: signature -> framework.

    `lines` gives what to write; afterwards `counters` and `flipped` (revision, summary ids) tell what was done.
    """

    failing: Mapping[str, Collection[int]]
    frameworks: Mapping[int, int]
    excluded: Collection[int]
    counters: Counter[str] = field(default_factory=Counter)
    flipped: list[str] = field(default_factory=list)

    def lines(self, found: Iterable[bytes], limit: int | None = None) -> Iterator[bytes]:
        """The lines, each with its line end; blank ones are dropped. Raises `UsageError` for what is no JSON."""
        for number, line in enumerate(found, 1):
            stripped = line.strip()
            if not stripped:
                continue
            if limit is not None and self.counters["input_lines_total"] >= limit:
                return
            self.counters["input_lines_total"] += 1
            try:
                row = msgspec.json.decode(stripped)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"Line {number} is no JSON: {error}.", "Mend it, or make the file anew.") from error
            self.counters["output_records_written"] += 1
            yield self._line(row, stripped) + b"\n"

    def _line(self, row: Any, line: bytes) -> bytes:
        if not isinstance(row, dict):
            return line
        if str(row.get("response")) != "1":
            self.counters["non_regressor_records_total"] += 1
            return line
        self.counters["regressor_records_total"] += 1
        revision = str(row.get("commit_id"))
        if self._is_clean(revision):
            self.counters["regressor_flipped_to_clean"] += 1
            self.flipped.append(revision)
            return msgspec.json.encode({**row, "response": "0"})
        self.counters["regressor_kept_as_regressor"] += 1
        return line

    def _is_clean(self, revision: str) -> bool:
        failing = self.failing.get(revision)
        if not failing:
            self.counters["regressor_missing_fail_sig_mapping"] += 1
            return False
        self.counters["regressor_with_fail_sig_mapping"] += 1
        removed = sum(self.frameworks.get(one) in self.excluded for one in failing)
        self.counters["regressor_fail_sig_count_sum"] += len(failing)
        self.counters["regressor_fail_sig_removed_sum"] += removed
        return removed == len(failing)

    def report(self) -> dict[str, Any]:
        """What the original's --report-json has, without the paths of its inputs."""
        known = [framework for framework in self.frameworks.values() if framework in self.excluded]
        ids = {one for ids in self.failing.values() for one in ids}
        counted = (
            "input_lines_total regressor_records_total regressor_with_fail_sig_mapping "
            "regressor_missing_fail_sig_mapping regressor_fail_sig_count_sum regressor_fail_sig_removed_sum "
            "regressor_flipped_to_clean regressor_kept_as_regressor non_regressor_records_total output_records_written"
        )
        return {
            "excluded_framework_ids": sorted(self.excluded),
            "excluded_signatures": {
                "known_signatures": len(self.frameworks),
                "excluded": len(known),
                "excluded_by_framework": {str(one): count for one, count in sorted(Counter(known).items())},
            },
            "failing_signatures": {
                "unique_revisions": len(self.failing),
                "unique_signature_ids": len(ids),
                "excluded": sum(self.frameworks.get(one) in self.excluded for one in ids),
                "missing_metadata": sum(one not in self.frameworks for one in ids),
            },
            "relabel": {name: self.counters[name] for name in counted.split()},
        }
