"""Common players with the film and its playlist, while it grows."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

pytestmark = pytest.mark.slow

SERVER = Path(__file__).with_name("tiny_server.py")
TEXT = "Hello there, my friend."
NOBODY = 65534
PATIENCE_S = 60
PICTURE_S = 1 / 25


@dataclass(frozen=True)
class Player:
    """A program that plays without a screen and prints its position."""

    program: str
    options: tuple[str, ...]
    position_pattern: re.Pattern[str]
    """Pattern of the position in its output."""
    status_command: str = ""
    """Input that makes it print the position; sent repeatedly."""
    refuses_root: bool = False
    buffer_s: float = 0.0
    """Seconds of a live film that it buffers before it starts."""
    holds_the_end: bool = False
    """After a read that came late, it may hold the end of what it has until more follows."""
    has_whole_seconds: bool = False
    """Its position is in whole seconds."""

    def command(self, url: str) -> list[str]:
        """Command that plays `url`, as user `nobody` if the player refuses root."""
        plain = [self.program, *self.options, url]
        if self.refuses_root and os.geteuid() == 0:
            return ["setpriv", f"--reuid={NOBODY}", "--clear-groups", *plain]
        return plain


FFPLAY = Player(
    "ffplay",
    # It prints a line per frame. Its clock is useless: it continues without frames.
    ("-flags", "low_delay", "-vf", "showinfo"),
    re.compile(r"pts_time:([\d.]+)"),
)
MPV = Player(
    "mpv",
    (
        *("--no-config", "--profile=low-latency", "--framedrop=no"),
        *("--vo=null", "--ao=null", "--term-status-msg=at ${=time-pos}"),
    ),
    re.compile(r"at ([\d.]+)"),
)
VLC = Player(
    "cvlc",
    (
        *("--ignore-config", "-I", "oldrc", "--rc-fake-tty", "--vout", "dummy", "--aout", "dummy"),
        # Otherwise its delay grows, because it takes the silences for network jitter.
        *("--clock-jitter=0", "--network-caching=300"),
    ),
    re.compile(r"^(\d+)", re.MULTILINE),
    status_command="get_time\n",
    refuses_root=True,
    buffer_s=5.0,
    holds_the_end=True,
    has_whole_seconds=True,
)


@pytest.fixture(params=[FFPLAY, MPV, VLC], ids=lambda player: player.program)
def player(request: pytest.FixtureRequest) -> Player:
    chosen: Player = request.param
    if shutil.which(chosen.program) is None:
        pytest.skip(f"{chosen.program} is not installed")
    return chosen


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A session of a real server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    results = tmp_path_factory.mktemp("results")
    with subprocess.Popen(
        [sys.executable, "-u", str(SERVER), str(results), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        yield port
        process.kill()


@dataclass(frozen=True)
class Session:
    """A session without a film."""

    port: int
    session_id: str

    def url(self, name: str) -> str:
        """URL of a resource of the session."""
        return f"http://127.0.0.1:{self.port}/sessions/{self.session_id}/{name}"

    def say(self) -> float:
        """Add a clip; return the length of the film."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        body = json.dumps({"text": TEXT, "session_id": self.session_id})
        connection.request("POST", "/speak", body, {"Content-Type": "application/json"})
        with connection.getresponse() as answer:
            spoken = json.loads(answer.read())
        connection.close()
        return float(spoken["session"]["duration_s"])


@pytest.fixture
def session(port: int) -> Session:
    return Session(port, uuid4().hex)


class Playing:
    """A running player."""

    def __init__(self, player: Player, url: str) -> None:
        self._player = player
        self._process = subprocess.Popen(
            player.command(url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "HOME": "/"},
        )
        self._position_changed = threading.Condition()
        self._at_s = 0.0
        self._output = b""
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def __enter__(self) -> "Playing":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reading.join()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def require(self, position_s: float) -> None:
        """Wait until it plays to this position."""
        assert self._reaches(position_s), (
            f"{self._player.program} played to {self._at_s} s, not to {position_s} s; "
            f"exit status: {self._process.poll()}; output: {self._output[-2000:]!r}"
        )

    def _reaches(self, position_s: float) -> bool:
        for _ in range(10 * PATIENCE_S):
            if self._player.status_command and self._process.poll() is None:
                assert self._process.stdin is not None
                self._process.stdin.write(self._player.status_command.encode())
                self._process.stdin.flush()
            with self._position_changed:
                if self._position_changed.wait_for(lambda: self._at_s >= position_s, 0.1):
                    return True
        return False

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 4096):
            self._output += chunk
            for position in self._player.position_pattern.findall(chunk.decode(errors="replace")):
                with self._position_changed:
                    self._at_s = max(self._at_s, float(position))
                    self._position_changed.notify()


@pytest.mark.parametrize("live", ["live.m3u8", "stream?from=0"])
def test_a_player_opened_before_the_first_clip_plays_the_whole_film(
    player: Player, session: Session, live: str
) -> None:
    with Playing(player, session.url(live)) as playing:
        first_s = session.say()
        while first_s < player.buffer_s:
            first_s = session.say()
        playing.require(1)
        end_s = session.say()
        last_s = int(end_s - 0.5) if player.has_whole_seconds else end_s - PICTURE_S - 0.001
        assert last_s > first_s
        if player.holds_the_end:
            session.say()
        playing.require(last_s)


def test_a_player_plays_the_film_to_its_end(player: Player, session: Session) -> None:
    end_s = session.say()
    with Playing(player, session.url("full_session.mp4")) as playing:
        playing.require(int(end_s - 0.5))
