"""Turns of the caller, their JSON and their events."""

from collections.abc import Iterator
from typing import Any

from api.caller import caller
from api.context import context
from api.job_results import moment
from api.problem import problem_of
from api.serializers import url
from api.speak import committed_json
from api.sse import sse
from warm.conversation.errors import UnknownTurn
from warm.conversation.turn import Turn
from warm.conversation.turn_events import (
    TurnBegun,
    TurnDone,
    TurnEvent,
    TurnFragment,
    TurnSentence,
    TurnTokens,
)
from warm.conversation.turn_run import TurnRun

KEEP_ALIVE_BATCHES = 30
"""After this many batches without an event, a comment is sent: every 15 s."""
KEEP_ALIVE = ": the model is silent\n\n"


def find_turn(turn_id: str) -> Turn:
    """Return a turn of the caller; raises UnknownTurn and JobStoreError."""
    turn = context().conversations.get(turn_id)
    if not caller().owns(turn.owner):
        raise UnknownTurn(turn_id)
    return turn


def turns_of(session_id: str, limit: int) -> list[Turn]:
    """Return those of the last turns of a session that belong to the caller."""
    return [
        turn
        for turn in context().conversations.history(session_id, limit=limit)
        if caller().owns(turn.owner)
    ]


def turn_json(turn: Turn) -> dict[str, Any]:
    """JSON of a turn."""
    has_frames = turn.frames > 0 and turn.fps > 0
    return {
        "job_id": turn.id,
        "status": turn.state,
        "session_id": turn.session_id,
        "kind": turn.kind,
        "user_text": turn.user_text,
        "reply_text": turn.reply_text,
        "heard_text": turn.heard_text,
        "interrupted": turn.interrupted,
        "error": turn.error and {"kind": turn.error.kind, "description": turn.error.description},
        "has_video": turn.has_video,
        "video_url": url(f"/video/{turn.id}") if turn.has_video else None,
        "model": turn.model,
        "persona": turn.persona,
        "start_s": turn.first_frame / turn.fps if has_frames else None,
        "duration_s": turn.frames / turn.fps if has_frames else None,
        "first_frame": turn.first_frame if has_frames else None,
        "frames": turn.frames,
        "sentences": [
            {
                "text": sentence.text,
                "start": sentence.record.start,
                "end": sentence.record.end,
                "start_s": sentence.record.start_s,
                "end_s": sentence.record.end_s,
            }
            for sentence in turn.sentences
        ],
        "remarks": list(turn.remarks),
        "forgotten": turn.is_forgotten,
        "created_at": moment(turn.created_s),
        "started_at": moment(turn.started_s),
        "finished_at": moment(turn.finished_s),
    }


def event_texts(run: TurnRun) -> Iterator[str]:
    """Yield the events of a turn as server-sent events; a failure is the last one.

    Comments in between keep the connection while the model is silent.
    """
    silent = 0
    try:
        for batch in run.event_batches():
            silent = 0 if batch else silent + 1
            if silent and silent % KEEP_ALIVE_BATCHES == 0:
                yield KEEP_ALIVE
            for event in batch:
                yield sse(*event_json(event))
    except Exception as error:  # noqa: BLE001 - the top of a request whose response has started
        yield sse("error", problem_of(error).body())


def event_json(event: TurnEvent) -> tuple[str, dict[str, Any]]:
    """Name and JSON of an event."""
    match event:
        case TurnBegun():
            return "turn", {"turn": turn_json(event.turn)}
        case TurnTokens():
            return "token", {"text": event.text}
        case TurnSentence():
            return "sentence", {
                "index": event.index,
                "text": event.text,
                "start": event.start,
                "end": event.end,
                "start_s": event.start_s,
            }
        case TurnFragment():
            return "fragment", committed_json(event.committed)
        case TurnDone():
            return "done", {"turn": turn_json(event.turn)}
