"""Features of a recording that is still arriving, for engines that encode whole sentences."""

import numpy as np
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ
from tts.speech import Speech
from warm.engines.base import Engine, HeardSound, Listener, ListeningEngine

BEFORE_S, AFTER_S = 3, 0.25
"""Sound around the frames that an excerpt has, so that its borders do not show."""


class ExcerptListener:
    """Encodes the sound around the frames each time. Owned by the render thread."""

    def __init__(self, engine: Engine, fps: int) -> None:
        self._engine, self._fps = engine, fps

    def features(self, sound: HeardSound, start: int, stop: int) -> NDArray[np.float32]:
        """Return the rows of frames `start` to `stop`."""
        step = SAMPLE_RATE_HZ // self._fps
        first = max(0, start - BEFORE_S * self._fps)
        end = max(stop * step, min(sound.arrived, stop * step + round(AFTER_S * SAMPLE_RATE_HZ)))
        speech = Speech("", sound.samples(first * step, end), SAMPLE_RATE_HZ, None)
        rows = self._engine.encode_speech(speech, frames=stop - first, fps=self._fps)
        return rows[start - first :]


def sound_lookahead_s(engine: Engine) -> float:
    """Return the sound after a frame without which an engine does not draw it. Any thread."""
    return engine.sound_lookahead_s if isinstance(engine, ListeningEngine) else AFTER_S


def listener_of(engine: Engine, fps: int) -> Listener:
    """Return a listener for a recording that begins."""
    return (
        engine.listen(fps) if isinstance(engine, ListeningEngine) else ExcerptListener(engine, fps)
    )
