"""`python -m warm render` with a recording and the text that it says."""

import wave
from pathlib import Path

import numpy as np
import pytest

from session.film import FilmSpec
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.plain_text import PlainText
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.shape import Shape
from warm.offline.chunks import Chunk, chunks_from_audio
from warm.offline.errors import BadTask
from warm.offline.recording_text import describe_unknown, find_times
from warm.offline.task import RenderTask

TEXT = "Please bring the big map before we park the car. Bob and Pam may buy a purple lamp."
OTHER = "Seven thieves were seen near the free cheese in the street. Nobody knew them."
SPEC = FilmSpec(width=96, height=80, fps=25)


@pytest.fixture(scope="module")
def spoken(voices: VoiceRegistry) -> list[Speech]:
    choice = voices.choose(voice="espeak:en-us+f3", speed=0.9)
    return [speech.completed() for speech in voices.speak(TEXT, choice)]


@pytest.fixture
def recording(spoken: list[Speech], tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(spoken[0].sample_rate_hz)
        samples = np.concatenate([each.samples for each in spoken])
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def only(chunks: list[Chunk]) -> np.ndarray:
    (chunk,) = chunks
    return chunk.features


def test_lips_press_where_the_recording_says_p_b_and_m(
    recording: Path, spoken: list[Speech], voices: VoiceRegistry
) -> None:
    choice = voices.choose(voice="espeak:en-us")
    times = find_times(recording, PlainText.of(TEXT), choice, voices)
    engine = VisemeEngine()
    rows = only(list(chunks_from_audio(recording, engine, SPEC, times)))
    heard = only(list(chunks_from_audio(recording, engine, SPEC)))
    start_s, truth = 0.0, []
    for speech in spoken:
        truth += [
            start_s + (p.start_s + min(p.end_s, p.start_s + 0.05)) / 2
            for p in speech.phonemes or ()
            if p.symbol[:1] in tuple("pbm")
        ]
        start_s += speech.duration_s
    frames = [int(time_s * SPEC.fps) for time_s in truth]
    pressed = [rows[max(k - 1, 0) : k + 2, Shape.PRESS].max() for k in frames]
    assert len(truth) >= 12
    assert min(pressed) == 1.0
    assert not np.array_equal(rows, heard)
    assert describe_unknown(times, start_s) is None


def test_another_text_leaves_the_lips_to_the_sound_and_a_note_says_so(
    recording: Path, voices: VoiceRegistry
) -> None:
    times = find_times(recording, PlainText.of(OTHER), voices.choose(voice="espeak:en-us"), voices)
    engine = VisemeEngine()
    rows = only(list(chunks_from_audio(recording, engine, SPEC, times)))
    heard = only(list(chunks_from_audio(recording, engine, SPEC)))
    assert np.array_equal(rows, heard)
    note = describe_unknown(times, 6.0)
    assert note is not None
    assert "the lips follow the sound alone in 6.0 of 6.0 s" in note
    assert "does not match the text" in note


@pytest.mark.parametrize("name", ["voice", "speed"])
def test_a_recording_has_its_own_voice_and_speed(name: str) -> None:
    value = "espeak:de" if name == "voice" else 1.5
    with pytest.raises(BadTask, match=f"{name}: is allowed with text only"):
        RenderTask(audio=Path("a.wav"), text="b", avatar="c", result=Path("d.mp4"), **{name: value})


def test_a_language_needs_a_text() -> None:
    with pytest.raises(BadTask, match="language: is allowed with text only"):
        RenderTask(audio=Path("a.wav"), language="de", avatar="c", result=Path("d.mp4"))
    RenderTask(audio=Path("a.wav"), text="b", language="de", avatar="c", result=Path("d.mp4"))
