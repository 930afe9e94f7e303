"""The mouth of a recording that is still arriving is nearly that of the whole recording."""

from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ
from tts.catalogue import espeak_voices
from tts.speech import Samples, Speech
from tts.voice import VoiceChoice
from warm.engines.viseme.audio_curves import mouth_track_from_audio
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.live_track import SOUND_LOOKAHEAD_S, LiveTrack
from warm.engines.viseme.shape import Shape
from warm.media.film_audio import resample

FPS = 25
STEP = SAMPLE_RATE_HZ // FPS


class Arriving:
    """A recording of which a part has arrived."""

    def __init__(self, sound: Samples) -> None:
        self._sound = sound
        self.arrived, self.is_complete = 0, False

    def advance_to(self, samples: int) -> None:
        self.arrived = min(samples, len(self._sound))
        self.is_complete = self.arrived == len(self._sound)

    def samples(self, start: int, stop: int) -> Samples:
        known = self._sound[start : min(stop, self.arrived)]
        return np.pad(known, (0, stop - start - len(known)))


@pytest.fixture(scope="module")
def said() -> Speech:
    """Speech of a fresh espeak-ng, because its sound depends slightly on earlier sentences."""
    choice = VoiceChoice(voice="espeak:en-us", language="en-us", speed=1.0)
    text = "Please put the heavy boxes by the window, and bring me a map of Brazil."
    with closing(espeak_voices()) as voices:
        (speech,) = [each.completed() for each in voices.speak(text, choice)]
    return speech


def live_rows(sound: Samples, lookahead_s: float, batch: int = 3) -> NDArray[np.float32]:
    """Return the mouth track of a sound that is drawn as soon as that is allowed."""
    arriving, track, frames = Arriving(sound), LiveTrack(FPS), -(-len(sound) // STEP)
    rows = []
    for start in range(0, frames, batch):
        stop = min(frames, start + batch)
        arriving.advance_to(stop * STEP + round(lookahead_s * SAMPLE_RATE_HZ))
        rows.append(track.features(arriving, start, stop))
    return np.concatenate(rows)


def test_the_mouth_moves_nearly_as_that_of_the_whole_recording(said: Speech) -> None:
    sound = resample(said.samples, said.sample_rate_hz)
    live = live_rows(sound, SOUND_LOOKAHEAD_S)
    heard = Speech("", sound, SAMPLE_RATE_HZ, None)
    whole = mouth_track_from_audio(heard, frames=len(live), fps=FPS)
    assert live.shape == whole.shape
    assert np.corrcoef(live[:, Shape.OPEN], whole[:, Shape.OPEN])[0, 1] > 0.9
    assert np.abs(live[:, Shape.OPEN] - whole[:, Shape.OPEN]).mean() < 0.1


def test_silence_keeps_the_mouth_closed() -> None:
    rng = np.random.default_rng(0)
    quiet = (rng.standard_normal(SAMPLE_RATE_HZ) * 1e-4).astype(np.float32)
    assert not live_rows(quiet, SOUND_LOOKAHEAD_S)[:, Shape.OPEN].any()


def test_the_mouth_is_closed_after_the_end(said: Speech) -> None:
    sound = resample(said.samples, said.sample_rate_hz)
    padded = np.concatenate([sound, np.zeros(SAMPLE_RATE_HZ // 2, np.float32)])
    assert not live_rows(padded, SOUND_LOOKAHEAD_S)[-6:, Shape.OPEN].any()


def test_the_state_of_a_long_recording_is_bounded() -> None:
    track, arriving = LiveTrack(FPS), Arriving(np.zeros(SAMPLE_RATE_HZ * 12, np.float32))
    for start in range(0, 12 * FPS, 2 * FPS):
        arriving.advance_to((start + 2 * FPS) * STEP + 4000)
        track.features(arriving, start, start + 2 * FPS)
    assert len(track._levels) <= 1000


def test_the_engine_offers_it() -> None:
    assert isinstance(VisemeEngine().listen(FPS), LiveTrack)
