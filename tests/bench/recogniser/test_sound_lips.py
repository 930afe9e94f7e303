"""Measures of lips from sound: closures, movements, and recordings of people."""

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from bench.recogniser.recording import phonemes_of
from bench.recogniser.sound_lips import Comparison, closures, movements
from bench.recogniser.speakers import espeak_speech
from bench.speech.forced_alignment import Phone
from tts.speech import Phoneme
from warm.engines.viseme.shape import CURVE_HZ


def test_a_closure_lasts_as_long_as_its_sound_and_that_of_p_until_its_burst() -> None:
    sounds = (Phoneme("m", 0.5, 0.7), Phoneme("a", 0.7, 0.9), Phoneme("p", 0.9, 1.1))
    assert list(closures(sounds)) == [(47, 74), (87, 101)]


def test_movements_leave_out_loudness_and_noise() -> None:
    times = np.arange(6 * CURVE_HZ) / CURVE_HZ
    drift, speech, noise = (np.sin(2 * np.pi * hz * times) for hz in (0.1, 3.0, 30.0))
    found = movements((drift + speech + noise).astype(np.float32))
    inner = slice(CURVE_HZ, -CURVE_HZ)
    assert np.abs(found - speech)[inner].max() < 0.2


def test_a_sentence_is_compared_with_what_is_heard_of_it() -> None:
    comparison = Comparison()
    for said in islice(espeak_speech(8), 3):
        comparison.add(said.speech, replace(said.speech, phonemes=None))
    assert comparison.correlation() > 0.5
    assert abs(comparison.lag_ms()) <= 30
    assert 0 < comparison.found <= comparison.closures
    assert comparison.right <= comparison.pressed


def test_pauses_fill_the_gaps_between_the_phones_of_a_recording() -> None:
    phones = [Phone("B", 0.2, 0.3), Phone("AA", 0.3, 0.5), Phone("T", 0.9, 1.0)]
    found = list(phonemes_of(phones, 1.2))
    assert [each.symbol for each in found] == ["", "b", "ɑ", "", "t", ""]
    assert found[-1].end_s == pytest.approx(1.2)
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
