"""Gain that brings a recording to the loudness of the voices."""

import math
from collections import deque

import numpy as np

from session.film import SAMPLE_RATE_HZ
from tts.loudness import SPEECH_LEVEL_DBFS, limited, sounding_level_dbfs
from tts.speech import Samples

WINDOW = SAMPLE_RATE_HZ // 50
"""Samples of one measurement, 20 ms."""
SOUND_DBFS, SOUND_WINDOWS = -65.0, 3
"""Sound is louder than this for this many windows in a row; anything else counts as silence."""
REMEMBERED_WINDOWS = 500
"""Windows from which the level is measured: ten seconds."""
FIRST_LOUD_DB = 3.0
"""The first syllables are assumed to be this much quieter than their loudest window."""
TRUSTED_WINDOWS = 75
"""Number of sounding windows from which the measured level alone is used."""
FALL_DB_S, RISE_DB_S = 12.0, 3.0
"""Fastest changes of the gain."""
GAIN_DB = (-30.0, 40.0)
"""Limits of the gain."""


def windows_dbfs(samples: Samples) -> list[float]:
    """Return the level of each whole window in dB of full scale."""
    whole = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    power = np.einsum("ij,ij->i", whole, whole, dtype=np.float32) / WINDOW
    return [float(each) for each in 10 * np.log10(power + 1e-12)]


def limited_gain_db(level_dbfs: float) -> float:
    """Return the gain that brings a level to that of the voices, within GAIN_DB."""
    low, high = GAIN_DB
    return min(high, max(low, SPEECH_LEVEL_DBFS - level_dbfs))


def amplified(samples: Samples, gain_db: float) -> Samples:
    """Return samples with a constant gain; peaks are compressed so that nothing clips."""
    return limited(samples * np.float32(10 ** (gain_db / 20)))


class SoundDetector:
    """Finds the first sound that is not silence."""

    def __init__(self) -> None:
        self.has_sound = False
        """True once sound was found."""
        self.begins_at: int | None = None
        """Sample with which the sound begins; None before it was found."""
        self._run = self._windows = 0
        self._rest: Samples = np.zeros(0, np.float32)

    def add(self, samples: Samples) -> bool:
        """Continue with the next samples; return `has_sound`."""
        if self.has_sound:
            return True
        joined = np.concatenate([self._rest, samples])
        self._rest = joined[len(joined) // WINDOW * WINDOW :]
        for level in windows_dbfs(joined):
            self._windows += 1
            self._run = self._run + 1 if level > SOUND_DBFS else 0
            if self._run >= SOUND_WINDOWS:
                self.has_sound = True
                self.begins_at = (self._windows - self._run) * WINDOW
                break
        return self.has_sound


class CausalGain:
    """Gain of a recording whose further sound is not known. Not thread-safe.

    The first call sets the gain from the sound that it gets; then the gain follows the level of the
    last ten seconds of speech, slowly enough not to be heard.
    """

    def __init__(self) -> None:
        self.gain_db: float | None = None
        """The present gain; None before the first call of `apply`."""
        self._levels: deque[float] = deque(maxlen=REMEMBERED_WINDOWS)
        self._rest: Samples = np.zeros(0, np.float32)

    def apply(self, samples: Samples) -> Samples:
        """Return the samples at the level of the voices, without delay, within ±1."""
        self._measure(samples)
        wanted_db = self._wanted_db()
        if self.gain_db is None:
            self.gain_db = wanted_db
            return amplified(samples, wanted_db)
        start_db, length_s = self.gain_db, len(samples) / SAMPLE_RATE_HZ
        change_db = min(RISE_DB_S * length_s, max(-FALL_DB_S * length_s, wanted_db - start_db))
        self.gain_db = start_db + change_db
        gains_db = np.linspace(start_db, self.gain_db, len(samples), dtype=np.float32)
        return limited(np.asarray(samples * 10 ** (gains_db / 20), np.float32))

    def _measure(self, samples: Samples) -> None:
        joined = np.concatenate([self._rest, samples])
        self._rest = joined[len(joined) // WINDOW * WINDOW :]
        self._levels += [each for each in windows_dbfs(joined) if each > SOUND_DBFS]

    def _wanted_db(self) -> float:
        if not self._levels:
            return 0.0 if self.gain_db is None else self.gain_db
        level, count = sounding_level_dbfs(self._levels)
        first = max(self._levels) - FIRST_LOUD_DB
        trust = min(1.0, count / TRUSTED_WINDOWS)
        return limited_gain_db(trust * level + (1 - trust) * max(first, level))


class LevelMeter:
    """Level of a whole recording, measured as that of the voices."""

    def __init__(self) -> None:
        self._powers: list[Samples] = []
        self._rest: Samples = np.zeros(0, np.float32)

    def add(self, samples: Samples) -> None:
        """Continue with the next samples."""
        joined = np.concatenate([self._rest, samples])
        count = len(joined) // WINDOW
        self._rest = joined[count * WINDOW :]
        self._powers.append(np.array(windows_dbfs(joined), np.float32))

    @property
    def level_dbfs(self) -> float:
        """Level of its sounding part; -inf for silence."""
        levels = [float(each) for chunk in self._powers for each in chunk if each > SOUND_DBFS]
        return sounding_level_dbfs(levels)[0] if levels else -math.inf
