"""Clips that were spoken last in each session, for the question how much of them was heard."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from warm.render.growing_text import GrowingText
from warm.render.heard import SpokenSentenceRecord, heard_until, spoken_sentences
from warm.render.jobs import Event, FragmentCommitted, HeardText, SpeakJob

KEPT = 16
"""Clips of a session that are remembered: many are rendered before the first one is over."""

MAX_SESSIONS = 1000
"""Sessions that are remembered; the one whose last clip is oldest is forgotten first."""


@dataclass(frozen=True, slots=True, eq=False)
class SaidClip:
    """The text and the events of a job, without the rest of it, such as its request."""

    text: str | GrowingText
    events: Sequence[Event]

    @property
    def number(self) -> int | None:
        """The index of the clip in its film; None while nothing of it is there."""
        clips = (each.clip for each in self.events if isinstance(each, FragmentCommitted))
        return next(clips, None)

    def sentences(self) -> list[SpokenSentenceRecord]:
        """Its sentences so far."""
        return spoken_sentences(self.events)

    def full_text(self) -> str:
        """All of its text, as far as it was written."""
        return self.text.text if isinstance(self.text, GrowingText) else self.text


class SaidClips:
    """The last clips of each session. Any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._clips: OrderedDict[str, deque[SaidClip]] = OrderedDict()

    def add(self, job: SpeakJob) -> None:
        """Remember a job whose text is spoken."""
        clip = SaidClip(job.text if job.growing is None else job.growing, job.live_events)
        with self._lock:
            self._clips.setdefault(job.session_id, deque(maxlen=KEPT)).append(clip)
            self._clips.move_to_end(job.session_id)
            if len(self._clips) > MAX_SESSIONS:
                self._clips.popitem(last=False)

    def forget(self, session_id: str) -> None:
        """Forget the clips of a film that has ended."""
        with self._lock:
            self._clips.pop(session_id, None)

    def heard(self, session_id: str, position_s: float) -> HeardText | None:
        """Return what was heard of the clip at a position of the film.

        None if no text was being spoken there, or all of it was heard.
        """
        with self._lock:
            clips = list(self._clips.get(session_id, ()))
        limit_s = position_s
        for clip in reversed(clips):
            sentences = clip.sentences()
            number = clip.number
            if not sentences or number is None:
                continue
            if sentences[0].start_s <= limit_s:
                return heard_of(clip, number, heard_until(sentences, limit_s))
            limit_s = min(limit_s, sentences[0].start_s)
        return None


def heard_of(clip: SaidClip, number: int, heard: int) -> HeardText | None:
    """The heard part of a clip; None if it is all of the text."""
    text = clip.full_text()
    return HeardText(clip=number, text=text[:heard]) if text[heard:].strip() else None
