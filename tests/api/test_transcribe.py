"""`POST /transcribe` and OpenAI's `POST /v1/audio/transcriptions`: recordings in, words out."""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, get_args

import av
import numpy as np
import pytest
from flask.testing import FlaskClient

import app as server_app
from api.context import context
from api.problem import TooManyTranscriptions
from api.transcript_formats import Format, formatted
from bench.live_webm import live_webm
from stt.disabled import NoRecogniser
from stt.embedded import EmbeddedRecogniser
from stt.pins import FOLDER, MOONSHINE
from stt.recogniser import RATE_HZ, Recogniser, Samples, Segment, Transcript
from tests.given_sounds import wav_of
from tests.stt.speech import MODELS, QUESTION, embedded, melody, silence, speech_of
from tts.espeak.voices import EspeakVoices

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not MOONSHINE.is_present(MODELS / FOLDER), reason="`make hear` downloads the recogniser"
    ),
]
SILENCE = wav_of(silence(1), RATE_HZ)
TOO_LONG = wav_of(silence(301), RATE_HZ)[:20_000]
FORMATS: tuple[Format, ...] = get_args(Format)


@pytest.fixture(scope="module")
def recogniser() -> Iterator[EmbeddedRecogniser]:
    with closing(embedded()) as found:
        yield found


@pytest.fixture(scope="module")
def question() -> Iterator[Samples]:
    """A question with silence around it, at 16 kHz."""
    with closing(EspeakVoices()) as voices:
        spoken = speech_of(voices, QUESTION)
    yield np.concatenate([silence(0.4), spoken, silence(0.5)])


@pytest.fixture(autouse=True)
def shared_recogniser(recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch) -> None:
    """All applications of this module share one process."""
    monkeypatch.setattr(server_app, "configured_recogniser", lambda _settings: recogniser)


def form(data: bytes, part: str = "audio", **fields: str) -> dict[str, object]:
    return {**fields, part: (io.BytesIO(data), "recording")}


def transcribe(client: FlaskClient, data: object, **named: Any) -> Any:
    return client.post("/transcribe", data=data, **named)


def get(client: FlaskClient) -> Any:
    return client.get("/transcribe/model").json


