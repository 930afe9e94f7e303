"""Small real speech server in the process of the test; the test decides what it answers."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts.openai.voices import OpenAIVoices, SpeechServer
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice

HANG_S = 30.0
"""A server that hangs goes on when the test ends, or after this time."""
TONE_HZ = 440.0


@dataclass
class Received:
    """A request as the server received it, and the means to answer it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    client_port: int
    """Tells connections apart."""
    handler: BaseHTTPRequestHandler
    is_over: threading.Event

    def answer(
        self, body: bytes = b"", kind: str | None = "audio/pcm", status: int = 200, **headers: str
    ) -> None:
        """Send a whole answer with its length."""
        self.begin(kind, status, **{"Content-Length": str(len(body))}, **headers)
        self.handler.wfile.write(body)

    def begin(self, kind: str | None = "audio/pcm", status: int = 200, **headers: str) -> None:
        """Send status and headers."""
        self.handler.send_response(status)
        if kind is not None:
            self.handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.handler.wfile.write(data)

    def chunk(self, data: bytes) -> None:
        """Send one chunk of a chunked answer; an empty one ends it."""
        self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def hang(self) -> None:
        """Do nothing until the test ends."""
        self.is_over.wait(HANG_S)

    def close(self) -> None:
        """Close the connection after this answer."""
        self.handler.close_connection = True


Script = Callable[[Received], None]


@dataclass
class FakeServer:
    """A running server."""

    url: str
    script: Script
    received: list[Received] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    """Errors of sending: the client has left."""
    has_failed: threading.Event = field(default_factory=threading.Event)

    def spoken(self) -> list[Received]:
        """The requests for speech."""
        return [each for each in self.received if each.path.endswith("/audio/speech")]


@contextmanager
def fake_server(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[FakeServer]:
    """Serve `script` on a port of the loopback interface."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(size)
            received = Received(
                method=self.command,
                path=self.path,
                headers=dict(self.headers),
                body=json.loads(text) if text else None,
                client_port=self.client_address[1],
                handler=self,
                is_over=is_over,
            )
            server.received.append(received)
            try:
                server.script(received)
            except OSError as error:
                server.failures.append(error)
                server.has_failed.set()
                self.close_connection = True

        do_GET = do_POST = _serve  # noqa: N815 - the names of the library

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A client that closes a connection is no event."""

    listener = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        listener.socket = tls.wrap_socket(
            listener.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if tls is None else "https"
    server = FakeServer(f"{scheme}://127.0.0.1:{listener.server_port}", script)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        is_over.set()
        listener.shutdown()
        listener.server_close()
        thread.join(10)


def tone(duration_s: float = 0.5, rate_hz: int = 24_000, level: float = 0.5) -> NDArray[np.int16]:
    """A tone of TONE_HZ as 16-bit samples."""
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    return np.asarray(32767 * level * np.sin(2 * np.pi * TONE_HZ * times), np.int16)


def pcm(duration_s: float = 0.5, rate_hz: int = 24_000) -> bytes:
    """A tone as the bytes of an answer."""
    return tone(duration_s, rate_hz).astype("<i2").tobytes()


def speaks(received: Received) -> None:
    """Answer every request for speech with half a second of a tone; there are no other routes."""
    if received.path.endswith("/audio/speech"):
        received.answer(pcm())
    else:
        received.answer(b'{"detail": "Not Found"}', "application/json", 404)


def frequency_hz(speech: Speech) -> float:
    """Return the strongest frequency of a sentence."""
    spectrum = np.abs(np.fft.rfft(speech.samples))
    return float(np.argmax(spectrum) * speech.sample_rate_hz / len(speech.samples))


def speak(
    voices: OpenAIVoices,
    text: str = "Hello there.",
    *,
    voice: str = "openai:alloy",
    speed: float = 1.0,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Speech:
    """Speak one sentence."""
    choice = VoiceChoice(voice=voice, language="en", speed=speed)
    speech = voices.synthesize(Sentence(text, is_end=True, start=0), choice, is_cancelled)
    assert speech is not None
    return speech


@contextmanager
def voices_of(url: str, **options: Any) -> Iterator[OpenAIVoices]:
    """Voices of a server with short time limits."""
    align = options.pop("align", None)
    ca_file = options.pop("ca_file", None)
    if ca_file is not None:
        options["tls"] = ssl.create_default_context(cafile=ca_file)
    limits = {"connect_timeout_s": 5.0, "timeout_s": 20.0, "stall_timeout_s": 10.0}
    voices = OpenAIVoices(SpeechServer(url=url, **{**limits, **options}), align)
    try:
        yield voices
    finally:
        with suppress(RuntimeError):
            voices.close()
