"""Voices of the real espeak-ng: audio, phonemes, choices, refusals."""

import math
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tts.espeak.voices import LEAD_S, SENTENCE_PAUSE_S
from tts.languages import bcp47
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.voice import BadSpeechRequest, VoiceChoice, Voices

SENTENCE = "Please bring the big map before we park the car by the harbour."


@pytest.fixture(scope="session")
def speech(voices: VoiceRegistry) -> Speech:
    (speech,) = voices.speak(SENTENCE, voices.choose())
    return speech


def sounding(samples: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.abs(samples) > 0.01)


def speak(voices: VoiceRegistry, text: str, **choice: object) -> list[Speech]:
    return list(voices.speak(text, voices.choose(**choice)))  # type: ignore[arg-type]


def test_espeak_implements_the_interface_of_voices(voices: VoiceRegistry) -> None:
    family: Voices = voices
    assert family.infos()


def test_samples_are_audible_mono_floats_without_clipping(speech: Speech) -> None:
    assert speech.samples.dtype == np.float32
    assert speech.samples.ndim == 1
    assert speech.sample_rate_hz == 22_050
    assert 0.2 < np.abs(speech.samples).max() < 0.9
    assert 3.0 < speech.duration_s < 4.5


def test_a_sentence_has_fixed_silence_before_and_after(speech: Speech) -> None:
    sounding_s = sounding(speech.samples) / speech.sample_rate_hz
    assert LEAD_S - 0.01 < sounding_s[0] < LEAD_S + 0.04
    assert speech.duration_s - sounding_s[-1] == pytest.approx(SENTENCE_PAUSE_S, abs=0.05)


def test_phonemes_cover_all_samples_without_gaps(speech: Speech) -> None:
    assert speech.phonemes is not None
    assert speech.phonemes[0].start_s == 0
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=1e-9)
    assert speech.phonemes[-1].symbol == ""
    for before, after in zip(speech.phonemes, speech.phonemes[1:], strict=False):
        assert before.end_s == after.start_s
        assert before.end_s > before.start_s


def test_every_written_bilabial_is_spoken_in_order(speech: Speech) -> None:
    assert speech.phonemes is not None
    closing = [p.symbol for p in speech.phonemes if p.symbol in ("p", "b", "m")]
    assert closing == ["p", "b", "b", "m", "p", "b", "p", "b", "b"]


def test_a_voiceless_stop_is_silent_until_its_burst(voices: VoiceRegistry) -> None:
    """Fails if stops are marked at their burst: their first half must be the silent closure."""
    (speech,) = speak(voices, "A happy puppy, a paper pepper.")
    for phoneme in speech.phonemes or ():
        if phoneme.symbol == "p":
            start = round(phoneme.start_s * speech.sample_rate_hz)
            closure = speech.samples[start + 400 : start + 1000]
            assert np.sqrt((closure**2).mean()) < 0.02


def test_sentences_are_synthesized_on_demand(voices: VoiceRegistry) -> None:
    speeches = voices.speak("One here. " * 40, voices.choose())
    first = next(speeches)
    assert first.text == "One here."
    assert len(list(speeches)) == 39


def test_a_piece_of_a_long_sentence_keeps_its_text_and_has_a_shorter_pause(
    voices: VoiceRegistry,
) -> None:
    pieces = speak(voices, "we walk and walk along the river " * 10)
    assert len(pieces) > 1
    assert " ".join(piece.text for piece in pieces).split().count("walk") == 20
    sounding_s = sounding(pieces[0].samples)[-1] / pieces[0].sample_rate_hz
    assert pieces[0].duration_s - sounding_s < SENTENCE_PAUSE_S - 0.1


def test_speed_changes_the_duration_but_not_the_phonemes(voices: VoiceRegistry) -> None:
    slow, normal, fast = (speak(voices, SENTENCE, speed=speed)[0] for speed in (0.5, 1, 2.0))
    assert slow.duration_s > 1.6 * normal.duration_s > 1.6 * 1.6 * fast.duration_s
    stops = [sum(p.symbol == "b" for p in s.phonemes or ()) for s in (slow, normal, fast)]
    assert stops == [5, 5, 5]


