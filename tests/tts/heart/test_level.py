"""Level of a sentence whose sound is not complete yet, and the limiter."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tts.heart.level import frame_power, gain_of, predicted_power
from tts.heart.network import HeartNetwork
from tts.heart.vocoder import HOP, SAMPLE_RATE_HZ
from tts.loudness import PEAK_DBFS, SPEECH_LEVEL_DBFS, limited, normalize_loudness

SENTENCES = (
    "wˈI?",
    "mˈɑməz nˈu ɹˈɛd kˈɑɹ.",
    "ʃˈi wˈɑʃt hɜɹ hˈændz, ˈænd ðˈɛn ʃi wˈɔkt bˈæk tə ðə hˈWs baɪ ðə sˈi.",
)
PEAK = 10 ** (PEAK_DBFS / 20)


def gain_db(factor: float) -> float:
    return float(20 * np.log10(factor))


@pytest.mark.parametrize("symbols", SENTENCES)
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_the_gain_is_close_to_that_of_the_finished_sentence(
    network: HeartNetwork, symbols: str, speed: float
) -> None:
    prosody = network.prosody(symbols, speed)
    power = predicted_power(prosody.energy)
    first = int(np.argmax(power > power.max() / 1000)) - 5
    pieces = list(network.pieces(prosody, first_hop=first))
    whole = np.concatenate(pieces) / 2  # so quiet that no peak limits the gain
    gain = gain_of(power[first:], frame_power(pieces[0])) * 2
    assert abs(gain_db(gain * whole[9000] / normalize_loudness(whole, SAMPLE_RATE_HZ)[9000])) < 1.5


def test_a_sentence_that_is_louder_than_predicted_is_turned_down() -> None:
    predicted = predicted_power(np.full(100, 7.0, np.float32))
    loud = np.full(50, 4 * predicted[0])
    assert gain_db(gain_of(predicted, loud)) == pytest.approx(
        gain_db(gain_of(predicted, predicted[:50])) - 6.02, abs=0.6
    )


def test_a_weak_first_piece_says_little_about_the_rest() -> None:
    energy = np.full(100, 7.0, np.float32)
    energy[:60] = 1.0
    predicted = predicted_power(energy)
    gain = gain_of(predicted, predicted[:60] / 100)
    assert abs(gain_db(gain / gain_of(predicted, predicted[:60]))) < 4


def test_without_sound_in_the_first_piece_the_prediction_decides() -> None:
    energy = np.full(100, 7.0, np.float32)
    energy[:60] = -3.0
    level_db = 10 * np.log10(predicted_power(energy)[-1])
    gain = gain_of(predicted_power(energy), np.zeros(60))
    assert gain_db(gain) == pytest.approx(SPEECH_LEVEL_DBFS - level_db, abs=0.1)


def test_silence_is_not_amplified_without_limit() -> None:
    silent = predicted_power(np.full(10, -9.0, np.float32))
    assert gain_db(gain_of(silent, np.zeros(10))) <= 30


def test_frame_power_is_the_mean_square_of_whole_frames() -> None:
    samples = np.repeat(np.array([0.5, -0.1], np.float32), HOP)
    assert frame_power(np.append(samples, np.float32(1))) == pytest.approx([0.25, 0.01])


def tone(amplitude: float) -> NDArray[np.float32]:
    return (amplitude * np.sin(np.arange(SAMPLE_RATE_HZ) / 40)).astype(np.float32)


def test_the_limiter_does_not_touch_what_is_below_its_knee() -> None:
    quiet = tone(0.6)
    assert limited(quiet) is quiet
    loud = limited(tone(0.9))
    below = np.abs(tone(0.9)) < 0.63
    assert (loud[below] == tone(0.9)[below]).all()


@pytest.mark.parametrize("amplitude", [0.7, 1.0, 3.0, 50.0])
def test_the_limiter_keeps_all_peaks_below_the_common_limit(amplitude: float) -> None:
    samples = tone(amplitude)
    result = limited(samples)
    assert np.abs(result).max() <= PEAK + 1e-6
    assert (np.sign(result) == np.sign(samples)).all()
    order = np.argsort(samples)
    assert (np.diff(result[order]) >= 0).all()
