"""Speech as a WAV file."""

import io
import wave
from collections.abc import Iterable

import numpy as np

from tts.speech import Speech
from warm.media.film_audio import resample

FULL_SCALE = 32_767


def wav_bytes(speeches: Iterable[Speech]) -> bytes:
    """Return sentences as a WAV file: mono, 16 bits, at the highest sample rate among them.

    Waits for audio that is pending. The sentences may be of several voices; there is at least one.
    """
    whole = [speech.completed() for speech in speeches]
    rate_hz = max(speech.sample_rate_hz for speech in whole)
    samples = np.concatenate(
        [
            speech.samples
            if speech.sample_rate_hz == rate_hz
            else resample(speech.samples, speech.sample_rate_hz, rate_hz)
            for speech in whole
        ]
    )
    pcm = np.round(np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(pcm.tobytes())
    return file.getvalue()
