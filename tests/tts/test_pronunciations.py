"""Pronunciations, pauses and speeds of SSML, measured in the sound of each family of voices."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.tts.onnx_voices.in_process import InProcess
from tests.tts.onnx_voices.tiny_voice import write_voice
from tests.tts.openai.speech_server import fake_server, speaks, voices_of
from tts.espeak.isolated import IsolatedEspeak
from tts.heart.given_ipa import heart_symbols
from tts.heart.voices import HeartVoices
from tts.onnx_voices.given_ipa import sentence_characters
from tts.onnx_voices.piper import PiperVoices
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.markup import check_text
from tts.text.pronunciation import Pronunciation, parts_of, plain_ipa
from tts.text.reading import spoken_sentences
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest

ZAMAFO = '<phoneme alphabet="ipa" ph="zəˈmɑːfəʊ">{}</phoneme>'


def said(voices: VoiceRegistry, ssml: str, **choice: str) -> list[Speech]:
    plain = check_text(ssml, max_chars=10_000, markup="ssml")
    return [each.completed() for each in voices.read(plain, voices.choose(**choice))]


def sounds(speech: Speech) -> str:
    assert speech.phonemes is not None
    return "".join(each.symbol for each in speech.phonemes)


def silences_s(speeches: list[Speech], level: float = 0.003) -> list[float]:
    """Lengths of the silences between sounds of at least 20 ms, in order."""
    rate = speeches[0].sample_rate_hz
    samples = np.concatenate([each.samples for each in speeches])
    window = rate // 100
    loud = np.abs(samples[: len(samples) // window * window]).reshape(-1, window).max(axis=1)
    places = np.flatnonzero(loud > level)
    return [float(gap) / 100 for gap in np.diff(places) - 1 if gap >= 2]


@pytest.fixture(scope="module")
def espeak() -> Iterator[IsolatedEspeak]:
    with closing(IsolatedEspeak()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("/təˈmɑː.toʊ/", "təmˈɑːtoʊ"),
        ("[ˈt͡ʃiːz]", "tʃˈiːz"),
        ("'gud ,naIt".replace("I", "ɪ"), "ɡˈud nˌaɪt"),
        ("ma˥ mà", "ma ma"),
        ("ɡaʁˈsɔ̃", "ɡaʁsˈɔ\u0303"),
        ("", ""),
        ("12 -- /", ""),
    ],
)
def test_ipa_has_one_spelling(given: str, plain: str) -> None:
    assert plain_ipa(given) == plain


def test_a_pronunciation_belongs_to_its_words_whatever_else_is_read_out() -> None:
    ssml = f"At 9:00 I say {ZAMAFO.format('x&amp;y')}, 5 km on."
    (only,) = spoken_sentences(
        check_text(ssml, max_chars=1000, markup="ssml"), "en", lambda _voice: "en"
    )
    assert list(parts_of(only.text, only.pronunciations)) == [
        ("At 9 o'clock I say ", None),
        ("x&y", "zəmˈɑːfəʊ"),
        (", 5 kilometers on.", None),
    ]
    assert only.shown == "At 9:00 I say x&y, 5 km on."


def test_an_empty_phoneme_is_spoken() -> None:
    (only,) = spoken_sentences(
        check_text('Say <phoneme ph="wˈʌn"/> now.', max_chars=99, markup="ssml"),
        "en",
        lambda _voice: "en",
    )
    assert [ipa for _, ipa in parts_of(only.text, only.pronunciations)] == [None, "wˈʌn", None]


def test_a_pronunciation_that_is_cut_in_two_is_spoken_once() -> None:
    ssml = "many words " * 13 + '<phoneme ph="a b c">' + "seven letters " * 6 + "</phoneme> end."
    found = list(
        spoken_sentences(check_text(ssml, max_chars=1000, markup="ssml"), "en", lambda _voice: "en")
    )
    spoken = [ipa for each in found for _, ipa in parts_of(each.text, each.pronunciations) if ipa]
    assert spoken == ["a b c"]


@pytest.mark.parametrize("ph", ["", "   ", "123", "a" * 201])
def test_a_phoneme_without_ipa_is_refused_with_its_place(ph: str) -> None:
    with pytest.raises(BadSpeechRequest, match=r"phoneme with ph=.* at line 1, column 5\. Send"):
        check_text(
            f'hi, <phoneme alphabet="ipa" ph="{ph}">x</phoneme>', max_chars=999, markup="ssml"
        )


def test_another_alphabet_has_no_effect_and_is_reported() -> None:
    plain = check_text(
        '<phoneme alphabet="x-sampa" ph="t@">to</phoneme>', max_chars=99, markup="ssml"
    )
    assert (plain.text, plain.spans) == ("to", ())
    assert "the alphabet x-sampa has no effect" in plain.remarks[0]


@pytest.mark.parametrize(
    ("voice", "ph", "heard"),
    [
        ("espeak:en-us", "zəˈmɑːfəʊ", "zəmɑfəʊ"),
        ("espeak:en-gb", "ʃɪˈvɔːn", "ʃɪvɔn"),
        ("espeak:de", "ˈsɪznəm", "sɪznəm"),
        ("espeak:fr-fr", "ˈmyzik", "myzik"),
        ("espeak:es", "ˈʃiθa", "ʃiθa"),
        ("espeak:ja", "ˈsato", "säto̞"),
        ("espeak:ru", "ˈkofe", "kofe"),
    ],
)
def test_espeak_speaks_the_given_phonemes_in_any_language(
    voices: VoiceRegistry, voice: str, ph: str, heard: str
) -> None:
    (speech,) = said(voices, f'<phoneme alphabet="ipa" ph="{ph}">1</phoneme>', voice=voice)
    assert sounds(speech) == heard
    assert speech.remarks == ()
    (digit,) = said(voices, "1", voice=voice)
    assert sounds(digit) != heard


def test_a_phoneme_changes_the_sound_of_its_word_alone(voices: VoiceRegistry) -> None:
    (given,) = said(voices, f"I like {ZAMAFO.format('potato')} soup.", voice="espeak:en-us")
    (plain,) = said(voices, "I like potato soup.", voice="espeak:en-us")
    assert sounds(given) == "aɪlaɪkzəmɑfəʊsup"
    assert sounds(plain).endswith("sup") and "peɪ" not in sounds(given)
    assert given.text == "I like potato soup."
    assert len(given.samples) != len(plain.samples)


def test_brackets_of_a_text_are_not_taken_for_phonemes(voices: VoiceRegistry) -> None:
    (with_phoneme,) = said(voices, f"{ZAMAFO.format('a')} [[tI]] b.", voice="espeak:en-us")
    (after,) = said(voices, "[[tI]] b.", voice="espeak:en-us")
    assert sounds(with_phoneme) == "zəmɑfəʊ" + sounds(after)


def test_a_sound_that_a_language_lacks_is_left_out_and_reported(voices: VoiceRegistry) -> None:
    (speech,) = said(voices, '<phoneme ph="aʘa">x</phoneme>', voice="espeak:en-us")
    assert sounds(speech)
    assert "has no sound for the phonemes 'ʘ'" in speech.remarks[0]


def test_piper_and_kokoro_get_the_phonemes_in_the_middle_of_the_sentence(
    espeak: IsolatedEspeak,
) -> None:
    sentence = Sentence(
        "I say X, and Y.",
        is_end=True,
        start=0,
        pronunciations=(Pronunciation(6, 7, "təmˈɑː"), Pronunciation(13, 14, "sˈup")),
    )
    characters = sentence_characters(sentence, espeak, voice="en-us", is_cancelled=lambda: False)
    assert characters == "aɪ sˈeɪ təmˈɑː, ænd sˈup."


def test_piper_speaks_a_pronunciation(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path)
    voices = VoiceRegistry([PiperVoices(tmp_path, espeak, InProcess())])
    (given,) = said(voices, '<phoneme ph="mˈɑn">42</phoneme>.')
    (spelt,) = said(voices, "42.")
    assert sounds(given) == "mɑn"
    assert sounds(spelt) != "mɑn"


def test_heart_writes_ipa_with_its_own_symbols() -> None:
    assert heart_symbols(plain_ipa("ˈtʃɔɪs əv ˈdʒoʊ hɝd")) == "ʧˈYs əv ʤˈO hɜɹd"


@pytest.mark.slow
def test_heart_speaks_a_pronunciation_within_its_sentence(heart_voices: HeartVoices) -> None:
    voices = VoiceRegistry([heart_voices])
    (given,) = said(voices, f"I say {ZAMAFO.format('X')} today.")
    assert "zəmɑfəʊtədeɪ" in sounds(given)
    assert given.text == "I say X today."


def test_a_speech_server_speaks_the_text_and_the_answer_says_so() -> None:
    with fake_server(speaks) as server, voices_of(server.url) as family:
        registry = VoiceRegistry([family])
        (speech,) = said(registry, ZAMAFO.format("tomato"), voice="openai:alloy")
    (request,) = server.spoken()  # the list of the voices may be read meanwhile
    assert request.body["input"] == "tomato"
    assert "takes no phonemes" in speech.remarks[0]


@pytest.mark.parametrize("pause_s", [0.05, 0.3, 1.0, 2.5])
def test_a_break_is_as_long_as_asked(voices: VoiceRegistry, pause_s: float) -> None:
    speeches = said(voices, f'Mama <break time="{pause_s}s"/> mama.', voice="espeak:en-us")
    assert max(silences_s(speeches)) == pytest.approx(pause_s + 0.06, abs=0.06)


def test_a_rate_changes_the_duration_by_its_factor(voices: VoiceRegistry) -> None:
    text = "Mama may move many more melons."
    durations_s = {
        rate: said(voices, f'<prosody rate="{rate}">{text}</prosody>')[0].duration_s
        for rate in ("50%", "100%", "200%")
    }
    assert durations_s["50%"] / durations_s["100%"] == pytest.approx(2, rel=0.15)
    assert durations_s["200%"] / durations_s["100%"] == pytest.approx(0.5, rel=0.15)
