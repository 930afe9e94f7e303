"""The lip measures, on hand-made gaps: each detects the fault that it measures."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.lip_measures import (
    MeasuredSentence,
    bilabials_closed,
    lag_s,
    open_vowels_closed,
    silent_gap,
    source_leak,
    target_correlation,
    widest_a,
)
from bench.faces.lip_sentences import SENTENCES
from tts.registry import VoiceRegistry
from warm.engines.viseme.phoneme_curves import mouth_curves, mouth_track_from_phonemes
from warm.engines.viseme.shape import CURVE_HZ, FULL_GAP_IOD, Shape

FPS = 25


class FiftyFrames:
    """Loop of 50 frames: the part of an avatar that `source_leak` uses."""

    def index_at(self, cursor: int) -> int:
        return cursor % 50


@pytest.fixture(scope="module")
def perfect(voices: VoiceRegistry) -> list[MeasuredSentence]:
    """Ten sentences whose lips follow the target exactly."""
    sentences, cursor = [], 0
    for text in SENTENCES[:10]:
        for speech in voices.speak(text, voices.choose()):
            track = mouth_track_from_phonemes(speech, frames=int(speech.duration_s * FPS), fps=FPS)
            gap = track[:, Shape.OPEN] * np.float64(FULL_GAP_IOD)
            sentences.append(MeasuredSentence(speech, cursor, track, gap, np.ones(len(gap)), FPS))
            cursor += len(gap)
    return sentences


def with_gaps(
    sentences: list[MeasuredSentence], change: Callable[[MeasuredSentence], NDArray[np.float64]]
) -> list[MeasuredSentence]:
    return [replace(one, gap=change(one)) for one in sentences]


def delayed(one: MeasuredSentence, seconds: float) -> NDArray[np.float64]:
    points = int(len(one.gap) * CURVE_HZ / FPS) + 1
    curve = mouth_curves(one.speech, points=points).with_contacts()[:, Shape.OPEN] * FULL_GAP_IOD
    return np.interp(one.middles_s - seconds, np.arange(points) / CURVE_HZ, curve)


def test_perfect_lips_reach_every_goal(perfect: list[MeasuredSentence]) -> None:
    assert all(bilabials_closed(perfect))
    assert not any(open_vowels_closed(perfect))
    assert target_correlation(perfect) == pytest.approx(1)
    assert abs(lag_s(perfect)) < 0.005
    assert silent_gap(perfect).std() == 0
    assert np.median(widest_a(perfect)) > 0.2


def test_lips_that_never_close_are_detected(perfect: list[MeasuredSentence]) -> None:
    assert not any(bilabials_closed(with_gaps(perfect, lambda one: one.gap + 0.036)))


def test_lips_that_never_open_are_detected(perfect: list[MeasuredSentence]) -> None:
    assert all(open_vowels_closed(with_gaps(perfect, lambda one: one.gap * 0.05)))


@pytest.mark.parametrize("seconds", [-0.03, 0.015, 0.04])
def test_a_lag_is_measured_with_its_sign(perfect: list[MeasuredSentence], seconds: float) -> None:
    late = with_gaps(perfect, lambda one: delayed(one, seconds))
    assert lag_s(late) == pytest.approx(seconds, abs=0.004)


def test_a_mouth_that_twitches_in_silence_is_detected(perfect: list[MeasuredSentence]) -> None:
    noise = np.random.default_rng(0)
    twitching = with_gaps(perfect, lambda one: one.gap + noise.normal(0, 0.01, len(one.gap)))
    assert silent_gap(twitching).std() > 0.008


def test_a_source_mouth_that_shows_through_is_detected(perfect: list[MeasuredSentence]) -> None:
    own = np.random.default_rng(0).uniform(0, 0.3, 50)
    leaking = with_gaps(
        perfect, lambda one: one.gap + own[(one.first_frame + np.arange(len(one.gap))) % 50]
    )
    assert source_leak(FiftyFrames(), perfect, own) < 0.1  # type: ignore[arg-type]
    assert source_leak(FiftyFrames(), leaking, own) > 0.5  # type: ignore[arg-type]


def test_there_are_two_hundred_different_sentences() -> None:
    assert len(set(SENTENCES)) == 200
