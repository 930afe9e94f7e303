"""The lip measures on gaps written by hand: each must see the fault that it is there for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.lips import (
    Watched,
    bilabials_closed,
    lag_s,
    open_vowels_closed,
    pooled_gap,
    pooled_target,
    silent_gap,
    source_leak,
    widest_a,
)
from bench.faces.lips_sentences import SENTENCES
from tts.espeak import EspeakVoices
from warm.engines.viseme.phoneme_curves import mouth_curves, mouth_track_from_phonemes
from warm.engines.viseme.shape import CURVE_HZ, FULL_GAP_IOD, Shape

FPS = 25


class Loop:
    """As much of an avatar as `source_leak` asks for."""

    def index_at(self, cursor: int) -> int:
        return cursor % 50


@pytest.fixture(scope="module")
def perfect(voices: EspeakVoices) -> list[Watched]:
    """Ten sentences whose lips do exactly what is asked."""
    told, cursor = [], 0
    for text in SENTENCES[:10]:
        for speech in voices.speak(text, voices.choose()):
            track = mouth_track_from_phonemes(speech, frames=int(speech.duration_s * FPS), fps=FPS)
            gap = track[:, Shape.OPEN] * np.float64(FULL_GAP_IOD)
            told.append(Watched(speech, cursor, track, gap, np.ones(len(gap)), FPS))
            cursor += len(gap)
    return told


def with_gaps(watched: list[Watched], change: object) -> list[Watched]:
    return [
        Watched(w.speech, w.first_frame, w.track, change(w), w.width, FPS)  # type: ignore[operator]
        for w in watched
    ]


def delayed(one: Watched, seconds: float) -> NDArray[np.float64]:
    points = int(len(one.gap) * CURVE_HZ / FPS) + 1
    curve = mouth_curves(one.speech, points=points).with_contacts()[:, Shape.OPEN] * FULL_GAP_IOD
    return np.interp(one.middles_s - seconds, np.arange(points) / CURVE_HZ, curve)


def test_perfect_lips_reach_every_goal(perfect: list[Watched]) -> None:
    assert all(bilabials_closed(perfect))
    assert not any(open_vowels_closed(perfect))
    assert np.corrcoef(pooled_gap(perfect), pooled_target(perfect))[0, 1] == pytest.approx(1)
    assert abs(lag_s(perfect)) < 0.005
    assert silent_gap(perfect).std() == 0
    assert np.median(widest_a(perfect)) > 0.2


def test_lips_that_never_close_are_seen(perfect: list[Watched]) -> None:
    assert not any(bilabials_closed(with_gaps(perfect, lambda w: w.gap + 0.036)))


def test_lips_that_never_open_are_seen(perfect: list[Watched]) -> None:
    assert all(open_vowels_closed(with_gaps(perfect, lambda w: w.gap * 0.05)))


@pytest.mark.parametrize("seconds", [-0.03, 0.015, 0.04])
def test_a_lag_is_measured_with_its_sign(perfect: list[Watched], seconds: float) -> None:
    late = with_gaps(perfect, lambda w: delayed(w, seconds))
    assert lag_s(late) == pytest.approx(seconds, abs=0.004)


def test_a_mouth_that_twitches_in_silence_is_seen(perfect: list[Watched]) -> None:
    noise = np.random.default_rng(0)
    twitching = with_gaps(perfect, lambda w: w.gap + noise.normal(0, 0.01, len(w.gap)))
    assert silent_gap(twitching).std() > 0.008


def test_a_source_mouth_that_shines_through_is_seen(perfect: list[Watched]) -> None:
    own = np.random.default_rng(0).uniform(0, 0.3, 50)
    leaking = with_gaps(
        perfect, lambda w: w.gap + own[(w.first_frame + np.arange(len(w.gap))) % 50]
    )
    assert source_leak(Loop(), perfect, own) < 0.1  # type: ignore[arg-type]
    assert source_leak(Loop(), leaking, own) > 0.5  # type: ignore[arg-type]


def test_two_hundred_different_sentences_are_said() -> None:
    assert len(set(SENTENCES)) == 200
