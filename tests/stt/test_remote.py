"""Recognition by OpenAI-compatible servers, with their deviations and faults."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from isolation.process import RequestCancelled
from stt.errors import (
    RecogniserBusy,
    RecogniserFailed,
    RecogniserKeyRefused,
    RecogniserUnreachable,
    RecognitionTimeout,
    RecordingRefused,
)
from stt.recogniser import Transcript, transcribe
from stt.remote.address import BadRecogniserAddress, parse_recogniser_address
from stt.remote.recogniser import RemoteOptions, RemoteRecogniser
from tests.stt.recognition_server import RecognitionServer, recognition_server, verbose
from tests.stt.speech import noise, silence

SOUND = noise(1.0, 0.1)


@pytest.fixture(scope="module")
def running() -> Iterator[RecognitionServer]:
    with recognition_server() as found:
        yield found


@pytest.fixture
def server(running: RecognitionServer) -> RecognitionServer:
    """The server in its first state."""
    running.reply, running.delay_s = RecognitionServer().reply, 0.0
    running.requests.clear()
    return running


@contextmanager
def recogniser_of(url: str, **options: object) -> Iterator[RemoteRecogniser]:
    given = {"timeout_s": 60.0, **options}
    address = parse_recogniser_address(url)
    with closing(RemoteRecogniser(RemoteOptions(address=address, **given))) as found:  # type: ignore[arg-type]
        yield found


def heard(server: RecognitionServer, body: str, status: int = 200) -> Transcript:
    server.reply = lambda _: (status, body)
    with recogniser_of(server.url) as recogniser:
        return transcribe(recogniser, SOUND)


def test_a_recording_is_sent_as_wav_with_model_language_and_key(server: RecognitionServer) -> None:
    with recogniser_of(server.url, model="small", key="secret") as recogniser:
        assert recogniser.state().phase == "unknown"
        found = transcribe(recogniser, SOUND, "de-AT")
        assert recogniser.state().phase == "ready"
    assert (found.text, found.language, found.model) == ("Hello there.", "de-AT", "small")
    ((sent,), expected) = (server.requests, {"model": "small", "language": "de"})
    assert expected.items() <= sent.fields.items()
    assert (sent.path, sent.key) == ("/v1/audio/transcriptions", "Bearer secret")
    assert (sent.rate_hz, sent.duration_s) == (16_000, 1.0)


def test_silence_is_not_sent(server: RecognitionServer) -> None:
    with recogniser_of(server.url) as recogniser:
        for sound in (silence(0), silence(1), noise(1, 0.001)):
            found = transcribe(recogniser, sound)
            assert (found.text, found.speech_s) == ("", 0.0)
    assert server.requests == []


def test_segments_bring_their_times_and_the_language_its_code(server: RecognitionServer) -> None:
    found = heard(server, verbose(("One.", 0.1, 0.4), ("Two.", 0.5, 0.9)))
    assert (found.text, found.language) == ("One. Two.", "en")
    assert [(each.start_s, each.text) for each in found.segments] == [(0.1, "One."), (0.5, "Two.")]
    assert found.speech_s == pytest.approx(0.7)


def test_a_segment_that_the_server_takes_for_silence_is_left_out(server: RecognitionServer) -> None:
    body = verbose(("Thank you.", 0.0, 1.0), no_speech_prob=0.9, avg_logprob=-1.4)
    found = heard(server, body)
    assert (found.text, found.speech_s, found.segments) == ("", 0.0, ())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("plain words\n", "plain words"),
        ('"a JSON text"', "a JSON text"),
        ('{"text": " [BLANK_AUDIO]\\n"}', ""),
        ('{"text": "(upbeat music)"}', ""),
        ('{"text": " two\\n lines \\n"}', "two lines"),
        ('{"text": "♪ ♪", "segments": []}', ""),
        ('{"text": "kept", "segments": null, "language": 7}', "kept"),
        ('{"text": "kept", "segments": "none"}', "kept"),
        ("", ""),
    ],
)
def test_the_words_are_found_in_answers_of_many_shapes(
    server: RecognitionServer, body: str, text: str
) -> None:
    assert heard(server, body).text == text


@pytest.mark.parametrize(
    "body", ["<html>Welcome</html>", '{"txt": 1}', '{"text": null}', "[1]", "{"]
)
def test_an_answer_that_is_no_transcript_is_an_error(server: RecognitionServer, body: str) -> None:
    with pytest.raises(RecogniserFailed, match=r"no transcript.*transcriber"):
        heard(server, body)


def test_a_server_without_times_is_asked_without_them_from_then_on(
    server: RecognitionServer,
) -> None:
    refusal = json.dumps({"error": {"message": "response_format 'verbose_json' is not compatible"}})
    server.reply = lambda received: (
        (400, refusal)
        if received.fields["response_format"] == "verbose_json"
        else (200, '{"text": "Yes."}')
    )
    with recogniser_of(server.url) as recogniser:
        assert [transcribe(recogniser, SOUND).text for _ in range(2)] == ["Yes.", "Yes."]
    formats = [each.fields["response_format"] for each in server.requests]
    assert formats == ["verbose_json", "json", "json"]


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (401, '{"error": {"message": "bad key sesame"}}', RecogniserKeyRefused, "bad key …"),
        (403, "", RecogniserKeyRefused, "WARMTALK_STT_KEY"),
        (404, '{"detail": "Not Found"}', RecogniserUnreachable, "Not Found.*transcriber"),
        (400, '{"error": "no such model"}', RecordingRefused, "no such model.*stt_model"),
        (422, '{"detail": [{"msg": "Field required"}]}', RecordingRefused, "Field required"),
        (413, "<h1>Too large</h1>", RecordingRefused, "Too large"),
        (429, '{"error": {"message": "slow down"}}', RecogniserBusy, "slow down"),
        (429, '{"error": {"message": "exceeded your quota"}}', RecogniserFailed, "account"),
        (500, "oops", RecogniserFailed, "oops.*log"),
        (503, "", RecogniserBusy, "Try again"),
        (307, "", RecogniserUnreachable, "redirects"),
    ],
)
def test_each_refusal_has_its_error_and_what_to_do(
    server: RecognitionServer, status: int, body: str, error: type[Exception], message: str
) -> None:
    server.reply = lambda _: (status, body)
    with (
        recogniser_of(server.url, key="sesame") as recogniser,
        pytest.raises(error, match=message) as raised,
    ):
        transcribe(recogniser, SOUND)
    assert "sesame" not in str(raised.value)


def test_a_server_that_is_not_there_is_named(server: RecognitionServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with recogniser_of(f"http://127.0.0.1:{port}/v1?secret=1") as recogniser:
        with pytest.raises(RecogniserUnreachable, match=f"127.0.0.1:{port}/v1/audio") as raised:
            transcribe(recogniser, SOUND)
        assert "secret" not in str(raised.value)
        assert recogniser.state().phase == "unreachable"
        assert "cannot be reached" in recogniser.state().detail


def test_a_server_that_does_not_answer_is_waited_for_a_bounded_time(
    server: RecognitionServer,
) -> None:
    server.delay_s = 3.0
    with (
        recogniser_of(server.url, timeout_s=0.2) as recogniser,
        pytest.raises(RecognitionTimeout, match=r"0\.2 s \(stt_timeout_s\)"),
    ):
        transcribe(recogniser, SOUND)


def test_a_recording_that_is_left_is_not_sent(server: RecognitionServer) -> None:
    with recogniser_of(server.url) as recogniser:
        utterance = recogniser.listen(is_cancelled=lambda: True)
        utterance.add(SOUND)
        with pytest.raises(RequestCancelled):
            utterance.finish()
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1/audio/transcriptions"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1/audio/transcriptions"),
        (
            "https://api.openai.com/v1/audio/transcriptions",
            "https://api.openai.com/v1/audio/transcriptions",
        ),
        ("https://x.org:443/openai?api-version=2", None),
        ("http://[::1]:8080/inference", "http://[::1]:8080/inference"),
    ],
)
def test_addresses_are_understood_as_people_write_them(given: str, url: str | None) -> None:
    expected = url or "https://x.org/openai/audio/transcriptions?api-version=2"
    assert parse_recogniser_address(given).url == expected


@pytest.mark.parametrize(
    "given",
    ["localhost:8000", "ftp://x/v1", "http://", "http://u:p@x/v1", "http://x/v1#a", "http://x:y/"],
)
def test_other_addresses_are_refused(given: str) -> None:
    with pytest.raises(BadRecogniserAddress, match=r"allowed: http|stt_key"):
        parse_recogniser_address(given)
