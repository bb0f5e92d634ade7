"""When it is on the synthetic Treeherder: always the same moment, so that no answer depends on the day.

`interval` and `timerange` reach back from here. The finished task group's push is a day and a half old.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from backends.demo.taskcluster.world import FINISHED_AT

DAY = 86_400
NOW = int(FINISHED_AT) + DAY * 3 // 2
# Treeherder forgets jobs after so many days; their performance data stays, with a null job.
JOBS_LIVE_DAYS = 120


@lru_cache(maxsize=1 << 17)  # a large summary writes the same 60,000 submit times again and again
def iso(second: float) -> str:
    """Naive UTC, with microseconds only where there are any, as Django writes it."""
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


def working_days_after(second: float, days: int) -> float:
    """A due date: so many working days on; what begins on a weekend begins on its Monday."""
    moment = datetime.fromtimestamp(second, UTC)
    while moment.weekday() > 4:
        moment += timedelta(days=1)
    while days:
        moment += timedelta(days=1)
        days -= moment.weekday() < 5
    return moment.timestamp()
