"""The recogniser: its spectra, its network, and the decision for a sequence of sounds."""

import numpy as np
import pytest

from warm.engines.viseme.ipa_targets import ContactKind, target_shares
from warm.engines.viseme.recogniser.network import REACH, WEIGHTS, trained_network
from warm.engines.viseme.recogniser.segments import best_path, best_segments
from warm.engines.viseme.recogniser.sound_classes import CLASSES, classes_of
from warm.engines.viseme.recogniser.spectra import (
    BANDS,
    HOP,
    SAMPLE_RATE_HZ,
    band_levels,
    loud_level,
    relative_spectra,
    resampled,
    total_level,
)

RNG = np.random.default_rng(7)


def sound(seconds: float) -> np.ndarray:
    """Return noise whose loudness changes, at SAMPLE_RATE_HZ."""
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(1).normal(0, 0.1, len(times))
    return (noise * (1.2 + np.sin(2 * np.pi * 3 * times))).astype(np.float32)


@pytest.mark.parametrize("name", CLASSES)
def test_the_symbol_of_a_class_belongs_to_it(name: str) -> None:
    assert classes_of(name) == [CLASSES.index(name)]


@pytest.mark.parametrize("symbol", ["p", "pʰ", "bʲ", "m̩", "ɓ", "t", "ŋ", "l", "ʔ", "h", "ç"])
def test_a_class_touches_the_lips_exactly_if_its_sounds_do(symbol: str) -> None:
    (sound_class,) = classes_of(symbol)
    own, stood_for = (target_shares(each)[0].target for each in (symbol, CLASSES[sound_class]))
    assert (own.contact is ContactKind.LIPS) == (stood_for.contact is ContactKind.LIPS)


def test_diphthongs_and_affricates_are_two_classes() -> None:
    assert classes_of("aɪ") == [CLASSES.index("a"), CLASSES.index("ɪ")]
    assert classes_of("tʃ") == [CLASSES.index("d"), CLASSES.index("ʃ")]


def test_a_tone_has_its_level_and_lies_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    levels = band_levels(tone.astype(np.float32), points=100)
    assert levels.shape == (100, BANDS)
    assert total_level(levels)[50] == pytest.approx(-3.01, abs=0.1)
    loudest = int(levels[50].argmax())
    assert 10 < loudest < 22 and levels[50, loudest] - levels[50, 35] > 50


def test_spectra_do_not_depend_on_the_level() -> None:
    samples = sound(2.0)
    spectra = []
    for gain in (1.0, 0.05):
        levels = band_levels(samples * np.float32(gain), points=200)
        spectra.append(relative_spectra(levels, loud_level(levels)))
    assert np.abs(spectra[0] - spectra[1]).max() < 1e-3


@pytest.mark.parametrize("rate_hz", [8000, 22_050, 44_100, 48_000])
def test_resampling_keeps_the_duration(rate_hz: int) -> None:
    assert len(resampled(np.zeros(rate_hz, np.float32), rate_hz)) == SAMPLE_RATE_HZ


def test_the_network_depends_on_sound_within_its_reach_only() -> None:
    spectra = RNG.normal(-1, 0.5, (200, BANDS)).astype(np.float32)
    changed = spectra.copy()
    changed[100:] = 0
    one, other = trained_network()(spectra), trained_network()(changed)
    assert np.array_equal(one[: 100 - REACH], other[: 100 - REACH])
    assert not np.allclose(one[100], other[100])


def test_the_network_gives_logarithms_of_probabilities() -> None:
    scores = trained_network()(RNG.normal(-1, 0.5, (50, BANDS)).astype(np.float32))
    assert scores.shape == (50, len(CLASSES))
    assert np.exp(scores).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_the_weights_are_small_and_hold_no_objects() -> None:
    assert WEIGHTS.stat().st_size < 1_000_000
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        assert all(stored[name].dtype == np.float16 for name in stored.files)


def test_silence_is_recognised_as_silence() -> None:
    levels = band_levels(np.zeros(SAMPLE_RATE_HZ, np.float32), points=100)
    scores = trained_network()(relative_spectra(levels, loud_level(levels)))
    assert not best_path(scores).any()


def test_a_sound_of_one_point_is_flicker_and_a_longer_one_is_kept() -> None:
    scores = np.full((60, len(CLASSES)), -4.0, np.float32)
    scores[:, 5] = -0.5
    scores[10, [5, 7]] = -1.5, -0.5
    scores[30:40, [5, 7]] = -3.0, -0.5
    segments = best_segments(scores)
    assert [(each.sound, each.start, each.stop) for each in segments] == [
        (5, 0, 30),
        (7, 30, 40),
        (5, 40, 60),
    ]


def test_empty_sound_has_no_segments() -> None:
    assert best_segments(np.zeros((0, len(CLASSES)), np.float32)) == []


def test_the_first_point_is_at_the_first_sample() -> None:
    click = np.zeros(50 * HOP, np.float32)
    click[20 * HOP] = 1.0
    assert total_level(band_levels(click, points=50)).argmax() == 20
