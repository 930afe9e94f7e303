"""`GET /health`."""

from typing import Any

from flask import Blueprint

from api.context import running
from warm import VERSION
from warm.render.health import Health

WELL = ("ok", "asleep", "loading")

health = Blueprint("health", __name__)


@health.get("/health")
def look() -> tuple[dict[str, Any], int]:
    """200 when a request is answered without trouble, else 503 with the reason.

    An engine that is not loaded because nobody wants it is no trouble.
    """
    found = running().runtime.health()
    return describe(found), 200 if found.state in WELL else 503


def describe(found: Health) -> dict[str, Any]:
    """What monitors of this family of servers read."""
    return {
        "status": found.state,
        "reason": found.reason,
        "service": "warmtalk",
        "version": VERSION,
        "model_loaded": found.is_loaded,
        "engine": found.engine,
        "device": found.device_status.get("device"),
        "precision": found.device_status.get("precision"),
        "decoder": found.device_status.get("decoder"),
        "decoder_note": found.device_status.get("decoder_note"),
        "frames_per_second": found.device_status.get("frames_per_second"),
        "vram_used_gb": found.device_status.get("memory_used_gb"),
        "vram_total_gb": found.device_status.get("memory_total_gb"),
        "vram_free_gb": found.device_status.get("memory_free_gb"),
        "vram_budget_gb": found.device_status.get("memory_budget_gb"),
        "batch_size": found.device_status.get("largest_batch"),
        "jobs_queued": found.queued,
        "jobs_processing": found.processing,
    }
