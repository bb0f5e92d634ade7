"""A RabbitMQ of the tests' own: a node, ports, a data directory and a cookie that nobody else has."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aio_pika

BIN = Path("/usr/lib/rabbitmq/bin")  # /usr/sbin has a wrapper that wants to become another user
USER, PASSWORD = "ciuser", "the-password-of-the-tests"
START_SECONDS = 90
_OWN = "^(queue/ciuser/.*|exchange/ciuser/.*)"
_READ = "^(queue/ciuser/.*|exchange/.*)"  # PulseGuardian's rules for every user


def missing() -> str:
    """Why there can be no broker here; "" if there can."""
    if not (BIN / "rabbitmq-server").exists():
        return "RabbitMQ is not installed: apt-get install --no-install-recommends rabbitmq-server"
    lacking = [name for name in ("erl", "epmd", "openssl") if shutil.which(name) is None]
    return f"RabbitMQ needs {' and '.join(lacking)}, which is not installed" if lacking else ""


def _free_ports(count: int) -> Iterator[int]:
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    for holder in holders:
        yield holder.getsockname()[1]
        holder.close()


class Rabbit:
    """`port` speaks AMQP, `tls_port` AMQP over TLS with a certificate that only `ca` vouches for."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self.tls_port, dist, names = list(_free_ports(4))
        self.ca = home / "ca.pem"
        self._make_certificate()
        (home / "enabled_plugins").write_text("[].")
        (home / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\nlisteners.ssl.local = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.cacertfile = {self.ca}\nssl_options.certfile = {self.ca}\n"
            f"ssl_options.keyfile = {home / 'key.pem'}\nssl_options.verify = verify_none\n"
            "loopback_users.guest = true\nlog.file.level = info\ndisk_free_limit.absolute = 50MB\n"
        )
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        self._environment = {
            **os.environ,
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"ciexplore{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "rabbit.pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
            "RABBITMQ_CTL_ERL_ARGS": loopback,
        }

    def _make_certificate(self) -> None:
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout",
                str(self.home / "key.pem"),
                "-out",
                str(self.ca),
            ],
            check=True,
            capture_output=True,
        )

    def boot(self) -> None:
        """Starts the node for the first time, with its users."""
        # A register of names of our own: the node would start a daemon that outlives it, and that others then share.
        self._names = subprocess.Popen(["epmd"], env=self._environment)
        self.start()
        self.ctl("add_user", USER, PASSWORD)
        self.ctl("set_permissions", "-p", "/", USER, _OWN, _OWN, _READ)
        self.ctl("add_user", "boss", PASSWORD)
        self.ctl("set_permissions", "-p", "/", "boss", ".*", ".*", ".*")

    def start(self) -> None:
        (self.home / "rabbit.pid").unlink(missing_ok=True)
        with (self.home / "out.log").open("ab") as out:
            self._server = subprocess.Popen(
                [str(BIN / "rabbitmq-server")], env=self._environment, stdout=out, stderr=out, start_new_session=True
            )
        self.ctl("wait", "--timeout", str(START_SECONDS), str(self.home / "rabbit.pid"))

    def ctl(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(BIN / "rabbitmqctl"), "--quiet", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=START_SECONDS + 30,
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {arguments[0]}: {done.stdout[-500:]} {done.stderr[-500:]}")
        return done.stdout

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._server.wait(30)

    def stop(self) -> None:
        """Ends the node and its register of names; nothing of it is left running."""
        with contextlib.suppress(ProcessLookupError):
            self.kill()
        self._names.kill()
        self._names.wait(30)

    def signal(self, number: int) -> None:
        """To every process of the node; its session is its own."""
        os.killpg(self._server.pid, number)

    def as_boss(self, work: Any) -> Any:
        """Runs `work(channel)` with all rights."""

        async def run() -> Any:
            connection = await aio_pika.connect(
                host="127.0.0.1", port=self.port, login="boss", password=PASSWORD, timeout=30
            )
            async with connection:
                return await work(await connection.channel())

        return asyncio.run(run())

    def bind(self, exchange: str, queue: str, key: str = "#") -> None:
        """A durable queue that gets what is published; the exchange is made if it is missing."""

        async def work(channel: Any) -> None:
            source = await channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            target = await channel.declare_queue(queue, durable=True)
            await target.bind(source, key)

        self.as_boss(work)

    def messages(self, queue: str) -> list[Any]:
        """All that is in the queue, taken out of it."""

        async def work(channel: Any) -> list[Any]:
            found = []
            source = await channel.get_queue(queue)
            while (message := await source.get(no_ack=True, fail=False)) is not None:
                found.append(message)
            return found

        return self.as_boss(work)
