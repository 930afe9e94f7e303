"""The hub and a real live process: calls, media, crashes, and processes that are stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isolation.process import ROOT
from tests.polling import wait_until
from tests.tiny_face import HEIGHT, WIDTH, tiny_avatar
from warm.avatars.avatar import Avatar
from warm.live.errors import LiveFailed, LiveRefused, LiveUnavailable
from warm.live.hub import LiveHub
from warm.live.process import supervisor
from warm.live.wire.control import MessageTooLong
from warm.render.live_sink import LiveClip, LiveFilm, LiveFrames
from warm.settings import Settings

pytestmark = pytest.mark.slow

PROBE = "tests.warm.live.probe"
PICTURES = {"packets": False, "pictures": True, "pcm": False}


class Films:
    """Sessions without films, all with one avatar."""

    def __init__(self, avatar: Avatar) -> None:
        self.avatar = avatar

    def live_film(self, session_id: str) -> LiveFilm:
        return LiveFilm(
            session_id=session_id,
            avatar=self.avatar,
            path=self.avatar.folder / f"{session_id}.mp4",
            fps=25,
            size=self.avatar.size,
            committed=0,
            position=0.0,
            clip=None,
        )


class Watched:
    """A hub whose probes report what feeds deliver."""

    def __init__(self, folder: Path) -> None:
        self.films = Films(tiny_avatar(folder))
        self.hub = LiveHub(Settings(results_dir=folder, chat_key="secret"), extensions=[PROBE])
        self.hub.connect(self.films)
        self.pictures: list[tuple[dict[str, Any], np.ndarray[Any, np.dtype[np.uint8]]]] = []
        self.ended: list[dict[str, Any]] = []
        self.hub.on_event("probe.picture", self._picture)
        self.hub.on_event("live.ended", lambda data, _: self.ended.append(data))

    def watch(self, session_id: str) -> None:
        self.hub.call("probe.watch", {"session_id": session_id, "wants": PICTURES})

    def leave(self, session_id: str) -> None:
        with suppress(LiveRefused, LiveFailed):
            self.hub.call("probe.leave", {"session_id": session_id})

    def of(self, session_id: str) -> list[tuple[dict[str, Any], Any]]:
        return [each for each in self.pictures if each[0]["session_id"] == session_id]

    def frames(self, session_id: str) -> list[int]:
        return [data["frame"] for data, _ in self.of(session_id) if data["frame"] is not None]

    def begin(self, session_id: str, clip: int = 0, first: int = 0) -> None:
        film = self.films.live_film(session_id)
        self.hub.begin(
            LiveClip(
                clip=clip,
                first_frame=first,
                tapped_from=first,
                utterance="u",
                skipped=0,
                film=film,
            )
        )

    def add(self, session_id: str, first: int, count: int, clip: int = 0) -> None:
        numbers = range(first, first + count)
        self.hub.add(
            LiveFrames(
                session_id=session_id,
                clip=clip,
                first_frame=first,
                pictures=[np.full((HEIGHT, WIDTH, 3), 2 * n % 256, np.uint8) for n in numbers],
                samples=np.zeros(1920 * count, np.float32),
                shown=[self.films.avatar.shown_at(number) for number in numbers],
                is_speech=True,
            )
        )

    @property
    def pid(self) -> int:
        pid = self.hub.stats()["pid"]
        assert isinstance(pid, int)
        return pid

    def _picture(self, data: dict[str, Any], payload: Any) -> None:
        pixels = np.frombuffer(payload, np.uint8)
        self.pictures.append((data, pixels.reshape(data["shape"])))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(tmp_path_factory.mktemp("live"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "BACKOFF_S", (0.0,))  # the tests end it often
        yield watched
    watched.hub.close()


def test_a_call_starts_the_process_and_makes_the_feed_of_its_session(watched: Watched) -> None:
    watched.watch("one")
    assert watched.hub.is_live("one") and not watched.hub.is_live("other")
    wait_until(lambda: len(watched.of("one")) > 5, "idle pictures")
    for data, picture in watched.of("one"):
        assert data["frame"] is None
        shade = watched.films.avatar.frames[:, 0, 0, 0] == picture[0, 0, 0]
        assert shade.sum() == 1 and (picture == picture[0, 0, 0]).all()


def test_the_process_inherits_no_file_or_socket_but_its_two_ends(watched: Watched) -> None:
    watched.watch("one")
    with socket.socket() as listener, (watched.films.avatar.folder / "open").open("w") as file:
        listener.bind(("127.0.0.1", 0))
        os.set_inheritable(listener.fileno(), True)
        os.set_inheritable(file.fileno(), True)
        os.kill(watched.pid, signal.SIGKILL)
        wait_until(lambda: watched.ended, "the end of the process")
        watched.watch("one")
        links = [
            str(each.readlink()) for each in Path(f"/proc/{watched.pid}/fd").iterdir()
            if each.name not in "012"
        ]  # fmt: skip
        ours = f"socket:[{os.fstat(listener.fileno()).st_ino}]"
    sockets = [each for each in links if each.startswith("socket:")]
    assert ours not in links and not any(each.endswith("/open") for each in links)
    assert len(sockets) <= 4  # its ends, and a pair of asyncio


def test_frames_are_shown_in_their_order_with_the_pictures_of_the_film(watched: Watched) -> None:
    watched.watch("film")
    watched.begin("film")
    for first in range(0, 12, 3):
        watched.add("film", first, 3)
    watched.hub.end("film", 0, 12, was_cut=False)
    wait_until(lambda: 11 in watched.frames("film"), "the last frame")
    assert sorted(set(watched.frames("film"))) == watched.frames("film") == list(range(12))
    stats = watched.hub.stats()["feeds"]["film"]
    assert stats["late_frames"] == stats["lost_frames"] == 0


def test_an_interruption_reports_the_position_and_drops_the_rest_of_the_clip(
    watched: Watched,
) -> None:
    watched.watch("cut")
    watched.begin("cut")
    watched.add("cut", 0, 10)
    wait_until(lambda: watched.frames("cut"), "speech")
    position = watched.hub.clear("cut")
    assert position is not None and 1 <= position.frame <= 10
    again = watched.hub.clear("cut")
    assert again == position
    watched.add("cut", 10, 10)
    watched.begin("cut", clip=1, first=40)
    watched.add("cut", 40, 3, clip=1)
    wait_until(lambda: 42 in watched.frames("cut"), "the next clip")
    assert not set(watched.frames("cut")) & set(range(10, 40))


def test_after_a_reset_the_feed_shows_the_avatar_that_the_session_has_now(
    watched: Watched,
) -> None:
    watched.watch("dress")
    wait_until(lambda: watched.of("dress"), "idle pictures")
    before = watched.films.avatar
    facts = {name: getattr(before, name) for name in before.__dataclass_fields__}
    other = {"id": "other", "digest": "1" * 64, "frames": before.frames[:, :60, :50].copy()}
    watched.films.avatar = Avatar(**{**facts, **other})
    try:
        watched.hub.reset("dress")
        wait_until(
            lambda: watched.of("dress")[-1][1].shape == (60, 50, 3), "pictures of the new avatar"
        )
    finally:
        watched.films.avatar = before


def test_errors_of_handlers_are_raised_by_the_call(watched: Watched) -> None:
    with pytest.raises(LiveRefused, match="no method 'nothing'") as refused:
        watched.hub.call("nothing", {})
    assert refused.value.kind == "no-method"
    with pytest.raises(LiveFailed, match="KeyError"):
        watched.hub.call("probe.leave", {"session_id": "never-watched"})
    with pytest.raises(MessageTooLong, match="131072"):
        watched.hub.call("ping", {"text": "x" * 200_000})
    assert watched.hub.call("ping", {}) == {}


def test_a_handler_gets_the_descriptors_of_a_call(watched: Watched, tmp_path: Path) -> None:
    path = tmp_path / "passed"
    with path.open("w") as file:
        answer = watched.hub.call("probe.write", {"text": "from there"}, fds=[file.fileno()])
    assert answer == {"descriptors": 1}
    assert path.read_text() == "from there"


def test_a_secret_of_the_settings_reaches_the_process_only_through_its_socket(
    watched: Watched,
) -> None:
    assert watched.hub.call("probe.setting", {"name": "chat_key"}) == {"value": "secret"}
    for name in ("cmdline", "environ"):
        assert b"secret" not in Path(f"/proc/{watched.pid}/{name}").read_bytes()


def test_a_process_that_dies_is_replaced_and_its_sessions_are_reported(watched: Watched) -> None:
    watched.watch("one")
    pid, count = watched.pid, len(watched.ended)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(watched.ended) > count, "the end of the process")
    assert "one" in watched.ended[-1]["sessions"]
    assert not watched.hub.is_live("one")
    watched.begin("one")  # the render thread goes on without viewers
    watched.add("one", 0, 3)
    assert watched.hub.clear("one") is None
    seen = len(watched.of("one"))
    watched.watch("one")
    wait_until(lambda: len(watched.of("one")) > seen + 3, "pictures of the new process")
    assert watched.pid != pid and watched.hub.is_live("one")


def test_frames_for_a_stopped_process_are_dropped_and_the_next_clip_is_shown(
    watched: Watched,
) -> None:
    watched.watch("stop")
    wait_until(lambda: watched.of("stop"), "idle pictures")
    dropped = watched.hub.stats()["dropped_frames"]
    os.kill(watched.pid, signal.SIGSTOP)
    try:
        with pytest.raises(LiveUnavailable, match="did not answer within"):
            watched.hub.call("ping", {}, timeout_s=0.2)
        watched.begin("stop")
        for first in range(0, 3000, 5):  # far more than the sockets hold
            watched.add("stop", first, 5)
    finally:
        os.kill(watched.hub._supervisor.pid or 0, signal.SIGCONT)
    assert watched.hub.stats()["dropped_frames"] > dropped + 100
    watched.hub.clear("stop")
    watched.begin("stop", clip=1, first=3000)
    watched.add("stop", 3000, 3, clip=1)
    wait_until(lambda: 3002 in watched.frames("stop"), "the next clip")
    shown = watched.frames("stop")
    assert shown == sorted(shown) and len(shown) < 100
    times = [data["time_s"] for data, _ in watched.of("stop")]
    assert max(np.diff(times)) > 0.1


def test_a_process_that_stays_stopped_is_replaced(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SILENT_S", 1.0)
    watched.watch("one")
    pid, count = watched.pid, len(watched.ended)
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: len(watched.ended) > count, "the end of the stopped process")
    monkeypatch.undo()
    watched.watch("one")
    assert watched.pid != pid


def test_sixteen_sessions_are_fed_at_once(watched: Watched) -> None:
    names = [f"many-{index}" for index in range(16)]
    for name in names:
        watched.watch(name)
    wait_until(lambda: all(len(watched.of(name)) > 10 for name in names), "16 feeds")
    for name in names:
        watched.leave(name)
    samples = [data["sample"] for data, _ in watched.of("many-0")]
    assert samples == sorted(samples)


WORKER = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from tests.warm.live.test_hub import Watched
watched = Watched(Path({folder!r}))
watched.watch("one")
print(watched.pid, flush=True)
sys.stdin.read()
"""


