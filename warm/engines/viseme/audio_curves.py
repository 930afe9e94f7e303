"""Mouth curves from audio alone: its sounds are recognised, and move the mouth as phonemes do.

Every value depends on at most REFERENCE_S (`loudness_range`) of audio around it. A long file may
therefore be processed in windows that overlap by that much, with the same result.
"""

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.engines.viseme.phoneme_curves import mouth_track_from_phonemes
from warm.engines.viseme.recogniser.recognise import recognised


def mouth_track_from_audio(speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
    """(frames, 7) float32 by Shape: the mouth in each video frame.

    OPEN is exactly 0 in silence and after the audio.
    """
    return mouth_track_from_phonemes(recognised(speech), frames=frames, fps=fps)
