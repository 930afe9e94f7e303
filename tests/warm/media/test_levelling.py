"""Recordings get the loudness of the voices, and never clip."""

import numpy as np
import pytest

from tests.given_sounds import RATE_HZ, babble
from tts.loudness import SPEECH_LEVEL_DBFS, sounding_rms
from warm.media.levelling import CausalGain, LevelMeter, SoundDetector, amplified, limited_gain_db

PIECE = RATE_HZ // 25


@pytest.mark.parametrize("level_dbfs", [-52.0, -35.0, -20.0, -8.0])
def test_a_stream_of_any_level_becomes_as_loud_as_the_voices(level_dbfs: float) -> None:
    sound, gain = babble(6, level_dbfs=level_dbfs), CausalGain()
    heard = np.concatenate(
        [gain.apply(sound[at : at + PIECE]) for at in range(0, len(sound), PIECE)]
    )
    assert len(heard) == len(sound)
    assert np.abs(heard).max() <= 1
    level = 20 * np.log10(sounding_rms(heard, RATE_HZ))
    assert abs(level - SPEECH_LEVEL_DBFS) < 1.5


def test_the_gain_of_a_stream_changes_slowly_and_never_clips() -> None:
    sound = np.concatenate([babble(2, level_dbfs=-45), babble(2, level_dbfs=-3)])
    gain, gains = CausalGain(), []
    for at in range(0, len(sound), PIECE):
        assert np.abs(gain.apply(sound[at : at + PIECE])).max() <= 1
        gains.append(gain.gain_db)
    changes = np.abs(np.diff(np.array(gains, np.float64)))
    assert changes.max() <= 12 * PIECE / RATE_HZ + 1e-6


def test_a_pause_does_not_change_the_gain() -> None:
    gain = CausalGain()
    gain.apply(babble(3, level_dbfs=-30))
    before = gain.gain_db
    for _ in range(100):
        assert not gain.apply(np.zeros(PIECE, np.float32)).any()
    assert gain.gain_db == pytest.approx(before, abs=0.5)


def test_the_level_of_a_file_is_that_of_its_speech_without_pauses() -> None:
    meter = LevelMeter()
    sound = np.concatenate([np.zeros(RATE_HZ * 3, np.float32), babble(2, level_dbfs=-33)])
    for at in range(0, len(sound), 7777):
        meter.add(sound[at : at + 7777])
    assert meter.level_dbfs == pytest.approx(-33, abs=1)
    heard = amplified(sound, limited_gain_db(meter.level_dbfs))
    assert 20 * np.log10(sounding_rms(heard, RATE_HZ)) == pytest.approx(SPEECH_LEVEL_DBFS, abs=1)


@pytest.mark.parametrize(
    ("sound", "is_heard"),
    [
        (np.zeros(RATE_HZ, np.float32), False),
        (babble(1, level_dbfs=-75), False),
        (np.eye(1, RATE_HZ, 500, dtype=np.float32)[0], False),  # a click
        (babble(1, level_dbfs=-50), True),
        (babble(0.1, level_dbfs=-20), True),
    ],
)
def test_sound_is_what_lasts_and_is_not_silent(sound: np.ndarray, is_heard: bool) -> None:  # type: ignore[type-arg]
    detector = SoundDetector()
    for at in range(0, len(sound), 333):
        detector.add(sound[at : at + 333])
    assert detector.has_sound is is_heard
