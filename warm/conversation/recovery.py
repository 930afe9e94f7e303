"""Turns that a server left unfinished when its process ended."""

from collections.abc import Sequence
from dataclasses import replace

from session.film import Cue
from warm.conversation.heard import heard_text
from warm.conversation.spoken import SpokenSentence
from warm.conversation.turn import Turn
from warm.jobs.job import JobError
from warm.render.heard import SpokenSentenceRecord

LEFT = JobError(
    "InterruptedError",
    "the server ended while it answered; what it had said stays. Send the text again.",
)


def recovered(turn: Turn, cues: Sequence[Cue], fps: int, now_s: float) -> Turn:
    """Return a turn as it ended: what is in the film was said, and nothing else.

    `cues` are those of its film; none if the film is gone.
    """
    mine = [cue for cue in cues if turn.film_id is not None and cue.first_frame >= turn.first_frame]
    end = mine[-1].end if mine else turn.first_frame
    said = replace(
        turn, fps=fps or turn.fps, frames=end - turn.first_frame, finished_s=now_s, state="error"
    )
    said = with_cues(said, mine)
    return replace(
        said,
        heard_text=heard_text(said, said.end_s),
        interrupted=True,
        is_settled=not said.frames,
        error=LEFT,
    )


def with_cues(turn: Turn, cues: Sequence[Cue]) -> Turn:
    """Return a turn with the sentences of its film that were not stored before the end."""
    known_s = turn.sentences[-1].record.end_s if turn.sentences else 0.0
    for cue in cues:
        if cue.first_frame / turn.fps < known_s or not cue.text.strip():
            continue
        place = turn.reply_text.find(cue.text)
        reply = turn.reply_text if place >= 0 else f"{turn.reply_text} {cue.text}".strip()
        start = reply.rfind(cue.text)
        record = SpokenSentenceRecord(
            start=start,
            end=start + len(cue.text),
            start_s=cue.first_frame / turn.fps,
            end_s=cue.end / turn.fps,
            words=(),
        )
        sentence = SpokenSentence(text=cue.text, record=record)
        turn = replace(turn, reply_text=reply, sentences=(*turn.sentences, sentence))
    return turn
