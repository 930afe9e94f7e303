"""Kokoro's voices: files, symbols, sound with times, and networks of other kinds."""

import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isolation.protocol import Message
from tests.tts.onnx_voices.tiny_kokoro import tiny_kokoro, write_kokoro
from tests.tts.onnx_voices.tiny_voice import tiny_model
from tts.espeak.isolated import IsolatedEspeak
from tts.espeak.results import PhonemeClause
from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.kokoro import KokoroVoices
from tts.onnx_voices.kokoro_network import KokoroNetwork
from tts.onnx_voices.kokoro_symbols import IDS, MAX_SYMBOLS, kokoro_symbols, parts_of
from tts.onnx_voices.kokoro_times import phonemes_of
from tts.onnx_voices.kokoro_worker import KokoroSynthesizer
from tts.onnx_voices.piper_files import PiperFolder
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.markup import check_text
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, VoiceChoice, VoiceUnavailable

ID = "kokoro:af_bella"
TEXT = "Peter, bring the map."


class InProcess:
    """Implements `tts.onnx_voices.collaborators.Streams` without a process."""

    def __init__(self) -> None:
        self.synthesizer = KokoroSynthesizer()

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def stream(
        self,
        request: Mapping[str, Any],
        is_cancelled: Callable[[], bool] = lambda: False,
        *,
        patience_s: float = 0.0,
    ) -> Generator[Message, None, None]:
        del is_cancelled, patience_s  # a test is quick
        for message in self.synthesizer.begin(json.loads(json.dumps(request))):
            if message is not None:
                yield json.loads(json.dumps(message[0])), message[1]


@pytest.fixture(scope="module")
def espeak() -> Iterator[IsolatedEspeak]:
    with closing(IsolatedEspeak()) as opened:
        yield opened


@pytest.fixture
def voices(tmp_path: Path, espeak: IsolatedEspeak) -> KokoroVoices:
    write_kokoro(tmp_path, "af_bella", "bm_george", "ff_siwis", "jf_alpha")
    return KokoroVoices(tmp_path, espeak, InProcess())


def speak(voices: KokoroVoices, text: str, **choice: Any) -> list[Speech]:
    registry = VoiceRegistry([voices])
    return list(registry.speak(text, registry.choose(**choice)))


def symbols(ipa: str, voice: str = "en-us", source: str = "x.") -> str:
    return kokoro_symbols([PhonemeClause(ipa, source)], voice)


def test_a_given_pronunciation_is_spoken_and_what_the_network_lacks_is_reported(
    voices: KokoroVoices,
) -> None:
    registry = VoiceRegistry([voices])
    text = check_text('<phoneme ph="ˈtʃoʊʢ">42</phoneme>.', max_chars=99, markup="ssml")
    (speech,) = registry.read(text, registry.choose(voice="kokoro:af_bella"))
    assert speech.phonemes is not None
    assert [each.symbol for each in speech.phonemes if each.symbol] == ["tʃ", "oʊ"]
    assert any("no sound for the phonemes 'ʢ'" in remark for remark in speech.remarks)


def test_the_vocabulary_has_the_numbers_of_the_model() -> None:
    assert len(IDS) == len(set(IDS.values())) == 114
    assert [IDS[each] for each in ";.A_"[:3]] == [1, 4, 24]
    assert (IDS["ʧ"], IDS["ˈ"], IDS["ᵻ"], IDS["\u0303"], IDS["æ"]) == (133, 156, 177, 17, 72)


@pytest.mark.parametrize(
    ("ipa", "voice", "expected"),
    [
        ("həlˈoʊ", "en-us", "həlˈO."),
        ("həlˈəʊ", "en-gb", "həlˈQ."),
        ("dʒˈʌdʒ tʃˈɔɪs", "en-us", "ʤˈʌʤ ʧˈYs."),
        ("wˈɔːɾɚ", "en-us", "wˈɔTəɹ."),
        ("lˈæn(fr)ɡwˈɪdʒ(en-us)", "en-us", "lˈænɡwˈɪʤ."),
        ("ɡaʁsˈɔ̃", "fr-fr", "ɡaʁsˈɔ\u0303."),
        ("ç", "es", "ç."),
    ],
)
def test_espeaks_phonemes_are_written_as_in_the_training(
    ipa: str, voice: str, expected: str
) -> None:
    assert symbols(ipa, voice) == expected


