"""Connections to a speech server: reuse, limits, cancelling, redirects, and the key."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from isolation.process import RequestCancelled
from tests.polling import wait_until
from tests.tts.openai.speech_server import (
    Received,
    fake_server,
    pcm,
    speak,
    speaks,
    voices_of,
)
from tts.openai.voices import OpenAIVoices
from tts.voice import VoiceUnavailable

KEY = "sk-secret-123"


def test_sentences_share_one_connection() -> None:
    with fake_server(speaks) as server, voices_of(server.url) as voices:
        for _ in range(5):
            speak(voices)
        assert len({each.client_port for each in server.received}) == 1


def test_an_answer_with_an_error_keeps_the_connection() -> None:
    with fake_server(speaks) as server, voices_of(server.url) as voices:
        speak(voices)
        server.script = lambda received: received.answer(b"no", "text/plain", 500)
        with pytest.raises(VoiceUnavailable):
            speak(voices)
        server.script = speaks
        speak(voices)
        assert len({each.client_port for each in server.received}) == 1


def test_a_connection_that_the_server_closed_while_idle_is_replaced() -> None:
    def once(received: Received) -> None:
        received.answer(pcm())
        received.close()

    with fake_server(once) as server, voices_of(server.url) as voices:
        for _ in range(3):
            speak(voices)
        assert len({each.client_port for each in server.received}) == 3


def test_a_connection_that_ends_as_the_next_request_arrives_is_replaced() -> None:
    def second_fails(received: Received) -> None:
        same = [each for each in server.received if each.client_port == received.client_port]
        if len(same) == 2:
            received.close()
        else:
            received.answer(pcm())

    with fake_server(second_fails) as server, voices_of(server.url) as voices:
        speak(voices)
        speak(voices)
        assert len(server.received) == 3


def test_no_more_requests_than_the_limit_run_at_once() -> None:
    running, most, lock, go_on = [0], [0], threading.Lock(), threading.Event()

    def counted(received: Received) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        go_on.wait(60)
        with lock:
            running[0] -= 1
        received.answer(pcm())

    with fake_server(counted) as server, voices_of(server.url, max_parallel=2) as voices:
        with ThreadPoolExecutor(6) as pool:
            spoken = [pool.submit(speak, voices) for _ in range(6)]
            wait_until(lambda: running[0] == 2, "two requests to arrive")
            go_on.set()
            assert all(each.result(60).duration_s > 0.5 for each in spoken)
        assert most[0] == 2 and len(server.received) == 6
        assert len({each.client_port for each in server.received}) == 2


def test_a_request_that_waits_for_a_place_has_a_limit() -> None:
    arrived = threading.Event()

    def hanging(received: Received) -> None:
        arrived.set()
        received.hang()

    with (
        fake_server(hanging) as server,
        voices_of(server.url, max_parallel=1, timeout_s=1.0) as voices,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(speak, voices)
        assert arrived.wait(60)
        with pytest.raises(VoiceUnavailable, match="tts_timeout_s"):
            speak(voices)
        assert isinstance(first.exception(60), VoiceUnavailable)


# --- cancelling


class Cancelled:
    """A sentence in a thread of its own, and its cancellation."""

    def __init__(self, voices: OpenAIVoices) -> None:
        self._is_cancelled = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._result = self._pool.submit(
            lambda: speak(voices, is_cancelled=self._is_cancelled.is_set)
        )

    def cancel(self) -> None:
        """Cancel the sentence, which must end because of that."""
        self._is_cancelled.set()
        assert isinstance(self._result.exception(60), RequestCancelled)
        self._pool.shutdown()


def before_the_answer(received: Received) -> None:
    while not received.is_over.wait(0.01):
        received.send(b"")
        if received.handler.connection.recv(1) == b"":
            raise BrokenPipeError


def in_the_sound(received: Received) -> None:
    received.begin("audio/pcm", **{"Transfer-Encoding": "chunked"})
    while not received.is_over.wait(0.01):
        received.chunk(pcm(0.01))


def in_a_flood_of_sound(received: Received) -> None:
    received.begin("audio/pcm;rate=192000", **{"Transfer-Encoding": "chunked"})
    while not received.is_over.wait(0.001):
        received.chunk(bytes(8))


@pytest.mark.parametrize("script", [before_the_answer, in_the_sound, in_a_flood_of_sound])
def test_a_cancelled_sentence_ends_the_connection_and_the_server_notices(
    script,  # type: ignore[no-untyped-def]
) -> None:
    with fake_server(script) as server, voices_of(server.url) as voices:
        sentence = Cancelled(voices)
        wait_until(lambda: server.received, "the request")
        sentence.cancel()
        assert server.has_failed.wait(60), "the server was not told"
        server.script = speaks
        assert speak(voices).duration_s > 0.5


def test_a_sentence_that_waits_for_a_place_can_be_cancelled() -> None:
    with (
        fake_server(lambda received: received.hang()) as server,
        voices_of(server.url, max_parallel=1) as voices,
    ):
        first, second = Cancelled(voices), Cancelled(voices)
        wait_until(lambda: server.received, "the request")
        second.cancel()
        first.cancel()


def test_a_pause_that_a_busy_server_asked_for_can_be_cancelled() -> None:
    def busy(received: Received) -> None:
        received.answer(b"", status=429, **{"Retry-After": "3"})

    with fake_server(busy) as server, voices_of(server.url) as voices:
        sentence = Cancelled(voices)
        wait_until(lambda: server.received, "the request")
        sentence.cancel()
        assert len(server.received) == 1


def test_nothing_is_sent_for_a_sentence_that_is_cancelled_already() -> None:
    with fake_server(speaks) as server, voices_of(server.url) as voices:
        with pytest.raises(RequestCancelled):
            speak(voices, is_cancelled=lambda: True)
        assert server.received == []


def test_closing_the_voices_ends_sentences_in_progress_and_refuses_later_ones() -> None:
    with fake_server(in_the_sound) as server, voices_of(server.url) as voices:
        with ThreadPoolExecutor(1) as pool:
            sentence = pool.submit(speak, voices)
            wait_until(lambda: server.received, "the request")
            voices.close()
            assert isinstance(sentence.exception(60), VoiceUnavailable)
        assert server.has_failed.wait(60)
        with pytest.raises(VoiceUnavailable):
            speak(voices)
        assert len(server.received) == 1


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_neither_text_nor_key_follow_a_redirect_to_another_server(status: int) -> None:
    with fake_server(speaks) as other, fake_server(speaks) as server:

        def redirect(received: Received) -> None:
            received.answer(status=status, Location=f"{other.url}/v1/audio/speech?k={KEY}")

        server.script = redirect
        with voices_of(server.url, key=KEY) as voices, pytest.raises(VoiceUnavailable) as caught:
            speak(voices)
        assert f"redirects to {other.url}/v1/audio/speech," in str(caught.value)
        assert "tts_url" in str(caught.value) and KEY not in str(caught.value)
        assert other.received == []


def test_another_port_name_or_scheme_is_another_server() -> None:
    with fake_server(speaks) as server, voices_of(server.url, key=KEY) as voices:
        for location in (
            server.url.replace("127.0.0.1", "localhost"),
            server.url.replace("http:", "https:"),
            server.url.replace("http://", "http://user@other.invalid/@"),
            "//127.0.0.2/x",
            "http://127.0.0.1:x/",
            "file:///etc/passwd",
        ):
            server.script = lambda received, to=location: received.answer(status=307, Location=to)
            with pytest.raises(VoiceUnavailable, match="redirects to"):
                speak(voices)


@pytest.mark.parametrize("location", ["/new/speech", "../speech2?x=1", "{url}/new/speech"])
def test_a_redirect_on_the_same_server_is_followed(location: str) -> None:
    def moved(received: Received) -> None:
        if received.path == "/v1/audio/speech":
            received.answer(status=307, Location=location.format(url=server.url))
        else:
            received.answer(pcm())

    with fake_server(moved) as server, voices_of(server.url, key=KEY) as voices:
        assert speak(voices).duration_s > 0.5
        first, second = server.received
        assert second.body == first.body and second.method == "POST"
        assert second.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("location", ["/v1/audio/speech", ""])
def test_a_circle_of_redirects_ends(location: str) -> None:
    circle = {"status": 308, "Location": location}
    with fake_server(lambda received: received.answer(**circle)) as server:  # type: ignore[arg-type]
        with voices_of(server.url) as voices, pytest.raises(VoiceUnavailable, match="3 times"):
            speak(voices)
        assert len(server.received) == 4


# --- the key


def test_the_key_is_sent_as_a_bearer_token() -> None:
    with fake_server(speaks) as server:
        with voices_of(server.url, key=KEY) as voices:
            speak(voices)
        with voices_of(server.url) as voices:
            speak(voices)
        with_key, without = server.received
        assert with_key.headers["Authorization"] == f"Bearer {KEY}"
        assert "Authorization" not in without.headers


def test_the_key_is_in_no_message_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = (
        (401, f'{{"error": {{"message": "Incorrect API key: {KEY}"}}}}', "application/json"),
        (500, f"trace: Authorization: Bearer {KEY}", "text/plain"),
        (200, f'{{"error": "{KEY}"}}', "application/json"),
        (200, "", f"text/{KEY}"),
    )
    with fake_server(speaks) as server, voices_of(server.url, key=KEY) as voices:
        for status, body, kind in answers:
            content = body.encode()
            server.script = partial(Received.answer, body=content, kind=kind, status=status)
            with pytest.raises(VoiceUnavailable) as caught:
                speak(voices)
            assert KEY not in str(caught.value)
            cause = caught.value.__cause__
            while cause is not None:
                assert KEY not in str(cause)
                cause = cause.__cause__
        server.script = lambda received: received.answer(KEY.encode(), "text/plain", 500)
        voices.infos()
        wait_until(lambda: voices._list.problem, "the list to be read")
        assert KEY not in repr([voices, voices._server, voices.infos(), voices._list.problem])
    assert KEY not in caplog.text
