"""Resampling of speech to the film's clock."""

import sys
from pathlib import Path

import numpy as np
import pytest

from session.film import FilmSpec
from tts.speech import Speech
from warm.media.film_audio import FilmAudio, film_audio, film_frames

SPEC = FilmSpec(width=64, height=64, fps=25)


def tone(rate_hz: int, duration_s: float, tone_hz: float = 440) -> Speech:
    times = np.arange(round(rate_hz * duration_s)) / rate_hz
    samples = (0.5 * np.sin(2 * np.pi * tone_hz * times)).astype(np.float32)
    return Speech("", samples, rate_hz, None)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_tone_keeps_its_pitch_and_time(rate_hz: int) -> None:
    sound = film_audio(tone(rate_hz, 1.0), SPEC)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    middle = slice(1_000, 47_000)
    assert np.abs(sound[middle] - expected[middle]).max() < 1e-4


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100])
def test_a_click_keeps_its_time(rate_hz: int) -> None:
    samples = np.zeros(rate_hz, np.float32)
    samples[rate_hz // 2] = 1
    sound = film_audio(Speech("", samples, rate_hz, None), SPEC)
    assert abs(int(np.abs(sound).argmax()) - 24_000) <= 2


def test_silence_pads_the_last_frame() -> None:
    sound = film_audio(tone(48_000, 1.001), SPEC)
    assert sound.shape == (26 * 1920,)
    assert sound.dtype == np.float32
    assert np.abs(sound[48_048:]).max() == 0


def test_a_whole_number_of_frames_is_not_padded() -> None:
    assert len(film_audio(tone(22_050, 2.0), SPEC)) == 50 * 1920


def test_overshoots_are_clipped() -> None:
    square = np.sign(tone(16_000, 0.5).samples)
    assert np.abs(film_audio(Speech("", square, 16_000, None), SPEC)).max() <= 1.0


RATES_HZ = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_sentence_in_pieces_has_the_same_samples_as_the_whole(rate_hz: int) -> None:
    chance = np.random.default_rng(rate_hz)
    for length in (1, 7, rate_hz // 3 + 5, 2 * rate_hz + 1):
        samples = chance.uniform(-1.2, 1.2, length).astype(np.float32)
        whole = film_audio(Speech("", samples, rate_hz, None), SPEC)
        cuts = np.sort(chance.integers(0, length, 6))
        audio = FilmAudio(length, rate_hz, SPEC)
        for piece in np.split(samples, cuts):
            assert not audio.is_complete
            audio.add(piece)
            assert np.array_equal(audio.known(), whole[: audio.arrived])
        assert audio.is_complete
        assert np.array_equal(audio.samples, whole)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_all_but_a_few_milliseconds_of_what_arrived_can_be_heard(rate_hz: int) -> None:
    audio = FilmAudio(2 * rate_hz, rate_hz, SPEC)
    for second in (1, 2):
        audio.add(tone(rate_hz, 1.0).samples)
        assert second * 48_000 - 480 <= audio.arrived <= second * 48_000


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("fps", [24, 25, 30, 50])
def test_the_number_of_frames_is_known_before_the_sound(rate_hz: int, fps: int) -> None:
    spec = FilmSpec(width=64, height=64, fps=fps)
    for length in (0, 1, rate_hz // fps, rate_hz // fps + 1, rate_hz, rate_hz + 1):
        samples = np.zeros(length, np.float32)
        frames = film_frames(length, rate_hz, spec)
        assert len(film_audio(Speech("", samples, rate_hz, None), spec)) == frames * 48_000 // fps
        assert frames - 1 < length / rate_hz * fps <= frames


def native_threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_no_thread_is_left_of_a_sentence_that_is_complete_or_given_up() -> None:
    """A resampler has threads; kept until a garbage collection, they piled up in a server."""
    audio = [FilmAudio(4800, 24_000, SPEC) for _ in range(8)]
    for each in audio:
        each.add(np.zeros(2400, np.float32))
    busy = native_threads()
    for each in audio[:4]:
        each.add(np.zeros(2400, np.float32))
    for each in audio[4:]:
        each.release()
    assert native_threads() <= busy - 8
