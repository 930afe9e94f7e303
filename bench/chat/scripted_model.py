"""A chat server that sends scripted answers at the pace of a language model."""

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

FIRST_TOKEN_S = 0.08
TOKENS_PER_S = 30.0
NAME = "scripted"
_TOKEN = re.compile(r"\s*\w{1,6}|\s*[^\w\s]|\s+")
"""Words, parts of long words, and marks, each with the blank before it."""
_SENTENCE_END = re.compile(r"[.!?]$")


@dataclass(slots=True)
class ScriptedModel:
    """The running server."""

    url: str
    answers: Sequence[str]
    """Given in turn, whatever is asked."""
    first_token_s: float = FIRST_TOKEN_S
    token_s: float = 1 / TOKENS_PER_S
    sentence_ends_s: list[float] = field(default_factory=list)
    """Time at which the first sentence of each answer was sent, by `time.perf_counter`."""
    numbers: Iterator[int] = field(default_factory=count)


@contextmanager
def scripted_model(answers: Sequence[str]) -> Iterator[ScriptedModel]:
    """Run a server on the loopback interface for the duration of the block."""
    handler = type("Handler", (_Handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    model = ScriptedModel(f"http://127.0.0.1:{http.server_port}/v1", answers)
    handler.model = model  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), name="scripted-model")
    thread.start()
    try:
        yield model
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    model: ScriptedModel

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""

    def do_GET(self) -> None:
        """List the one model."""
        self._begin("application/json")
        self.wfile.write(json.dumps({"object": "list", "data": [{"id": NAME}]}).encode())

    def do_POST(self) -> None:
        """Stream the next answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        model = self.model
        answer = model.answers[next(model.numbers) % len(model.answers)]
        self._begin("text/event-stream")
        self.connection.settimeout(30)
        time.sleep(model.first_token_s)
        try:
            self._send_tokens(answer)
        except OSError:
            return  # the client left

    def _begin(self, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.end_headers()

    def _send_tokens(self, answer: str) -> None:
        due_s = time.perf_counter()
        is_first_sentence = True
        for token in _TOKEN.findall(answer):
            time.sleep(max(0.0, due_s - time.perf_counter()))
            self._send({"index": 0, "delta": {"content": token}, "finish_reason": None})
            if is_first_sentence and _SENTENCE_END.search(token):
                self.model.sentence_ends_s.append(time.perf_counter())
                is_first_sentence = False
            due_s += self.model.token_s
        self._send({"index": 0, "delta": {}, "finish_reason": "stop"})
        self.wfile.write(b"data: [DONE]\n\n")

    def _send(self, choice: dict[str, object]) -> None:
        chunk = {"object": "chat.completion.chunk", "model": NAME, "choices": [choice]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()