def encoded(samples: Samples, container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as writer:
        stream: Any = writer.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler(
            stream.format.name, "mono", 48_000, frame_size=stream.frame_size or 1024
        )
        for each in (*resampler.resample(frame), *resampler.resample(None)):
            writer.mux(stream.encode(each))
        writer.mux(stream.encode(None))
    return file.getvalue()


def webm(samples: Samples) -> bytes:
    return b"".join(block for _, block in live_webm(samples, RATE_HZ))


@pytest.mark.parametrize(
    "encode",
    [
        lambda samples: wav_of(np.repeat(samples, 2), 32_000, channels=2),
        webm,
        lambda samples: encoded(samples, "mp4", "aac"),
    ],
    ids=["stereo", "webm of a browser", "mp4"],
)
def test_the_words_of_a_recording_are_returned_whatever_its_format(
    client: FlaskClient, question: Samples, encode: Callable[[Samples], bytes]
) -> None:
    answer = transcribe(client, form(encode(question)))
    assert answer.status_code == 200, answer.json
    assert answer.json["text"] == QUESTION
    assert (answer.json["language"], answer.json["model"]) == ("en", "moonshine-tiny-en")
    assert answer.json["duration_s"] == pytest.approx(len(question) / RATE_HZ, abs=0.1)
    assert 1.2 < answer.json["speech_s"] < 2.0
    assert answer.json["timings"]["total_s"] >= answer.json["timings"]["recognise_s"] > 0


def test_the_recording_may_be_the_body(client: FlaskClient, question: Samples) -> None:
    wav = wav_of(question, RATE_HZ)
    kind = "application/octet-stream"
    answer = transcribe(client, wav, content_type=kind, query_string={"language": "en"})
    assert answer.json["text"] == QUESTION


@pytest.mark.parametrize("sound", [silence(1), melody(2)], ids=["silence", "music"])
def test_a_recording_without_a_voice_has_an_empty_text(client: FlaskClient, sound: Samples) -> None:
    answer = transcribe(client, form(wav_of(sound, RATE_HZ)))
    assert answer.status_code == 200
    assert (answer.json["text"], answer.json["speech_s"]) == ("", 0.0)


@pytest.mark.parametrize(
    ("data", "status", "kind", "message"),
    [
        (b"", 422, "RecordingError", "empty"),
        (SILENCE[:9000], 422, "RecordingError", "truncated"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 415, "UnsupportedMediaTypeError", "Send WAV"),
        (b"words " * 100, 415, "UnsupportedMediaTypeError", "Send WAV"),
        (
            wav_of(silence(301), RATE_HZ)[:20_000],
            422,
            "RecordingError",
            r"300 s \(max_utterance_s\)",
        ),
    ],
    ids=["empty", "cut off", "a picture", "a text", "too long"],
)
def test_what_is_no_usable_recording_is_refused(
    client: FlaskClient, data: bytes, status: int, kind: str, message: str
) -> None:
    answer = transcribe(client, form(data))
    assert (answer.status_code, answer.json["kind"]) == (status, kind)
    assert re.search(message, answer.json["detail"])


def test_other_requests_are_refused_with_what_to_send(client: FlaskClient) -> None:
    assert (
        transcribe(client, form(SILENCE, language="de"))
        .json["detail"]
        .startswith("language = 'de': moonshine-tiny-en knows only en.")
    )
    missing = transcribe(client, {"language": "en"}, content_type="multipart/form-data")
    assert missing.json["details"] == {"body.audio": {"message": "audio: is missing"}}
    assert client.post("/transcribe", json={}).status_code == 415
    assert transcribe(client, form(SILENCE, language="English!")).status_code == 422
    assert transcribe(client, form(SILENCE, langauge="en")).status_code == 422


def test_more_recordings_at_once_than_allowed_are_refused(
    client_with: Callable[..., FlaskClient],
) -> None:
    client = client_with(max_transcriptions=1)
    with context(client.application).transcriptions.hold("127.0.0.1", TooManyTranscriptions):
        answer = transcribe(client, form(SILENCE))
    assert (answer.status_code, answer.json["kind"]) == (503, "QueueFullError")
    assert "max_transcriptions" in answer.json["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert transcribe(client, form(SILENCE)).status_code == 200


def test_the_state_of_the_recogniser_is_shown_and_it_can_be_prepared(client: FlaskClient) -> None:
    prepared = client.post("/transcribe/model/prepare")
    assert prepared.status_code == 202
    state = get(client)
    assert state["phase"] in ("loading", "ready", "unloaded")
    assert (state["name"], state["licence"]) == ("moonshine-tiny-en", "MIT")
    assert (state["kind"], state["languages"]) == ("embedded", ["en"])


def test_a_server_without_recogniser_says_so(
    client_with: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_app, "configured_recogniser", lambda _: NoRecogniser())
    client = client_with(transcriber="none")
    assert get(client)["phase"] == "off"
    answer = transcribe(client, form(SILENCE))
    assert (answer.status_code, answer.json["kind"]) == (409, "RecognitionDisabledError")
    assert "transcriber" in answer.json["detail"]


def openai(client: FlaskClient, data: bytes, **fields: str) -> Any:
    given = {"model": "whisper-1", **fields}
    return client.post("/v1/audio/transcriptions", data=form(data, "file", **given))


def test_openai_s_route_answers_in_its_formats(client: FlaskClient, question: Samples) -> None:
    wav = wav_of(question, RATE_HZ)
    verbose = openai(client, wav, response_format="verbose_json", language="en").json
    assert (verbose["text"], verbose["language"], verbose["task"]) == (QUESTION, "en", "transcribe")
    assert verbose["usage"] == {"type": "duration", "seconds": 3}
    ((segment,), duration_s) = (verbose["segments"], verbose["duration"])
    assert segment["text"] == QUESTION
    assert 0 < segment["start"] < segment["end"] < duration_s
    subtitles = openai(client, wav, response_format="srt")
    assert (subtitles.mimetype, subtitles.text.count(QUESTION)) == ("application/x-subrip", 1)


def test_transcripts_become_json_text_and_subtitles(client: FlaskClient) -> None:
    parts = (Segment(0.25, 1.5, "Tea & toast."), Segment(3661.0, 3662.0, "Now?"))
    transcript = Transcript(
        text="Tea & toast. Now?",
        language=None,
        model="m",
        duration_s=3662.2,
        speech_s=2.25,
        segments=parts,
    )
    with client.application.app_context():
        found = {kind: formatted(transcript, kind).get_data(as_text=True) for kind in FORMATS}
    assert json.loads(found["json"]) == {
        "text": "Tea & toast. Now?",
        "usage": {"type": "duration", "seconds": 3663},
    }
    assert found["text"] == "Tea & toast. Now?\n"
    assert [each["start"] for each in json.loads(found["verbose_json"])["segments"]] == [
        0.25,
        3661.0,
    ]
    assert found["srt"] == (
        "1\n00:00:00,250 --> 00:00:01,500\nTea & toast.\n\n"
        "2\n01:01:01,000 --> 01:01:02,000\nNow?\n\n"
    )
    assert found["vtt"] == (
        "WEBVTT\n\n00:00:00.250 --> 00:00:01.500\nTea &amp; toast.\n\n"
        "01:01:01.000 --> 01:01:02.000\nNow?\n\n"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response_format": "yaml"}, "allowed: json, text, srt, verbose_json, vtt"),
        ({"stream": "true"}, "stream = true: is not supported"),
        ({"timestamp_granularities[]": "word"}, "the times of words are not known"),
        ({"include[]": "logprobs"}, "log probabilities"),
        ({"language": "en", "temperature": "hot"}, "temperature"),
        ({"language": "de"}, "knows only en"),
    ],
)
def test_what_openai_s_route_does_not_support_is_400_in_its_shape(
    client: FlaskClient, fields: dict[str, str], message: str
) -> None:
    answer = openai(client, SILENCE, **fields)
    assert answer.status_code == 400
    assert message in answer.json["error"]["message"]
    assert answer.json["error"]["type"] == "invalid_request_error"
