"""Speech servers that refuse, fail, stall, or answer with something else."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from shutil import which

import pytest

from tests.tts.openai.speech_server import (
    Received,
    fake_server,
    pcm,
    speak,
    speaks,
    voices_of,
)
from tts.voice import BadSpeechRequest, SentenceFailed, VoiceUnavailable

KEY = "sk-secret-123"


def failure(script: Callable[[Received], None], **options: object) -> Exception:
    """The error of a sentence."""
    with fake_server(script) as server, voices_of(server.url, **options) as voices:
        with pytest.raises((VoiceUnavailable, BadSpeechRequest, SentenceFailed)) as caught:
            speak(voices)
        return caught.value


def refusing(status: int, body: str, kind: str = "application/json", **headers: str):  # type: ignore[no-untyped-def]
    return lambda received: received.answer(body.encode(), kind, status, **headers)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"error": {"message": "It is broken", "type": "server_error"}}', "application/json"),
        ('{"detail": {"error": "E", "message": "It is broken", "type": "t"}}', "application/json"),
        ('{"detail": "It is broken"}', "application/json"),
        ('{"error": "It is broken"}', "application/json"),
        ('{"message": "It is broken", "code": 5}', "application/problem+json"),
        ('{"detail": [{"loc": ["body"], "msg": "It is broken"}]}', "application/json"),
        ("It is\r\n\tbroken", "text/plain"),
        ("<html><head><title>It is broken</title></head><h1>x</h1></html>", "text/html"),
        ("<html><body><script>x()</script><h1>It is&#32;broken</h1></body>", "text/html"),
    ],
)
def test_the_words_of_the_server_are_repeated_from_any_shape(body: str, kind: str) -> None:
    error = failure(refusing(500, body, kind))
    assert isinstance(error, VoiceUnavailable)
    assert "fails (status 500: It is broken)" in str(error)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, '{"error": {"message": "no key"}}', VoiceUnavailable, "tts_key"),
        (403, "", VoiceUnavailable, "tts_key"),
        (404, "<title>Not Found</title>", VoiceUnavailable, "tts_url"),
        (405, "", VoiceUnavailable, "tts_url"),
        (404, '{"error": {"message": "The model `x` is unknown"}}', VoiceUnavailable, "tts_model"),
        (400, '{"detail": {"message": "Unsupported model: y"}}', VoiceUnavailable, "tts_model"),
        (400, '{"detail": {"message": "Voice \'z\' not found"}}', BadSpeechRequest, "GET /voices"),
        (422, '{"detail": [{"msg": "unknown speaker"}]}', BadSpeechRequest, "GET /voices"),
        (400, '{"detail": "text is not allowed"}', SentenceFailed, "text is not allowed"),
        (413, "", SentenceFailed, "refused by the speech server (status 413)"),
        (429, '{"error": {"message": "quota"}}', VoiceUnavailable, "Try again soon"),
        (500, "", VoiceUnavailable, "status 500"),
        (502, "<html>Bad Gateway</html>", VoiceUnavailable, "Bad Gateway"),
        (503, "", VoiceUnavailable, "accepts no further request"),
        (418, "teapot", VoiceUnavailable, "teapot"),
    ],
)
def test_a_status_means_what_is_to_be_changed(
    status: int, body: str, kind: type[Exception], words: str
) -> None:
    error = failure(refusing(status, body))
    assert type(error) is kind
    assert words in str(error)
    if kind is VoiceUnavailable:
        assert "the speech server at http://127.0.0.1" in str(error)


def test_a_refused_voice_is_a_fault_of_the_field_voice() -> None:
    error = failure(refusing(400, '{"detail": "unknown voice"}'))
    assert isinstance(error, BadSpeechRequest) and error.field == "voice"
    assert "'alloy'" in str(error)


def test_an_error_page_without_end_is_shortened() -> None:
    error = failure(refusing(500, "x" * 1_000_000, "text/plain"))
    assert len(str(error)) < 600 and "xxx…" in str(error)


def test_a_short_retry_after_is_waited_for_once() -> None:
    def busy_once(received: Received) -> None:
        if len(server.received) == 1:
            received.answer(b"", status=429, **{"Retry-After": "0"})
        else:
            received.answer(pcm())

    with fake_server(busy_once) as server, voices_of(server.url) as voices:
        speak(voices)
        assert len(server.received) == 2
        server.script = refusing(429, "", **{"Retry-After": "0"})
        with pytest.raises(VoiceUnavailable, match="in 0 s"):
            speak(voices)
        assert len(server.received) == 4


@pytest.mark.parametrize("is_date", [False, True])
def test_a_long_retry_after_is_passed_on(is_date: bool) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    value = date if is_date else "3600"
    with fake_server(refusing(503, "", **{"Retry-After": value})) as server:
        with voices_of(server.url) as voices, pytest.raises(VoiceUnavailable, match=r"in 3\d{3} s"):
            speak(voices)
        assert len(server.received) == 1


@pytest.mark.parametrize("value", ["", "soon", "-5", "9" * 400, "Wed, 99 Foo 2026"])
def test_a_damaged_retry_after_counts_as_none(value: str) -> None:
    error = failure(refusing(429, "", **{"Retry-After": value}))
    assert isinstance(error, VoiceUnavailable) and "Try again" in str(error)


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"\xff\xfb\x90\x64" + bytes(413) + b"\xff\xfb\x90\x64" + bytes(413), None, "MP3"),
        (b"ID3\x04" + bytes(100), "audio/pcm", "MP3"),
        (b"OggS" + bytes(100), "application/octet-stream", "Ogg"),
        (b"fLaC" + bytes(100), "audio/pcm", "FLAC"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "audio/pcm", "AAC"),
        (bytes(5000), "audio/mpeg", "MP3"),
        (b"<html><title>Log in</title>", "text/html; charset=utf-8", "text/html instead"),
        (b'{"error": {"message": "quota used up"}}', "application/json", "quota used up"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav", "damaged WAV"),
        (b"RIFF\x24\0\0\0WAVE" + b"junk\x10\0\0\0" * 20_000, "audio/wav", "damaged WAV"),
        (pcm(), "audio/wav", "audio/wav instead"),
        (pcm(), "audio/pcm;rate=1", "1 Hz"),
        (pcm(), "audio/pcm;rate=999999999999", "Hz"),
        (pcm(), "audio/pcm;rate=fast", "'fast'"),
        (pcm(), "audio/pcm;channels=0", "0 channels"),
        (pcm(), "application/zip", "application/zip"),
    ],
)
def test_anything_but_pcm_and_wav_is_refused_by_its_name(
    content: bytes, kind: str | None, words: str
) -> None:
    error = failure(lambda received: received.answer(content, kind))
    assert isinstance(error, VoiceUnavailable) and words in str(error)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_compressed_answer_is_refused_by_its_coding(status: int) -> None:
    coded = {"Content-Encoding": "gzip"}
    error = failure(lambda received: received.answer(b"\x1f\x8b" * 99, status=status, **coded))
    assert ("gzip" if status == 200 else f"status {status})") in str(error)


def test_samples_that_look_like_the_beginning_of_an_mp3_are_samples() -> None:
    content = b"\xff\xfb\x90\x64" + pcm()
    with (
        fake_server(lambda received: received.answer(content)) as server,
        voices_of(server.url) as voices,
    ):
        assert speak(voices).duration_s > 0.5


# --- connections


def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def test_a_server_that_does_not_run_is_reported_with_its_address() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with voices_of(url) as voices, pytest.raises(VoiceUnavailable) as caught:
        speak(voices)
    assert f"{url}/v1 cannot be reached (Connection refused)" in str(caught.value)
    assert "tts_url" in str(caught.value)


def test_a_name_without_address_is_reported() -> None:
    with (
        voices_of("http://speech.invalid:9") as voices,
        pytest.raises(VoiceUnavailable, match=r"speech\.invalid cannot be resolved"),
    ):
        speak(voices)


def test_a_host_that_accepts_no_connection_is_given_up() -> None:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):  # fills the queue
            url = f"http://127.0.0.1:{port}"
            with (
                voices_of(url, connect_timeout_s=0.3, timeout_s=1.0) as voices,
                pytest.raises(VoiceUnavailable, match=r"tts_(connect_)?timeout_s"),
            ):
                speak(voices)


def test_a_server_that_is_too_slow_is_given_up() -> None:
    error = failure(lambda received: received.hang(), timeout_s=0.4)
    assert "takes longer than 0.4 s" in str(error) and "tts_timeout_s" in str(error)


def test_a_slow_beginning_is_no_stall() -> None:
    def slow(received: Received) -> None:
        received.begin("audio/pcm", **{"Content-Length": str(len(pcm()))})
        received.is_over.wait(0.5)
        received.send(pcm())

    with fake_server(slow) as server, voices_of(server.url, stall_timeout_s=0.2) as voices:
        speak(voices)


def test_a_stall_in_the_middle_of_the_sound_is_given_up() -> None:
    def stalling(received: Received) -> None:
        received.begin("audio/pcm", **{"Transfer-Encoding": "chunked"})
        received.chunk(pcm())
        received.hang()

    error = failure(stalling, stall_timeout_s=0.3)
    assert "sent nothing for 0.3 s in the middle" in str(error)


def test_drops_of_bytes_do_not_prolong_the_whole_time() -> None:
    def dripping(received: Received) -> None:
        received.begin("audio/pcm", **{"Transfer-Encoding": "chunked"})
        while not received.is_over.wait(0.05):
            received.chunk(b"\x01\x02")

    error = failure(dripping, timeout_s=0.6, stall_timeout_s=0.4)
    assert "takes longer than 0.6 s" in str(error)


def cut_in_a_chunk(received: Received) -> None:
    received.begin("audio/pcm", **{"Transfer-Encoding": "chunked"})
    received.send(b"ffff\r\n" + pcm(0.1))
    received.close()


def cut_between_chunks(received: Received) -> None:
    received.begin("audio/pcm", **{"Transfer-Encoding": "chunked"})
    received.chunk(pcm())
    received.close()


def cut_before_its_length(received: Received) -> None:
    received.begin("audio/pcm", **{"Content-Length": "100000"})
    received.send(pcm(0.1))
    received.close()


def reset(received: Received) -> None:
    received.begin("audio/pcm", **{"Content-Length": "100000"})
    received.send(pcm(0.1))
    linger = b"\x01\0\0\0\0\0\0\0"
    received.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    received.handler.connection.close()
    received.close()


@pytest.mark.parametrize(
    "answer", [cut_in_a_chunk, cut_between_chunks, cut_before_its_length, reset]
)
def test_a_sound_that_is_cut_off_is_an_error(answer: Callable[[Received], None]) -> None:
    error = failure(answer)
    assert isinstance(error, VoiceUnavailable) and "closed the connection" in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x16\x03\x01" + bytes(50),
        b"HTTP/1.1 abc def\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    ],
)
def test_bytes_that_are_not_http_are_an_error(data: bytes) -> None:
    def answer(received: Received) -> None:
        received.send(data)
        received.close()

    assert isinstance(failure(answer), VoiceUnavailable | SentenceFailed)


def test_a_server_that_closes_without_answer_is_an_error() -> None:
    error = failure(lambda received: received.close())
    assert isinstance(error, VoiceUnavailable) and "closed the connection" in str(error)


# --- TLS


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 and its key, in one file."""
    if which("openssl") is None:
        pytest.skip("the program openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    command = ["openssl", "req", "-x509", "-days", "2", *curve, *name, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    both = folder / "both.pem"
    both.write_bytes((folder / "certificate").read_bytes() + (folder / "key").read_bytes())
    return both


@contextmanager
def tls_server(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with fake_server(speaks, context) as server:
        yield server.url


def test_a_certificate_of_an_unknown_authority_is_refused(certificate: Path) -> None:
    with (
        tls_server(certificate) as url,
        voices_of(url, key=KEY) as voices,
        pytest.raises(VoiceUnavailable, match=r"certificate .* not trusted .* tts_ca_file"),
    ):
        speak(voices)


def test_a_certificate_in_the_settings_is_trusted(certificate: Path) -> None:
    with tls_server(certificate) as url, voices_of(url, ca_file=certificate) as voices:
        assert speak(voices).duration_s > 0.5
        assert speak(voices).duration_s > 0.5


def test_a_certificate_of_another_name_is_refused(certificate: Path) -> None:
    with tls_server(certificate) as url:
        named = url.replace("127.0.0.1", "localhost")
        with (
            voices_of(named, ca_file=certificate) as voices,
            pytest.raises(VoiceUnavailable, match="certificate"),
        ):
            speak(voices)


def test_a_plain_server_at_an_https_address_is_an_error() -> None:
    with (
        fake_server(speaks) as server,
        voices_of(server.url.replace("http:", "https:")) as voices,
        pytest.raises(VoiceUnavailable, match=r"TLS|closed"),
    ):
        speak(voices)


def test_a_tls_handshake_that_does_not_end_is_given_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with (
            voices_of(url, connect_timeout_s=0.3) as voices,
            pytest.raises(VoiceUnavailable, match="its TLS handshake does not end"),
        ):
            speak(voices)


def test_a_host_with_several_addresses_is_reached_at_the_one_that_answers() -> None:
    with (
        fake_server(speaks) as server,
        voices_of(server.url.replace("127.0.0.1", "localhost")) as voices,
    ):
        assert speak(voices).duration_s > 0.5


def test_a_tls_server_at_an_http_address_is_an_error(certificate: Path) -> None:
    with (
        tls_server(certificate) as url,
        voices_of(url.replace("https:", "http:")) as voices,
        pytest.raises(VoiceUnavailable),
    ):
        speak(voices)
