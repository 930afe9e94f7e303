"""`GET /health` and `GET /livez`."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint

from api.answers.state import AliveAnswer, HealthAnswer
from api.context import context
from api.operation import operation
from warm import VERSION
from warm.render.health import Health

HEALTHY = ("ok", "asleep", "loading")
"""An engine that is not loaded for lack of requests is healthy."""
DRAINING = "this head takes no more sessions; the others do"
STATUS_FIELDS = {
    "device": "device",
    "precision": "precision",
    "decoder": "decoder",
    "decoder_note": "decoder_note",
    "frames_per_second": "frames_per_second",
    "vram_used_gb": "memory_used_gb",
    "vram_total_gb": "memory_total_gb",
    "vram_free_gb": "memory_free_gb",
    "vram_budget_gb": "memory_budget_gb",
    "batch_size": "largest_batch",
}
"""Fields of the device status, by the names that monitors of similar servers expect."""

health = Blueprint("health", __name__)


@health.get("/health")
@operation(answers={200: HealthAnswer, 503: HealthAnswer}, tag="server", scope="public")
def show() -> tuple[dict[str, Any], int]:
    """200 if the server answers requests, else 503 with the reason."""
    found, heads = context().runtime.health(), context().heads
    answer = health_json(found, context().jobs.counts())
    if found.state in HEALTHY and heads is not None and heads.is_draining:
        return answer | {"status": "draining", "reason": DRAINING}, 503
    return answer, 200 if found.state in HEALTHY else 503


@health.get("/livez")
@operation(answers={200: AliveAnswer}, tag="server", scope="public")
def show_alive() -> dict[str, str]:
    """Answer 200 whenever this process can, regardless of the render thread."""
    return {"status": "alive"}


def health_json(found: Health, jobs: Mapping[str, int]) -> dict[str, Any]:
    """JSON of the health. Requests to speak and jobs are counted together."""
    return {
        "status": found.state,
        "reason": found.reason,
        "service": "warmtalk",
        "version": VERSION,
        "model_loaded": found.is_loaded,
        "engine": found.engine,
        **{name: found.device_status.get(field) for name, field in STATUS_FIELDS.items()},
        "stalled_stage": found.stalled_stage,
        "jobs_queued": found.queued + jobs["queued"],
        "jobs_processing": found.processing + jobs["running"],
    }
