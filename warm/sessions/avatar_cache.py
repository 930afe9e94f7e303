"""Cache of the avatars in memory: opened once, loaded in the engine, evicted by size and age."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from session.film import FilmSpec
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError, AvatarMissing, AvatarStore
from warm.engines.base import Engine, EngineOutOfMemory


class AvatarFpsMismatch(AvatarError):
    """The avatar was prepared for another frame rate than this server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarFacts:
    """Facts about an avatar that sessions need while it is not in memory."""

    id: str
    digest: str
    spec: FilmSpec
    """Format of films with this avatar."""
    period: int
    """Frames after which the idle loop repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarCacheLimits:
    """Limits on the size and age of cached avatars."""

    max_bytes: int
    ttl_s: float
    """Seconds without use; 0: no limit."""


@dataclass(slots=True, eq=False)
class CacheEntry:
    """An avatar in memory."""

    avatar: Avatar
    bytes: int
    last_used_s: float
    """By the cache's clock."""
    users: int = 0
    """Clips being made with it."""
    is_adopted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarCacheCounts:
    """Counters for `GET /stats`. A hit is a clip whose avatar was in the engine when it started."""

    hits: int
    misses: int
    evictions: int
    bytes: int
    max_bytes: int
    avatars: tuple[str, ...]
    """Ids, least recently used first."""


