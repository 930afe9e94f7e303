"""examples/client.py speaks a text and saves the film; examples/live_socket.py speaks a sound."""

import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import pytest

from tests.api.live_sockets import noise
from tests.api.server_process import ROOT, Server, free_port, serving
from tests.tiny_face import MOUTH, PATCH

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("client") / "results") as server:
        yield server


def run(*words: str, example: str = "client.py") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"examples/{example}", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_saved_film_shows_a_mouth_that_moves_with_the_sound(
    server: Server, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    address = f"http://127.0.0.1:{server.port}"
    done = run("Good morning to you.", "--server", address, "--out", str(film))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{film}: ") and "added at 0.00 s" in done.stdout
    x, y = MOUTH
    with av.open(str(film)) as opened:
        pictures = [frame.to_ndarray(format="gray") for frame in opened.decode(video=0)]
    mouths = [picture[y : y + PATCH, x : x + PATCH].mean() for picture in pictures]
    assert len(pictures) > 20
    assert max(mouths) - min(mouths) > 40


def test_an_error_of_the_server_is_printed_without_a_traceback(
    server: Server, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{server.port}"
    done = run("Hi.", "--server", address, "--session", "no/name", "--out", str(tmp_path / "f.mp4"))
    assert done.returncode == 1
    assert "session_id" in done.stderr and "Traceback" not in done.stderr


def test_an_unreachable_server_is_reported_in_one_line(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = run("Hi.", "--server", address, "--out", str(tmp_path / "film.mp4"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "refused" in done.stderr


def test_a_sound_is_spoken_live_and_comes_back_with_pictures(
    server: Server, tmp_path: Path
) -> None:
    given, shown = tmp_path / "given.wav", tmp_path / "shown"
    pcm = noise(0.6, 24_000)
    write_wav(given, pcm, channels=1)
    address = f"ws://127.0.0.1:{server.port}"
    words = (str(given), "--server", address, "--out", str(shown))
    done = run(*words, example="live_socket.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{shown}: 0.60 s\n"
    pictures = [cv2.imread(str(path)) for path in sorted(shown.glob("*.jpg"))]
    assert len(pictures) >= 8
    with wave.open(str(shown / "sound.wav")) as saved:
        heard = saved.readframes(saved.getnframes())
    assert pcm[2400:4800] in heard


def test_a_sound_that_the_live_socket_does_not_take_is_reported_in_one_line(
    server: Server, tmp_path: Path
) -> None:
    stereo = tmp_path / "stereo.wav"
    write_wav(stereo, bytes(400), channels=2)
    words = (str(stereo), "--server", f"ws://127.0.0.1:{server.port}", "--out", str(tmp_path / "x"))
    done = run(*words, example="live_socket.py")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "must be mono" in done.stderr


def write_wav(path: Path, pcm: bytes, *, channels: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(pcm)
