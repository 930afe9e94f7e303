"""Sentences of a reply that were given to the film: their words in time and in the reply."""

from dataclasses import dataclass, replace
from typing import Any

from warm.render.growing_text import GrowingText
from warm.render.heard import SpokenSentenceRecord
from warm.render.jobs import SpeechReady, SpokenWord


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenSentence:
    """A sentence in the film. Its places are indices in the reply, which keeps its markup."""

    text: str
    """As it is spoken, without markup."""
    record: SpokenSentenceRecord

    @classmethod
    def of(cls, ready: SpeechReady, growing: GrowingText) -> "SpokenSentence":
        """Return the sentence of an event; its places are moved from the clip's text."""
        start_s = ready.start_s or 0.0
        record = SpokenSentenceRecord(
            start=start_in_reply(growing, ready.start),
            end=end_in_reply(growing, ready.end),
            start_s=start_s,
            end_s=start_s + (ready.duration_s or 0.0),
            words=tuple(
                SpokenWord(
                    start=start_in_reply(growing, word.start),
                    end=end_in_reply(growing, word.end),
                    start_s=word.start_s,
                    end_s=word.end_s,
                )
                for word in ready.words
            ),
        )
        return cls(text=ready.text, record=record)

    def cut_at(self, said_end_s: float) -> "SpokenSentence | None":
        """Return the part that was said in a clip whose sound stops there; None without one."""
        record = self.record.cut_at(said_end_s)
        return None if record is None else replace(self, record=record)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        record = self.record
        return {
            "text": self.text,
            "place": [record.start, record.end, record.start_s, record.end_s],
            "words": [[word.start, word.end, word.start_s, word.end_s] for word in record.words],
        }

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> "SpokenSentence":
        """Return the sentence of `to_json`."""
        start, end, start_s, end_s = content["place"]
        words = tuple(
            SpokenWord(start=each[0], end=each[1], start_s=each[2], end_s=each[3])
            for each in content["words"]
        )
        record = SpokenSentenceRecord(
            start=start, end=end, start_s=start_s, end_s=end_s, words=words
        )
        return cls(text=content["text"], record=record)


def start_in_reply(growing: GrowingText, index: int) -> int:
    """Return the index in the reply of a character of a clip's text."""
    number, place = growing.place_of(index)
    origins = growing.units[number].plain.origins
    return origins[min(place, len(origins) - 1)]


def end_in_reply(growing: GrowingText, index: int) -> int:
    """Return the index in the reply after the characters of a clip's text before `index`."""
    return start_in_reply(growing, index - 1) + 1 if index else 0
