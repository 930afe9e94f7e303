"""Avatars are prepared in a process of their own, which is watched and leaves nothing behind."""

import hashlib
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

import warm.preparer.preparer
from isolation.process import ROOT, WorkerProcess
from tests.polling import wait_until
from tests.warm.avatars.test_store import save
from tests.warm.preparer.engines import array_engine
from tests.warm.sample_videos import film, swaying
from warm.avatars.store import AvatarStore
from warm.preparer.errors import (
    AvatarBeingPrepared,
    PreparationCancelled,
    PreparationCrashed,
    PreparationTimedOut,
    PreparationTooLarge,
    UnreadableSource,
)
from warm.preparer.face_id import face_id
from warm.preparer.options import PrepareOptions
from warm.preparer.preparer import Preparer
from warm.preparer.process import PreparationLimits
from warm.preparer.seen_face import SeenFace
from warm.sessions.errors import DiskNearlyFull
from warm.settings import Settings

pytestmark = pytest.mark.slow

SPOKEN = PrepareOptions(source_name="anna.mp4")
FRAMES = 12


@dataclass
class Rig:
    """A preparer of a results folder, and what it has reported."""

    preparer: Preparer
    store: AvatarStore
    progress: list[tuple[float, str]]
    faces: list[SeenFace]

    def prepare(
        self, source: Path, is_cancelled: Callable[[], bool] = lambda: False, name: str = "anna"
    ) -> None:
        self.preparer.prepare(
            source, name, SPOKEN, self.report, is_cancelled, on_face=self.faces.append
        )

    def report(self, fraction: float, stage: str) -> None:
        self.progress.append((fraction, stage))

    def names(self) -> list[str]:
        """Return everything in the avatars' folder."""
        return sorted(path.name for path in self.store.root.glob("*"))


