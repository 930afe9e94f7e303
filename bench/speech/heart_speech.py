"""Sentences spoken by the voice `heart` in this process."""

import numpy as np

from tts.heart.boundaries import Contours
from tts.heart.g2p import HeartG2p
from tts.heart.network import HeartNetwork
from tts.heart.timing import timeline
from tts.heart.vocoder import HOP, SAMPLE_RATE_HZ
from tts.speech import Speech

_LEAD_S, _PAUSE_S = 0.06, 0.32


class HeartSpeaker:
    """G2P, network and times of `heart` without processes."""

    def __init__(self) -> None:
        self._g2p, self._network = HeartG2p(), HeartNetwork()

    def say(self, text: str, speed: float = 1.0) -> Speech:
        """Return one sentence, at the level of the network."""
        prosody = self._network.prosody(self._g2p.symbols(text), speed)
        times = timeline(
            prosody.symbols,
            prosody.durations.tolist(),
            Contours.of(prosody.energy, prosody.pitch_hz),
            speed,
            lead_s=_LEAD_S,
            pause_s=_PAUSE_S / speed,
        )
        sound = np.concatenate(list(self._network.pieces(prosody)))
        padded = np.pad(sound, (max(-times.first_hop, 0) * HOP, times.hops * HOP))
        first = max(times.first_hop, 0) * HOP
        samples = padded[first : first + times.hops * HOP]
        return Speech(text, samples, SAMPLE_RATE_HZ, times.phonemes)
