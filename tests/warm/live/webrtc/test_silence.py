"""Silence of a feed: viewers that ask for pauses get a part of its packets."""

import numpy as np
import pytest

from warm.live.webrtc.silence import PAUSE_PACKETS, PERIOD_PACKETS, QUIET, TAIL_PACKETS, Silence

LOUD = np.full(960, 0.5, np.float32)
SILENT = np.zeros(960, np.float32)
PACKET = b"\xfb\x02\x03"
"""Three frames of the wide band, mono."""
ANNOUNCED = b"\xf8"
"""One frame of the same kind, without contents."""


def test_sound_is_sent_whole() -> None:
    silence = Silence()
    assert [silence.shorten(PACKET, LOUD) for _ in range(50)] == [PACKET] * 50


def test_after_the_tail_of_a_sound_a_silence_has_pauses_that_are_announced() -> None:
    silence = Silence()
    silence.shorten(PACKET, LOUD)
    sent = [silence.shorten(PACKET, SILENT) for _ in range(TAIL_PACKETS + 2 * PERIOD_PACKETS)]
    pause = [ANNOUNCED] + [b""] * (PAUSE_PACKETS - 1)
    period = pause + [PACKET] * (PERIOD_PACKETS - PAUSE_PACKETS)
    assert sent == [PACKET] * TAIL_PACKETS + period + period


def test_sound_after_a_pause_is_sent_at_once_and_its_tail_again() -> None:
    silence = Silence()
    for _ in range(TAIL_PACKETS + 2):
        silence.shorten(PACKET, SILENT)
    assert silence.shorten(PACKET, LOUD) == PACKET
    assert [silence.shorten(PACKET, SILENT) for _ in range(TAIL_PACKETS)] == [PACKET] * TAIL_PACKETS


@pytest.mark.parametrize(("level", "is_silent"), [(QUIET / 2, True), (2 * QUIET, False)])
def test_what_cannot_be_heard_is_silence(level: float, is_silent: bool) -> None:
    silence = Silence()
    samples = np.zeros(960, np.float32)
    samples[480] = -level
    sent = [silence.shorten(PACKET, samples) for _ in range(TAIL_PACKETS + 1)]
    assert (sent[-1] == ANNOUNCED) == is_silent
