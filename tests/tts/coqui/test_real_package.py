"""coqui-tts itself, with tiny models of random weights. Skipped where it is not installed."""

import subprocess
import sys
import wave
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tts.coqui.models import read_models
from tts.coqui.voices import CoquiVoices
from tts.pauses import LEAD_S, SENTENCE_PAUSE_S
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice, VoiceUnavailable

ROOT = Path(__file__).parents[3]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("TTS") is None, reason="`pip install -r requirements-coqui.txt` installs it"
    ),
]


def write_recording(path: Path, pitch_hz: float) -> str:
    """Write two seconds of a buzz."""
    times = np.arange(32_000) / 16_000
    samples = 8000 * np.sign(np.sin(2 * np.pi * pitch_hz * times))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())
    return str(path)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoquiVoices]:
    folder = tmp_path_factory.mktemp("coqui")
    command = [sys.executable, "-m", "tests.tts.coqui.tiny_models", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    low, high = (write_recording(folder / f"{hz}.wav", hz) for hz in (120, 230))
    clone = {"model_path": str(folder / "clones" / "model.pth"), "consent": True}
    letters = {"model_path": str(folder / "letters" / "model.pth")}
    voices = CoquiVoices(
        read_models(
            {
                "letters": letters,
                "phonemes": {"model_path": str(folder / "phonemes" / "model.pth")},
                "low": clone | {"speaker_wav": low},
                "high": clone | {"speaker_wav": [high]},
                "none": letters | {"speaker_wav": low, "consent": True},
            }
        )
    )
    yield voices
    voices.close()


def speak(
    voices: CoquiVoices, voice: str, text: str = "Please map it, my friend.", speed: float = 1.0
) -> Speech:
    choice = VoiceChoice(voice=voice, language="en", speed=speed)
    speech = voices.synthesize(Sentence(text, is_end=True, start=0), choice, lambda: False)
    assert speech is not None
    return speech


def test_a_model_speaks_and_always_in_the_same_way(voices: CoquiVoices) -> None:
    speech = speak(voices, "coqui:letters")
    assert speech.sample_rate_hz == 22_050 and speech.phonemes is None
    assert np.abs(speech.samples).max() > 0.05
    assert np.array_equal(speak(voices, "coqui:letters").samples, speech.samples)


def test_the_pace_is_that_of_the_model(voices: CoquiVoices) -> None:
    normal, fast = (speak(voices, "coqui:letters", speed=speed) for speed in (1.0, 2.0))
    sounds = [
        speech.duration_s - LEAD_S - SENTENCE_PAUSE_S / speed
        for speech, speed in ((normal, 1.0), (fast, 2.0))
    ]
    assert 1.4 < sounds[0] / sounds[1] < 2.1  # durations are rounded up to whole frames


def test_its_phonemes_have_times_that_fill_the_sentence(voices: CoquiVoices) -> None:
    speech = speak(voices, "coqui:phonemes", "Please map it, my friend.")
    assert speech.phonemes is not None
    symbols = [each.symbol for each in speech.phonemes]
    assert symbols == ["", *"plizmæp", "ɪ", "t", "", "m", "a", "ɪ", *"fɹɛnd", ""]
    starts = [each.start_s for each in speech.phonemes]
    assert starts == sorted(starts) and starts[0] == 0
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=1e-6)
    info = voices.find("coqui:phonemes")
    assert info is not None and info.phoneme_times == "own" and info.languages == ("en-US",)


def test_its_speakers_differ(voices: CoquiVoices) -> None:
    low, high = (speak(voices, f"coqui:phonemes/{name}") for name in ("low", "high"))
    assert not np.array_equal(low.samples[:9000], high.samples[:9000])
    listed = [info.id for info in voices.infos() if info.id.startswith("coqui:phonemes")]
    assert listed == ["coqui:phonemes", "coqui:phonemes/low", "coqui:phonemes/high"]


def test_a_clone_depends_on_its_recording(voices: CoquiVoices) -> None:
    low, high = (speak(voices, f"coqui:{name}") for name in ("low", "high"))
    assert not np.array_equal(low.samples[:9000], high.samples[:9000])
    assert np.array_equal(speak(voices, "coqui:low").samples, low.samples)


def test_a_model_that_cannot_clone_says_so(voices: CoquiVoices) -> None:
    with pytest.raises(VoiceUnavailable, match="cannot clone voices"):
        speak(voices, "coqui:none")
