"""`GET /stats`: counters since the start, and current use."""

import os
from pathlib import Path
from typing import Any

from flask import Blueprint

from api.answers.state import StatsAnswer
from api.context import context
from api.operation import operation
from api.serializers import pushes_json
from warm.render.health import Health
from warm.runtime import Runtime

GB = 1e9

stats = Blueprint("stats", __name__)


@stats.get("/stats")
@operation(answers={200: StatsAnswer}, tag="server", scope="watch")
def show() -> dict[str, Any]:
    """All counters; available before the server is warm, too."""
    app_context = context()
    runtime, viewers = app_context.runtime, app_context.viewers
    downloads = app_context.downloads
    health = runtime.health()
    return {
        "uptime_s": round(runtime.uptime_s(), 1),
        "requests": requests_json(runtime, health),
        "jobs": app_context.jobs.counts(),
        "stages": stages_json(health),
        "frames": runtime.counters.frames,
        "pace": pace_json(runtime, health),
        "sessions": sessions_json(runtime),
        "watchers": {"open": viewers.taken, "max": viewers.limit},
        "downloads": {"open": downloads.taken, "max": downloads.limit},
        "cache": cache_json(runtime),
        "engine": engine_json(health),
        "live": app_context.live.stats(),
        "pushes": pushes_json(app_context.pushes),
        "rooms": app_context.rooms.counts(),
        "device": device_json(health),
    }


def requests_json(runtime: Runtime, health: Health) -> dict[str, int]:
    """JSON of the requests to speak, by outcome."""
    counters = runtime.counters
    return {
        "queued": health.queued,
        "running": health.processing,
        "done": counters.done,
        "failed": counters.failed,
        "interrupted": counters.interrupted,
    }


def stages_json(health: Health) -> dict[str, Any]:
    """JSON of the steps in progress: their number, and the age of the oldest one."""
    return {
        stage: {"count": use.count, "oldest_s": round(use.oldest_s, 3)}
        for stage, use in health.stages.items()
    }


def pace_json(runtime: Runtime, health: Health) -> dict[str, Any]:
    """JSON of the measured pace and of the choices that follow from it."""
    pace, fps = health.pace, runtime.avatar.fps
    needed = health.processing * fps
    return {
        "frames_per_s": pace.frames_per_s and round(pace.frames_per_s, 1),
        "load": pace.frames_per_s and round(needed / pace.frames_per_s, 3),
        "places": pace.places,
        "max_places": pace.max_places,
        "automatic": pace.is_automatic,
        "reason": pace.reason,
        "preset": pace.preset,
        "fragments": runtime.counters.fragments,
        "late_fragments": runtime.counters.late_fragments,
    }


def sessions_json(runtime: Runtime) -> dict[str, int]:
    """JSON of the number of sessions."""
    states = [session.state("") for session in runtime.sessions.registry.all()]
    return {
        "count": len(states),
        "speaking": states.count("speaking"),
        "max": runtime.sessions.limits.max_sessions,
        "evicted": runtime.sessions.lifecycle.evicted,
    }


def cache_json(runtime: Runtime) -> dict[str, Any]:
    """JSON of the avatar cache."""
    counts = runtime.avatar_cache.counts()
    return {
        "hits": counts.hits,
        "misses": counts.misses,
        "evictions": counts.evictions,
        "bytes": counts.bytes,
        "max_bytes": counts.max_bytes,
        "avatars": list(counts.avatars),
    }


def engine_json(health: Health) -> dict[str, Any]:
    """JSON of the engine's loads and unloads."""
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
    """Resident memory of this process in bytes, including mapped files."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def device_json(health: Health) -> dict[str, Any]:
    """JSON of the engine's device, its memory (null if it has none of its own), and all else that
    the engine reports: batch sizes, precision, pace."""
    status = dict(health.device_status)
    return {
        "device": status.pop("device", None),
        "memory_held_gb": status.pop("memory_used_gb", None),
        "memory_free_gb": status.pop("memory_free_gb", None),
        "memory_total_gb": status.pop("memory_total_gb", None),
        "waiting": health.queued,
        **status,
    }