def test_the_process_ends_with_the_worker_even_if_it_is_stopped(tmp_path: Path) -> None:
    program = WORKER.format(root=str(ROOT), folder=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        worker.kill()
        worker.wait(60)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the live process")


def test_a_closed_hub_refuses_calls_and_ends_the_process(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.watch("one")
    pid = watched.pid
    started_s = time.monotonic()
    watched.hub.close()
    assert time.monotonic() - started_s < 60
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(LiveUnavailable, match="stopping"):
        watched.watch("one")


def test_a_feed_that_nobody_watches_makes_room_for_another(watched: Watched) -> None:
    for index in range(64):
        watched.hub.call("ping", {"session_id": f"idle-{index}"})
    watched.watch("one")
    assert watched.hub.is_live("one")
    feeds = watched.hub.stats()["feeds"]
    assert len(feeds) == 64 and feeds["one"]["subscribers"] >= 1


def test_a_process_that_cannot_start_is_reported_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub = LiveHub(Settings(results_dir=tmp_path), extensions=["tests.warm.live.no_such_module"])
    hub.connect(Films(tiny_avatar(tmp_path)))
    try:
        with pytest.raises(LiveUnavailable, match="has ended"):
            hub.call("ping", {})
    finally:
        hub.close()
    assert "the live process ended" in caplog.text
