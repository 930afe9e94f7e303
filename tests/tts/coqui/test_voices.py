"""Voices of Coqui models through their real processes, with a stand-in of the package."""

import json
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isolation.process import RequestCancelled
from tests.polling import wait_until
from tests.tts.coqui.conftest import OpenVoices
from tts.coqui.voices import CoquiVoices
from tts.pauses import LEAD_S, SENTENCE_PAUSE_S
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import BadSpeechRequest, SentenceFailed, VoiceChoice, VoiceUnavailable

pytestmark = pytest.mark.slow

LETTER_S = 0.1


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Writes a model with a configuration; returns its description for the settings."""

    def write(name: str = "model", **config: Any) -> dict[str, Any]:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.pth").write_text("weights")
        config.setdefault("log", str(tmp_path / "log"))
        (folder / "config.json").write_text(json.dumps(config))
        return {"model_path": str(folder / "model.pth")}

    return write


ModelWriter = Callable[..., dict[str, Any]]


def speak(
    voices: CoquiVoices,
    text: str = "aaaa",
    voice: str = "coqui:anna",
    *,
    language: str = "en",
    speed: float = 1.0,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Speech | None:
    choice = VoiceChoice(voice=voice, language=language, speed=speed)
    return voices.synthesize(Sentence(text, is_end=True, start=0), choice, is_cancelled)


def pitch_of(speech: Speech | None) -> float:
    """The frequency as a multiple of that of the first speaker's letter a."""
    assert speech is not None
    spectrum = np.abs(np.fft.rfft(speech.samples))
    return float(np.argmax(spectrum) * speech.sample_rate_hz / len(speech.samples)) / 300


def sound_s(speech: Speech | None, speed: float = 1.0) -> float:
    """The duration between the silences."""
    assert speech is not None
    return speech.duration_s - LEAD_S - SENTENCE_PAUSE_S / speed