def test_long_sentences_are_divided_at_spaces() -> None:
    text = "abc def " * 200
    parts = parts_of(text)
    assert "".join(parts) == text
    assert len(parts) == 4
    assert all(len(part) <= MAX_SYMBOLS and part.endswith(" ") for part in parts)
    assert list(map(len, parts_of("a" * 1200))) == [509, 509, 182]


def test_voices_are_listed_with_language_and_gender(voices: KokoroVoices) -> None:
    listed = {info.id: info for info in voices.infos()}
    assert list(listed) == [ID, "kokoro:bm_george", "kokoro:ff_siwis"]
    assert listed["kokoro:bm_george"].languages == ("en-GB", "en")
    assert [info.gender for info in listed.values()] == ["female", "male", "female"]
    assert not listed[ID].is_live, "not measured yet"
    assert listed[ID].problem is None
    japanese = voices.find("kokoro:jf_alpha")
    assert japanese is not None and "pronunciation rules" in (japanese.problem or "")
    assert voices.find("kokoro:../x") is None and voices.find("kokoro:af_none") is None


def test_a_sentence_has_phonemes_between_fixed_silences(voices: KokoroVoices) -> None:
    for speed in (0.5, 1.0, 2.0):
        (speech,) = speak(voices, TEXT, voice=ID, speed=speed)
        phonemes = speech.phonemes or ()
        assert speech.sample_rate_hz == 24_000
        assert phonemes[0].end_s == pytest.approx(0.06, abs=0.001)
        assert phonemes[-1].end_s == pytest.approx(speech.duration_s)
        assert phonemes[-1].end_s - phonemes[-1].start_s == pytest.approx(0.32 / speed, abs=0.02)
        assert all(before.end_s == after.start_s for before, after in pairwise(phonemes))
        assert [each.symbol for each in phonemes if each.symbol][:3] == ["p", "i", "ɾ"]


def test_pauses_are_where_the_sound_is_silent(voices: KokoroVoices) -> None:
    (speech,) = speak(voices, "Anna, mother.", voice=ID)
    inner = [each for each in (speech.phonemes or ())[1:-1] if not each.symbol]
    assert len(inner) == 1
    rate = speech.sample_rate_hz
    start, end = (round(each * rate) for each in (inner[0].start_s, inner[0].end_s))
    assert np.abs(speech.samples[start + 240 : end - 240]).max() < 1e-6
    assert np.abs(speech.samples[start - 240 : start]).max() > 0.01
    assert np.abs(speech.samples[end : end + 480]).max() > 0.01


def test_the_level_is_that_of_all_voices(voices: KokoroVoices) -> None:
    for name in (ID, "kokoro:bm_george"):
        (speech,) = speak(voices, TEXT, voice=name)
        loud = speech.samples[np.abs(speech.samples) > 0]
        assert 20 * np.log10(np.sqrt((loud**2).mean())) == pytest.approx(-20, abs=2)


