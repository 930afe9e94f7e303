"""`GET /metrics`: counters, gauges and histograms in the formats of Prometheus."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.context import AppContext, context
from api.health import HEALTHY
from api.instruments import PREFIX
from api.operation import operation
from warm import VERSION
from warm.render.health import Health

GB = 1e9
TEXT, OPEN_METRICS = "text/plain", "application/openmetrics-text"
MEMORY = {"held": "memory_used_gb", "free": "memory_free_gb", "total": "memory_total_gb"}
"""Members of the device status, by the label that they are reported with."""

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
@operation(answers={200: (TEXT, OPEN_METRICS)}, tag="server", scope="watch")
def show() -> Response:
    """Metrics for Prometheus; docs/operations.md lists them."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    text = encode(context().instruments.registry)
    return Response(text, content_type=content_type, headers={"Cache-Control": "no-store"})


class StateCollector(Collector):
    """Reads totals and state of an application at each request, so that nothing is counted twice.

    Any thread.
    """

    def __init__(self, app_context: AppContext) -> None:
        self._context = app_context

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics of state."""
        health = self._context.runtime.health()
        yield from server_metrics(health)
        yield from self._speech(health)
        yield from self._sessions()
        yield from self._jobs()
        yield from engine_metrics(health)
        yield from self._avatar_cache()
        yield from live_metrics(self._context.live.stats())
        pushes = self._context.pushes.counts()
        states = {name: pushes[name] for name in ("connecting", "live", "waiting", "failed")}
        yield labelled_gauge("pushes", "Pushes of live feeds.", "state", states)
        free = free_bytes(self._context.settings.results_dir)
        yield gauge("results_free_bytes", "Free space on the disk of the results.", free)

    def describe(self) -> Iterable[Metric]:
        """Return nothing; otherwise the registry would collect when the collector is registered."""
        return ()

    def _speech(self, health: Health) -> Iterator[Metric]:
        counters = self._context.runtime.counters
        outcomes = {
            "done": counters.done,
            "failed": counters.failed,
            "interrupted": counters.interrupted,
        }
        yield labelled_counter(
            "speech_requests_total", "Ended requests to speak.", "outcome", outcomes
        )
        yield gauge("speech_waiting", "Requests to speak that are waiting.", health.queued)
        yield gauge("speech_rendering", "Clips that are being rendered.", health.processing)
        yield gauge("speech_places", "Clips that may be rendered at once.", health.pace.places)
        yield gauge(
            "pace_frames_per_second", "Measured frames a second of work.", health.pace.frames_per_s
        )
        yield counter("frames_total", "Frames of the clips on disk.", counters.frames)
        yield counter("fragments_total", "Fragments that continued a clip.", counters.fragments)
        yield counter(
            "late_fragments_total", "Fragments that were late for playback.",
            counters.late_fragments,
        )  # fmt: skip

    def _sessions(self) -> Iterator[Metric]:
        app_context = self._context
        sessions = app_context.runtime.sessions
        states = [session.state("") for session in sessions.registry.all()]
        yield gauge("sessions", "Sessions.", len(states))
        yield gauge("sessions_limit", "Setting max_sessions.", sessions.limits.max_sessions)
        yield gauge("sessions_speaking", "Sessions that speak.", states.count("speaking"))
        for name, slots in (
            ("watchers", app_context.viewers),
            ("downloads", app_context.downloads),
        ):
            yield gauge(name, f"Open {name}.", slots.taken)
            yield gauge(f"{name}_limit", f"Limit on open {name}.", slots.limit)

    def _jobs(self) -> Iterator[Metric]:
        counts = self._context.jobs.counts()
        yield labelled_gauge("jobs", "Jobs in the database.", "state", counts)

    def _avatar_cache(self) -> Iterator[Metric]:
        counts = self._context.runtime.avatar_cache.counts()
        yield gauge("avatar_cache_bytes", "Avatars in memory.", counts.bytes)
        yield gauge("avatar_cache_limit_bytes", "Setting max_avatars_mb.", counts.max_bytes)
        yield gauge("avatar_cache_avatars", "Number of avatars in memory.", len(counts.avatars))
        yield counter("avatar_cache_hits_total", "Avatars found in memory.", counts.hits)
        yield counter("avatar_cache_misses_total", "Avatars read from disk.", counts.misses)
        yield counter("avatar_cache_evictions_total", "Avatars evicted.", counts.evictions)


def free_bytes(folder: Path) -> int | None:
    """Return the free space of a folder's disk; None if the folder cannot be read."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def server_metrics(health: Health) -> Iterator[Metric]:
    """Yield the state of the server."""
    yield gauge("healthy", "1 if GET /health answers 200.", health.state in HEALTHY)
    labels = {"version": VERSION, "engine": health.engine}
    info = GaugeMetricFamily(f"{PREFIX}_build_info", "Version and engine.", labels=list(labels))
    info.add_metric(list(labels.values()), 1)
    yield info
    oldest: dict[str, float] = {stage: use.oldest_s for stage, use in health.stages.items()}
    yield labelled_gauge(
        "stage_oldest_seconds", "Age of the oldest step in progress.", "stage", oldest
    )


