"""`GET /stats`: what the server has done, and what it holds."""

from typing import Any

from flask import Blueprint

from api.running import Running, running
from warm.runtime import Health

stats = Blueprint("stats", __name__)


@stats.get("/stats")
def look() -> dict[str, Any]:
    """Counts since the start, and what is held now; also while the server is not warm."""
    parts = running()
    health = parts.runtime.health()
    return {
        "uptime_s": round(parts.runtime.uptime_s(), 1),
        "requests": describe_requests(parts, health),
        "frames": parts.runtime.tally.frames,
        "sessions": describe_sessions(parts),
        "watchers": {"open": parts.watchers.taken, "max": parts.watchers.limit},
        "cache": describe_cache(parts),
        "device": describe_device(health),
    }


def describe_requests(parts: Running, health: Health) -> dict[str, int]:
    """What became of the requests to speak."""
    tally = parts.runtime.tally
    return {
        "queued": health.queued,
        "running": health.processing,
        "done": tally.done,
        "failed": tally.failed,
        "interrupted": tally.interrupted,
    }


def describe_sessions(parts: Running) -> dict[str, int]:
    """How many sessions there are, and what they do."""
    sessions = parts.runtime.sessions
    states = sessions.states()
    return {
        "count": len(states),
        "speaking": states.count("speaking"),
        "max": sessions.limits.max_sessions,
    }


def describe_cache(parts: Running) -> dict[str, Any]:
    """The avatars in memory."""
    counts = parts.runtime.wardrobe.counts()
    return {
        "hits": counts.hits,
        "misses": counts.misses,
        "evictions": counts.evictions,
        "bytes": counts.bytes,
        "max_bytes": counts.max_bytes,
        "avatars": list(counts.avatars),
    }


def describe_device(health: Health) -> dict[str, Any]:
    """The device of the engine, its memory (null where it has none of its own), and what else the
    engine tells: batch sizes, precision, pace."""
    facts = dict(health.facts)
    return {
        "device": facts.pop("device", None),
        "memory_held_gb": facts.pop("memory_used_gb", None),
        "memory_free_gb": facts.pop("memory_free_gb", None),
        "memory_total_gb": facts.pop("memory_total_gb", None),
        **facts,
    }
