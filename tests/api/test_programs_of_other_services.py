"""Programs that were written for other services work here when their base address is changed."""

import io
import time
import wave
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import av
import cv2
import numpy as np
import pytest
import requests

import warm.preparer.process
from isolation.process import WorkerProcess
from tests.api.live_app import LiveApp, live_app
from tests.polling import wait_until
from tests.warm.sample_videos import film, swaying
from tts.registry import VoiceRegistry
from warm.preparer.face_id import is_face_id

pytestmark = pytest.mark.slow

PATIENCE_S = 240.0
POLL_S = 0.1
FRAMES = 12


@pytest.fixture(scope="module")
def started() -> Iterator[list[WorkerProcess]]:
    """The processes of preparations, which do not give way to the rest of the machine here."""
    started: list[WorkerProcess] = []
    start = warm.preparer.process.start_process

    def start_noted() -> WorkerProcess:
        started.append(start())
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm.preparer.process, "NICENESS", 0)
        patch.setattr(warm.preparer.process, "start_process", start_noted)
        yield started


@pytest.fixture(scope="module")
def live(
    tmp_path_factory: pytest.TempPathFactory,
    voices: VoiceRegistry,
    started: list[WorkerProcess],
) -> Iterator[LiveApp]:
    with live_app(tmp_path_factory.mktemp("live"), voices) as running:
        yield running


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("face") / "me.mp4", swaying(FRAMES))


