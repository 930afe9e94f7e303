"""A real voice whose sentences arrive in pieces, when and as the test wants."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tests.tiny_face import LoudnessEngine
from tts.pending import PendingPieces
from tts.speech import Samples, Speech
from tts.voice import VoiceChoice, VoiceInfo, Voices
from warm.engines.base import StreamingEngine

TIMEOUT_S = 60


class PieceCancelled(RuntimeError):
    """The text was cancelled while a piece was awaited."""


@dataclass
class Delivery:
    """The pieces that may arrive. Any thread."""

    allowed: int
    """Number of pieces of all sentences together that may arrive; first pieces always do."""
    error: Exception | None = None
    """Raised instead of the next piece that is not allowed."""
    is_short: bool = False
    """The sentence ends instead of the next piece that is not allowed."""
    padding: int = 0
    """Samples that are added to each piece."""
    empty_pieces: int = 0
    """Pieces without samples before each piece."""
    delivered: int = 0
    waiting: int = 0
    """Pieces that are awaited at this moment."""
    ended: int = 0
    """Sentences whose pieces are not iterated any more."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def allow(self, pieces: int = 1_000) -> None:
        """Let more pieces arrive."""
        with self.changed:
            self.allowed += pieces
            self.changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Fail instead of the next piece."""
        with self.changed:
            self.error = error
            self.changed.notify_all()

    def end_early(self) -> None:
        """End the sentence instead of the next piece."""
        with self.changed:
            self.is_short = True
            self.changed.notify_all()

    def await_piece(self, cancelled: threading.Event) -> bool:
        """Wait for the next piece; False if the sentence ends instead."""
        deadline = time.monotonic() + TIMEOUT_S
        with self.changed:
            self.waiting += 1
            try:
                while self.delivered >= self.allowed:
                    if cancelled.is_set():
                        raise PieceCancelled
                    if self.error is not None:
                        raise self.error
                    if self.is_short:
                        return False
                    assert time.monotonic() < deadline
                    self.changed.wait(0.02)
            finally:
                self.waiting -= 1
            self.delivered += 1
            return True


def pieces(
    sound: Samples, cuts: Sequence[int], delivery: Delivery, cancelled: threading.Event
) -> Iterator[Samples]:
    """Yield the rest of a sentence, each piece when it may arrive."""
    try:
        for piece in np.split(sound, cuts):
            if not delivery.await_piece(cancelled):
                return
            yield from [piece[:0]] * delivery.empty_pieces
            yield np.pad(piece, (0, delivery.padding))
    finally:
        delivery.ended += 1


class StreamedText:
    """Implements `CancellableSpeech`."""

    def __init__(self, speeches: Iterator[Speech], voices: "StreamedVoices") -> None:
        self._speeches, self._voices = speeches, voices
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Speech]:
        return self

    def __next__(self) -> Speech:
        whole = next(self._speeches)
        first, *rest = self._voices.cuts(whole)
        cuts = [cut - first for cut in rest]
        sound = whole.samples[first:]
        rest = pieces(sound, cuts, self._voices.delivery, self._cancelled)
        return replace(
            whole, samples=whole.samples[:first], pending=PendingPieces(rest, len(sound))
        )

    def cancel(self) -> None:
        self._cancelled.set()


class RecordedVoices:
    """Speaks each text once, and then repeats the same sound: espeak's is not always the same."""

    def __init__(self, voices: Voices) -> None:
        self._voices = voices
        self._recorded: dict[str, list[Speech]] = {}

    def infos(self) -> Sequence[VoiceInfo]:
        return self._voices.infos()

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        return self._voices.choose(voice=voice, language=language, speed=speed)

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        if text not in self._recorded:
            self._recorded[text] = list(self._voices.speak(text, choice))
        return iter(self._recorded[text])


class StreamedVoices:
    """Speaks like `voices`, in pieces of `piece_s`."""

    def __init__(self, voices: Voices, *, piece_s: float = 0.405, allowed: int = 0) -> None:
        self._voices, self._piece_s = voices, piece_s
        self.delivery = Delivery(allowed)

    def cuts(self, speech: Speech) -> list[int]:
        """Where a sentence is cut; an odd number of samples apart."""
        step = round(self._piece_s * speech.sample_rate_hz) | 1
        return list(range(step, len(speech.samples), step)) or [len(speech.samples)]

    def infos(self) -> Sequence[VoiceInfo]:
        return self._voices.infos()

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        return self._voices.choose(voice=voice, language=language, speed=speed)

    def speak(self, text: str, choice: VoiceChoice) -> StreamedText:
        return StreamedText(iter(self._voices.speak(text, choice)), self)


class StreamingLoudnessEngine(LoudnessEngine, StreamingEngine):
    """Draws every frame whose own sound has arrived."""

    def lookahead_s(self, speech: Speech) -> float:  # noqa: ARG002
        return 0.0

    def encode_part(
        self, speech: Speech, *, start: int, stop: int, fps: int
    ) -> NDArray[np.float32]:
        return self.encode_speech(speech, frames=stop, fps=fps)[start:]
