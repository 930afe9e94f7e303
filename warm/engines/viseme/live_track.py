"""Mouth track of a recording that is still arriving.

Each part is recognised together with the sound before it, and with as much after it as has
arrived. The sound must be at the loudness of the voices: so the level of loud speech is known from
the start.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from session.film import SAMPLE_RATE_HZ as FILM_RATE_HZ
from warm.engines.base import HeardSound
from warm.engines.viseme.phoneme_curves import mouth_track_part
from warm.engines.viseme.recogniser.recognise import LOUD_DBFS, is_steady, recognised_part
from warm.engines.viseme.recogniser.spectra import (
    HOP,
    WINDOW,
    band_levels,
    resampled,
    total_level,
)
from warm.engines.viseme.shape import CURVE_HZ, FrameSpan

SOUND_LOOKAHEAD_S = 0.08
"""Sound after a frame without which it is not drawn: docs/lips-from-sound.md compares others."""
BEFORE_S = 0.8
"""Sound before a part that is recognised with it."""
AFTER_S = 0.3
"""Sound after a part that can change it."""
LEVEL_S = 10
"""Sound from which the level of loud speech is measured."""
TRUSTED_S = 6.0
"""Length of speech from which that level alone is used; before, that of a voice counts as well."""
LOUD_PERCENTILE, SPEECH_DBFS = 95, -50.0
"""Share of the points that are not loud, among those that are louder than SPEECH_DBFS."""
SMOOTH_POINTS = 10
"""Points over which levels are averaged, as in `loudness_range`."""
LARGEST_DIFFERENCE_DB = 8.0
"""Limit of the difference between the measured level and that of a voice."""


class LiveTrack:
    """Follows one recording. Owned by the render thread."""

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._levels: deque[float] = deque(maxlen=LEVEL_S * CURVE_HZ)
        """Level at each point so far."""
        self._measured = 0
        """Points of the recording whose level was measured."""

    def features(self, sound: HeardSound, start: int, stop: int) -> NDArray[np.float32]:
        """(stop - start, 7) rows of the mouth track by `Shape`."""
        first = max(0, start - round(BEFORE_S * self._fps))
        step = FILM_RATE_HZ // self._fps
        end = min(sound.arrived, stop * step + round(AFTER_S * FILM_RATE_HZ))
        is_open = not (sound.is_complete and end == sound.arrived)
        samples = resampled(sound.samples(first * step, end), FILM_RATE_HZ)
        points = max(1, (len(samples) - (WINDOW // 2 if is_open else 0)) // HOP + 1)
        levels = band_levels(samples, points=points)
        total = total_level(levels)
        self._measure(total, round(first * CURVE_HZ / self._fps))
        steady = is_steady(np.array(self._levels))[-points:]
        heard = recognised_part(
            samples, self._loud_dbfs(), steady_points(steady, points), levels, is_open=is_open
        )
        return mouth_track_part(heard, FrameSpan(start - first, stop - first, self._fps))

    def _measure(self, total: NDArray[np.float64], first_point: int) -> None:
        """Remember the levels of the points that are new."""
        new = total[max(0, self._measured - first_point) :]
        self._levels.extend(new.tolist())
        self._measured = max(self._measured, first_point + len(total))

    def _loud_dbfs(self) -> float:
        """Return the level of loud speech."""
        levels = uniform_filter1d(np.array(self._levels), SMOOTH_POINTS, mode="nearest")
        speech = levels[levels > SPEECH_DBFS]
        if not len(speech):
            return LOUD_DBFS
        measured = float(np.percentile(speech, LOUD_PERCENTILE))
        difference = np.clip(measured - LOUD_DBFS, -LARGEST_DIFFERENCE_DB, LARGEST_DIFFERENCE_DB)
        return LOUD_DBFS + min(1.0, len(speech) / (TRUSTED_S * CURVE_HZ)) * float(difference)


def steady_points(steady: NDArray[np.bool_], points: int) -> NDArray[np.bool_]:
    """(points,): the last of `steady`, which may be fewer; the others are not steady."""
    return np.concatenate([np.zeros(points - len(steady), bool), steady])
