"""The avatars in memory: opened once, warm in the engine, put away when room or time is up."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from session.film import FilmSpec
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError, AvatarMissing, AvatarStore, AvatarSummary
from warm.engines.base import Engine, EngineOutOfMemory


class AvatarUnfit(AvatarError):
    """The avatar was prepared for another frame rate than this server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarFacts:
    """What a session needs to know of its avatar while that is not in memory."""

    id: str
    digest: str
    spec: FilmSpec
    """What films with this avatar are."""
    period: int
    """Frames after which the loop is where it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarCacheLimits:
    """How much memory avatars may take, and for how long."""

    max_bytes: int
    ttl_s: float
    """0: for ever."""


@dataclass(slots=True, eq=False)
class Kept:
    """An avatar in memory."""

    avatar: Avatar
    bytes: int
    used: float
    """When it was wanted last, by the wardrobe's clock."""
    users: int = 0
    """Clips that are being made with it."""
    is_adopted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarCacheCounts:
    """What `GET /stats` tells. A hit is a clip whose avatar was warm when its turn came."""

    hits: int
    misses: int
    evictions: int
    bytes: int
    max_bytes: int
    avatars: tuple[str, ...]
    """Names, the one that was wanted longest ago first."""


class AvatarCache:
    """Avatars by name, under a budget of bytes.

    Any thread may look and fetch. What calls the engine (`wear`, `rest`, `warm`, `tidy`) is for
    the render thread. The `standing` avatar is never put away, nor is one with which a clip is
    being made: these alone can pass the budget.
    """

    def __init__(
        self,
        *,
        store: AvatarStore,
        engine: Engine,
        standing: Avatar,
        fps: int,
        limits: AvatarCacheLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.standing_id = standing.id
        self._store = store
        self._engine = engine
        self._fps = fps
        self._limits = limits
        self._clock = clock
        self._lock = RLock()
        self._kept: dict[str, Kept] = {}
        self._leaving: list[Kept] = []
        """Replaced by a newer preparation of the same name; forgotten when nobody uses them."""
        self._hits, self._misses, self._evictions = 0, 0, 0
        self._keep(self._fitting(standing))

    def facts(self, avatar_id: str) -> AvatarFacts:
        """What is known of an avatar, from memory or disk; raises AvatarError."""
        with self._lock:
            kept = self._kept.get(avatar_id)
        if kept is not None:
            return facts_of(kept.avatar)
        return self._fitting_facts(self._ready(avatar_id))

    def look_again(self, avatar_id: str) -> AvatarFacts:
        """As `facts`, but as it lies on disk now: an avatar that was made anew replaces the one in
        memory. Clips in the making go on with the old one."""
        try:
            found = self._fitting_facts(self._ready(avatar_id))
        except AvatarMissing:
            if avatar_id == self.standing_id:
                return self.facts(avatar_id)
            raise
        with self._lock:
            kept = self._kept.get(avatar_id)
            if kept is not None and kept.avatar.digest != found.digest:
                self._leaving.append(self._kept.pop(avatar_id))
        return found

    def fetch(self, avatar_id: str) -> Avatar:
        """The avatar, opened when it is not in memory; raises AvatarError.

        Its files are asked to come into the cache of the system, so that the render thread need
        not wait for the disk.
        """
        with self._lock:
            if avatar_id in self._kept:
                return self._touch(self._kept[avatar_id]).avatar
        avatar = self._fitting(self._store.open(avatar_id))
        read_ahead(avatar.folder)
        with self._lock:
            return self._keep(avatar).avatar

    def warm(self, avatar_id: str) -> None:
        """Load an avatar for its first clip. Render thread; raises what `load_avatar` raises."""
        self.fetch(avatar_id)
        self._adopt(self._kept[avatar_id])
        self._make_room()

    def wear(self, avatar_id: str) -> Avatar:
        """The avatar, warm in the engine and held until `rest`. Render thread; raises as `warm`."""
        self.fetch(avatar_id)
        with self._lock:
            kept = self._kept[avatar_id]
            self._hits += kept.is_adopted
            self._misses += not kept.is_adopted
            kept.users += 1
        try:
            self._adopt(kept)
        except BaseException:
            self.rest(kept.avatar)
            raise
        self._make_room()
        return kept.avatar

    def rest(self, avatar: Avatar) -> None:
        """A clip with this avatar has ended. Render thread."""
        with self._lock:
            for kept in (*self._kept.values(), *self._leaving):
                if kept.avatar is avatar and kept.users:
                    kept.users -= 1
                    kept.used = self._clock()
        self._make_room()

    def tidy(self) -> None:
        """Put away what nobody wanted for `ttl_s`. Render thread."""
        with self._lock:
            now = self._clock()
            for kept in self._spare():
                if self._limits.ttl_s and now - kept.used >= self._limits.ttl_s:
                    self._put_away(kept)
        self._make_room()

    def counts(self) -> AvatarCacheCounts:
        """What became of all wishes so far."""
        with self._lock:
            kept = sorted(self._kept.values(), key=lambda each: each.used)
            return AvatarCacheCounts(
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
                bytes=self._bytes(),
                max_bytes=self._limits.max_bytes,
                avatars=tuple(each.avatar.id for each in kept),
            )

    def _ready(self, avatar_id: str) -> AvatarSummary:
        """An avatar that can be opened; raises AvatarError."""
        summary = self._store.summary(avatar_id)
        if summary.state != "ready":
            self._store.open(avatar_id)  # raises what is the matter
        return summary

    def _fitting_facts(self, summary: AvatarSummary) -> AvatarFacts:
        require_fps(summary.id, summary.fps, wanted=self._fps)
        width, height = summary.size
        return AvatarFacts(
            id=summary.id,
            digest=summary.digest,
            spec=FilmSpec(width=width, height=height, fps=summary.fps),
            period=summary.period,
        )

    def _fitting(self, avatar: Avatar) -> Avatar:
        require_fps(avatar.id, avatar.fps, wanted=self._fps)
        return avatar

    def _keep(self, avatar: Avatar) -> Kept:
        size = bytes_of(avatar)
        return self._touch(self._kept.setdefault(avatar.id, Kept(avatar, size, self._clock())))

    def _touch(self, kept: Kept) -> Kept:
        kept.used = self._clock()
        return kept

    def _adopt(self, kept: Kept) -> None:
        """Where the engine's device has no room, others make some, until nobody is left who can."""
        while not kept.is_adopted:
            try:
                self._engine.load_avatar(kept.avatar)
                kept.is_adopted = True
            except EngineOutOfMemory:
                others = [each for each in self._spare() if each is not kept and each.is_adopted]
                if not others:
                    raise
                self._put_away(others[0])

    def _bytes(self) -> int:
        return sum(kept.bytes for kept in (*self._kept.values(), *self._leaving))

    def _spare(self) -> list[Kept]:
        """What may be put away, the one that was wanted longest ago first."""
        kept = [
            each
            for each in self._kept.values()
            if not each.users and each.avatar.id != self.standing_id
        ]
        return sorted(kept, key=lambda each: each.used)

    def _make_room(self) -> None:
        with self._lock:
            for kept in [each for each in self._leaving if not each.users]:
                self._leaving.remove(kept)
                self._forget(kept)
            for kept in self._spare():
                if self._bytes() <= self._limits.max_bytes:
                    return
                self._put_away(kept)

    def _put_away(self, kept: Kept) -> None:
        del self._kept[kept.avatar.id]
        self._evictions += 1
        self._forget(kept)

    def _forget(self, kept: Kept) -> None:
        if kept.is_adopted:
            self._engine.unload_avatar(kept.avatar)


def facts_of(avatar: Avatar) -> AvatarFacts:
    """What an open avatar says of itself."""
    width, height = avatar.size
    return AvatarFacts(
        id=avatar.id,
        digest=avatar.digest,
        spec=FilmSpec(width=width, height=height, fps=avatar.fps),
        period=avatar.period,
    )


def require_fps(avatar_id: str, fps: int, *, wanted: int) -> None:
    """Raise AvatarUnfit where an avatar has another frame rate than the server."""
    if fps != wanted:
        raise AvatarUnfit(
            f"avatar_id = {avatar_id!r} was prepared for {fps} frames a second; this server makes "
            f"{wanted} (fps). Prepare it again with --fps {wanted}, or start the server with "
            f"--fps {fps}"
        )


def bytes_of(avatar: Avatar) -> int:
    """Memory that an avatar takes when all of it has been looked at."""
    core = avatar.frames.nbytes + avatar.transforms.nbytes + avatar.landmarks.nbytes
    return core + sum(array.nbytes for array in avatar.extras.values())


def read_ahead(folder: Path) -> None:
    """Ask the system to read an avatar's arrays before somebody waits for them."""
    for path in folder.glob("*.npy"):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(fd)
