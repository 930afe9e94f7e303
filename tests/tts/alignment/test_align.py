"""Alignment of sentences with known times: the times are hidden, found again, and compared."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.tts.alignment.changes import (
    hidden,
    median_error_s,
    over_telephone,
    start_errors_s,
    with_noise,
    with_silence,
)
from tests.tts.alignment.conftest import Say
from tts.alignment.align import CannotAlign, align
from tts.speech import Speech

MALE = "espeak:en-us+male"


@pytest.mark.parametrize(
    ("voice", "speed"),
    [(MALE, 1.0), (MALE, 0.6), ("espeak:en-us+f3", 1.4), ("espeak:en-us+m3", 0.8)],
)
def test_times_are_found_in_another_voice_at_another_speed(
    say: Say, voice: str, speed: float
) -> None:
    speech = say(voice=voice, speed=speed)
    found = align(hidden(speech), say())
    assert median_error_s(found, speech.phonemes) < 0.010


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Papa und Mama backen jeden Samstag Pflaumenkuchen im alten Haus."),
        ("fr-fr", "Ma mère prépare une bonne soupe avec beaucoup de pommes de terre."),
        ("ru", "Мама помыла большую белую рыбу."),
        ("cmn", "妈妈买了苹果和面包。"),
        ("hi", "बाबा बाज़ार से आम और पपीता लाए।"),
    ],
)
def test_times_are_found_in_other_languages(say: Say, language: str, text: str) -> None:
    speech = say(text, f"espeak:{language}", 1.2)
    found = align(hidden(speech), say(text, f"espeak:{language}+male"))
    assert median_error_s(found, speech.phonemes) < 0.012


def test_lips_close_inside_each_closure_of_the_hidden_voice(say: Say) -> None:
    speech = say("Bob bought a big map, and Pam may buy the purple pump.", MALE, 0.8)
    found = align(hidden(speech), say(speech.text))
    closures = [p for p in speech.phonemes or () if p.symbol[:1] in tuple("pbm")]
    middles = [
        (p.start_s + min(p.end_s, p.start_s + 0.05)) / 2
        for p in found
        if p.symbol[:1] in tuple("pbm")
    ]
    assert len(middles) == len(closures) > 10
    for middle, closure in zip(middles, closures, strict=True):
        assert closure.start_s - 0.01 < middle < closure.end_s + 0.01


@pytest.mark.parametrize("snr_db", [20, 10])
def test_noise_hardly_moves_the_times(say: Say, snr_db: float) -> None:
    speech = say(voice=MALE)
    found = align(hidden(with_noise(speech, snr_db=snr_db)), say())
    assert median_error_s(found, speech.phonemes) < 0.015


def test_times_are_found_in_the_sound_of_a_telephone(say: Say) -> None:
    speech = say(voice=MALE)
    found = align(hidden(over_telephone(speech)), say())
    assert median_error_s(found, speech.phonemes) < 0.015


@pytest.mark.parametrize("gain", [0.01, 4.0])
def test_the_level_does_not_matter(say: Say, gain: float) -> None:
    speech = say(voice=MALE)
    louder = replace(speech, samples=speech.samples * np.float32(gain))
    found, expected = align(hidden(louder), say()), align(hidden(speech), say())
    assert median_error_s(found, expected) < 0.001


def test_a_pause_that_the_reference_does_not_make_is_found(say: Say) -> None:
    plain = say(voice=MALE)
    (b,) = [p for p in plain.phonemes or () if p.symbol == "b"][1:2]
    speech = with_silence(plain, b.start_s, 0.8)
    found = align(hidden(speech), say())
    pauses = [p for p in found if not p.symbol and p.end_s - p.start_s > 0.5]
    assert [p.start_s for p in pauses] == pytest.approx([b.start_s], abs=0.03)
    assert median_error_s(found, speech.phonemes) < 0.012
    assert np.percentile(np.abs(start_errors_s(found, speech.phonemes)), 95) < 0.06


def test_a_pause_of_the_reference_that_the_speech_does_not_make_is_left_out(say: Say) -> None:
    plain = say()
    (m,) = [p for p in plain.phonemes or () if p.symbol == "m"]
    found = align(hidden(say(voice=MALE)), with_silence(plain, m.start_s, 0.6))
    assert [p.symbol for p in found].count("") == 2
    assert median_error_s(found, say(voice=MALE).phonemes) < 0.012


def test_pauses_at_commas_are_where_the_speech_makes_them(say: Say) -> None:
    speech = say("Mum, may I borrow your umbrella, or not?", MALE, 0.7)
    found = align(hidden(speech), say(speech.text))
    truth = [p for p in speech.phonemes or () if not p.symbol]
    pauses = [p for p in found if not p.symbol]
    assert len(pauses) == len(truth)
    for pause, expected in zip(pauses, truth, strict=True):
        assert pause.start_s == pytest.approx(expected.start_s, abs=0.06)
        assert pause.end_s == pytest.approx(expected.end_s, abs=0.06)


@pytest.mark.parametrize(("before_s", "after_s"), [(0.0, 0.0), (3.0, 0.2), (0.5, 6.0)])
def test_silence_around_the_speech_moves_no_phoneme(
    say: Say, before_s: float, after_s: float
) -> None:
    plain = say(voice=MALE)
    speech = with_silence(with_silence(plain, 0.0, before_s), plain.duration_s + before_s, after_s)
    found = align(hidden(speech), say())
    assert median_error_s(found, speech.phonemes) < 0.010
    assert found[-1].symbol == ""
    assert found[-1].end_s == pytest.approx(speech.duration_s)


def test_speech_without_silence_around_it_is_aligned(say: Say) -> None:
    plain = say(voice=MALE)
    assert plain.phonemes is not None
    rate, first, last = plain.sample_rate_hz, plain.phonemes[0], plain.phonemes[-1]
    cut = plain.samples[round(first.end_s * rate) : round(last.start_s * rate)]
    found = align(Speech(plain.text, cut, rate, None), say())
    errors = start_errors_s(found, plain.phonemes) + first.end_s
    assert np.median(np.abs(errors)) < 0.010


def test_phonemes_cover_all_samples_without_gaps(say: Say) -> None:
    speech = say("Stop! Papa, Bob and Pam put the purple map up.", MALE, 1.9)
    found = align(hidden(speech), say(speech.text))
    assert found[0].start_s == 0
    assert found[-1].end_s == pytest.approx(speech.duration_s)
    for before, after in itertools.pairwise(found):
        assert before.end_s == after.start_s
        assert after.end_s - after.start_s > 0.001


@pytest.mark.slow
def test_a_sentence_of_half_a_minute_is_aligned_to_its_end(say: Say) -> None:
    text = " ".join(["My brother Paul has bought a map of the park by the old pier,"] * 9)
    speech = say(text, MALE, 0.8)
    assert speech.duration_s > 30
    found = align(hidden(speech), say(text))
    assert median_error_s(found, speech.phonemes) < 0.010
    assert np.abs(start_errors_s(found, speech.phonemes)).max() < 0.2


@pytest.mark.parametrize(
    "other",
    [
        "Seven thieves were seen near the free cheese in the long street.",
        "I never met a man who was more calm than our old captain.",
        "Could you tell me how to get to the station, please?",
    ],
)
def test_another_text_is_refused(say: Say, other: str) -> None:
    for voice in (MALE, "espeak:en-us+f3"):
        with pytest.raises(CannotAlign, match="does not match the text"):
            align(hidden(say(voice=voice)), say(other))


def test_noise_and_tones_are_refused(say: Say) -> None:
    noise = np.random.default_rng(2).standard_normal(3 * 22050).astype(np.float32)
    tone = np.sin(np.arange(3 * 22050) * 0.1).astype(np.float32)
    for samples in (noise, tone, tone * np.linspace(0, 1, len(tone), dtype=np.float32)):
        with pytest.raises(CannotAlign):
            align(Speech("", samples, 22050, None), say())


@pytest.mark.parametrize("samples", [0, 1, 200, 2000, 22050, 220_500])
def test_silence_is_refused_whatever_its_length(say: Say, samples: int) -> None:
    with pytest.raises(CannotAlign, match=r"too short|too little sound"):
        align(Speech("", np.zeros(samples, np.float32), 22050, None), say())


def test_a_recording_far_too_short_for_its_text_is_refused(say: Say) -> None:
    speech = say(voice=MALE)
    for share in (6, 3, 2):
        begun = replace(hidden(speech), samples=speech.samples[: len(speech.samples) // share])
        with pytest.raises(CannotAlign):
            align(begun, say())
