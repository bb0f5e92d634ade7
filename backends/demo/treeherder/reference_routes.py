"""Reference data: what a client asks once and keeps for a day. Also two endpoints that never worked on this version."""

from __future__ import annotations

from datetime import UTC, datetime

from backends.demo.seeds import generator, hexadecimal
from backends.demo.treeherder import reference
from backends.demo.treeherder.answers import Refusal, crash
from backends.demo.treeherder.clock import DAY, NOW, iso
from backends.demo.treeherder.queries import Query
from backends.demo.treeherder.reference import CLASSIFICATIONS, TAGS, Json
from backends.demo.treeherder.routing import Call, Route, route


def routes() -> list[Route]:
    return [
        route("repository/", lambda _: reference.repositories()),
        route("repository/<id>/", _repository),
        route("performance/framework/", lambda _: reference.frameworks()),
        route("performance/issue-tracker/", lambda _: reference.ISSUE_TRACKERS),
        route("performance/tag/", lambda _: reference.numbered(TAGS)),
        route("optioncollectionhash/", lambda _: reference.option_collections()),
        route("machineplatforms/", _platforms),
        route("failureclassification/", lambda _: reference.numbered(CLASSIFICATIONS)),
        route("user/", lambda _: []),
        route("changelog/", _changelog),
        route("performance/validity-dashboard/", _crash),
        route("infracompare/", _crash),
    ]


def _repository(call: Call) -> Json:
    for found in reference.repositories():
        if str(found["id"]) == call.parts["id"]:
            return found
    raise Refusal(404, {"detail": "No Repository matches the given query."})


def _platforms(call: Call) -> list[Json]:
    names = dict.fromkeys(signature.lane.platform for signature in call.world.signatures)
    return [{"id": 2 * place + 1, "platform": name} for place, name in enumerate(names)]


def _crash(call: Call) -> Json:
    raise crash()


def _changelog(call: Call) -> list[Json]:
    begin = _day(call.query, "startdate", NOW - 15 * DAY)
    end = _day(call.query, "enddate", NOW)
    return [entry for moment, entry in _entries(call.world.seed) if begin <= moment <= end]


def _day(query: Query, name: str, absent: float) -> float:
    if name not in query:
        return absent
    try:
        return datetime.fromisoformat(query.last(name)).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise crash() from None


def _entries(seed: int) -> list[tuple[float, Json]]:
    """Deployments of the machinery around the tests, one every eighteen hours: what else may have moved a series."""
    found: list[tuple[float, Json]] = []
    for number in range(80):
        random, moment = generator(seed, "changelog", number), NOW - (80 - number) * 0.75 * DAY
        what = random.choice(("new worker image", "kernel update", "more disk"))
        project, commit = (
            random.choice(("treeherder", "fxci-config", "taskgraph")),
            hexadecimal(40, seed, "log", number),
        )
        entry: Json = {
            "id": number + 1,
            "remote_id": commit[:12],
            "date": iso(int(moment)),
            "author": f"dev{number % 7}",
            "message": f"Bug {1_900_000 + number} - {what}",
            "description": "synthetic",
            "owner": "mozilla-releng",
            "project": project,
            "project_url": f"https://github.com/mozilla-releng/{project}",
            "type": random.choice(("deployment", "release")),
            "url": f"https://github.com/mozilla-releng/{project}/commit/{commit}",
            "files": ["docker/entrypoint.sh"][: number % 3],
        }
        found.append((moment, entry))
    return found
