"""Server-sent events (HTML Living Standard, section 9.2)."""

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, stream_with_context

EVENT_STREAM = "text/event-stream"


def sse(name: str, data: dict[str, Any], event_id: str | None = None) -> str:
    """Return the text of one event."""
    id_line = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{id_line}data: {json.dumps(data)}\n\n"


def event_stream(texts: Iterator[str]) -> Response:
    """Return the response that streams events and comments."""
    return Response(
        stream_with_context(texts),
        mimetype=EVENT_STREAM,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
