"""A voice of a speech server, from `POST /speak` to the film."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import assemble
from session.media_file import open_media
from tests.polling import wait_until
from tests.tiny_face import running_runtime
from tests.tts.openai.speech_server import FakeServer, Received, fake_server, speaks
from tts.espeak.voices import EspeakVoices
from tts.openai.voices import OpenAIVoices, SpeechServer
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server(speaks) as server:
        yield server


@contextmanager
def serving(url: str, folder: Path) -> Iterator[FlaskClient]:
    """A client of a server whose voice is that of the speech server; espeak is there too."""
    results = folder / "results"
    settings = Settings(results_dir=results, avatar_id="tiny", voice="openai:nova")
    described = SpeechServer(url=url, voices=("nova", "echo"), stall_timeout_s=0.3)
    with (
        closing(VoiceRegistry([EspeakVoices(), OpenAIVoices(described)])) as voices,
        running_runtime(settings, voices, folder) as runtime,
    ):
        yield assemble(settings, runtime, AvatarStore(results)).test_client()


@pytest.fixture
def client(server: FakeServer, tmp_path: Path) -> Iterator[FlaskClient]:
    with serving(server.url, tmp_path) as client:
        server.received.clear()
        yield client


def test_the_start_neither_waits_for_the_speech_server_nor_has_it_speak(
    server: FakeServer, tmp_path: Path
) -> None:
    server.script = lambda received: received.hang()
    with serving(server.url, tmp_path) as client:
        assert server.spoken() == []
        server.script = lambda received: received.answer(b"starting", "text/plain", 503)
        failed = client.post("/speak", json={"text": "Hello."})
        assert failed.status_code == 503 and "starting" in failed.get_json()["detail"]
        server.script = speaks
        assert client.post("/speak", json={"text": "Hello."}).status_code == 200


def test_the_film_contains_the_sound_of_the_server(
    client: FlaskClient, server: FakeServer, tmp_path: Path
) -> None:
    answer = client.post("/speak", json={"text": "Hello. How are you?", "voice": "openai:echo"})
    assert answer.status_code == 200, answer.get_json()
    assert answer.get_json()["voice"] == "openai:echo"
    inputs = [(each.body["voice"], each.body["input"]) for each in server.spoken()]
    assert inputs == [("echo", "Hello."), ("echo", "How are you?")]
    with open_media(str(tmp_path / "results" / "full_session.mp4")) as film:
        loudest = max(abs(frame.to_ndarray()).max() for frame in film.decode(audio=0))
    assert loudest > 0.1


def test_the_voices_are_listed(client: FlaskClient) -> None:
    listed = client.get("/voices").get_json()
    assert listed["default"] == "openai:nova"
    remote = [voice for voice in listed["voices"] if voice["id"].startswith("openai:")]
    assert [voice["id"] for voice in remote] == ["openai:nova", "openai:echo"]
    assert remote[0]["phoneme_times"] == "heard" and remote[0]["is_remote"]


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (400, b'{"detail": "Voice nova not found"}', 422, "refuses the voice 'nova'"),
        (400, b'{"detail": "not allowed"}', 422, "sentence 1 of the text"),
        (401, b"", 503, "tts_key"),
        (500, b"<title>Oops</title>", 503, "Oops"),
    ],
)
def test_an_error_of_the_server_is_the_error_of_the_request(
    client: FlaskClient, server: FakeServer, status: int, body: bytes, expected: int, words: str
) -> None:
    server.script = lambda received: received.answer(body, "application/json", status)
    answer = client.post("/speak", json={"text": "Hello."})
    assert answer.status_code == expected
    assert words in answer.get_data(as_text=True)


def test_a_pause_that_the_server_asks_for_is_passed_on(
    client: FlaskClient, server: FakeServer
) -> None:
    server.script = lambda received: received.answer(b"", status=429, **{"Retry-After": "77"})
    answer = client.post("/speak", json={"text": "Hello."})
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "77"


def test_a_stall_is_answered_and_the_next_request_speaks(
    client: FlaskClient, server: FakeServer
) -> None:
    def stalling(received: Received) -> None:
        received.begin("audio/pcm", **{"Content-Length": "100000"})
        received.send(bytes(5000))
        received.hang()

    server.script = stalling
    assert client.post("/speak", json={"text": "Hello."}).status_code == 503
    server.script = speaks
    assert client.post("/speak", json={"text": "Hello."}).status_code == 200


def test_an_interruption_closes_the_connection_to_the_server(
    client: FlaskClient, server: FakeServer
) -> None:
    def endless(received: Received) -> None:
        received.begin("audio/pcm", **{"Transfer-Encoding": "chunked"})
        while not received.is_over.wait(0.02):
            received.chunk(bytes(20))

    server.script = endless
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/speak", json={"text": "Hello."})
        wait_until(server.spoken, "the request for speech")
        client.application.test_client().post("/interrupt")
        assert server.has_failed.wait(60), "the server was not told"
        assert answer.result(60).status_code == 409