def test_the_female_voice_is_higher_than_the_male_voice(voices: VoiceRegistry) -> None:
    def pitch_hz(voice: str) -> float:
        (speech,) = speak(voices, "Are our hours early?", voice=voice)
        middle = speech.samples[len(speech.samples) // 3 :][:4096]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(4096), 1 << 16)) ** 2
        echo = np.fft.irfft(spectrum)[50:400]
        return float(speech.sample_rate_hz / (50 + echo.argmax()))

    assert pitch_hz("espeak-en-us-female") > 1.4 * pitch_hz("espeak-en-us-male")


def test_markup_is_spoken_and_not_interpreted(voices: VoiceRegistry) -> None:
    (plain,) = speak(voices, "hello")
    (marked,) = speak(voices, "<prosody rate='x-slow'>hello</prosody>")
    assert marked.duration_s > 2 * plain.duration_s


def test_phoneme_brackets_and_control_codes_are_not_commands(voices: VoiceRegistry) -> None:
    (plain,) = speak(voices, "hello")
    (coded,) = speak(voices, "\x0190S\x01hello")  # control code: rate 90
    assert coded.phonemes is not None
    assert speak(voices, "[[h@l'oU]]")[0].duration_s > 1.5 * plain.duration_s


def test_the_default_voice_is_female_american_english(voices: VoiceRegistry) -> None:
    assert voices.choose() == VoiceChoice(voice="espeak:en-us", language="en-US", speed=1.0)


def test_ids_are_unique_and_valid_in_a_url(voices: VoiceRegistry) -> None:
    ids = [info.id for info in voices.infos()]
    assert len(set(ids)) == len(ids) > 200
    assert all(re.fullmatch(r"espeak:[a-z0-9-]+(\+male)?", id_) for id_ in ids)


def test_every_voice_states_licence_language_and_phonemes(voices: VoiceRegistry) -> None:
    for info in voices.infos():
        assert "GPL-3" in info.licence
        assert info.knows_phonemes
        assert not info.streams
        assert info.languages
        assert all(tag == bcp47(tag) for tag in info.languages)


@pytest.mark.parametrize(
    ("language", "voice"),
    [
        ("en", "espeak:en-us"),
        ("en-GB", "espeak:en-gb"),
        ("en_us", "espeak:en-us"),
        ("de-DE", "espeak:de"),
        ("pt-BR", "espeak:pt-br"),
        ("zh", "espeak:cmn"),
        ("no", "espeak:nb"),
        ("FR", "espeak:fr-fr"),
    ],
)
def test_a_language_alone_selects_its_voice(
    voices: VoiceRegistry, language: str, voice: str
) -> None:
    assert voices.choose(language=language).voice == voice


def test_a_voice_alone_speaks_its_own_language(voices: VoiceRegistry) -> None:
    assert voices.choose(voice="ESPEAK-de-male").language == "de"


@pytest.mark.parametrize(
    ("choice", "field", "message"),
    [
        ({"voice": "espeak:en-usa"}, "voice", "Closest: espeak:en-us"),
        ({"voice": ""}, "voice", "GET /voices"),
        ({"language": "klingonese"}, "language", "'klingonese'"),
        ({"language": ""}, "language", "GET /voices"),
        ({"voice": "espeak-de-male", "language": "fr"}, "language", "speaks de, received 'fr'"),
        ({"speed": 3}, "speed", "from 0.5 to 2.0"),
        ({"speed": 0.49}, "speed", "received 0.49"),
        ({"speed": math.nan}, "speed", "received nan"),
        ({"speed": True}, "speed", "received bool"),
        ({"speed": "fast"}, "speed", "received str"),
    ],
)
def test_an_invalid_choice_is_refused_with_its_field(
    voices: VoiceRegistry, choice: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(BadSpeechRequest, match=re.escape(message)) as caught:
        voices.choose(**choice)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_unspeakable_text_is_refused_at_once(
    voices: VoiceRegistry,
) -> None:
    with pytest.raises(BadSpeechRequest):
        voices.speak("😀", voices.choose())


def test_text_without_sound_in_the_chosen_voice_is_refused(voices: VoiceRegistry) -> None:
    with pytest.raises(BadSpeechRequest, match="GET /voices"):
        speak(voices, "1 2 3", voice="espeak:sjn")


@pytest.mark.parametrize("language", ["de", "fr", "es", "cmn", "hi", "ar", "ja", "ko", "ru", "sw"])
def test_numbers_are_spoken_in_many_languages(voices: VoiceRegistry, language: str) -> None:
    (speech,) = speak(voices, "1234", language=language)
    assert speech.duration_s > 0.8
    assert len(speech.phonemes or ()) > 5


def test_two_threads_do_not_mix_their_sentences(voices: VoiceRegistry) -> None:
    def lengths(language: str) -> set[int]:
        return {len(speak(voices, "12", language=language)[0].phonemes or ()) for _ in range(20)}

    alone = {language: lengths(language) for language in ("de", "es")}
    with ThreadPoolExecutor(4) as pool:
        for language, together in zip(
            ["de", "es"] * 2, pool.map(lengths, ["de", "es"] * 2), strict=True
        ):
            assert together == alone[language]