def test_a_model_speaks_at_the_usual_level_and_between_the_usual_silences(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    voices = open_voices({"anna": model()})
    speech = speak(voices, "aaaaaaaa")
    assert speech is not None and speech.sample_rate_hz == 16_000
    assert sound_s(speech) == pytest.approx(8 * LETTER_S, abs=0.04)
    assert pitch_of(speech) == pytest.approx(1, abs=0.02)
    middle = speech.samples[4000:8000]
    assert 20 * np.log10(np.sqrt(np.mean(middle**2))) == pytest.approx(-20, abs=0.5)
    again = speak(voices, "aaaaaaaa")
    assert again is not None and np.array_equal(again.samples, speech.samples)


def test_the_pace_is_that_of_the_model_or_its_sound_is_stretched(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    voices = open_voices({"anna": model()})
    for speed in (0.5, 2.0):
        speech = speak(voices, "aaaaaaaa", speed=speed)
        assert sound_s(speech, speed) == pytest.approx(8 * LETTER_S / speed, abs=0.04)
        assert pitch_of(speech) == pytest.approx(1, abs=0.03)


def test_speakers_are_voices_of_their_own(open_voices: OpenVoices, model: ModelWriter) -> None:
    voices = open_voices({"anna": model(speakers=["low", "Mid dle", "high"])})
    assert [info.id for info in voices.infos()] == ["coqui:anna"]
    assert voices.find("coqui:anna/high") is not None  # not known before it is loaded
    assert pitch_of(speak(voices)) == pytest.approx(1, abs=0.05)
    assert pitch_of(speak(voices, voice="coqui:anna/high")) == pytest.approx(3, abs=0.05)
    ids = [info.id for info in voices.infos()]
    assert ids == ["coqui:anna", "coqui:anna/low", "coqui:anna/Mid dle", "coqui:anna/high"]
    assert voices.find("coqui:anna/nobody") is None
    with pytest.raises(BadSpeechRequest, match="not one of"):
        VoiceRegistry([voices]).choose(voice="coqui:anna/hihg")


def test_a_speaker_whom_the_model_turns_out_not_to_have_is_an_error_of_the_voice(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    voices = open_voices({"anna": model(speakers=["low", "high"])})
    with pytest.raises(BadSpeechRequest, match=r"no such speaker.*it has low, high") as caught:
        speak(voices, voice="coqui:anna/nobody")
    assert caught.value.field == "voice"
    single = open_voices({"anna": model("single")})
    with pytest.raises(BadSpeechRequest, match="one only"):
        speak(single, voice="coqui:anna/nobody")


def test_a_speaker_of_the_settings_is_the_only_one(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    described = model(speakers=["low", "high"]) | {"speaker": "high", "gender": "female"}
    voices = open_voices({"anna": described})
    assert pitch_of(speak(voices)) == pytest.approx(2, abs=0.05)
    (info,) = voices.infos()
    assert info.gender == "female"
    assert voices.find("coqui:anna/low") is None


def test_languages_are_those_of_the_model(open_voices: OpenVoices, model: ModelWriter) -> None:
    voices = open_voices({"anna": model(languages=["en", "fr-fr", "zh-cn"])})
    before = voices.find("coqui:anna")
    assert before is not None and before.languages == ("en", "fr-FR", "zh-CN")
    for language, pitch in (("en-US", 1.0), ("fr", 1.1), ("zh-CN", 1.2)):
        assert pitch_of(speak(voices, language=language)) == pytest.approx(pitch, abs=0.03)
    with pytest.raises(BadSpeechRequest, match="no such language") as caught:
        speak(voices, language="de")
    assert caught.value.field == "language"


def test_ipa_symbols_with_durations_are_the_phonemes_of_the_lips(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    voices = open_voices({"anna": model(use_phonemes=True, phonemizer="espeak")})
    speech = speak(voices, "mapo")
    assert speech is not None and speech.phonemes is not None
    assert [each.symbol for each in speech.phonemes] == ["", "m", "a", "p", "o", ""]
    assert speech.phonemes[0].start_s == 0 and speech.phonemes[-1].end_s == speech.duration_s
    starts = [each.start_s for each in speech.phonemes[1:]]
    assert np.diff(starts) == pytest.approx(LETTER_S, abs=0.001)
    assert starts[0] == pytest.approx(LEAD_S, abs=0.02)
    (info,) = voices.infos()
    assert info.phoneme_times == "own" and info.knows_phonemes


@pytest.mark.parametrize("config", [{}, {"use_phonemes": True, "phonemizer": "ja_jp_phonemizer"}])
def test_letters_are_no_phonemes(
    open_voices: OpenVoices, model: ModelWriter, config: dict[str, Any]
) -> None:
    voices = open_voices({"anna": model(**config)})
    speech = speak(voices)
    assert speech is not None and speech.phonemes is None
    assert voices.infos()[0].phoneme_times == "heard"


def test_an_alignment_finds_the_phonemes_that_the_model_does_not_report(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    aligned = list[str]()

    def align(speech: Speech, choice: VoiceChoice, _: Callable[[], bool]) -> Speech:
        aligned.append(f"{choice.voice} {speech.text}")
        return speech

    voices = open_voices({"anna": model()}, align=align)
    assert voices.infos()[0].phoneme_times == "aligned"
    speak(voices, "abc")
    assert aligned == ["coqui:anna abc"]


def test_a_text_without_letters_of_the_model_has_no_sound(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    assert speak(open_voices({"anna": model()}), "…") is None


# --- faults


@pytest.mark.parametrize(
    ("text", "words"),
    [("a fault", "fault"), ("a long text", "more than 120 s"), ("nan", "not numbers")],
)
def test_a_fault_with_one_text_ends_no_other(
    open_voices: OpenVoices, model: ModelWriter, text: str, words: str
) -> None:
    voices = open_voices({"anna": model()})
    with pytest.raises(SentenceFailed, match=words):
        speak(voices, text)
    assert pitch_of(speak(voices)) == pytest.approx(1, abs=0.05)


def test_a_text_that_ends_the_process_is_refused_and_the_next_one_speaks(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    voices = open_voices({"anna": model()})
    with pytest.raises(SentenceFailed, match="2 times"):
        speak(voices, "crash")
    assert pitch_of(speak(voices)) == pytest.approx(1, abs=0.05)


def test_a_hanging_model_can_be_interrupted(open_voices: OpenVoices, model: ModelWriter) -> None:
    voices = open_voices({"anna": model()})
    speak(voices)
    is_cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(speak, voices, "hang", is_cancelled=is_cancelled.is_set)
        is_cancelled.set()
        assert isinstance(hanging.exception(60), RequestCancelled)


def test_a_killed_process_is_started_again(open_voices: OpenVoices, model: ModelWriter) -> None:
    voices = open_voices({"anna": model()})
    first = speak(voices)
    pid = voices._models["anna"]._client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    again = speak(voices)
    assert first is not None and again is not None
    assert np.array_equal(first.samples, again.samples)


def test_a_model_that_cannot_be_loaded_is_a_problem_and_the_others_speak(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    voices = open_voices({"anna": model(), "bert": model("bert", broken=True)})
    with pytest.raises(VoiceUnavailable, match="the checkpoint is damaged"):
        speak(voices, voice="coqui:bert")
    problems = {info.id: info.problem for info in voices.infos()}
    assert problems["coqui:anna"] is None
    assert "the checkpoint is damaged" in str(problems["coqui:bert"])
    assert pitch_of(speak(voices)) == pytest.approx(1, abs=0.05)


def test_a_missing_file_is_a_problem_before_anything_is_started(
    open_voices: OpenVoices, model: ModelWriter, tmp_path: Path
) -> None:
    voices = open_voices({"anna": model() | {"vocoder_path": str(tmp_path / "none.pth")}})
    assert "none.pth does not exist" in str(voices.infos()[0].problem)
    with pytest.raises(VoiceUnavailable, match=r"none\.pth does not exist"):
        speak(voices)
    with pytest.raises(BadSpeechRequest, match=r"none\.pth"):
        VoiceRegistry([voices]).choose(voice="coqui:anna")


def test_without_the_package_the_voices_are_listed_with_what_to_install(
    open_voices: OpenVoices, model: ModelWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    voices = open_voices({"anna": model()})
    monkeypatch.setattr("tts.coqui.package.REQUIRED", ("torch", "a_package_that_is_not_there"))
    problem = str(voices.infos()[0].problem)
    assert "a_package_that_is_not_there missing" in problem
    assert "pip install -r requirements-coqui.txt" in problem
    voices.prepare("coqui:anna")
    with pytest.raises(VoiceUnavailable, match="not installed"):
        speak(voices)


def test_a_voice_can_be_loaded_before_it_is_used(
    open_voices: OpenVoices, model: ModelWriter
) -> None:
    voices = open_voices({"anna": model(speakers=["low", "high"])})
    voices.prepare("coqui:anna/high")
    wait_until(lambda: len(voices.infos()) == 3, "the speakers")
    info = voices.find("coqui:anna/high")
    assert info is not None and info.is_live and info.sample_rate_hz == 16_000


def test_names_that_no_model_has_are_unknown(open_voices: OpenVoices, model: ModelWriter) -> None:
    voices = open_voices({"anna": model()})
    for name in ("coqui:", "coqui:bert", "coqui:anna/", "coqui:anna/a\nb", "anna", "espeak:anna"):
        assert voices.find(name) is None, name
    for name in ("coqui:/etc/passwd", "coqui:../anna", "coqui:tts_models/en/tiny/vits"):
        assert voices.find(name) is None, name
    assert voices.best_for("en") is None


# --- clones


def recording(folder: Path, content: bytes = b"RIFF") -> str:
    path = folder / f"{len(content)}.wav"
    path.write_bytes(content)
    return str(path)


def test_a_recording_is_analysed_once_for_all_sentences(
    open_voices: OpenVoices, model: ModelWriter, tmp_path: Path
) -> None:
    described = model(clones=True, speakers=["low", "high"])
    described |= {"speaker_wav": recording(tmp_path), "consent": True}
    voices = open_voices({"anna": described})
    for _ in range(3):
        assert pitch_of(speak(voices)) == pytest.approx(4, abs=0.1)
    assert (tmp_path / "log").read_text() == "clone\n"
    (info,) = voices.infos()
    assert "a clone, with consent" in info.licence
    assert voices.find("coqui:anna/low") is None


def test_a_model_that_cannot_clone_says_so(
    open_voices: OpenVoices, model: ModelWriter, tmp_path: Path
) -> None:
    voices = open_voices(
        {"anna": model() | {"speaker_wav": [recording(tmp_path)], "consent": True}}
    )
    with pytest.raises(VoiceUnavailable, match="cannot clone voices"):
        speak(voices)


def test_a_recording_that_is_none_is_a_problem_of_its_voice(
    open_voices: OpenVoices, model: ModelWriter, tmp_path: Path
) -> None:
    described = model(clones=True) | {"speaker_wav": recording(tmp_path, b"text"), "consent": True}
    voices = open_voices({"anna": described})
    with pytest.raises(VoiceUnavailable, match=r"recording cannot be cloned: no sound file"):
        speak(voices)
    assert "cannot be cloned" in str(voices.infos()[0].problem)


# --- coqui's own list


def test_a_model_of_the_list_speaks_once_it_is_downloaded(
    open_voices: OpenVoices, tmp_path: Path
) -> None:
    voices = open_voices({"anna": "tts_models/en/tiny/vits"})
    with pytest.raises(VoiceUnavailable, match=r"python -m tts\.coqui download"):
        speak(voices)
    folder = tmp_path / "models" / "tts_models--en--tiny--vits"
    folder.mkdir(parents=True)
    (folder / "model.pth").write_text("weights")
    (folder / "config.json").write_text(json.dumps({"log": ""}))
    again = open_voices({"anna": "tts_models/en/tiny/vits"})
    assert pitch_of(speak(again)) == pytest.approx(1, abs=0.05)
    (info,) = again.infos()
    assert info.licence == "MIT" and info.languages == ("en",)


def test_a_model_that_the_list_does_not_have_is_a_problem(open_voices: OpenVoices) -> None:
    voices = open_voices({"anna": "tts_models/en/tiny/other"})
    with pytest.raises(VoiceUnavailable, match=r"has no tts_models/en/tiny/other"):
        speak(voices)


def test_terms_must_be_accepted_in_the_settings_and_are_never_asked_for(
    open_voices: OpenVoices,
) -> None:
    name = "tts_models/multilingual/multi-dataset/xtts_v2"
    voices = open_voices({"anna": name})
    (info,) = voices.infos()
    assert info.licence == "CPML, non-commercial use only"
    assert "accepts_terms: true" in str(info.problem)
    with pytest.raises(VoiceUnavailable, match="terms"):
        speak(voices)
    accepting = open_voices({"anna": {"model": name, "accepts_terms": True}})
    assert accepting.infos()[0].problem is None
    with pytest.raises(VoiceUnavailable, match="not on this machine"):
        speak(accepting)
