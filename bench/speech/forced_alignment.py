"""Phones of a known pronunciation found in the sound by PocketSphinx, an independent judge.

The judge receives the sound and the phones of each word; it does not know the times that a voice
states.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.speech.judges import judge

SAMPLE_RATE_HZ = 16_000
FRAME_S = 0.01
_SILENCE = "SIL"
_MARGIN_S = 0.3
"""Silence that is added on both sides: the decoder finds no silence shorter than that."""
_NOISE = 3e-4
"""Digital silence is not silence to the acoustic model, which was trained on microphones."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone of the ARPAbet, and its first and last+1 moment."""

    name: str
    start_s: float
    end_s: float


class ForcedAligner:
    """PocketSphinx with its English acoustic model. Not thread-safe."""

    def __init__(self) -> None:
        """Load the model; raises JudgeMissing."""
        self._decoder = judge("pocketsphinx").Decoder(
            lm=None, samprate=SAMPLE_RATE_HZ, loglevel="FATAL", bestpath=False
        )
        self._names = itertools.count()
        self._words = dict[str, str]()

    def align(
        self, samples: NDArray[np.float32], words: Sequence[Sequence[str]]
    ) -> list[Phone] | None:
        """Find the phones of `words` in (n,) samples of 16 kHz; None if they do not fit."""
        self._decoder.set_align_text(" ".join(self._word(phones) for phones in words))
        margin = round(_MARGIN_S * SAMPLE_RATE_HZ)
        padded = np.pad(samples, margin)
        noise = np.random.default_rng(0).standard_normal(len(padded))
        pcm = (np.clip(padded + _NOISE * noise, -1, 1) * 32767).astype(np.int16).tobytes()
        try:
            self._decode(pcm)
            self._decoder.set_alignment()
            self._decode(pcm)
        except RuntimeError:  # the decoder's answer if no path fits the sound
            return None
        return list(self._phones())

    def _decode(self, pcm: bytes) -> None:
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm, full_utt=True)
        finally:
            self._decoder.end_utt()

    def _word(self, phones: Sequence[str]) -> str:
        """Return the name of a dictionary word with this pronunciation; add it if needed."""
        pronunciation = " ".join(phones)
        if pronunciation not in self._words:
            name = f"word{next(self._names)}"
            self._decoder.add_word(name, pronunciation, True)
            self._words[pronunciation] = name
        return self._words[pronunciation]

    def _phones(self) -> Iterator[Phone]:
        for word in self._decoder.get_alignment():
            for phone in word:
                if phone.name != _SILENCE:
                    start = phone.start * FRAME_S - _MARGIN_S
                    yield Phone(phone.name, start, start + phone.duration * FRAME_S)
