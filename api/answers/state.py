"""Answers about the state of the server."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.answers import Answer
from api.answers.jobs import JobCounts
from api.answers.pushes import PushCounts
from api.answers.rooms import RoomCounts
from api.example import example


class HealthAnswer(Answer):
    """The health of the server; values that an engine does not have are null."""

    status: str = Field(description="docs/http.md lists the states.")
    reason: str
    service: Literal["warmtalk"]
    version: str
    model_loaded: bool
    engine: str
    device: str | None
    precision: str | None
    decoder: str | None
    decoder_note: str | None
    frames_per_second: float | None
    vram_used_gb: float | None
    vram_total_gb: float | None
    vram_free_gb: float | None
    vram_budget_gb: float | None
    batch_size: int | None
    stalled_stage: str | None
    jobs_queued: int
    jobs_processing: int


class AliveAnswer(Answer):
    """The process answers."""

    model_config = example(status="alive")

    status: Literal["alive"]


class RequestCounts(Answer):
    """Requests to speak, by outcome."""

    queued: int
    running: int
    done: int
    failed: int
    interrupted: int


class StageAnswer(Answer):
    """Steps in progress at one stage."""

    count: int
    oldest_s: float


class PaceAnswer(Answer):
    """The measured pace and what follows from it."""

    frames_per_s: float | None
    load: float | None
    places: int
    max_places: int
    automatic: bool
    reason: str
    preset: str | None
    fragments: int
    late_fragments: int


class SessionCounts(Answer):
    """The number of sessions."""

    count: int
    speaking: int
    max: int
    evicted: int


class OpenCounts(Answer):
    """Open responses, and their limit."""

    open: int
    max: int


class CacheAnswer(Answer):
    """Avatars in memory."""

    hits: int
    misses: int
    evictions: int
    bytes: int
    max_bytes: int
    avatars: list[str]


class EngineAnswer(Answer):
    """Loads and unloads of the engine."""

    name: str
    loaded: bool
    load_s: float | None
    loads: int
    unloads: int
    losses: int
    process_memory_gb: float


class DeviceAnswer(Answer):
    """The device of the engine; further members differ between engines."""

    model_config = ConfigDict(extra="allow")

    device: str | None
    memory_held_gb: float | None
    memory_free_gb: float | None
    waiting: int = Field(description="Requests that wait for a place on it.")
    memory_total_gb: float | None


class LiveCounts(Answer):
    """Pictures of all live feeds since the live process started."""

    late_frames: int
    lost_frames: int
    starved_frames: int
    left_out_pictures: int = Field(description="Not drawn, because the feed was behind.")
    stalls: int
    interruptions: int
    dropped_ticks: int


class LiveAnswer(Answer):
    """The live process; further members come from its parts, while it runs."""

    model_config = ConfigDict(extra="allow")

    running: bool
    starts: int
    pid: int | None
    dropped_frames: int = Field(description="Pictures that the live process did not take.")
    feeds: dict[str, dict[str, Any]]
    totals: LiveCounts | None


class StatsAnswer(Answer):
    """Counters since the start, and current use."""

    uptime_s: float
    requests: RequestCounts
    jobs: JobCounts
    stages: dict[str, StageAnswer]
    frames: int
    pace: PaceAnswer
    sessions: SessionCounts
    watchers: OpenCounts
    downloads: OpenCounts
    cache: CacheAnswer
    engine: EngineAnswer
    live: LiveAnswer
    pushes: PushCounts
    rooms: RoomCounts
    device: DeviceAnswer
