"""Sentences of a speech server: what is asked, and what comes back."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.tts.openai.speech_server import (
    TONE_HZ,
    FakeServer,
    Received,
    fake_server,
    frequency_hz,
    pcm,
    speak,
    speaks,
    tone,
    voices_of,
)
from tts.openai.voices import OpenAIVoices, SpeechServer
from tts.pauses import LEAD_S, SENTENCE_PAUSE_S
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.voice import SentenceFailed, VoiceUnavailable


def spoken(answer: Callable[[Received], None], **options: object) -> Speech:
    """The sentence that voices make of an answer."""
    with fake_server(answer) as server, voices_of(server.url, **options) as voices:
        return speak(voices)


def test_a_sentence_is_one_request_with_the_fields_of_the_api() -> None:
    with fake_server(speaks) as server, voices_of(server.url, model="kokoro") as voices:
        speak(voices, "Hello there.", voice="openai:af_Bella+af_sky(2)", speed=1.5)
        (received,) = server.received
    assert (received.method, received.path) == ("POST", "/v1/audio/speech")
    assert received.body == {
        "model": "kokoro",
        "input": "Hello there.",
        "voice": "af_Bella+af_sky(2)",
        "response_format": "pcm",
        "speed": 1.5,
    }
    assert received.headers["Content-Type"] == "application/json"


def test_the_sound_lies_between_the_usual_silences_at_the_usual_level() -> None:
    padded = np.concatenate([np.zeros(24_000), tone(), np.zeros(48_000)]).astype("<i2")
    speech = spoken(lambda received: received.answer(padded.tobytes()))
    sound_s = speech.duration_s - LEAD_S - SENTENCE_PAUSE_S
    assert sound_s == pytest.approx(0.5, abs=0.05)
    assert np.abs(speech.samples[: round(0.04 * 24_000)]).max() == 0
    middle = speech.samples[len(speech.samples) // 3 : len(speech.samples) // 2]
    assert 20 * np.log10(np.sqrt(np.mean(middle**2))) == pytest.approx(-20, abs=0.5)
    assert frequency_hz(speech) == pytest.approx(TONE_HZ, abs=3)
    assert speech.pending is None and speech.phonemes is None


@pytest.mark.parametrize(
    ("kind", "rate_hz"),
    [
        ("audio/pcm", 24_000),
        ("audio/pcm;rate=22050", 22_050),
        ('audio/pcm; rate="16000"', 16_000),
        ("AUDIO/PCM; Rate=44100; channels=1", 44_100),
        ("audio/pcm;encoding=signed-int;bits=16;rate=48000", 48_000),
        ("audio/L16;rate=8000", 8_000),
        ("application/octet-stream", 24_000),
        (None, 24_000),
    ],
)
def test_the_rate_is_that_of_the_content_type_or_24_khz(kind: str | None, rate_hz: int) -> None:
    speech = spoken(lambda received: received.answer(pcm(0.5, rate_hz), kind))
    assert speech.sample_rate_hz == rate_hz
    assert frequency_hz(speech) == pytest.approx(TONE_HZ, abs=3)


def test_the_rate_of_answers_that_name_none_is_a_setting() -> None:
    speech = spoken(lambda received: received.answer(pcm(0.5, 22_050)), pcm_rate_hz=22_050)
    assert speech.sample_rate_hz == 22_050


def test_stereo_becomes_mono() -> None:
    both = np.repeat(tone(), 2).astype("<i2").tobytes()
    speech = spoken(lambda received: received.answer(both, "audio/pcm;rate=24000;channels=2"))
    assert frequency_hz(speech) == pytest.approx(TONE_HZ, abs=3)


def in_odd_chunks(received: Received) -> None:
    received.begin("audio/pcm", **{"Transfer-Encoding": "chunked"})
    content, size = pcm(), 1
    while content:
        received.chunk(content[:size])
        content, size = content[size:], size * 2 + 1
    received.chunk(b"")


def until_the_connection_ends(received: Received) -> None:
    received.begin("audio/pcm", Connection="close")
    for start in range(0, len(pcm()), 777):
        received.send(pcm()[start : start + 777])
    received.close()


def with_half_a_sample_at_the_end(received: Received) -> None:
    received.answer(pcm() + b"\x01")


@pytest.mark.parametrize(
    "answer", [in_odd_chunks, until_the_connection_ends, with_half_a_sample_at_the_end]
)
def test_the_sound_does_not_depend_on_how_its_bytes_are_divided(
    answer: Callable[[Received], None],
) -> None:
    whole = spoken(lambda received: received.answer(pcm()))
    assert np.array_equal(spoken(answer).samples, whole.samples)


def test_silence_an_empty_answer_and_a_constant_are_no_speech() -> None:
    for content in (b"", b"\0" * 96_000, b"\x01", b"\x10\x27" * 24_000):
        with pytest.raises(SentenceFailed, match="with silence"):
            spoken(lambda received, content=content: received.answer(content))
    with pytest.raises(SentenceFailed, match="with silence"):
        spoken(lambda received: received.answer(b"", None, 204))


def test_an_endless_sound_ends_after_two_minutes_of_it() -> None:
    def endless(received: Received) -> None:
        received.begin("audio/pcm;rate=8000", **{"Transfer-Encoding": "chunked"})
        while True:
            received.chunk(pcm(10, 8_000))

    with fake_server(endless) as server, voices_of(server.url) as voices:
        with pytest.raises(SentenceFailed, match="more than 120 s of sound"):
            speak(voices)
        assert server.has_failed.wait(60), "the server was not told"


def test_a_text_longer_than_the_api_takes_is_not_sent() -> None:
    with fake_server(speaks) as server, voices_of(server.url) as voices:
        with pytest.raises(SentenceFailed, match=r"5000 characters; .* takes 4096"):
            speak(voices, "a" * 5000)
        assert server.received == []


def test_texts_of_all_scripts_arrive_unchanged() -> None:
    text = 'Größe “x” \\ "y" 中文 عربى 👋 \u2028 <b>&amp;</b>'
    with fake_server(speaks) as server, voices_of(server.url) as voices:
        speak(voices, text)
        (request,) = server.spoken()
    assert request.body["input"] == text


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("", "/v1/audio/speech"),
        ("/", "/v1/audio/speech"),
        ("/v1", "/v1/audio/speech"),
        ("/v1/", "/v1/audio/speech"),
        ("/v1/audio/speech", "/v1/audio/speech"),
        ("/openai/v2", "/openai/v2/audio/speech"),
        ("/tts?api-version=7&x=a%20b", "/tts/audio/speech?api-version=7&x=a%20b"),
    ],
)
def test_the_address_may_be_written_in_several_ways(suffix: str, path: str) -> None:
    with fake_server(speaks) as server, voices_of(server.url + suffix) as voices:
        server.script = lambda received: received.answer(pcm())
        speak(voices)
        assert [request.path for request in server.received] == [path]


@pytest.fixture
def registry() -> Iterator[tuple[VoiceRegistry, FakeServer]]:
    with fake_server(speaks) as server:
        yield VoiceRegistry([OpenAIVoices(SpeechServer(url=server.url))]), server


def test_a_text_is_spoken_sentence_by_sentence(
    registry: tuple[VoiceRegistry, FakeServer],
) -> None:
    voices, server = registry
    choice = voices.choose(voice="openai:nova", language="de")
    speeches = list(voices.speak("Guten Tag. Wie geht es?", choice))
    voices.close()
    assert [speech.text for speech in speeches] == ["Guten Tag.", "Wie geht es?"]
    inputs = [each.body["input"] for each in server.spoken()]
    assert inputs == ["Guten Tag.", "Wie geht es?"]


def test_without_a_server_the_voices_say_what_to_set() -> None:
    voices = OpenAIVoices(None)
    assert list(voices.infos()) == [] and voices.best_for("en") is None
    info = voices.find("openai:alloy")
    assert info is not None and "tts_url" in str(info.problem)
    voices.prepare("openai:alloy")
    with pytest.raises(VoiceUnavailable, match="set tts_url"):
        speak(voices)
    voices.close()