def make_rig(results: Path, **named: object) -> Rig:
    results.mkdir(exist_ok=True)
    store = AvatarStore(results)
    settings = Settings.model_validate({"results_dir": results, **named})
    return Rig(Preparer(settings, store, engine=array_engine), store, [], [])


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return make_rig(tmp_path / "results")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("video") / "secret-path.mp4", swaying(FRAMES))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> list[WorkerProcess]:
    """The processes that were started."""
    started: list[WorkerProcess] = []
    start = warm.preparer.process.start_process

    def start_noted() -> WorkerProcess:
        started.append(start())
        return started[-1]

    monkeypatch.setattr(warm.preparer.process, "start_process", start_noted)
    return started


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that announces this size, and has a few compressed bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(10_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def test_a_video_becomes_an_avatar_and_its_face_is_reported_on_the_way(
    rig: Rig, video: Path
) -> None:
    rig.prepare(video)
    summary = rig.store.summary("anna")
    assert (summary.state, summary.frames, summary.source) == ("ready", FRAMES, "anna.mp4")
    assert summary.face is not None and summary.face.certainty == "sure"
    assert (summary.face.faces, summary.face.frames_with_face) == (1, 1.0)
    fractions = [fraction for fraction, _ in rig.progress]
    assert fractions == sorted(fractions) and fractions[0] == 0.0 and fractions[-1] == 1.0
    assert "following the face" in {stage for _, stage in rig.progress}
    face = rig.faces[0]
    assert face.size == (204, 240) and len(face.landmarks) == 468
    left, top, right, bottom = face.box
    inside = [left <= x <= right and top - 30 <= y <= bottom for x, y in face.landmarks]
    assert np.mean(inside) > 0.9
    shown = cv2.imdecode(np.frombuffer(face.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None and shown.shape == (240, 204, 3)
    assert rig.names() == ["anna"]
    ensured_at_once(rig, video)


def ensured_at_once(rig: Rig, video: Path) -> None:
    """An up-to-date avatar of an upload needs no process."""
    (rig.store.root / "anna").rename(rig.store.root / face_id(digest_of(video)))
    upload = Source(video)
    started = rig.progress.copy()
    assert rig.preparer.ensure(upload, rig.report, lambda: False) == face_id(upload.sha256)
    assert rig.progress == started


@dataclass(frozen=True)
class Source:
    """A file as an upload describes it."""

    path: Path
    name: str = "anna.mp4"

    @property
    def sha256(self) -> str:
        return digest_of(self.path)


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bomb_is_refused_in_words_that_do_not_name_its_path(rig: Rig, tmp_path: Path) -> None:
    source = tmp_path / "secret-path"
    source.write_bytes(png_header(100_000, 100_000))
    with pytest.raises(UnreadableSource, match="anna") as caught:
        rig.prepare(source)
    assert "secret-path" not in str(caught.value)
    assert rig.names() == []


def test_a_preparation_that_is_cancelled_leaves_no_process_and_no_file(
    rig: Rig, video: Path, worker: list[WorkerProcess]
) -> None:
    with pytest.raises(PreparationCancelled):
        rig.prepare(video, is_cancelled=lambda: any(".building" in name for name in rig.names()))
    assert not worker[0].is_alive
    assert rig.names() == []
    assert not rig.preparer.is_preparing("anna")


def test_a_preparation_ends_with_the_server(rig: Rig, video: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(ROOT), str(rig.store.results), str(video)],
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    server.kill()
    server.wait()
    server.stdout.close()
    wait_until(lambda: not is_running(pid), "the end of the preparation's process")


SERVER = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
import warm.preparer.process as process
from tests.warm.preparer.test_preparer import make_rig
start = process.start_process
def noted():
    worker = start()
    print(worker.pid, flush=True)
    return worker
process.start_process, process.NICENESS = noted, 0
make_rig(Path(sys.argv[2])).prepare(Path(sys.argv[3]))
"""


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


HANGS = "import time; time.sleep(600)"
FILLS = "import time; filled = bytearray(200_000_000); time.sleep(600)"
STARTS_A_CHILD = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'filled ="
    " bytearray(201_000_000); import time; time.sleep(600)']); time.sleep(600)"
)
CRASHES = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
IS_KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
WRITES_RUBBISH = "import sys; sys.stdout.write('x' * 5000); sys.stdout.flush()"
LIES = "import sys; sys.stdout.buffer.write(b'\\x0c\\0\\0\\0\\0\\0\\0\\0{\"face\": {}}')"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (HANGS, (PreparationTimedOut, "preparation_timeout_s")),
        (FILLS, (PreparationTooLarge, "preparation_memory_mb")),
        (STARTS_A_CHILD, (PreparationTooLarge, "smaller picture")),
        (CRASHES, (PreparationCrashed, "SIGSEGV")),
        (IS_KILLED, (PreparationCrashed, "out of memory")),
        (WRITES_RUBBISH, (PreparationCrashed, "not a message")),
        (LIES, (PreparationCrashed, "cannot be read")),
    ],
    ids=["hangs", "fills memory", "a child fills it", "crashes", "killed", "rubbish", "lies"],
)
def test_a_process_that_misbehaves_is_ended_with_all_that_it_started(
    program: str,
    expected: tuple[type[Exception], str],
    rig: Rig,
    worker: list[WorkerProcess],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm.preparer.process, "COMMAND", (sys.executable, "-c", program))
    limits = PreparationLimits(memory_bytes=150_000_000, time_s=2.0 if program == HANGS else 600.0)
    monkeypatch.setattr(rig.preparer, "_limits", limits)
    with pytest.raises(expected[0], match=expected[1]):
        rig.prepare(ROOT)
    assert not worker[0].is_alive
    wait_until(lambda: not of_this_test(), "the end of what the process has started")
    assert rig.names() == []


def of_this_test() -> list[Path]:
    """Return the processes of `STARTS_A_CHILD`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if "bytearray(201_000_000)" in path.read_text("utf-8", errors="replace"):
                found.append(path)
    return found


def test_a_stopped_process_is_ended_too(
    rig: Rig,
    worker: list[WorkerProcess],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(warm.preparer.process, "COMMAND", (sys.executable, "-c", HANGS))

    def is_cancelled() -> bool:
        if not worker:
            return False
        os.kill(worker[0].pid, signal.SIGSTOP)
        return worker[0].state() == "T"

    with pytest.raises(PreparationCancelled):
        rig.prepare(tmp_path, is_cancelled)
    assert not worker[0].is_alive


def test_a_preparation_that_would_fill_the_disk_is_ended(tmp_path: Path) -> None:
    rig = make_rig(tmp_path / "results", min_free_mb=1e9)
    with pytest.raises(DiskNearlyFull, match="min_free_mb"):
        rig.prepare(tmp_path)


def test_an_avatar_is_prepared_by_one_caller_at_a_time_and_others_wait_for_their_turn(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running, finish = threading.Event(), threading.Event()
    started: list[str] = []

    def run(request: dict[str, str], *_: object, **_named: object) -> None:
        started.append(request["avatar_id"])
        running.set()
        assert finish.wait(60)
        save(rig.store, request["avatar_id"])

    monkeypatch.setattr(warm.preparer.preparer, "run_preparation", run)
    first = threading.Thread(target=rig.prepare, args=(tmp_path,))
    second = threading.Thread(target=lambda: rig.prepare(tmp_path, name="berta"))
    first.start()
    assert running.wait(60)
    with pytest.raises(AvatarBeingPrepared, match="anna"):
        rig.prepare(tmp_path)
    second.start()
    wait_until(lambda: rig.preparer.is_preparing("berta"), "the second avatar's turn")
    assert started == ["anna"]
    with pytest.raises(PreparationCancelled):
        rig.prepare(tmp_path, lambda: True, name="carla")
    finish.set()
    first.join(60)
    second.join(60)
    assert started == ["anna", "berta"] and rig.names() == ["anna", "berta"]
