"""The code samples of the documents, run against a real server with a tiny avatar."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.api.server_process import Server, serving
from tests.chat.scripted_server import scripted_server
from tests.setup.documents import ROOT, Block, blocks, commands, pages

pytestmark = pytest.mark.slow

WRITTEN_PORT = re.compile(r"(localhost|127\.0\.0\.1):8000\b")
SENT_FILE = re.compile(r"(?:^|=)@([\w.-]+)")
ENDLESS = re.compile(r"/(events|stream)(\?|$)")
ENDLESS_S = "3"
"""How long curl reads a response that has no end."""
TIMED_OUT = 28
"""Exit status of curl after that time."""
PATIENCE_S = 60


def samples(page: Path) -> list[Block]:
    """The blocks of a page that talk to a server, in order."""
    return [
        block
        for block in blocks(page)
        if not block.not_run
        and (block.language == "python" or (block.language == "sh" and "curl" in block.text))
    ]


def with_samples() -> list[Path]:
    return [page for page in pages() if samples(page)]


def asks_curl(page: Path) -> bool:
    return any(block.language == "sh" for block in samples(page))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with (
        scripted_server() as model,
        serving(tmp_path / "results", "none", f"chat_url={model.url}") as running,
    ):
        yield running


def speak(server: Server, text: str, session_id: str = "default") -> Any:
    status, answer = server.call("POST", "/speak", {"text": text, "session_id": session_id})
    assert status == 200, answer
    return answer


@pytest.mark.parametrize("page", with_samples(), ids=lambda page: str(page.relative_to(ROOT)))
def test_its_samples_run_in_their_order(page: Path, server: Server, tmp_path: Path) -> None:
    if asks_curl(page) and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    speak(server, "Good morning.")  # pages show what is there once something was said
    for block in samples(page):
        if block.language == "python":
            run_python(block, server, tmp_path)
        else:
            run_curl(block, server, tmp_path)


def run_python(block: Block, server: Server, folder: Path) -> None:
    done = run([sys.executable, "-W", "error", "-c", here(block.text, server)], folder)
    assert done.returncode == 0, f"{block}: {done.stderr}"
    assert done.stdout, f"{block} prints nothing"


def run_curl(block: Block, server: Server, folder: Path) -> None:
    for words in commands(block):
        if words[0] != "curl":
            continue
        is_endless = any(ENDLESS.search(word) for word in words)
        limit = ["--max-time", ENDLESS_S] if is_endless else []
        asked = [here(word, server) for word in words[1:]]
        make_files(words, folder)
        done = run(["curl", "--silent", "--show-error", "--fail", *limit, *asked], folder)
        expected = TIMED_OUT if is_endless else 0
        assert done.returncode == expected, f"{block}: {words}: {done.stdout}{done.stderr}"
        check_answer(words, done.stdout, folder)


def make_files(words: Sequence[str], folder: Path) -> None:
    """Make the pictures and sounds that a command sends."""
    for name in (found[1] for word in words if (found := SENT_FILE.search(word))):
        path = folder / name
        if path.suffix in (".jpg", ".png"):
            Image.new("RGB", (64, 64), (90, 120, 150)).save(path)
        elif not path.exists():
            path.write_bytes(hum())


def hum() -> bytes:
    """One second of a tone, as a WAV file."""
    wave_form = 8000 * np.sin(np.arange(16_000) * 2 * np.pi * 220 / 16_000)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(wave_form.astype("<i2").tobytes())
    return file.getvalue()


def check_answer(words: Sequence[str], answer: str, folder: Path) -> None:
    """A file that was saved is an MP4; an answer on stdout is what its route sends."""
    if "-o" in words:
        assert (folder / words[words.index("-o") + 1]).read_bytes()[4:8] == b"ftyp", words
    elif answer.startswith("{"):
        json.loads(answer)
    else:
        assert answer.startswith(("#EXTM3U", "WEBVTT", "retry: ", "event: ")), answer[:200]
        assert "event: error" not in answer, answer


def here(text: str, server: Server) -> str:
    """A sample with the address and the avatar of this server."""
    return WRITTEN_PORT.sub(rf"\1:{server.port}", text).replace('"demo"', '"tiny"')


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


# --- answers that are shown


def test_the_answers_that_http_md_shows_are_those_of_the_server(server: Server) -> None:
    answer, problem = (
        json.loads(block.text)
        for block in blocks(ROOT / "docs" / "http.md")
        if block.language == "json" and ('"clip": {' in block.text or '"type"' in block.text)
    )
    real = speak(server, answer["clip"]["text"])
    assert shape(real) == shape(answer)
    assert real["clip"] == answer["clip"]
    status, real = server.call("POST", "/speak", {"text": "Hello.", "lead_s": 0.1})
    assert (status, shape(real)) == (422, shape(problem))
    assert real["detail"] == problem["detail"]


DESCRIBED = (
    *("/session", "/sessions", "/sessions sessions", "/health", "/stats", "/stats requests"),
    *(
        "/stats sessions",
        "/stats watchers",
        "/stats cache",
        "/stats engine",
        "/stats device",
        "/voices",
    ),
    *("/voices voices", "/avatars", "/archives"),
)


def test_every_member_of_an_answer_is_described_in_http_md(server: Server) -> None:
    page = (ROOT / "docs" / "http.md").read_text("utf-8")
    speak(server, "Good morning.")
    answers = {name: answer_of(server, name) for name in DESCRIBED}
    answers["/interrupt"] = server.call("POST", "/interrupt", {})[1]
    missing = {
        f"{name}: {member}"
        for name, answer in answers.items()
        for member in answer
        if f"`{member}`" not in page
    }
    assert missing == set()


def answer_of(server: Server, name: str) -> Any:
    """The answer of a route, or one of its members; the first one of a list."""
    path, *members = name.split()
    answer = server.call("GET", path)[1]
    for member in members:
        answer = answer[member]
    return answer[0] if isinstance(answer, list) else answer


def shape(value: object) -> object:
    """The members of JSON objects, without their values."""
    return {name: shape(each) for name, each in value.items()} if isinstance(value, dict) else ...


# --- command-line tools for films


def test_the_film_commands_of_films_md_work(tmp_path: Path) -> None:
    with serving(tmp_path / "results") as server:
        speak(server, "Good morning.")
        shutil.copy(tmp_path / "results" / "full_session.mp4", tmp_path / "film.mp4")
    (block,) = [each for each in blocks(ROOT / "docs" / "films.md") if each.language == "sh"]
    for program, *words in commands(block):
        assert program == ".venv/bin/python"
        done = run([sys.executable, *words], tmp_path)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    assert (tmp_path / "talk.mp4").stat().st_size > 0
    assert (tmp_path / "both.mp4").stat().st_size > 0
