"""Times of words that a server reports: they limit where the coarse path may run."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tts.alignment.cepstra import FRAME_HZ
from tts.alignment.path import Band
from tts.speech import WordTime

RADIUS_S = 0.3
RADIUS_SHARE = 0.05
"""Maximum distance of a word in the reference from the place that its letters suggest: a fixed
part, and a share of the reference's duration."""


def band_of_words(
    words: Sequence[WordTime],
    *,
    speech_frames: NDArray[np.intp],
    reference_sounds: NDArray[np.bool_],
    factor: int,
) -> Band:
    """Return the band, in frames `factor` times coarser, near the words of a reference.

    The place of a word in the reference is taken from the letters before it. `speech_frames`: (n,)
    frames of the speech that are compared; `reference_sounds`: (m,) False in pauses.
    """
    letters = np.cumsum([0, *(len(word.word) for word in words)])
    sounds = np.cumsum(reference_sounds)
    columns = np.searchsorted(sounds, letters[:-1] / letters[-1] * sounds[-1])
    starts = np.array([word.start_s for word in words]) * FRAME_HZ
    rows = np.searchsorted(speech_frames, starts)
    order = np.argsort(rows, kind="stable")
    count, width = len(speech_frames), len(reference_sounds)
    centre = np.interp(
        np.arange(0, count, factor),
        [0, *rows[order], count],
        [0, *np.maximum.accumulate(columns[order]), width],
    )
    radius = RADIUS_S * FRAME_HZ + RADIUS_SHARE * width
    coarse_width = -(-width // factor)
    first = np.clip((centre - radius) // factor, 0, coarse_width - 1).astype(np.intp)
    end = np.clip((centre + radius) // factor + 1, first + 1, coarse_width).astype(np.intp)
    return Band(first, end)
