"""Ctrl+P: the actions of the key table by name, those of the focused place first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from tui.keymap import KEYS, Key, spelled


class KeyProvider(Provider):
    """Offers each action that something from the focus up to the app can carry out."""

    def _offers(self) -> Iterator[tuple[Key, DOMNode]]:
        nodes = [*(self.focused.ancestors_with_self if self.focused is not None else [self.screen]), self.app]
        seen: set[str] = set()
        for node in nodes:
            if not hasattr(node, "BINDINGS"):
                continue
            ids = {getattr(binding, "id", None) for binding in node.BINDINGS}
            for key in KEYS:
                if key.id in ids and key.id not in seen and key.id != "palette":
                    seen.add(key.id)
                    yield key, node

    async def discover(self) -> Hits:
        for key, node in self._offers():
            yield DiscoveryHit(_label(key), partial(self._run, key, node), help=key.id)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for key, node in self._offers():
            if (score := matcher.match(f"{key.help} {key.id}")) > 0:
                yield Hit(score, _label(key), partial(self._run, key, node), help=key.id)

    async def _run(self, key: Key, node: DOMNode) -> None:
        await self.app.run_action(key.action, default_namespace=node)


def _label(key: Key) -> str:
    return f"{key.help}  ({spelled(key.keys)})".replace("[", "\\[")
