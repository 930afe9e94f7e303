"""A server with OpenAI's transcription route that answers each recording with one text."""

import io
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from tests.web.spoken_samples import Samples


@dataclass(slots=True)
class TranscriptionServer:
    """The running server."""

    url: str
    text: str
    received: list[Samples] = field(default_factory=list)
    """The recordings, in the order of their arrival."""


@contextmanager
def transcription_server(text: str) -> Iterator[TranscriptionServer]:
    """Run the server on 127.0.0.1; its URL ends in `/v1`."""
    handler = type("Handler", (_Handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state = TranscriptionServer(f"http://127.0.0.1:{http.server_port}/v1", text)
    handler.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), name="transcriptions")
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        thread.join(10)
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: TranscriptionServer

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        self._answer("application/json", b'{"object": "list", "data": []}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with wave.open(io.BytesIO(body[body.index(b"RIFF") :])) as file:
            frames = file.readframes(file.getnframes())
        self.state.received.append(
            np.frombuffer(frames, "<i2").astype(np.float32) / np.float32(2**15)
        )
        self._answer("application/json", f'{{"text": "{self.state.text}"}}'.encode())

    def _answer(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
