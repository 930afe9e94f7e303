"""examples/custom_voice.py serves with a voice of its own."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from examples.custom_voice import PITCH_HZ, SAMPLE_RATE_HZ, ToneVoices
from tests.examples.processes import NO_MODELS, serving_example
from tests.warm.portraits import MODELS
from tts.voice import BadSpeechRequest

pytestmark = pytest.mark.slow


def test_each_sentence_is_a_speech_whose_phonemes_cover_its_samples() -> None:
    voices = ToneVoices()
    first, second = voices.speak("A test. Another one!", voices.choose())
    assert (first.text.strip(), second.text.strip()) == ("A test.", "Another one!")
    for speech in (first, second):
        assert speech.phonemes is not None
        ends = [phoneme.end_s for phoneme in speech.phonemes]
        assert [phoneme.start_s for phoneme in speech.phonemes] == [0.0, *ends[:-1]]
        assert ends[-1] == pytest.approx(speech.duration_s)


def test_twice_the_speed_takes_half_the_time() -> None:
    voices = ToneVoices()
    (slow,) = voices.speak("A long tone", voices.choose(speed=0.5))
    (fast,) = voices.speak("A long tone", voices.choose(speed=2.0))
    assert slow.duration_s == pytest.approx(4 * fast.duration_s, rel=0.01)


@pytest.mark.parametrize(
    ("field", "value"), [("voice", "espeak"), ("language", "de"), ("speed", 3.0)]
)
def test_a_request_that_the_voice_cannot_fulfil_names_the_field(field: str, value: object) -> None:
    with pytest.raises(BadSpeechRequest, match=str(value)) as refused:
        ToneVoices().choose(**{field: value})  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.skipif(not MODELS.exists(), reason=NO_MODELS)
def test_the_server_s_film_has_the_tones_of_the_vowels(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with serving_example("examples.custom_voice", results) as server:
        assert [voice["id"] for voice in server.call("GET", "/voices")[1]["voices"]] == ["tone"]
        assert server.call("POST", "/speak", {"text": "aaaaaa"})[0] == 200
        status, problem = server.call("POST", "/speak", {"text": "a", "voice": "espeak"})
        assert status == 422 and "'tone'" in problem["detail"]
    samples, rate_hz = sound(results / "full_session.mp4")
    spectrum = np.abs(np.fft.rfft(samples[: rate_hz // 2]))
    loudest_hz = float(np.argmax(spectrum) * rate_hz / (rate_hz // 2))
    assert loudest_hz == pytest.approx(PITCH_HZ["a"], abs=5)
    assert rate_hz != SAMPLE_RATE_HZ  # the film's rate is not the voice's


def sound(film: Path) -> tuple[NDArray[np.float32], int]:
    """The samples of a film and their rate."""
    with av.open(str(film)) as opened:
        frames = list(opened.decode(audio=0))
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), frames[0].sample_rate
