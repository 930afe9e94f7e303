"""Mouth curves from audio alone: its sounds are recognised, and move the mouth as phonemes do.

Every value depends on at most REFERENCE_S (`loudness_range`) of audio around it. A long file may
therefore be processed in windows that overlap by that much, with the same result.
"""

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.engines.viseme.phoneme_curves import mouth_track_part
from warm.engines.viseme.recogniser.recognise import recognised
from warm.engines.viseme.shape import FrameSpan

BLOCK_S = 10
"""Mouth computed at once: the memory grows with the square of the length."""


def mouth_track_from_audio(speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
    """(frames, 7) float32 by Shape: the mouth in each video frame.

    OPEN is exactly 0 in silence and after the audio.
    """
    heard = recognised(speech)
    blocks = [
        mouth_track_part(heard, FrameSpan(start, min(start + BLOCK_S * fps, frames), fps))
        for start in range(0, max(frames, 1), BLOCK_S * fps)
    ]
    return np.concatenate(blocks)
