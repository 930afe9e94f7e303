"""The parts of the warm process as the settings want them."""

from collections.abc import Callable

from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.engines.base import Engine
from warm.engines.lifecycle import LoadPolicy
from warm.sessions.archive import Disposal
from warm.sessions.avatar_cache import AvatarCache, AvatarCacheLimits
from warm.sessions.limits import MB, SessionLimits
from warm.sessions.manager import Sessions
from warm.settings import Settings


def make_avatar_cache(
    settings: Settings, avatar: Avatar, engine: Engine, clock: Callable[[], float]
) -> AvatarCache:
    """The avatars in memory, `avatar` being the one that stays."""
    return AvatarCache(
        store=AvatarStore(settings.results_dir),
        engine=engine,
        standing=avatar,
        fps=settings.fps,
        limits=AvatarCacheLimits(
            max_bytes=int(settings.max_avatars_mb * MB), ttl_s=settings.avatar_ttl_s
        ),
        clock=clock,
    )


def load_policy_of(settings: Settings) -> LoadPolicy:
    """When the engine is loaded and unloaded."""
    return LoadPolicy(
        unload_idle_s=settings.unload_idle_seconds,
        clear_cache=settings.clear_cache_after_generation,
    )


def make_sessions(
    settings: Settings, avatar_cache: AvatarCache, disposal: Disposal, clock: Callable[[], float]
) -> Sessions:
    """The sessions as the settings want them."""
    limits = SessionLimits(
        max_sessions=settings.max_sessions,
        max_session_s=settings.max_session_s,
        max_session_mb=settings.max_session_mb,
        session_idle_s=settings.session_idle_s,
        min_free_mb=settings.min_free_mb,
    )
    return Sessions(
        settings.results_dir,
        avatar_cache=avatar_cache,
        limits=limits,
        disposal=disposal,
        writer=settings.writer,
        clock=clock,
    )
