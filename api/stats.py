"""`GET /stats`: what the server has done, and what it holds."""

import os
from pathlib import Path
from typing import Any

from flask import Blueprint

from api.context import AppContext, running
from warm.render.health import Health

GB = 1e9

stats = Blueprint("stats", __name__)


@stats.get("/stats")
def look() -> dict[str, Any]:
    """Counts since the start, and what is held now; also while the server is not warm."""
    parts = running()
    health = parts.runtime.health()
    return {
        "uptime_s": round(parts.runtime.uptime_s(), 1),
        "requests": describe_requests(parts, health),
        "frames": parts.runtime.counters.frames,
        "sessions": describe_sessions(parts),
        "watchers": {"open": parts.watchers.taken, "max": parts.watchers.limit},
        "cache": describe_cache(parts),
        "engine": describe_engine(health),
        "device": describe_device(health),
    }


def describe_requests(parts: AppContext, health: Health) -> dict[str, int]:
    """What became of the requests to speak."""
    counters = parts.runtime.counters
    return {
        "queued": health.queued,
        "running": health.processing,
        "done": counters.done,
        "failed": counters.failed,
        "interrupted": counters.interrupted,
    }


def describe_sessions(parts: AppContext) -> dict[str, int]:
    """How many sessions there are, and what they do."""
    sessions = parts.runtime.sessions
    states = [session.state("") for session in sessions.registry.all()]
    return {
        "count": len(states),
        "speaking": states.count("speaking"),
        "max": sessions.limits.max_sessions,
    }


def describe_cache(parts: AppContext) -> dict[str, Any]:
    """The avatars in memory."""
    counts = parts.runtime.avatar_cache.counts()
    return {
        "hits": counts.hits,
        "misses": counts.misses,
        "evictions": counts.evictions,
        "bytes": counts.bytes,
        "max_bytes": counts.max_bytes,
        "avatars": list(counts.avatars),
    }


def describe_engine(health: Health) -> dict[str, Any]:
    """Whether the engine is loaded, and how often that changed."""
    return {
        "name": health.engine,
        "loaded": health.is_loaded,
        "load_s": health.load_s and round(health.load_s, 3),
        "loads": health.loads,
        "unloads": health.unloads,
        "losses": health.losses,
        "process_memory_gb": round(process_memory() / GB, 3),
    }


def process_memory() -> int:
    """Bytes of this process that lie in the computer's memory, mapped files among them."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def describe_device(health: Health) -> dict[str, Any]:
    """The device of the engine, its memory (null where it has none of its own), and what else the
    engine tells: batch sizes, precision, pace."""
    device_status = dict(health.device_status)
    return {
        "device": device_status.pop("device", None),
        "memory_held_gb": device_status.pop("memory_used_gb", None),
        "memory_free_gb": device_status.pop("memory_free_gb", None),
        "memory_total_gb": device_status.pop("memory_total_gb", None),
        **device_status,
    }
