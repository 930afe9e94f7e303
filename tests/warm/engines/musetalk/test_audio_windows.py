"""Windows of encoder steps around video frames."""

import numpy as np
import pytest

from session.film import SAMPLE_RATE_HZ
from warm.engines.musetalk.audio_windows import audio_tokens, positional_encoding, window_table

RATES = [rate for rate in range(10, 61) if SAMPLE_RATE_HZ % rate == 0]


def test_the_window_of_a_frame_at_25_fps_ends_120_ms_after_its_start() -> None:
    table = window_table(100, frames=50, fps=25)
    assert table[10].tolist() == [17, 18, 19, 20, 21, 22, 23, 24, 25, 26]
    assert table[0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert table[-1].tolist() == [95, 96, 97, 98, 99, 100, 0, 0, 0, 0]


@pytest.mark.parametrize("fps", RATES)
def test_rounding_moves_no_window_even_in_an_hour_of_speech(fps: int) -> None:
    """Catches a product of floats just below a whole number."""
    frames = 3600 * fps
    table = window_table(3600 * 50, frames=frames, fps=fps)
    starts = np.arange(frames) * 50 // fps - 2 * -(-50 // fps) + 1
    inside = (starts >= 1) & (starts + 9 <= 3600 * 50)
    assert np.array_equal(table[inside, 0], starts[inside])
    assert np.array_equal(table[inside, 9], starts[inside] + 9)


@pytest.mark.parametrize("fps", [50, 60])
def test_high_frame_rates_have_windows_too(fps: int) -> None:
    """The reference fails above 50 frames a second."""
    table = window_table(50, frames=fps, fps=fps)
    assert table.max() == 50
    assert (np.diff(table[5:-10, 0]) <= 1).all()


def test_tokens_are_ordered_by_step_and_padding_is_zero() -> None:
    hidden = np.arange(1, 25, dtype=np.float32).reshape(4, 3, 2)
    tokens = audio_tokens(hidden, frames=3, fps=25)
    assert tokens.shape == (3, 30, 2)
    assert (tokens[0, :12] == 0).all()
    assert np.array_equal(tokens[0, 12:24].reshape(4, 3, 2), hidden)
    assert (audio_tokens(hidden[:0], frames=2, fps=25) == 0).all()


def test_positional_encodings_are_sines_and_cosines() -> None:
    actual = positional_encoding(50, 384)
    assert actual.shape == (50, 384)
    assert np.array_equal(actual[0], np.tile([0, 1], 192).astype(np.float32))
    assert actual[7, 0] == pytest.approx(np.sin(7.0), abs=1e-6)
    assert actual[7, 3] == pytest.approx(np.cos(7 * 10_000 ** (-2 / 384)), abs=1e-6)
