"""An embedded CI whose storage stops where a test wants it to: so that an interruption meets a download midway."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, MutableMapping
from typing import Any

from backends.demo import DemoOptions, DemoServer, locators
from backends.demo.asgi import App, Receive, Scope, Send

PATIENCE = 60.0  # seconds; only a hang takes that long


class HoldingServer(DemoServer):
    """Sends at most `files` answers of the storage and at most `piece` bytes of each, until `let_go()`."""

    def __init__(self, tasks: int = 40) -> None:
        super().__init__(DemoOptions(tasks=tasks))
        self.files: int | None = None
        self.piece: int | None = None
        self.stalled = False  # answers nothing but the storage
        self.stalling = False
        self.held = threading.Event()
        self._answered = 0
        self._free = threading.Event()
        self._free.set()

    @property
    def locators(self) -> dict[str, str]:
        return locators(self.options, self.root_url)

    def hold(self, *, files: int | None = None, piece: int | None = None) -> None:
        self.files, self.piece, self._answered = files, piece, 0
        self.held.clear()
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def stop(self) -> None:
        self.stalled = False
        self.let_go()
        super().stop()

    def stored_paths(self) -> list[tuple[str, int]]:
        """(path, status) of what was asked of the storage."""
        return [(one.path, one.status) for one in self.requests if one.path.startswith(("/pub/", "/priv/", "/obj/"))]

    def _wrapped(self, app: App) -> App:
        inner = super()._wrapped(app)

        async def gate(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope["path"].startswith(("/pub/", "/priv/", "/obj/")):
                while self.stalled:
                    self.stalling = True
                    await asyncio.sleep(0.01)
                await inner(scope, receive, send)
                return
            self._answered += 1
            if self.files is not None and self._answered > self.files:
                await self._wait()
            sent = 0

            async def counted(message: MutableMapping[str, Any]) -> None:
                nonlocal sent
                if self.piece is not None and sent >= self.piece:
                    await self._wait()
                sent += len(message.get("body", b""))
                await send(message)

            await inner(scope, receive, counted)

        return gate

    async def _wait(self) -> None:
        while not self._free.is_set():
            self.held.set()
            await asyncio.sleep(0.01)


def until(condition: Callable[[], object]) -> None:
    """Returns when something is so; fails when it never is."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("that never happened")
