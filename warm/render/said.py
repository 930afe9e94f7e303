"""The latest spoken clips of each session, kept to find out how much of them was heard."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from warm.render.growing_text import GrowingText
from warm.render.heard import heard_until, spoken_sentences
from warm.render.jobs import Event, FragmentCommitted, HeardText, SpeakJob, SpeechReady

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
        """The index of the clip in its film; None before its first fragment."""
        clips = (each.clip for each in self.events if isinstance(each, FragmentCommitted))
        return next(clips, None)

    @property
    def start_s(self) -> float | None:
        """Position in the film at which it begins; None if it has not been placed there."""
        starts = (each.start_s for each in self.events if isinstance(each, SpeechReady))
        return next(starts, None)

    def full_text(self) -> str:
        """Its text, as far as it has been written."""
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
        """Return the text that was heard of the clip at a position of the film.

        None if no text was being spoken there, or all of it was heard.
        """
        with self._lock:
            clips = list(self._clips.get(session_id, ()))
        for clip in reversed(clips):
            start_s, number = clip.start_s, clip.number
            if start_s is not None and number is not None and start_s <= position_s:
                heard = heard_until(spoken_sentences(clip.events), position_s)
                return heard_of(clip, number, heard)
        return None


def heard_of(clip: SaidClip, number: int, heard: int) -> HeardText | None:
    """The heard part of a clip; None if it is all of the text."""
    text = clip.full_text()
    return HeardText(clip=number, text=text[:heard]) if text[heard:].strip() else None
