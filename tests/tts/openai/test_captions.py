"""Times of words from Kokoro-FastAPI's route of captions."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.tts.openai.speech_server import (
    Received,
    fake_server,
    pcm,
    speak,
    speaks,
    tone,
    voices_of,
)
from tts.pauses import LEAD_S
from tts.speech import Phoneme, Speech, WordTime
from tts.voice import SentenceFailed, VoiceChoice, VoiceUnavailable

SILENCE_S = 0.25


class Aligner:
    """Makes one phoneme of each word, and keeps what it was given."""

    def __init__(self) -> None:
        self.words: list[Sequence[WordTime]] = []

    def __call__(
        self,
        speech: Speech,
        _choice: VoiceChoice,
        _is_cancelled: Callable[[], bool],
        words: Sequence[WordTime],
    ) -> Speech:
        self.words.append(words)
        phonemes = tuple(Phoneme(word.word, word.start_s, word.end_s) for word in words)
        return replace(speech, phonemes=phonemes)


def piece(content: bytes, *words: tuple[str, float, float]) -> bytes:
    """One line of an answer."""
    times = [{"word": word, "start_time": start, "end_time": end} for word, start, end in words]
    audio = base64.b64encode(content).decode()
    line = {"audio": audio, "audio_format": "audio/pcm", "timestamps": times}
    return json.dumps(line).encode() + b"\n"


def spoken_words() -> bytes:
    """Two words with silence before them, in three lines."""
    silence = bytes(2 * round(SILENCE_S * 24_000))
    first = piece(silence + pcm(0.5), ("Hello", 0.25, 0.75), (",", 0.75, 0.75))
    return first + piece(pcm(0.5), ("world", 0.75, 1.25)) + piece(bytes(480))


def captioned(received: Received) -> None:
    if received.path == "/dev/captioned_speech":
        received.begin("application/json", **{"Transfer-Encoding": "chunked"})
        content = spoken_words()
        for start in range(0, len(content), 1009):
            received.chunk(content[start : start + 1009])
        received.chunk(b"")
    else:
        speaks(received)


def test_words_and_their_times_reach_the_alignment_in_the_time_of_the_trimmed_sound() -> None:
    align = Aligner()
    with fake_server(captioned) as server, voices_of(server.url, align=align) as voices:
        speech = speak(voices)
        (received,) = server.received
    assert received.body["stream"] is True and received.body["return_timestamps"] is True
    assert received.body["response_format"] == "pcm"
    ((hello, world),) = align.words
    assert (hello.word, world.word) == ("Hello", "world")
    assert hello.start_s == pytest.approx(LEAD_S, abs=0.01)
    assert world.start_s - hello.start_s == pytest.approx(0.5)
    onset = np.flatnonzero(np.abs(speech.samples) > 0.01)[0] / 24_000
    assert onset == pytest.approx(hello.start_s, abs=0.01)
    assert speech.phonemes is not None and len(speech.phonemes) == 2


def test_an_answer_that_is_not_streamed_has_one_object() -> None:
    align = Aligner()
    whole = piece(pcm(), ("Hello", 0.0, 0.5)).rstrip()
    with (
        fake_server(lambda received: received.answer(whole, "application/json")) as server,
        voices_of(server.url, align=align) as voices,
    ):
        assert speak(voices).duration_s > 0.5
    assert [word.word for word in align.words[0]] == ["Hello"]


def test_a_server_without_the_route_is_asked_for_it_once() -> None:
    align = Aligner()
    with fake_server(speaks) as server, voices_of(server.url, align=align) as voices:
        for _ in range(3):
            speak(voices)
        paths = [each.path for each in server.received]
    assert paths == ["/dev/captioned_speech", *["/v1/audio/speech"] * 3]
    assert align.words == [()] * 3


def test_without_an_alignment_the_times_of_words_are_not_asked_for() -> None:
    with fake_server(captioned) as server, voices_of(server.url) as voices:
        assert speak(voices).phonemes is None
        assert [each.path for each in server.received] == ["/v1/audio/speech"]


@pytest.mark.parametrize(
    "page",
    [
        b"<!doctype html><title>Speech</title>",
        b'"text"',
        b"[" * 100_000,
        b'{"audio": "not base64!"}',
        b'{"error": "unknown route"}',
        b'{"audio": "AAAA", "audio_format": "audio/mpeg"}' * 2,
    ],
)
def test_a_server_that_answers_the_route_with_something_else_speaks_without_times(
    page: bytes,
) -> None:
    def answer(received: Received) -> None:
        is_speech = received.path.endswith("/audio/speech")
        received.answer(*((pcm(),) if is_speech else (page, "text/html")))

    align = Aligner()
    with fake_server(answer) as server, voices_of(server.url, align=align) as voices:
        assert speak(voices).duration_s > 0.5
        assert speak(voices).duration_s > 0.5
        assert len(server.received) == 3


def test_a_refusal_there_is_reported_by_the_route_for_speech() -> None:
    def answer(received: Received) -> None:
        if received.path == "/dev/captioned_speech":
            received.answer(b"", "application/json", 500)
        else:
            received.answer(b'{"detail": "out of memory"}', "application/json", 500)

    with fake_server(answer) as server, voices_of(server.url, align=Aligner()) as voices:
        with pytest.raises(VoiceUnavailable, match="out of memory"):
            speak(voices)
        assert len(server.received) == 2


def test_a_cut_off_answer_is_an_error() -> None:
    def answer(received: Received) -> None:
        received.begin("application/json", **{"Transfer-Encoding": "chunked"})
        received.chunk(piece(pcm()))
        received.close()

    with (
        fake_server(answer) as server,
        voices_of(server.url, align=Aligner()) as voices,
        pytest.raises(VoiceUnavailable, match="closed the connection"),
    ):
        speak(voices)


def test_no_lines_and_no_sound_are_silence() -> None:
    for content in (b"", b"\n\n", b'{"audio": "", "timestamps": null}\n'):
        with (
            fake_server(lambda received, body=content: received.answer(body)) as server,
            voices_of(server.url, align=Aligner()) as voices,
            pytest.raises(SentenceFailed, match="silence"),
        ):
            speak(voices)


def test_an_endless_answer_is_bounded() -> None:
    line = piece(tone(20).tobytes())

    def endless_lines(received: Received) -> None:
        received.begin("application/json", **{"Transfer-Encoding": "chunked"})
        while True:
            received.chunk(line)

    def endless_line(received: Received) -> None:
        received.begin("application/json", **{"Transfer-Encoding": "chunked"})
        while True:
            received.chunk(b"A" * 1_000_000)

    for script in (endless_lines, endless_line):
        with (
            fake_server(script) as server,
            voices_of(server.url, align=Aligner()) as voices,
            pytest.raises(SentenceFailed, match="more than 120 s"),
        ):
            speak(voices)


def test_damaged_times_are_left_out() -> None:
    entries = [
        *({"word": "good", "start_time": "0.1", "end_time": 0.3}, "word", None, 5),
        *({"word": "a"}, {"word": "b", "start_time": 2, "end_time": 1}),
        *({"word": "c", "start_time": -1, "end_time": 1}, {"word": "…", "start_time": 0}),
        {"word": "d", "start_time": float("nan"), "end_time": float("inf")},
    ]
    audio = base64.b64encode(pcm()).decode()
    body = json.dumps({"audio": audio, "audio_format": "audio/pcm", "timestamps": entries})
    align = Aligner()
    with (
        fake_server(lambda received: received.answer(body.encode())) as server,
        voices_of(server.url, align=align) as voices,
    ):
        speak(voices)
    assert [word.word for word in align.words[0]] == ["good"]
