"""The whole application on a disk that fails, fills up, disappears or is read-only."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import app as app_module
from api.server.folder_lock import CannotStart, lock_folder
from app import assemble, create_app
from session.fragmented.check import check_film
from tests.lossy_disk import LossyDisk
from tests.tiny_face import LoudnessEngine, tiny_avatar
from tts.catalogue import espeak_voices
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CODES = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def serving(results: Path, avatar_folder: Path) -> Iterator[FlaskClient]:
    settings = Settings(results_dir=results, avatar_id="tiny", max_sessions=1000, min_free_mb=0)
    runtime = Runtime(
        settings=settings,
        avatar=tiny_avatar(avatar_folder),
        engine=LoudnessEngine(),
        voices=espeak_voices(),
    )
    runtime.start()
    assert runtime.wait_until_warm(30)
    try:
        yield assemble(settings, runtime, AvatarStore(results)).test_client()
    finally:
        runtime.close()


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def client(results: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    with serving(results, tmp_path) as client:
        yield client


def say(client: FlaskClient, session_id: str, text: str = "Yes.") -> TestResponse:
    return client.post("/speak", json={"text": text, "session_id": session_id})


def reset(client: FlaskClient, session_id: str) -> TestResponse:
    return client.post("/reset", json={"session_id": session_id})


REQUESTS = (say, say, reset, say)


def test_any_disk_error_is_reported_and_the_next_request_works(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fsync", "posix_fadvise"):
        monkeypatch.setattr(os, name, lambda *_: None)
    disk = LossyDisk(results, monkeypatch)
    with serving(results, tmp_path) as client:
        number, failed = 0, 0
        while converse(client, disk, results, number := number + 1):
            failed += 1
    assert failed > 40


def converse(client: FlaskClient, disk: LossyDisk, results: Path, number: int) -> bool:
    """Run a conversation in a new session, in which the `number`th disk call fails.

    Return False if it had fewer calls.
    """
    name, code, left = f"s{number}", CODES[number % len(CODES)], number

    def before(_: int, __: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(code, os.strerror(code))

    film = results / "sessions" / name / "full_session.mp4"
    kept = b""
    for request in REQUESTS:
        disk.before = before
        answer = request(client, name)
        disk.before = lambda *_: None  # the film is read by the test from here on
        if answer.status_code != 200:
            require_clear(answer, code, results)
            if request is say and film.exists():
                assert film.read_bytes().startswith(kept)
            answer = request(client, name)
            assert answer.status_code == 200, answer.get_json()
        if request is say:
            kept = require_valid(film, b"" if answer.get_json()["clip"]["index"] == 0 else kept)
        else:
            assert not film.exists()
            kept = b""
    assert client.get("/health").status_code == 200
    return left <= 0


def require_clear(answer: TestResponse, code: int, results: Path) -> None:
    problem = answer.get_json()
    assert answer.status_code == (507 if code in NO_ROOM else 503), problem
    assert problem["kind"] == "StorageError"
    for part in (os.strerror(code), "try again", str(results)):
        assert part in problem["detail"]


def require_valid(film: Path, kept: bytes) -> bytes:
    checked = check_film(film)
    assert checked.faults == []
    data = film.read_bytes()
    assert data.startswith(kept)
    assert checked.end == len(data)
    return data


@pytest.mark.parametrize("what", ["session", "all sessions", "results", "film", "journal"])
def test_files_deleted_under_the_server_are_created_again_by_the_next_request(
    client: FlaskClient, results: Path, what: str
) -> None:
    film = results / "sessions" / "bob" / "full_session.mp4"
    assert say(client, "bob").status_code == 200
    before = film.read_bytes()
    gone = {
        "session": film.parent,
        "all sessions": film.parents[1],
        "results": results,
        "film": film,
        "journal": film.with_name(film.name + ".journal"),
    }[what]
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    answer = say(client, "bob")
    assert answer.status_code == 200, answer.get_json()
    now = require_valid(film, before if what == "journal" else b"")
    assert now.startswith(before) == (what == "journal")
    assert answer.get_json()["session"]["bytes"] == len(now)


def test_a_film_deleted_during_a_clip_fails_the_request_and_is_named(
    client: FlaskClient, results: Path
) -> None:
    film = results / "sessions" / "bob" / "full_session.mp4"
    body = {"text": " ".join(["One more sentence."] * 30), "session_id": "bob"}
    answer = client.post(
        "/speak", json=body, headers={"Accept": "text/event-stream"}, buffered=False
    )
    events = iter(answer.response)
    while "event: fragment" not in as_text(next(events)):
        pass
    shutil.rmtree(film.parent)
    *_, last = events
    answer.close()
    assert "event: error" in as_text(last)
    problem = json.loads(as_text(last).split("data: ", 1)[1])
    assert (problem["status"], problem["kind"]) == (409, "SessionError")
    assert "is no longer at its path" in problem["detail"]
    assert say(client, "bob").get_json()["clip"]["index"] == 0


def as_text(chunk: bytes | str) -> str:
    return chunk if isinstance(chunk, str) else chunk.decode()


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Mount a small disk at `folder`."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True, capture_output=True)


def test_a_full_disk_is_answered_507_until_it_has_space_again(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    with mounted(disk), serving(disk, tmp_path) as client:
        assert say(client, "default").status_code == 200
        film = disk / "full_session.mp4"
        before = film.read_bytes()
        ballast = disk / "ballast"
        fill(ballast)
        for session_id in ("default", "new"):
            answer = say(client, session_id)
            assert (answer.status_code, answer.get_json()["kind"]) == (507, "StorageError")
            assert "make room" in answer.get_json()["detail"]
        require_valid(film, before)
        ballast.unlink()
        assert say(client, "default").get_json()["clip"]["index"] >= 1
        assert say(client, "new").status_code == 200
        require_valid(film, before)


def fill(path: Path) -> None:
    """Fill the disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_a_film_on_a_full_disk_is_recovered_at_the_start(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk):
        with serving(disk, tmp_path) as client:
            say(client, "default")
        film = disk / "full_session.mp4"
        before = film.read_bytes()
        with film.open("ab") as file:
            file.write(b"torn by a crash")
        journal = film.with_name(film.name + ".journal")
        with journal.open("ab") as file:
            file.write(b'{"end": 12')
        fill(disk / "ballast")
        with serving(disk, tmp_path) as client:
            assert client.get("/session/full_session.mp4").data == before
            assert say(client, "default").status_code == 507
            (disk / "ballast").unlink()
            assert say(client, "default").status_code == 200
        require_valid(film, before)


