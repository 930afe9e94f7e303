"""Phonemes for sentences of voices that report none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isolation.process import RequestCancelled
from tts.alignment.align import CannotAlign, align
from tts.alignment.cepstra import FRAME_HZ, measure_spectra, silent_frames
from tts.alignment.references import References, ReferenceVoice
from tts.speech import Speech, WordTime
from tts.voice import VoiceChoice

SIMILAR_TEMPO = (0.75, 1.33)
"""Tempo of a sentence, relative to the reference, up to which both are compared as they are."""
MIN_SPEED, MAX_SPEED = 0.5, 2.0
"""Speeds of the reference voices."""


@dataclass(frozen=True, slots=True)
class Aligner:
    """Adds phonemes to sentences by comparison with reference voices. Thread-safe."""

    references: References

    def __call__(
        self,
        speech: Speech,
        choice: VoiceChoice,
        is_cancelled: Callable[[], bool],
        words: Sequence[WordTime] = (),
    ) -> Speech:
        """Return a complete sentence with phonemes; `speech.text` is what it says.

        `words` are known times of its words. If no reference voice matches the sound, the phonemes
        are None, so that the lips follow the sound alone, and a remark says so. Raises
        RequestCancelled.
        """
        reason = f"no voice that knows its phonemes can say this in {choice.language!r}"
        for voice in self.references(choice.language):
            reference = _said(speech, voice, choice.speed, is_cancelled)
            if is_cancelled():
                raise RequestCancelled("the request was cancelled")
            if reference is None:
                continue
            try:
                return replace(speech, phonemes=align(speech, reference, words))
            except CannotAlign as error:
                reason = f"it {error}"
        remark = f"the lips follow the sound of {speech.text[:40]!r} alone: {reason}"
        return replace(speech, phonemes=None, remarks=(*speech.remarks, remark))


def _said(
    speech: Speech, voice: ReferenceVoice, speed: float, is_cancelled: Callable[[], bool]
) -> Speech | None:
    """Return the text of a sentence in a reference voice, at a similar tempo."""
    reference = voice(speech.text, speed, is_cancelled)
    if reference is None:
        return None
    tempo = _sounding_frames(reference) / max(_sounding_frames(speech), 1)
    adapted = min(max(speed * tempo, MIN_SPEED), MAX_SPEED)
    if SIMILAR_TEMPO[0] <= tempo <= SIMILAR_TEMPO[1] or adapted == speed:
        return reference
    return voice(speech.text, adapted, is_cancelled)


def _sounding_frames(speech: Speech) -> int:
    """Return the number of frames of a complete speech that are not silent."""
    if len(speech.samples) < speech.sample_rate_hz // FRAME_HZ:
        return 0
    spectra = measure_spectra(speech)
    return int(np.count_nonzero(~silent_frames(spectra.bands(spectra.highest_hz))))
