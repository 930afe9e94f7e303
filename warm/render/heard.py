"""The part of a clip's text that a viewer has heard at a position of the film."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from warm.render.jobs import Event, SpeakResult, SpeechReady, SpokenWord


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenSentenceRecord:
    """A sentence of a clip, with the places and times of its words."""

    start: int
    """Index of its first character in the text of its job."""
    end: int
    start_s: float
    """Position of its beginning in the film, seconds."""
    end_s: float
    words: tuple[SpokenWord, ...]

    @classmethod
    def of(cls, ready: SpeechReady) -> "SpokenSentenceRecord | None":
        """The record of a sentence; None for a recording, whose words are not known."""
        if ready.start_s is None or ready.duration_s is None or ready.voice is None:
            return None
        return cls(
            start=ready.start,
            end=ready.end,
            start_s=ready.start_s,
            end_s=ready.start_s + ready.duration_s,
            words=ready.words,
        )

    def cut_at(self, said_end_s: float) -> "SpokenSentenceRecord | None":
        """The part of it that was spoken in a clip whose sound stops at `said_end_s`.

        None if nothing of it was spoken.
        """
        if self.end_s <= said_end_s:
            return self
        heard = heard_until([self], said_end_s)
        if not heard:
            return None
        words = tuple(word for word in self.words if word.end <= heard)
        return replace(self, end=heard, end_s=said_end_s, words=words)


def spoken_sentences(events: Iterable[Event]) -> list[SpokenSentenceRecord]:
    """The sentences among the events of a job, in order, as far as they were spoken."""
    seen = list(events)
    found = [SpokenSentenceRecord.of(each) for each in seen if isinstance(each, SpeechReady)]
    records = [record for record in found if record is not None]
    last = seen[-1] if seen else None
    if not isinstance(last, SpeakResult) or last.said_end_s is None:
        return records
    said = [record.cut_at(last.said_end_s) for record in records]
    return [record for record in said if record is not None]


def heard_until(sentences: Sequence[SpokenSentenceRecord], position_s: float) -> int:
    """Return the number of characters of a job's text that were heard at a position of the film.

    It is the end of a word, or 0. A word counts as heard when more than half of it has sounded.
    """
    heard = 0
    for sentence in sentences:
        if position_s <= sentence.start_s:
            break
        if position_s >= sentence.end_s:
            heard = sentence.end
            continue
        for word in sentence.words:
            if word.start_s is None or word.end_s is None:
                continue
            if position_s <= (word.start_s + word.end_s) / 2:
                break
            heard = word.end
        break
    return heard