def test_a_slow_voice_may_speak_and_says_so(
    voices: KokoroVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts.onnx_voices.measured.LIVE_PACE", 1e9)
    (speech,) = speak(voices, TEXT, voice=ID)
    assert "too slow to be live" in speech.remarks[0]
    assert voices.best_for("en-US") is None


def test_a_fast_voice_becomes_live(voices: KokoroVoices) -> None:
    assert speak(voices, TEXT, voice=ID)[0].remarks == ()
    best = voices.best_for("fr-CA")
    assert best is not None and best.id == "kokoro:ff_siwis"


def test_a_very_long_sentence_is_spoken_in_parts(voices: KokoroVoices) -> None:
    sentence = Sentence("many words and more " * 40, is_end=True, start=0)
    choice = VoiceChoice(voice=ID, language="en-US", speed=1.0)
    speech = voices.synthesize(sentence, choice, lambda: False)
    assert speech is not None and speech.phonemes is not None
    assert speech.duration_s > 40
    assert sum(each.symbol == "m" for each in speech.phonemes) == 80


def test_missing_files_are_listed_with_what_to_do(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    voices = KokoroVoices(tmp_path, espeak, InProcess())
    (info,) = voices.infos()
    assert info == voices.find(ID)
    assert "voices fetch kokoro" in (info.problem or "")
    with pytest.raises(BadSpeechRequest, match="voices fetch kokoro"):
        speak(voices, TEXT, voice=ID)


def test_its_folder_is_none_of_piper(tmp_path: Path) -> None:
    write_kokoro(tmp_path)
    assert PiperFolder(tmp_path).voices() == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiny_kokoro()[:-1], "is truncated"),
        (b"<html>", "is a web page"),
        (tiny_model(), "is not Kokoro-82M: it has the inputs input,"),
        (tiny_kokoro(unit=300), "and 600 samples for each"),
    ],
)
def test_a_bad_network_is_the_problem_of_its_voices(
    voices: KokoroVoices, tmp_path: Path, content: bytes, message: str
) -> None:
    model = tmp_path / "kokoro" / "model.onnx"
    model.write_bytes(content)
    with pytest.raises((VoiceUnavailable, BadSpeechRequest), match=message):
        speak(voices, TEXT, voice=ID)
    assert message in (voices.infos()[0].problem or "")
    model.write_bytes(tiny_kokoro(ids="input_ids"))
    assert speak(voices, TEXT, voice=ID), "a repaired network speaks"


def test_a_bad_style_is_its_own_problem(voices: KokoroVoices, tmp_path: Path) -> None:
    style = tmp_path / "kokoro" / "voices" / "af_bella.bin"
    whole = style.read_bytes()
    style.write_bytes(whole[:-4])
    with pytest.raises(BadSpeechRequest, match="522236 bytes, the style of a voice has 522240"):
        speak(voices, TEXT, voice=ID)
    assert speak(voices, TEXT, voice="kokoro:bm_george")
    style.unlink()
    os.mkfifo(style)
    with pytest.raises(BadSpeechRequest, match="has 0 bytes"):
        speak(voices, TEXT, voice=ID)
    style.unlink()
    style.symlink_to("/etc/hostname")
    with pytest.raises(BadSpeechRequest, match="is a link to"):
        speak(voices, TEXT, voice=ID)


def test_several_networks_are_a_problem(voices: KokoroVoices, tmp_path: Path) -> None:
    (tmp_path / "kokoro" / "other.onnx").write_bytes(tiny_kokoro())
    with pytest.raises(BadSpeechRequest, match=r"several networks, model\.onnx, other\.onnx"):
        speak(voices, TEXT, voice=ID)


def test_a_network_without_durations_is_refused() -> None:
    with pytest.raises(BadVoiceFile, match="is not Kokoro-82M"):
        KokoroNetwork(tiny_model())


@pytest.mark.parametrize("text", ["", ".", "ˈ", "a", "a b", ", a", "aː. .b", "ˈːa", "  a  "])
def test_phonemes_have_no_gaps_whatever_the_symbols(text: str) -> None:
    durations = [3.0, *(2.0 for _ in text), 4.0]
    rng = np.random.default_rng(1)
    sound = rng.standard_normal(int(sum(durations)) * 600).astype(np.float32)
    sound[:3000] = 0
    phonemes = phonemes_of(text, durations, sound, sample_rate_hz=24_000, speed=1.0)
    assert phonemes[0].start_s == 0
    assert phonemes[-1].end_s == pytest.approx(len(sound) / 24_000)
    assert all(before.end_s == after.start_s for before, after in pairwise(phonemes))
    assert all(phoneme.end_s > phoneme.start_s for phoneme in phonemes)
