"""One recording in the recognition process: sound in, recognised pieces out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stt.pieces import Piece, PieceCutter, seconds
from stt.recogniser import RATE_HZ, Samples
from stt.speech_model import Recognised, SpeechModel

LEAST_SCORE = -0.8
"""Mean log probability of the tokens below which a text is a guess: speech in a language that the
model does not know, singing, voices that cannot be understood. Speech that is understood has -0.03
to -0.6, also in noise."""


@dataclass(slots=True)
class Recording:
    """Pieces are recognised as soon as they are complete, in the thread that adds sound."""

    model: SpeechModel
    cutter: PieceCutter
    language: str | None
    _results: list[tuple[Piece, Recognised]] = field(default_factory=list)

    def add(self, samples: Samples) -> None:
        """Add samples."""
        self._recognise(self.cutter.add(samples))

    def finish(self) -> dict[str, Any]:
        """Recognise the rest and return the members of a `Transcript` as JSON."""
        self._recognise(self.cutter.finish())
        heard = [(piece, each) for piece, each in self._results if is_understood(each)]
        return {
            "text": " ".join(each.text for _, each in heard),
            "language": next((each.language for _, each in heard), None),
            "duration_s": self.cutter.samples / RATE_HZ,
            "speech_s": seconds(self.cutter.speech_frames),
            "segments": [(piece.start_s, piece.end_s, each.text) for piece, each in heard],
        }

    def _recognise(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._results.append((piece, self.model.recognise(piece.samples, self.language)))


def is_understood(result: Recognised) -> bool:
    """Return False for a guess, and for a text without words, such as "♪"."""
    return result.score >= LEAST_SCORE and any(each.isalnum() for each in result.text)
