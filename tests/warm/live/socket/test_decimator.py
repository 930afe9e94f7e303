"""Sound of the feed is converted to the rate of a socket without seams."""

import numpy as np
import pytest

from warm.live.socket.decimator import Decimator


def tone(frequency_hz: float, samples: int) -> np.ndarray:
    times = np.arange(samples) / 48_000
    return (0.5 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def converted(decimator: Decimator, samples: np.ndarray) -> np.ndarray:
    packets = [decimator.convert(packet) for packet in samples.reshape(-1, 960)]
    return np.frombuffer(b"".join(packets), "<i2") / 32767


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_a_tone_stays_a_tone_across_packets(rate_hz: int) -> None:
    found = converted(Decimator(rate_hz), tone(1000, 9600))
    rest = found[200:]
    times = np.arange(len(rest)) / rate_hz
    waves = np.stack([np.sin(2 * np.pi * 1000 * times), np.cos(2 * np.pi * 1000 * times)])
    fitted, *_ = np.linalg.lstsq(waves.T, rest, rcond=None)
    assert np.abs(rest - fitted @ waves).max() < 0.001
    assert np.hypot(*fitted) == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_what_the_lower_rate_cannot_hold_is_removed(rate_hz: int) -> None:
    found = converted(Decimator(rate_hz), tone(rate_hz * 0.6, 9600))
    assert np.abs(found[200:]).max() < 0.003


def test_the_rate_of_the_feed_is_not_filtered() -> None:
    found = converted(Decimator(48_000), np.array([2.0, -2.0, 0.25] * 320, np.float32))
    assert found[0] == 1
    assert found[1] == pytest.approx(-1, abs=1e-4)
    assert found[2] == pytest.approx(0.25, abs=1e-4)