def engine_metrics(health: Health) -> Iterator[Metric]:
    """Yield the state of the engine."""
    yield gauge("engine_loaded", "1 if the engine is loaded.", health.is_loaded)
    yield counter("engine_loads_total", "Loads of the engine.", health.loads)
    yield counter("engine_losses_total", "Failures of the engine's device.", health.losses)
    known = {label: health.device_status.get(name) for label, name in MEMORY.items()}
    memory = {label: value * GB for label, value in known.items() if value is not None}
    yield labelled_gauge("engine_memory_bytes", "Memory of the engine's device.", "kind", memory)
    yield from actor_metrics(health.device_status.get("actors", ()))


def actor_metrics(actors: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield the state of the actors of the remote engine; any other engine has none."""
    working = sum(actor["state"] in {"ready", "late"} for actor in actors)
    spares = sum(actor["state"] == "spare" for actor in actors)
    yield gauge("actors", "Actors of the remote engine.", len(actors))
    yield gauge("actors_working", "Actors that take work.", working)
    yield gauge("actors_spare", "Loaded actors that replace one that ends.", spares)
    queued = {actor["name"]: actor["queued_frames"] for actor in actors}
    yield labelled_gauge(
        "actor_queued_frames", "Frames that an actor has not returned yet.", "actor", queued
    )
    for name, text in (
        ("batches", "Calls sent to an actor."),
        ("replays", "Calls that were also sent to another actor."),
        ("restarts", "Restarts of an actor."),
    ):
        values = {actor["name"]: actor[name] for actor in actors}
        yield labelled_counter(f"actor_{name}_total", text, "actor", values)


def live_metrics(stats: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the state of the live process; its own numbers have no value while it does not run."""
    feeds = stats["feeds"].values()
    totals, viewers = stats["totals"] or {}, stats.get("webrtc", {})
    yield gauge("live_running", "1 if the live process runs.", stats["running"])
    yield counter("live_starts_total", "Starts of the live process.", stats["starts"])
    yield gauge("live_feeds", "Live feeds.", len(feeds))
    subscribers = sum(feed["subscribers"] for feed in feeds)
    yield gauge("live_subscribers", "Subscribers of live feeds.", subscribers)
    names = [name for name in ("late", "lost", "starved") if f"{name}_frames" in totals]
    frames = {name: totals[f"{name}_frames"] for name in names}
    frames["dropped"] = stats["dropped_frames"]
    text = "Pictures of live feeds that were not shown in time."
    yield labelled_counter("live_frames_total", text, "reason", frames)
    yield counter("live_stalls_total", "Stalls of live feeds.", totals.get("stalls"))
    yield gauge("live_viewers", "Viewers over WebRTC.", viewers.get("viewers"))
    yield gauge("live_viewers_limit", "Setting max_live_viewers.", viewers.get("viewers_limit"))
    lag_s = viewers.get("loop_lag_p99_s")
    yield gauge("live_loop_lag_seconds", "99th percentile of the lag of the live loop.", lag_s)


def gauge(name: str, text: str, value: float | None) -> Metric:
    """Return a gauge without labels; it has no value if there is none yet."""
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def counter(name: str, text: str, value: float | None) -> Metric:
    """Return a counter without labels; it has no value if there is none yet."""
    return CounterMetricFamily(f"{PREFIX}_{name}", text, value=value)


def labelled_gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a gauge with one label."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def labelled_counter(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a counter with one label."""
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def attach_state(registry: CollectorRegistry, app_context: AppContext) -> None:
    """Have the registry report the state of an application, too."""
    registry.register(StateCollector(app_context))
