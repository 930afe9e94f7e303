"""Actors without Ray: links that answer, hang or die as a test requests."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from warm.engines.base import Patch
from warm.engines.remote.actors import Actor, ActorGone
from warm.engines.remote.packing import pack
from warm.engines.remote.parcel import AvatarParcel

KEY = ("tiny", "0" * 64)


class FakeLink:
    """An actor that draws its number into its patches."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls: list[str] = []
        self.loaded: set[tuple[str, str]] = set()
        self.is_hung = False
        self.is_dead = False
        self.is_silent = False
        """Its end is not reported to calls in progress."""
        self.was_gentle = False
        """True if its last start was of low priority."""
        self.error: dict[str, Any] | None = None
        """Answer to every `draw` instead of patches."""
        self.dies_drawing = False
        self.start_error: dict[str, Any] | None = None
        self.takes_s = 0.0
        self._changed = asyncio.Event()

    def die(self) -> None:
        self.is_dead = True
        self.loaded.clear()
        self.change()

    async def wait_for_death(self) -> None:
        while not self.is_dead:
            await self._changed.wait()

    def change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def call(self, method: str, *arguments: Any) -> Any:
        self.calls.append(method)
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        while self.is_hung and method != "start" and (self.is_silent or not self.is_dead):
            await self._changed.wait()
        if self.is_dead and method != "start":
            raise ActorGone(f"link {self.number} is dead")
        work: Callable[..., Any] = getattr(self, f"_{method}")
        return work(*arguments)

    def _start(self, _pickled: bytes, _versions: dict[str, str], is_gentle: bool) -> dict[str, Any]:
        self.is_dead = self.is_hung = False
        self.was_gentle = is_gentle
        return self.start_error or {"device": {"device": "fake"}, "pid": self.number}

    def _facts(self) -> dict[str, Any]:
        return {}

    def _load_avatar(self, parcel: AvatarParcel) -> None:
        self.loaded.add(parcel.key)

    def _unload_avatar(self, key: tuple[str, str]) -> None:
        self.loaded.discard(key)

    def _draw(self, keys: list[Any], frames: list[int], _features: Any) -> Any:
        if self.dies_drawing:
            self.die()
            raise ActorGone(f"link {self.number} has died")
        if self.error is not None:
            return self.error
        missing = [key for key in set(keys) if tuple(key) not in self.loaded]
        if missing:
            return {"error": "unknown_avatar", "message": "", "keys": missing}
        picture = np.full((2, 2, 3), self.number, np.uint8)
        patch = Patch(picture, np.full((2, 2), 255, np.uint8), np.eye(2, 3))
        return pack([patch] * len(frames))


class FakeCluster:
    """Counts stored avatars; after `end_process`, the actor's link answers again."""

    def __init__(self) -> None:
        self.stored = 0
        self.watches = False
        """True if the ends of processes are seen here."""
        self.ended: list[str] = []

    async def store(self, parcel: AvatarParcel) -> AvatarParcel:
        self.stored += 1
        return parcel

    async def end_process(self, actor: Actor) -> None:
        self.ended.append(actor.name)
        assert isinstance(actor.link, FakeLink)
        actor.link.die()

    async def wait_for_end(self, actor: Actor) -> bool:
        assert isinstance(actor.link, FakeLink)
        if self.watches:
            await actor.link.wait_for_death()
        return self.watches
