"""A chat server with scripted replies, pace and errors, and the deviations of real servers."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "scripted-1"
_TOKEN = re.compile(r"\s*\S{1,6}|\s+")

Style = str
"""Deviations of a real server: "openai", "ollama", "llama.cpp", "vllm" or "bare"."""


def tokens_of(text: str) -> list[str]:
    """Split a text into pieces of the size of a model's tokens; joined, they are the text."""
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One answer of the server."""

    text: str = "Hello there. How are you today?"
    tokens: Sequence[str] | None = None
    """The pieces of the text; None: words and parts of words."""
    first_s: float = 0.0
    """Time before the first token."""
    token_s: float = 0.0
    """Time between two tokens."""
    style: Style = "openai"
    thought: str = ""
    """Sent as reasoning before the text."""
    status: int = 200
    body: str = ""
    """Body of an answer with another status than 200, or of one that is not a stream."""
    content_type: str = ""
    """Content type of `body`."""
    finish: str | None = "stop"
    """None: the stream ends without a reason and without [DONE]."""
    cut_after: int | None = None
    """The connection is closed after this number of tokens."""
    reset_after: int | None = None
    """The connection is reset after this number of tokens."""
    error_after: int | None = None
    """The stream has an error after this number of tokens."""
    error: Any = None
    raw: Sequence[str] = ()
    """The stream byte by byte, in place of everything above."""
    gate: threading.Event | None = None
    """Awaited after the first `gate_after` tokens."""
    gate_after: int = 0
    endless: bool = False
    """The text is repeated until the client leaves."""


@dataclass(slots=True)
class Received:
    """A request for a reply."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class ScriptedServer:
    """The running server. `script` answers each request; it may be replaced at any time."""

    url: str
    script: Script | Callable[[dict[str, Any]], Script]
    received: list[Received] = field(default_factory=list)
    """Requests for replies, in the order of their arrival; no other requests."""
    left: list[float] = field(default_factory=list)
    """Times at which clients left in the middle of a reply."""
    models: list[str] = field(default_factory=lambda: [MODEL])
    sentence_times: list[tuple[str, float]] = field(default_factory=list)
    """The text so far and the time, after each token that ends in a full stop or the like."""

    def script_for(self, body: dict[str, Any]) -> Script:
        """Return the answer to a request."""
        return self.script if isinstance(self.script, Script) else self.script(body)


@contextmanager
def scripted_server(
    script: Script | Callable[[dict[str, Any]], Script] | None = None, *, port: int = 0
) -> Iterator[ScriptedServer]:
    """Run a scripted chat server on 127.0.0.1; its URL ends in `/v1`."""
    handler = type("Handler", (_Handler,), {})
    http = _Server(("127.0.0.1", port), handler)
    state = ScriptedServer(f"http://127.0.0.1:{http.server_port}/v1", script or Script())
    handler.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), name="scripted-chat")
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        thread.join(10)
        http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    state: ScriptedServer
    protocol_version = "HTTP/1.1"
    close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """List the models."""
        listed = {"object": "list", "data": [{"id": each} for each in self.state.models]}
        self._answer(200, json.dumps(listed), "application/json")

    def do_POST(self) -> None:
        """Answer a request for a reply."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.received.append(Received(self.path, dict(self.headers), body))
        script = self.state.script_for(body)
        if script.status != 200 or script.body:
            self._answer(script.status, script.body, script.content_type or "application/json")
            return
        try:
            self._stream(script)
        except OSError:
            self.state.left.append(time.monotonic())

    def _answer(self, status: int, body: str, content_type: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        if 300 <= status < 400:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, script: Script) -> None:
        if script.style != "llama.cpp":
            self._begin()
        self._pause(script.first_s)
        if script.style == "llama.cpp":
            self._begin()
        if script.raw:
            for piece in script.raw:
                self.wfile.write(piece.encode())
                self.wfile.flush()
            return
        for chunk in _opening(script):
            self._event(chunk)
        if self._tokens(script):
            self._finish(script)

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()

    def _tokens(self, script: Script) -> bool:
        """Send the text; False if the script ends the connection."""
        said = ""
        for number, token in enumerate(_endless_tokens(script)):
            if script.gate is not None and number == script.gate_after:
                self._wait_for_gate(script.gate)
            if number == script.cut_after:
                return False
            if number == script.reset_after:
                self._reset()
                return False
            if number == script.error_after:
                self._send(json.dumps(script.error))
                return False
            if number and script.token_s:
                self._pause(script.token_s)
            self._event(_chunk(script, {"content": token}))
            said += token
            if token.rstrip()[-1:] in ".!?:;。！？":
                self.state.sentence_times.append((said, time.monotonic()))
        return True

    def _finish(self, script: Script) -> None:
        if script.finish is None:
            return
        self._event(_chunk(script, {}, script.finish))
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        if script.style in ("openai", "llama.cpp"):
            self._event({**_chunk(script, None), "choices": [], "usage": usage})
        if script.style == "vllm":
            self._event({**_chunk(script, None), "choices": None, "usage": usage})
        if script.style != "bare":
            self._send("[DONE]")

    def _event(self, chunk: Mapping[str, Any]) -> None:
        self._send(json.dumps(chunk, ensure_ascii=False))

    def _send(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def _pause(self, seconds: float) -> None:
        """Wait; raises BrokenPipeError if the client leaves meanwhile."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            self._check_client()
            time.sleep(min(left_s, 0.05))

    def _wait_for_gate(self, gate: threading.Event) -> None:
        until = time.monotonic() + 60
        while not gate.wait(0.02) and time.monotonic() < until:
            self._check_client()

    def _check_client(self) -> None:
        self.connection.setblocking(False)
        try:
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise BrokenPipeError
        except BlockingIOError:
            pass
        finally:
            self.connection.setblocking(True)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()


def _endless_tokens(script: Script) -> Iterator[str]:
    tokens = tokens_of(script.text) if script.tokens is None else script.tokens
    yield from tokens
    while script.endless:
        yield from tokens


def _opening(script: Script) -> Iterator[Mapping[str, Any]]:
    """Yield what comes before the text: the role, and the thoughts."""
    if script.style == "openai":
        yield _chunk(script, {"role": "assistant", "content": "", "refusal": None})
    if script.style == "llama.cpp":
        yield _chunk(script, {"role": "assistant", "content": None})
    name = "reasoning_content" if script.style == "llama.cpp" else "reasoning"
    for token in tokens_of(script.thought):
        yield _chunk(script, {name: token, **_repeated(script)})


def _repeated(script: Script) -> dict[str, str]:
    """Return what Ollama repeats in every chunk."""
    return {"role": "assistant", "content": ""} if script.style == "ollama" else {}


def _chunk(
    script: Script, delta: Mapping[str, Any] | None, finish: str | None = None
) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    if delta is not None and script.style == "ollama":
        choice["delta"] = {**_repeated(script), **delta}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
    }
