"""Speech as the sound of a film: 48 kHz, padded to whole video frames."""

import av
import numpy as np
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, FilmSpec
from tts.speech import Speech


def film_audio(speech: Speech, spec: FilmSpec) -> NDArray[np.float32]:
    """(frames * spec.samples_per_frame,) float32, -1…1, 48 kHz.

    The speech begins at the first sample; silence pads its last video frame.
    """
    audio = resample(speech.samples, speech.sample_rate_hz)
    frames = -(-len(audio) // spec.samples_per_frame)
    padded = np.zeros(frames * spec.samples_per_frame, np.float32)
    np.clip(audio, -1.0, 1.0, out=padded[: len(audio)])
    return padded


def resample(
    samples: NDArray[np.float32], rate_hz: int, to_hz: int = SAMPLE_RATE_HZ
) -> NDArray[np.float32]:
    """(n,) mono at `rate_hz` to (n * to_hz / rate_hz,) at `to_hz`, without delay."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=to_hz)
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    chunks = [each.to_ndarray()[0] for each in frames if each.samples]
    return np.concatenate([np.zeros(0, np.float32), *chunks])