def tone(seconds: float = 0.6) -> bytes:
    """Return a WAV of a loud tone."""
    times = np.arange(int(16_000 * seconds)) / 16_000
    samples = (12_000 * np.sin(2 * np.pi * 220 * times)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def facts_of(film_bytes: bytes) -> tuple[int, float]:
    """Return the number of pictures of an MP4 and the length of its sound in seconds."""
    with av.open(io.BytesIO(film_bytes)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        frames, samples = 0, 0
        for frame in container.decode(video, audio):
            if isinstance(frame, av.VideoFrame):
                frames += 1
            else:
                samples += frame.samples
        assert audio.rate is not None
        return frames, samples / audio.rate


class LipSyncProgram:
    """Asks a lip-sync service for films of a face, and polls it."""

    def __init__(self, base: str) -> None:
        self.base = base

    def upload(self, route: str, name: str, content: bytes) -> str:
        answer = requests.post(f"{self.base}/{route}", files={"file": (name, content)}, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["url"])

    def film(self, **request: Any) -> tuple[bytes, dict[str, Any]]:
        answer = requests.post(f"{self.base}/generate-video", timeout=60, **request)
        answer.raise_for_status()
        created = answer.json()
        assert set(created) == {"id", "status", "result_url", "created_at"}
        assert (created["status"], created["result_url"]) == ("queued", None)
        status = self.wait(created["id"])
        assert status["status"] == "done", status
        video = requests.get(f"{self.base}{status['result_url']}", timeout=60)
        video.raise_for_status()
        return video.content, status

    def wait(self, talk_id: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            answer = requests.get(f"{self.base}/talk-status/{talk_id}", timeout=60)
            answer.raise_for_status()
            status: dict[str, Any] = answer.json()
            if status["status"] in ("done", "error"):
                return status
            assert status["result_url"] is None and 0 <= status["progress"] <= 1
            time.sleep(POLL_S)
        raise AssertionError(f"no end within {PATIENCE_S} s: {status}")


def test_a_program_for_the_lip_sync_service_gets_its_films(
    live: LiveApp, face: Path, started: list[WorkerProcess]
) -> None:
    program = LipSyncProgram(live.base)
    video, status = program.film(
        files={
            "source_image": ("me.png", face.read_bytes()),
            "audio_data": ("hello.mp3", tone(), "audio/mpeg"),
        }
    )
    frames, sound_s = facts_of(video)
    assert 15 <= frames <= 40 and sound_s == pytest.approx(frames / 25, abs=0.1)
    assert str(UUID(status["id"])) == status["id"]
    names = ("created_at", "started_at", "completed_at")
    times = [datetime.strptime(status[name], "%Y-%m-%dT%H:%M:%SZ") for name in names]
    assert times == sorted(times)
    assert abs((times[0].replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()) < 3600
    assert (status["progress"], status["error"]) == (1.0, None)
    assert len(started) == 1
    second_talk_needs_no_preparation(live, program, face, started)


def second_talk_needs_no_preparation(
    live: LiveApp, program: LipSyncProgram, face: Path, started: list[WorkerProcess]
) -> None:
    """The same bytes under another name, by addresses of uploads."""
    source = program.upload("upload-source-image", "other.jpg", face.read_bytes())
    sound = program.upload("upload-audio", "other.wav", tone(0.4))
    fields = {"source_url": source, "audio_url": sound}
    video, _ = program.film(data=fields)
    assert facts_of(video)[0] >= 10
    assert len(started) == 1, "the face was prepared again"
    avatars = [summary.id for summary in live.context.avatars.list()]
    assert [is_face_id(avatar_id) for avatar_id in avatars] == [True]


def test_a_face_that_cannot_be_used_ends_the_talk_with_a_reason(live: LiveApp) -> None:
    program = LipSyncProgram(live.base)
    grey = cv2.imencode(".png", np.full((300, 300, 3), 90, np.uint8))[1].tobytes()
    answer = requests.post(
        f"{live.base}/generate-video",
        files={"source_image": ("grey.png", grey), "audio_data": ("a.wav", tone())},
        timeout=60,
    )
    status = program.wait(answer.json()["id"])
    assert status["status"] == "error" and status["result_url"] is None
    assert "No face was found in grey.png" in status["error"]


@pytest.mark.parametrize(
    ("route", "files", "status", "words"),
    [
        ("generate-video", {"audio_data": ("a.wav", tone())}, 422, "source_image"),
        ("generate-video", {"source_image": ("a.wav", tone())}, 415, "source_image"),
        ("upload-audio", {"nothing": (None, "a")}, 422, "nothing"),
        ("upload-source-image", {}, 415, "multipart"),
        ("upload-source-image", {"file": ("a.png", b"\x89PNG\r\n\x1a\n"), }, 422, "file"),
    ],
)  # fmt: skip
def test_a_request_that_lacks_something_names_it(
    route: str, files: dict[str, Any], status: int, words: str, live: LiveApp
) -> None:
    answer = requests.post(f"{live.base}/{route}", files=files, timeout=60)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


@pytest.mark.parametrize("talk_id", ["0", "..%2Fjobs", "x" * 300, "0" * 32, "%00"])
def test_an_unknown_talk_is_not_found(talk_id: str, live: LiveApp) -> None:
    answer = requests.get(f"{live.base}/talk-status/{talk_id}", timeout=60)
    assert (answer.status_code, answer.json()["kind"]) == (404, "NotFoundError")


def test_a_program_for_the_avatar_backend_prepares_a_face_and_generates_films(
    live: LiveApp, face: Path
) -> None:
    """It asks for a film at once, while the avatar is being prepared."""
    base = live.base
    with face.open("rb") as file:
        prepared = requests.post(
            f"{base}/avatars/prepare",
            files={"video_file": file},
            data={
                "avatar_id": "anna",
                "batch_size": 20,
                "bbox_shift": 5,
                "force_recreate": "false",
            },
            timeout=60,
        )
    assert prepared.status_code == 200, prepared.text
    assert prepared.json()["status"] == "queued"
    assert "batch_size" in prepared.json()["remarks"][0]
    twice = requests.post(
        f"{base}/avatars/prepare", json={"avatar_id": "anna", "video_url": upload(base, face)},
        timeout=60,
    )  # fmt: skip
    assert (twice.status_code, twice.json()["kind"]) == (409, "NotReadyError")
    generated = requests.post(
        f"{base}/generate",
        files={"audio_file": ("hello.wav", tone())},
        data={"avatar_id": "anna", "batch_size": 2, "fps": 30},
        timeout=60,
    )
    assert generated.status_code == 200, generated.text
    wait_until(lambda: preparation(base)["face"], "the face", PATIENCE_S)
    shown = requests.get(base + preparation(base)["preview_url"], timeout=60)
    assert shown.headers["content-type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.shape == (240, 204, 3)
    done = film_of(base, generated.json()["request_id"])
    assert "batch_size" in done["remarks"][0]
    video = requests.get(base + done["video_url"], timeout=60)
    assert facts_of(video.content)[0] == done["frames"] and done["fps"] == 30
    assert preparation(base)["status"] == "done"
    spoken(base)
    used_and_deleted(live)


def upload(base: str, path: Path) -> str:
    answer = requests.post(f"{base}/uploads", data=path.read_bytes(), timeout=60)
    return str(answer.json()["url"])


def preparation(base: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{base}/avatars/anna/preparation", timeout=60).json()
    return found


def film_of(base: str, request_id: str) -> dict[str, Any]:
    """Wait for a film."""
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(requests.get(f"{base}/generate/{request_id}", timeout=60).json())
        return found["status"] not in ("queued", "running")

    wait_until(is_over, "the film", PATIENCE_S)
    assert found["status"] == "done", found
    return found


def spoken(base: str) -> None:
    """A text may be sent in place of a recording; exactly one of both is required."""
    both = {"avatar_id": "anna", "text": "Hello."}
    refused = requests.post(
        f"{base}/generate", data=both, files={"audio_file": ("a.wav", tone())}, timeout=60
    )
    assert refused.status_code == 422 and "exactly one" in refused.json()["detail"]
    assert (
        requests.post(f"{base}/generate", json={"avatar_id": "anna"}, timeout=60).status_code == 422
    )
    answer = requests.post(f"{base}/generate", json=both, timeout=60)
    done = film_of(base, answer.json()["request_id"])
    with requests.get(done["result_url"], timeout=60) as video:
        assert facts_of(video.content)[0] == done["frames"]


def used_and_deleted(live: LiveApp) -> None:
    """An avatar is deleted once no session uses it."""
    base = live.base
    details = requests.get(f"{base}/avatars/anna", timeout=60).json()
    assert details["face"]["certainty"] == "sure" and details["source"] == "me.mp4"
    assert details["used_by"] == [] and isinstance(details["warnings"], list)
    made = requests.post(
        f"{base}/sessions", json={"session_id": "s", "avatar_id": "anna"}, timeout=60
    )
    assert made.ok, made.text
    refused = requests.delete(f"{base}/avatars/anna", timeout=60)
    assert (refused.status_code, refused.json()["kind"]) == (409, "AvatarError")
    assert "session 's'" in refused.json()["detail"]
    assert requests.delete(f"{base}/sessions/s", timeout=60).ok
    assert requests.delete(f"{base}/avatars/anna", timeout=60).ok
    assert requests.get(f"{base}/avatars/anna", timeout=60).status_code == 404
    assert not (live.context.avatars.root / "anna").exists()
    gone = requests.post(f"{base}/generate", json={"avatar_id": "anna", "text": "a"}, timeout=60)
    assert gone.status_code == 404
