"""What is published to a real broker arrives once confirmed; whatever the broker does, nothing is lost in silence."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from backends.cancel import CancelToken
from backends.errors import OperationCancelledError
from backends.submit.credentials import Credentials, Secret
from backends.submit.outbox import ConnectionLostError, Message, Outbox, PublisherError, publish
from backends.submit.pulse import PulseBroker, PulsePublisher, parse_broker
from tests.submit.jobs import message, messages
from tests.submit.rabbit import PASSWORD, USER, Rabbit

pytestmark = [pytest.mark.timeout(300)]
EXCHANGE = f"exchange/{USER}/v1/jobs"


def credentials(user: str = USER, password: str = PASSWORD) -> Credentials:
    return Credentials(user, Secret(password))


def route(rabbit: Rabbit, exchange: str = "", *, confirm: float = 30, **who: str) -> PulsePublisher:
    broker = PulseBroker("127.0.0.1", rabbit.port, False)
    return PulsePublisher(broker, exchange, credentials(**who), connect_seconds=15, confirm_seconds=confirm)


def queued(outbox: Outbox, to: PulsePublisher, bodies: list[dict[str, Any]]) -> None:
    outbox.add(
        Message("pulse", to.destination, "treeherder.autoland._", body["taskId"], "autoland", "SM(e)", "f", body)
        for body in bodies
    )


def states(outbox: Outbox) -> dict[str, int]:
    return outbox.counts()


@pytest.fixture
def queue(rabbit: Rabbit, request: pytest.FixtureRequest) -> Iterator[str]:
    """A queue of the test's own, bound to the user's exchange while the test runs."""
    name = f"queue/boss/{request.node.name[:100]}"
    rabbit.bind(EXCHANGE, name)
    yield name

    async def delete(channel: Any) -> None:
        await channel.queue_delete(name)

    rabbit.as_boss(delete)


def test_what_is_acknowledged_is_in_the_queue_as_it_was_written(rabbit: Rabbit, outbox: Outbox, queue: str) -> None:
    to, body = route(rabbit), message(reason="schön 🦊")
    queued(outbox, to, [body])
    assert publish(outbox, to, CancelToken()).acknowledged == 1
    (arrived,) = rabbit.messages(queue)
    assert json.loads(arrived.body) == body
    assert arrived.message_id == body["taskId"]
    assert arrived.content_type == "application/json"
    assert arrived.delivery_mode == 2
    assert arrived.routing_key == "treeherder.autoland._"
    assert states(outbox) == {"acknowledged": 1}


def test_an_exchange_of_ones_own_is_made_if_it_is_missing(rabbit: Rabbit, outbox: Outbox) -> None:
    to = route(rabbit, f"exchange/{USER}/v1/new")
    queued(outbox, to, [message()])
    assert publish(outbox, to, CancelToken()).returned == 1  # made, and nobody is bound yet
    rabbit.bind(f"exchange/{USER}/v1/new", "queue/boss/new")  # would fail if it were of another kind
    outbox.retry([row[0] for row in outbox.rows()])
    assert publish(outbox, to, CancelToken()).acknowledged == 1


def test_a_missing_exchange_of_somebody_else_is_said_and_nothing_is_lost(rabbit: Rabbit, outbox: Outbox) -> None:
    to = route(rabbit, "exchange/other/v1/none")
    queued(outbox, to, messages(3))
    with pytest.raises(PublisherError, match="no exchange exchange/other/v1/none"):
        publish(outbox, to, CancelToken())
    assert states(outbox) == {"queued": 3}


def test_a_foreign_exchange_refuses_and_the_job_says_why(rabbit: Rabbit, outbox: Outbox) -> None:
    rabbit.bind("exchange/other/v1/jobs", "queue/boss/foreign")
    to = route(rabbit, "exchange/other/v1/jobs")
    queued(outbox, to, messages(3))
    with pytest.raises(PublisherError, match="may not publish") as refused:
        publish(outbox, to, CancelToken())
    assert not isinstance(refused.value, ConnectionLostError)
    assert rabbit.messages("queue/boss/foreign") == []
    assert all("403" in row[9] for row in outbox.rows() if row[1] == "failed")
    assert states(outbox).get("failed", 0) + states(outbox).get("queued", 0) == 3


def test_an_exchange_of_another_kind_is_said(rabbit: Rabbit, outbox: Outbox) -> None:
    async def make(channel: Any) -> None:
        await channel.declare_exchange(f"exchange/{USER}/v1/fan", "fanout", durable=True)

    rabbit.as_boss(make)
    to = route(rabbit, f"exchange/{USER}/v1/fan")
    queued(outbox, to, [message()])
    with pytest.raises(PublisherError, match=r"is not a durable topic exchange \(406 PRECONDITION_FAILED\)"):
        publish(outbox, to, CancelToken())
    assert states(outbox) == {"queued": 1}


def test_an_exchange_that_we_may_use_but_not_make_is_used(rabbit: Rabbit, outbox: Outbox) -> None:
    rabbit.ctl("add_user", "guest2", PASSWORD)
    rabbit.ctl("set_permissions", "-p", "/", "guest2", "^$", "^exchange/guest2/.*", "^exchange/guest2/.*")
    rabbit.bind("exchange/guest2/v1/jobs", "queue/boss/guest2")
    to = route(rabbit, user="guest2")
    queued(outbox, to, [message()])
    assert publish(outbox, to, CancelToken()).acknowledged == 1


def test_a_wrong_password_is_said_without_showing_it(rabbit: Rabbit, outbox: Outbox) -> None:
    to = route(rabbit, password="wrong-and-secret")
    queued(outbox, to, [message()])
    with pytest.raises(PublisherError, match=f"does not let user {USER} in") as refused:
        publish(outbox, to, CancelToken())
    assert not isinstance(refused.value, ConnectionLostError)
    assert states(outbox) == {"queued": 1}


def test_a_wrong_virtual_host_is_said(rabbit: Rabbit, outbox: Outbox) -> None:
    to = PulsePublisher(PulseBroker("127.0.0.1", rabbit.port, False, "nowhere"), "", credentials())
    queued(outbox, to, [message()])
    with pytest.raises(PublisherError, match="no virtual host nowhere"):
        publish(outbox, to, CancelToken())


def test_what_nobody_is_bound_for_comes_back_instead_of_vanishing(rabbit: Rabbit, outbox: Outbox) -> None:
    to = route(rabbit, f"exchange/{USER}/v1/lonely")
    queued(outbox, to, messages(5))
    assert publish(outbox, to, CancelToken()).returned == 5
    assert all("NO_ROUTE" in row[9] for row in outbox.rows())


def test_two_states_of_one_job_both_come_back(rabbit: Rabbit, outbox: Outbox) -> None:
    """The library tells returned messages apart by their id; sent together, the first would count as acknowledged."""
    to = route(rabbit, f"exchange/{USER}/v1/lonely")
    queued(outbox, to, [message(state="running", result=None), message()])
    assert publish(outbox, to, CancelToken()).returned == 2


def test_two_states_of_one_job_arrive_in_their_order(rabbit: Rabbit, outbox: Outbox, queue: str) -> None:
    to = route(rabbit)
    queued(outbox, to, [message(state=state, result=None) for state in ("pending", "running")] + [message()])
    publish(outbox, to, CancelToken())
    arrived = [json.loads(one.body)["state"] for one in rabbit.messages(queue)]
    assert arrived == ["pending", "running", "completed"]


def test_a_broker_that_is_killed_and_restarted_costs_no_job(rabbit: Rabbit, outbox: Outbox, queue: str) -> None:
    to = route(rabbit)
    bodies = messages(1000)
    queued(outbox, to, bodies)
    killed = threading.Event()

    def on_progress(words: str) -> None:
        if not killed.is_set() and words.endswith(" sent"):
            killed.set()
            rabbit.kill()
            threading.Thread(target=rabbit.start, daemon=True).start()

    result = publish(outbox, to, CancelToken(), on_progress, patience=120)
    assert killed.is_set()
    assert states(outbox) == {"acknowledged": 1000}, result
    rabbit.ctl("await_startup")
    arrived = [one.message_id for one in rabbit.messages(queue)]
    assert set(arrived) == {body["taskId"] for body in bodies}, "lost"
    doubled = len(arrived) - len(set(arrived))
    assert doubled <= result.doubtful, "more than those in doubt, which keep their id"


def test_a_frozen_broker_is_given_up_and_the_jobs_stay(rabbit: Rabbit, outbox: Outbox, queue: str) -> None:
    to = route(rabbit, confirm=1)
    queued(outbox, to, messages(200))
    frozen = threading.Event()

    def on_progress(words: str) -> None:
        if not frozen.is_set():
            frozen.set()
            rabbit.signal(signal.SIGSTOP)

    short = PulsePublisher(to.broker, to.exchange, credentials(), connect_seconds=1, confirm_seconds=1)
    try:
        with pytest.raises(ConnectionLostError, match=r"not confirmed in time|does not respond|broke"):
            publish(outbox, short, CancelToken(), on_progress, patience=0.5)
    finally:
        rabbit.signal(signal.SIGCONT)
    assert "sending" not in states(outbox)
    assert sum(states(outbox).values()) == 200
    publish(outbox, route(rabbit), CancelToken())
    assert states(outbox) == {"acknowledged": 200}
    assert {one.message_id for one in rabbit.messages(queue)} == {body["taskId"] for body in messages(200)}


def test_a_broker_short_of_memory_is_said_and_the_job_arrives_later(rabbit: Rabbit, outbox: Outbox, queue: str) -> None:
    to = route(rabbit, confirm=1)
    queued(outbox, to, [message()])
    rabbit.ctl("set_vm_memory_high_watermark", "0")
    try:
        with pytest.raises(ConnectionLostError, match="memory or disk alarm"):
            publish(outbox, to, CancelToken(), patience=0)
        assert states(outbox) == {"queued": 1}
    finally:
        rabbit.ctl("set_vm_memory_high_watermark", "0.4")
    assert publish(outbox, route(rabbit), CancelToken()).acknowledged == 1
    assert {one.message_id for one in rabbit.messages(queue)} == {message()["taskId"]}


def test_a_stopped_publishing_leaves_nothing_half_done(rabbit: Rabbit, outbox: Outbox, queue: str) -> None:
    to, cancel = route(rabbit), CancelToken()
    queued(outbox, to, messages(1000))
    with pytest.raises(OperationCancelledError):
        publish(outbox, to, cancel, lambda words: cancel.cancel())
    assert set(states(outbox)) <= {"queued", "acknowledged"}
    publish(outbox, to, CancelToken())
    assert {one.message_id for one in rabbit.messages(queue)} == {body["taskId"] for body in messages(1000)}


def test_tls_to_a_plain_port_is_said(rabbit: Rabbit, outbox: Outbox) -> None:
    to = PulsePublisher(PulseBroker("127.0.0.1", rabbit.port, True), "", credentials())
    with pytest.raises(PublisherError, match="does not speak TLS"):
        publish(outbox, to, CancelToken(), patience=0)


def test_a_certificate_of_an_unknown_authority_is_not_trusted(rabbit: Rabbit, outbox: Outbox) -> None:
    to = PulsePublisher(PulseBroker("127.0.0.1", rabbit.tls_port, True), "", credentials())
    with pytest.raises(PublisherError, match="is not trusted"):
        publish(outbox, to, CancelToken(), patience=0)


def test_a_plain_connection_to_a_tls_port_is_given_up(rabbit: Rabbit, outbox: Outbox) -> None:
    to = PulsePublisher(PulseBroker("127.0.0.1", rabbit.tls_port, False), "", credentials(), connect_seconds=5)
    with pytest.raises(ConnectionLostError, match=r"broke|does not respond"):
        publish(outbox, to, CancelToken(), patience=0)


def test_tls_with_a_known_authority_works(
    rabbit: Rabbit, outbox: Outbox, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(rabbit.ca))
    to = PulsePublisher(PulseBroker("127.0.0.1", rabbit.tls_port, True), "", credentials())
    queued(outbox, to, [message()])
    assert publish(outbox, to, CancelToken()).acknowledged == 1


def test_nobody_listening_is_said(outbox: Outbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    to = PulsePublisher(parse_broker(f"amqp://127.0.0.1:{port}"), "", credentials())
    with pytest.raises(ConnectionLostError, match="Nothing listens"):
        publish(outbox, to, CancelToken(), patience=0)
