"""A server of `POST /v1/audio/transcriptions` with the peculiarities of real ones."""

import io
import json
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from werkzeug.formparser import parse_form_data


@dataclass
class Received:
    """A request."""

    path: str
    key: str
    fields: dict[str, str]
    rate_hz: int
    duration_s: float


Reply = tuple[int, str]
"""Status and body."""


@dataclass
class RecognitionServer:
    """Answers with `reply`; keeps what it received."""

    reply: Callable[[Received], Reply] = lambda _: (200, '{"text": " Hello there. "}')
    delay_s: float = 0.0
    requests: list[Received] = field(default_factory=list)
    url: str = ""


@contextmanager
def recognition_server() -> Iterator[RecognitionServer]:
    served = RecognitionServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            environ = {
                "wsgi.input": io.BytesIO(body),
                "CONTENT_TYPE": self.headers["Content-Type"],
                "CONTENT_LENGTH": str(len(body)),
                "REQUEST_METHOD": "POST",
            }
            _, form, files = parse_form_data(environ)
            content = io.BytesIO(files["file"].read())
            files["file"].close()
            with wave.open(content) as sound:
                rate_hz, duration_s = sound.getframerate(), sound.getnframes() / 16_000
            received = Received(
                self.path, self.headers["Authorization"], form.to_dict(), rate_hz, duration_s
            )
            served.requests.append(received)
            status, text = served.reply(received)
            time.sleep(served.delay_s)
            with suppress(ConnectionError):  # the client has left
                self.answer(status, text)

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            if status == 307:
                self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


def verbose(*segments: tuple[str, float, float], **more: object) -> str:
    """An answer in OpenAI's format `verbose_json`."""
    return json.dumps(
        {
            "task": "transcribe",
            "language": "english",
            "duration": 2.0,
            "text": " ".join(text for text, _, _ in segments),
            "segments": [
                {"id": number, "text": f" {text}", "start": start, "end": end, **more}
                for number, (text, start, end) in enumerate(segments)
            ],
        }
    )