class AvatarCache:
    """Avatars by id, within a budget of bytes.

    `facts`, `reload_facts`, `forget`, `fetch` and `counts` are for any thread; the methods that
    call the engine (`load`, `acquire`, `release`, `evict_expired`) are for the render thread. The
    pinned avatar and avatars in use are never evicted: only they can exceed the budget.
    """

    def __init__(
        self,
        *,
        store: AvatarStore,
        engine: Engine,
        pinned: Avatar,
        fps: int,
        limits: AvatarCacheLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pinned_id = pinned.id
        self._store = store
        self._engine = engine
        self._fps = fps
        self._limits = limits
        self._clock = clock
        self._lock = RLock()
        self._entries: dict[str, CacheEntry] = {}
        self._replaced: list[CacheEntry] = []
        """Replaced by a newer preparation of the same id; dropped when no clip uses them."""
        self._hits, self._misses, self._evictions = 0, 0, 0
        require_fps(pinned.id, pinned.fps, server_fps=fps)
        self._add(pinned)

    def facts(self, avatar_id: str) -> AvatarFacts:
        """Return the facts of an avatar, from memory or disk; raises AvatarError."""
        with self._lock:
            entry = self._entries.get(avatar_id)
        if entry is not None:
            return facts_of(entry.avatar)
        return self._stored_facts(avatar_id)

    def reload_facts(self, avatar_id: str) -> AvatarFacts:
        """Read the facts of an avatar from disk again; raises AvatarError.

        An avatar that was prepared again replaces the one in memory. Clips being made continue
        with the old one.
        """
        try:
            facts = self._stored_facts(avatar_id)
        except AvatarMissing:
            if avatar_id == self.pinned_id:
                return self.facts(avatar_id)
            raise
        with self._lock:
            entry = self._entries.get(avatar_id)
            if entry is not None and entry.avatar.digest != facts.digest:
                self._replaced.append(self._entries.pop(avatar_id))
        return facts

    def forget(self, avatar_id: str) -> None:
        """Drop a deleted avatar from memory when no clip uses it any more. Any thread."""
        with self._lock:
            if avatar_id != self.pinned_id and avatar_id in self._entries:
                self._replaced.append(self._entries.pop(avatar_id))

    def fetch(self, avatar_id: str) -> Avatar:
        """Return the avatar, opened if it is not in memory; raises AvatarError.

        Its files are read ahead into the page cache, so that the render thread need not wait for
        the disk.
        """
        with self._lock:
            if avatar_id in self._entries:
                return self._touch(self._entries[avatar_id]).avatar
        avatar = self._store.open(avatar_id)
        require_fps(avatar.id, avatar.fps, server_fps=self._fps)
        read_ahead(avatar.folder)
        with self._lock:
            return self._add(avatar).avatar

    def fetch_with_new_actions(self, avatar_id: str) -> Avatar:
        """Return the avatar, with the actions that were added to it since it was opened.

        One that was prepared again in another way is not opened: its sessions keep the old one
        until a reset. Raises AvatarError.
        """
        known = self.fetch(avatar_id)
        with suppress(AvatarMissing):
            if self._store.summary(avatar_id).base_digest == known.base_digest:
                self.reload_facts(avatar_id)
        return self.fetch(avatar_id)

    def load(self, avatar_id: str) -> None:
        """Load an avatar into the engine. Render thread; raises as `fetch` and `load_avatar`."""
        self.fetch(avatar_id)
        self._adopt(self._entries[avatar_id])
        self._evict_to_budget()

    def acquire(self, avatar_id: str) -> Avatar:
        """Return the avatar, in the engine and held until `release`. Render thread.

        Raises as `load`.
        """
        self.fetch(avatar_id)
        with self._lock:
            entry = self._entries[avatar_id]
            self._hits += entry.is_adopted
            self._misses += not entry.is_adopted
            entry.users += 1
        try:
            self._adopt(entry)
        except BaseException:
            self.release(entry.avatar)
            raise
        self._evict_to_budget()
        return entry.avatar

    def release(self, avatar: Avatar) -> None:
        """End the use of an avatar by a clip. Render thread."""
        with self._lock:
            for entry in (*self._entries.values(), *self._replaced):
                if entry.avatar is avatar and entry.users:
                    entry.users -= 1
                    entry.last_used_s = self._clock()
        self._evict_to_budget()

    def evict_expired(self) -> None:
        """Evict the avatars that have not been used for `ttl_s`. Render thread."""
        with self._lock:
            now_s = self._clock()
            for entry in self._evictable():
                if self._limits.ttl_s and now_s - entry.last_used_s >= self._limits.ttl_s:
                    self._evict(entry)
        self._evict_to_budget()

    def counts(self) -> AvatarCacheCounts:
        """Return the counters."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda each: each.last_used_s)
            return AvatarCacheCounts(
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
                bytes=self._bytes(),
                max_bytes=self._limits.max_bytes,
                avatars=tuple(each.avatar.id for each in entries),
            )

    def _stored_facts(self, avatar_id: str) -> AvatarFacts:
        """Return the facts of an avatar on disk; raises AvatarError."""
        summary = self._store.summary(avatar_id)
        if summary.state != "ready":
            self._store.open(avatar_id)  # raises the reason
        require_fps(summary.id, summary.fps, server_fps=self._fps)
        width, height = summary.size
        return AvatarFacts(
            id=summary.id,
            digest=summary.digest,
            spec=FilmSpec(width=width, height=height, fps=summary.fps),
            period=summary.period,
        )

    def _add(self, avatar: Avatar) -> CacheEntry:
        new = CacheEntry(avatar, bytes_of(avatar), self._clock())
        return self._touch(self._entries.setdefault(avatar.id, new))

    def _touch(self, entry: CacheEntry) -> CacheEntry:
        entry.last_used_s = self._clock()
        return entry

    def _adopt(self, entry: CacheEntry) -> None:
        """Load an avatar into the engine; evict others while its device lacks memory."""
        while not entry.is_adopted:
            try:
                self._engine.load_avatar(entry.avatar)
                entry.is_adopted = True
            except EngineOutOfMemory:
                others = [each for each in self._evictable() if each is not entry]
                others = [each for each in others if each.is_adopted]
                if not others:
                    raise
                self._evict(others[0])

    def _bytes(self) -> int:
        return sum(entry.bytes for entry in (*self._entries.values(), *self._replaced))

    def _evictable(self) -> list[CacheEntry]:
        """Entries that may be evicted, least recently used first."""
        entries = [
            each
            for each in self._entries.values()
            if not each.users and each.avatar.id != self.pinned_id
        ]
        return sorted(entries, key=lambda each: each.last_used_s)

    def _evict_to_budget(self) -> None:
        with self._lock:
            for entry in [each for each in self._replaced if not each.users]:
                self._replaced.remove(entry)
                self._forget(entry)
            for entry in self._evictable():
                if self._bytes() <= self._limits.max_bytes:
                    return
                self._evict(entry)

    def _evict(self, entry: CacheEntry) -> None:
        del self._entries[entry.avatar.id]
        self._evictions += 1
        self._forget(entry)

    def _forget(self, entry: CacheEntry) -> None:
        if entry.is_adopted:
            self._engine.unload_avatar(entry.avatar)


def facts_of(avatar: Avatar) -> AvatarFacts:
    """Return the facts of an open avatar."""
    width, height = avatar.size
    return AvatarFacts(
        id=avatar.id,
        digest=avatar.digest,
        spec=FilmSpec(width=width, height=height, fps=avatar.fps),
        period=avatar.period,
    )


def require_fps(avatar_id: str, fps: int, *, server_fps: int) -> None:
    """Raise AvatarFpsMismatch if an avatar has another frame rate than the server."""
    if fps != server_fps:
        raise AvatarFpsMismatch(
            f"avatar_id = {avatar_id!r} was prepared for {fps} frames a second; this server "
            f"renders {server_fps} (fps). Prepare it again with --fps {server_fps}, or start the "
            f"server with --fps {fps}"
        )


def bytes_of(avatar: Avatar) -> int:
    """Memory of an avatar when all of it has been read."""
    core = avatar.frames.nbytes + avatar.transforms.nbytes + avatar.landmarks.nbytes
    return core + sum(array.nbytes for array in avatar.extras.values())


def read_ahead(folder: Path) -> None:
    """Ask the kernel to read an avatar's arrays into the page cache."""
    for path in folder.glob("*.npy"):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(fd)
