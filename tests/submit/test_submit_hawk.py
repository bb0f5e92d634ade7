"""What is posted to a server that checks Hawk signatures is stored, or the job says why it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import mohawk
import pytest

from backends.cancel import CancelToken
from backends.http import Http
from backends.http.errors import AccessDeniedError, UnexpectedResponseError
from backends.http.hawk import HawkSigner
from backends.http.hawk_posts import HawkPoster, asks_for_hawk
from backends.submit.convert import to_collection
from backends.submit.credentials import Credentials, Secret
from backends.submit.entries import JobEntry, JobForm
from backends.submit.hawk import HawkPublisher
from backends.submit.outbox import ConnectionLostError, Message, Outbox, PublisherError, publish
from backends.submit.preview import compare_with_server
from tests.submit.hawk_receiver import CLIENT, KEY, HawkReceiver
from tests.submit.jobs import message, messages


@pytest.fixture
def server() -> Iterator[HawkReceiver]:
    found = HawkReceiver()
    yield found
    found.close()


def route(server: HawkReceiver, key: str = KEY, client: str = CLIENT) -> HawkPublisher:
    return HawkPublisher(server.url, Credentials(client, Secret(key)), Http(), interval=0)


def queued(outbox: Outbox, to: HawkPublisher, bodies: list[dict[str, Any]], project: str = "autoland") -> None:
    outbox.add(
        Message("hawk", to.destination, "", body["taskId"], project, "SM(e)", "f", to_collection(body).body)
        for body in bodies
    )


def responses(outbox: Outbox) -> set[str]:
    return {row[9] for row in outbox.rows()}


def test_jobs_are_posted_in_chunks_and_read_back(
    server: HawkReceiver, outbox: Outbox, capfd: pytest.CaptureFixture[str]
) -> None:
    to = route(server)
    queued(outbox, to, messages(250))
    assert publish(outbox, to, CancelToken()).acknowledged == 250
    assert "".join(capfd.readouterr()) == "", "nothing is printed over the screen"
    assert server.posts == [100, 100, 50]
    assert len(server.jobs) == 250


def test_a_job_that_the_server_drops_in_silence_is_not_called_stored(server: HawkReceiver, outbox: Outbox) -> None:
    to, bodies = route(server), messages(5)
    server.drop = {bodies[3]["taskId"]}
    queued(outbox, to, bodies)
    result = publish(outbox, to, CancelToken())
    assert (result.acknowledged, result.returned) == (4, 1)
    assert "accepted (200), but not stored: perhaps no push has this revision" in responses(outbox)


def test_an_earlier_job_of_the_same_id_is_no_proof_of_a_later_one(server: HawkReceiver, outbox: Outbox) -> None:
    """A completed job never changes: the server answers 200 and keeps the first."""
    to, body = route(server), message()
    queued(outbox, to, [body])
    publish(outbox, to, CancelToken())
    server.drop = {body["taskId"]}
    queued(outbox, to, [{**body, "result": "fail"}, {**body, "state": "running", "result": "unknown"}])
    assert publish(outbox, to, CancelToken()).returned == 2
    assert "accepted (200), but the server keeps what it had under this id: result success" in responses(outbox)
    assert "accepted (200), but the server keeps what it had under this id: state completed" in responses(outbox)
    outbox.retry([row[0] for row in outbox.rows()])
    server.drop = set()
    assert publish(outbox, to, CancelToken()).acknowledged == 2


def test_a_wrong_key_is_said_and_the_jobs_stay(server: HawkReceiver, outbox: Outbox) -> None:
    to = route(server, key="wrong-and-secret")
    queued(outbox, to, messages(2))
    with pytest.raises(PublisherError, match="401") as refused:
        publish(outbox, to, CancelToken())
    assert server.problems == ["MacMismatch"]
    assert "wrong-and-secret" not in f"{refused.value}{refused.value.__cause__!r}"
    assert outbox.counts() == {"queued": 2}


def test_an_unknown_client_is_said(server: HawkReceiver, outbox: Outbox) -> None:
    to = route(server, client="somebody")
    queued(outbox, to, messages(1))
    with pytest.raises(PublisherError, match="401"):
        publish(outbox, to, CancelToken())


def test_a_replayed_request_is_refused(server: HawkReceiver) -> None:
    with HawkPoster(HawkSigner(CLIENT, KEY)) as poster:
        url = f"{server.url}/api/project/autoland/jobs/"
        poster.post(url, b"[]")
        with pytest.raises(mohawk.exc.AlreadyProcessed):
            server.receive(server.headers[0], url, b"[]")
        poster.post(url, b"[]")  # a new nonce each time


def test_a_body_altered_on_the_way_is_refused(server: HawkReceiver, outbox: Outbox) -> None:
    server.alter = lambda body: body.replace(b"success", b"busted")
    to = route(server)
    queued(outbox, to, messages(1))
    with pytest.raises(PublisherError, match="401"):
        publish(outbox, to, CancelToken())
    assert server.problems == ["MisComputedContentHash"]
    assert server.jobs == {}


def test_an_answer_altered_on_the_way_is_noticed(server: HawkReceiver) -> None:
    server.alter_answer = lambda body: body.replace(b"success", b"failure")
    with HawkPoster(HawkSigner(CLIENT, KEY)) as poster, pytest.raises(UnexpectedResponseError, match="signature"):
        poster.post(f"{server.url}/api/project/autoland/jobs/", b"[]")


@pytest.mark.parametrize("ahead", [3600, -3600, 86400])
def test_a_clock_that_is_wrong_is_set_by_the_servers(server: HawkReceiver, outbox: Outbox, ahead: int) -> None:
    server.ahead = ahead
    to = route(server)
    queued(outbox, to, messages(150))
    assert publish(outbox, to, CancelToken()).acknowledged == 150
    assert server.problems == ["TokenExpired"]  # once, not for each post


def test_a_time_that_the_server_cannot_prove_is_not_believed(server: HawkReceiver) -> None:
    server.answers = [(401, {"www-authenticate": 'Hawk ts="4102444800", tsm="bm9wZQ==", error="stale"'})]
    with HawkPoster(HawkSigner(CLIENT, KEY)) as poster, pytest.raises(AccessDeniedError):
        poster.post(f"{server.url}/api/project/autoland/jobs/", b"[]")
    assert server.headers == []


def test_one_poisonous_job_does_not_cost_the_others(server: HawkReceiver, outbox: Outbox) -> None:
    to, bodies = route(server), messages(20)
    server.poison = {bodies[7]["taskId"]}
    queued(outbox, to, bodies)
    result = publish(outbox, to, CancelToken())
    assert (result.acknowledged, result.failed) == (19, 1)


def test_a_server_that_asks_for_patience_gets_it(server: HawkReceiver, outbox: Outbox) -> None:
    server.answers = [(429, {"retry-after": "0"}), (503, {"retry-after": "0"})]
    to = route(server)
    queued(outbox, to, messages(3))
    assert publish(outbox, to, CancelToken()).acknowledged == 3


def test_todays_treeherder_is_named_as_what_it_is(server: HawkReceiver, outbox: Outbox) -> None:
    for status in (403, 405):
        server.answers = [(status, {})]
        to = route(server)
        queued(outbox, to, messages(1))
        with pytest.raises(PublisherError, match="stopped on 2018-09-28"):
            publish(outbox, to, CancelToken())
    assert outbox.counts() == {"queued": 1}


def test_a_repository_that_the_server_does_not_know_fails_its_jobs_only(server: HawkReceiver, outbox: Outbox) -> None:
    to, bodies = route(server), messages(4)
    queued(outbox, to, bodies[:2], "nowhere")
    queued(outbox, to, bodies[2:])
    result = publish(outbox, to, CancelToken())
    assert (result.acknowledged, result.failed) == (2, 2)


def test_a_server_that_is_down_keeps_the_jobs(outbox: Outbox) -> None:
    server = HawkReceiver()
    to = route(server)
    server.close()
    queued(outbox, to, messages(2))
    with pytest.raises(ConnectionLostError, match="Nothing listens"):
        publish(outbox, to, CancelToken(), patience=0)
    assert outbox.counts() == {"queued": 2}


def test_sending_again_is_safe(server: HawkReceiver, outbox: Outbox) -> None:
    to = route(server)
    queued(outbox, to, messages(3))
    publish(outbox, to, CancelToken())
    queued(outbox, to, messages(3))
    assert publish(outbox, to, CancelToken()).acknowledged == 0, "the same content was acknowledged before"
    assert len(server.jobs) == 3


def test_the_preview_says_what_would_change(server: HawkReceiver, outbox: Outbox) -> None:
    to, bodies = route(server), messages(3)
    queued(outbox, to, [{**bodies[0], "state": "running", "result": "unknown", "timeCompleted": None}, bodies[1]])
    publish(outbox, to, CancelToken())
    entries = [JobEntry("f", "", number, JobForm.PULSE, body) for number, body in enumerate(bodies)]
    found = compare_with_server(entries, Http(), server.url, CancelToken())
    assert [found[body["taskId"]] for body in bodies] == ["running → success; ended - → 1795252260", "same", "new"]


def test_whether_a_server_takes_signed_posts_can_be_asked(server: HawkReceiver) -> None:
    assert asks_for_hawk(f"{server.url}/api/project/autoland/jobs/")
    server.answers = [(403, {})]
    assert not asks_for_hawk(f"{server.url}/api/project/autoland/jobs/")


def test_what_is_posted_is_the_collection(server: HawkReceiver, outbox: Outbox) -> None:
    bodies: list[bytes] = []

    def keep(body: bytes) -> bytes:
        bodies.append(body)
        return body

    server.alter = keep
    to = route(server)
    queued(outbox, to, [message()])
    publish(outbox, to, CancelToken())
    (entry,) = json.loads(bodies[0])
    assert entry["project"] == "autoland" and entry["job"]["job_guid"] == message()["taskId"]


def test_a_server_that_ignores_the_filter_for_several_jobs_is_asked_for_each(
    server: HawkReceiver, outbox: Outbox
) -> None:
    server.ignores_in = True
    to = route(server)
    queued(outbox, to, messages(60))
    assert publish(outbox, to, CancelToken()).acknowledged == 60


def test_jobs_that_are_not_there_do_not_cost_a_question_each(server: HawkReceiver, outbox: Outbox) -> None:
    to, bodies = route(server), messages(100)
    server.drop = {body["taskId"] for body in bodies}
    queued(outbox, to, bodies)
    assert publish(outbox, to, CancelToken()).returned == 100
    assert len(server.asked) == 4