def test_a_read_only_disk_is_named_and_written_to_again_when_it_is_writable(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    with mounted(disk), serving(disk, tmp_path) as client:
        assert say(client, "default").status_code == 200
        before = (disk / "full_session.mp4").read_bytes()
    with mounted(disk):
        (disk / "full_session.mp4").write_bytes(before)
        remount(disk, "ro")
        with pytest.raises(CannotStart, match="Read-only file system"):
            lock_folder(disk)
        with serving(disk, tmp_path) as client:
            for session_id in ("default", "new"):
                answer = say(client, session_id)
                assert (answer.status_code, answer.get_json()["kind"]) == (503, "StorageError")
                assert "mount it for writing" in answer.get_json()["detail"]
                assert answer.headers["Retry-After"] == "30"
            remount(disk, "rw")
            assert say(client, "default").status_code == 200
            assert say(client, "new").status_code == 200
        require_valid(disk / "full_session.mp4", before)


def test_a_second_application_in_the_same_folder_does_not_start(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "make_app", lambda *_, **__: app_module.Flask("held"))
    settings = Settings(results_dir=results)
    first = create_app(settings)
    with pytest.raises(CannotStart, match="another server uses it"):
        create_app(settings)
    del first.extensions["warmtalk-folder"]
    create_app(settings)


def test_a_film_in_use_by_a_server_is_not_repaired(client: FlaskClient, results: Path) -> None:
    say(client, "default")
    film = results / "full_session.mp4"
    command = [sys.executable, "-m", "session", "repair", str(film)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Another writer holds" in done.stderr
    require_valid(film, b"")


def test_a_clock_that_jumps_breaks_nothing(
    client: FlaskClient, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten years ahead, back to 1970, and on from there: the system time is only displayed."""
    url = say(client, "default").get_json()["video_url"]
    tag = client.get(url).headers["ETag"]
    film = results / "full_session.mp4"
    for moment in (4e9, 0.0, 1e6):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        os.utime(film, (moment, moment))
        before = film.read_bytes()
        answer = say(client, "default")
        assert answer.status_code == 200
        assert 0 <= answer.get_json()["timings"]["total_s"] < 60
        require_valid(film, before)
        rest = client.get(url, headers={"Range": f"bytes={len(before)}-", "If-Range": tag})
        assert (rest.status_code, before + rest.data) == (206, film.read_bytes())
        assert client.get("/health").get_json()["status"] == "ok"
    assert reset(client, "default").status_code == 200
    assert say(client, "default").get_json()["clip"]["index"] == 0
