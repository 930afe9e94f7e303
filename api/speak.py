"""`POST /speak`: text in, a lip-synced clip at the end of the film."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from flask import Blueprint, Response, g, request, stream_with_context
from pydantic import Field

from api.body import Body, read_body
from api.context import find_session, running
from api.problem import problem_of
from api.serializers import describe_clip, film_url
from warm.render.jobs import (
    EngineLoaded,
    EngineLoading,
    Event,
    FragmentCommitted,
    SpeakJob,
    SpeakResult,
    SpeechReady,
)
from warm.sessions.paths import DEFAULT_SESSION

EVENT_STREAM = "text/event-stream"

speaking = Blueprint("speak", __name__)


class SpeakBody(Body):
    """The body of `POST /speak`."""

    text: str
    session_id: str = DEFAULT_SESSION
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    lead_s: Annotated[float | None, Field(ge=0.2, le=60)] = None


@speaking.post("/speak")
def speak() -> Response | dict[str, Any]:
    """Say something; answers when it is on disk, or tells while it happens."""
    job = queue(read_body(SpeakBody))
    if request.accept_mimetypes.best_match(["application/json", EVENT_STREAM]) == EVENT_STREAM:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        told = stream_with_context(server_sent(job))
        return Response(told, mimetype=EVENT_STREAM, headers=headers)
    return describe_spoken(job.result())


def queue(body: SpeakBody) -> SpeakJob:
    """Hand a checked body to the render thread."""
    runtime = running().runtime
    session = find_session(body.session_id)
    choice = runtime.choose(session, voice=body.voice, language=body.language, speed=body.speed)
    return runtime.speak(session, body.text, choice, lead_s=body.lead_s, request_id=g.request_id)


def server_sent(job: SpeakJob) -> Iterator[str]:
    """The events of a job as lines of an event stream; a failure is the last event."""
    try:
        for event in job.events():
            yield sse(*describe(event))
    except Exception as error:  # noqa: BLE001 - the top of a request whose answer has begun
        yield sse("error", problem_of(error).body())


def sse(name: str, data: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def describe(event: Event) -> tuple[str, dict[str, Any]]:
    """Name and JSON of an event."""
    match event:
        case EngineLoading():
            return "loading", {"reason": event.reason}
        case EngineLoaded():
            return "loaded", {"reload_s": round(event.reload_s, 4)}
        case SpeechReady():
            return "speech", {
                "sentence": event.sentence,
                "text": event.text,
                "duration_s": event.duration_s,
            }
        case FragmentCommitted():
            return "fragment", describe_fragment(event)
        case SpeakResult():
            return "done", describe_spoken(event)


def describe_fragment(event: FragmentCommitted) -> dict[str, Any]:
    """A fragment that can be played now."""
    fragment = event.fragment
    return {
        "clip": event.clip,
        "fragment": fragment.index,
        "first_frame": fragment.first_frame,
        "frames": fragment.frames,
        "start_s": fragment.first_frame / event.fps,
        "duration_s": fragment.frames / event.fps,
        "offset": fragment.offset,
        "bytes": fragment.end,
    }


def describe_spoken(spoken: SpeakResult) -> dict[str, Any]:
    """The answer to a request whose clip is on disk."""
    clip, timings = spoken.clip, spoken.timings
    what = "interrupted in" if spoken.interrupted else "added to"
    short = spoken.truncated_by
    left_out = f", as far as {short} allows; the sentences behind it were left out" if short else ""
    return {
        "status": "success",
        "session_id": spoken.session_id,
        "video_path": str(spoken.path),
        "video_url": film_url(spoken.session_id),
        "interrupted": spoken.interrupted,
        "truncated": short,
        "clip": describe_clip(clip, spoken.fps),
        "session": {
            "duration_s": spoken.session_frames / spoken.fps,
            "clips": spoken.session_clips,
            "bytes": spoken.session_bytes,
        },
        "timings": {
            name: None if value is None else round(value, 4)
            for name, value in asdict(timings).items()
        },
        "message": f"clip {clip.index} was {what} session {spoken.session_id!r}{left_out}",
    }
