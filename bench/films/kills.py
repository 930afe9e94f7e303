"""`kill -9`, again and again, while two sessions are spoken in and watched.

Each run lets a real server (gunicorn, film, journal) speak, kills all of its processes, half of the
times at one exact call of the system and half of the times at any moment, starts it again, and
holds what it finds against what was told before: every byte that a watcher had received is in the
film at its place; every clip and fragment that was acknowledged is in the transcript and decodes,
by time stamps and by counting; and speaking goes on.
"""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Any

import av
import cv2
import imageio_ffmpeg
import matplotlib as mpl

from bench.figure import Figure
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET, TICKS_PER_FRAME
from session.fragmented.check import check_film
from session.fragmented.init_segment import read_init_segment
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

_ROOT = Path(__file__).resolve().parents[2]
_PORTRAIT = "sample_data/grace_hopper.jpg"
_RUNS = 100
_SEED = 20
_DEADLINE_S = 60.0
_LONGEST_LIFE_S = 1.2
_LOOK_S = 0.02
"""How soon a watcher asks again who was refused."""
_RESETS = 0.2
"""Share of a client's requests that come after a reset."""
_MOST_LAG = 3 * SAMPLES_PER_PACKET
"""Samples that the AAC encoder holds back."""
_TEXTS = ("Yes.", "Good morning, and thank you for calling.", "One. Two. Three, four.")
_CALLS = (
    *[("pwrite", 24, when) for when in ("before", "half", "after")],
    *[("fsync", 40, when) for when in ("before", "after")],
    *[("replace", 4, when) for when in ("before", "after")],
    *[("unlink", 3, when) for when in ("before", "after")],
    ("ftruncate", 2, "before"),
)
"""Calls at which a server may end: name, the latest of them, and when."""
_NETWORK = (OSError, http.client.HTTPException)

Command = Callable[[Path, int], list[str]]
"""How a server is started, from its folder of results and its port."""


class Lost(AssertionError):
    """Something that was told before is not there any more."""


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - every topic takes the folder of plots
    """How many of the runs lost nothing."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        _prepare(results)
        kills = Kills(results, _app, seed=_SEED)
        failures = kills.run(_RUNS)
    told = f"{kills.acknowledged} clips and fragments acknowledged"
    print(f"kills: seed {_SEED}, {told}, {kills.struck} servers ended at a chosen call")
    for failure in failures:
        print(f"kills: {failure}", file=sys.stderr)
    return [
        Figure(
            name="kill -9: runs with committed bytes identical and acknowledged clips decodable",
            value=_RUNS - len(failures),
            unit="runs",
            goal=_RUNS,
            better="higher",
            n=_RUNS,
        )
    ]


def _prepare(results: Path) -> None:
    """The demo portrait at half its size: a film that decodes quickly."""
    picture = cv2.imread(str(Path(mpl.get_data_path()) / _PORTRAIT))
    assert picture is not None
    small = results / "small.png"
    cv2.imwrite(str(small), cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    prepare(small, avatar_id="demo", store=AvatarStore(results))


def _app(results: Path, port: int) -> list[str]:
    return [str(_ROOT / "app.py"), "--port", str(port), "--results-dir", str(results)]


@dataclass(slots=True)
class Told:
    """What a session's clients and watchers were told; what must hold from then on."""

    name: str
    film: Path
    clips: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Those that were answered 200, by number."""
    fragments: list[dict[str, Any]] = field(default_factory=list)
    watched: list[tuple[str, bytearray]] = field(default_factory=list)
    """Film and first bytes, as each watcher received them."""
    removed: set[str] = field(default_factory=set)
    """Films whose reset was answered."""
    is_resetting: bool = False
    """A reset was asked for and not answered: the film may be there or not."""
    quiet: Lock = field(default_factory=Lock)
    """Held by who must not meet a reset."""

    resets: int = 0
    """That were answered."""
    fading: set[str] = field(default_factory=set)
    """Films that a watcher met while a reset was on its way: they may be gone."""

    def end_reset(self) -> None:
        """The session's film is gone for good."""
        self.resets += 1
        self.removed |= {film for film, _ in self.watched}
        self.is_resetting = False
        self.clips.clear()
        self.fragments.clear()


class Kills:
    """A server that is killed and started again, over one folder of results."""

    def __init__(self, results: Path, command: Command, *, seed: int) -> None:
        self.results = results
        self.told = {
            "default": Told("default", results / "full_session.mp4"),
            "bob": Told("bob", results / "sessions" / "bob" / "full_session.mp4"),
        }
        self.acknowledged = 0
        """Fragments and clips, over all runs."""
        self.struck = 0
        """Servers that ended at their call; the others were killed from outside."""
        self._command = command
        self._chance = random.Random(seed)

    def run(self, runs: int) -> list[str]:
        """Kill so many times; what was lost, run by run."""
        failures = []
        moment = self._moment()
        with self._serving(moment) as server:
            self._let_talk(server)
        for number in range(1, runs + 1):
            previous, moment = moment, self._moment()
            with self._serving(moment) as server:
                try:
                    self._verify(server)
                except (Lost, *_NETWORK, av.error.FFmpegError) as error:
                    failures.append(f"run {number}, killed at {previous}: {error!r}")
                    self._begin_anew(server)
                if number < runs:
                    self._let_talk(server)
        return failures

    def _moment(self) -> str:
        """Where the next server ends: at a call, or (never) whenever it is killed."""
        if self._chance.random() < 0.5:
            return "never"
        name, latest, when = self._chance.choice(_CALLS)
        return f"{name}:{self._chance.randint(1, latest)}:{when}"

    @contextmanager
    def _serving(self, moment: str) -> Iterator["Server"]:
        """A server that answers; one that dies in its recovery is followed by one that does not."""
        server = Server(self._command, self.results, moment)
        try:
            if not server.wait_until_warm():
                self.struck += 1
                server.kill()
                server = Server(self._command, self.results, "never")
                if not server.wait_until_warm():
                    raise RuntimeError("a server that nobody killed died at its start")
            yield server
        finally:
            server.kill()

    def _let_talk(self, server: "Server") -> None:
        """Let clients speak and watch until the server is dead."""
        threads = [
            Thread(target=work, args=(server, told, random.Random(self._chance.random())))
            for told in self.told.values()
            for work in (speak_and_reset, speak_with_events, watch)
        ]
        for thread in threads:
            thread.start()
        self.struck += server.live(self._chance.uniform(0.05, _LONGEST_LIFE_S))
        server.kill()
        for thread in threads:
            thread.join()
        told = self.told.values()
        self.acknowledged += sum(len(each.clips) + len(each.fragments) for each in told)

    def _verify(self, server: "Server") -> None:
        for told in self.told.values():
            verify(told, server)

    def _begin_anew(self, server: "Server") -> None:
        for told in self.told.values():
            with suppress(*_NETWORK):
                server.ask("POST", "/reset", {"session_id": told.name})
            told.end_reset()


class Server:
    """One life of a server, in a process group of its own."""

    def __init__(self, command: Command, results: Path, moment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bench.films.dying_server",
                moment,
                *command(results, self.port),
            ],
            cwd=_ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    def wait_until_warm(self) -> bool:
        """Whether it came to answer before it died."""
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(*_NETWORK):
                if self.ask("GET", "/health")["status"] == "ok":
                    return True
            time.sleep(_LOOK_S)
        return False

    def live(self, longest_s: float) -> bool:
        """Wait until it dies of itself, or the time is up; whether it did."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(longest_s)
        return self.process.poll() is not None

    def kill(self) -> None:
        """SIGKILL to every process of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_DEADLINE_S)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON that it answers; raises ConnectionError for anything but 200."""
        with self.sent(method, path, body) as answer:
            read = answer.read()
        if answer.status != 200:
            raise ConnectionError(f"{method} {path}: {answer.status} {read!r}")
        return json.loads(read)

    @contextmanager
    def sent(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to one request, to be read here."""
        connection = self.connect()
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
            with connection.getresponse() as answer:
                yield answer
        finally:
            connection.close()


def speak_and_reset(server: Server, told: Told, chance: random.Random) -> None:
    """A client that wants the whole answer, and begins anew now and then."""
    with suppress(*_NETWORK):
        while True:
            if chance.random() < _RESETS:
                with told.quiet:
                    told.is_resetting = True
                    server.ask("POST", "/reset", {"session_id": told.name})
                    told.end_reset()
            body = {"text": chance.choice(_TEXTS), "session_id": told.name}
            clip = server.ask("POST", "/speak", body)["clip"]
            told.clips[clip["index"]] = clip


def speak_with_events(server: Server, told: Told, chance: random.Random) -> None:
    """A client that is told of every fragment."""
    with suppress(*_NETWORK):
        while True:
            body = {"text": chance.choice(_TEXTS), "session_id": told.name}
            with (
                told.quiet,
                server.sent("POST", "/speak", body, Accept="text/event-stream") as answer,
            ):
                if not follow(answer, told):
                    return


def follow(answer: http.client.HTTPResponse, told: Told) -> bool:
    """Note what the events of a request tell; whether it came to its end."""
    name = ""
    while line := answer.readline().decode():
        key, _, value = line.strip().partition(": ")
        if key == "event":
            name = value
        elif key == "data" and name == "fragment":
            told.fragments.append(json.loads(value))
        elif key == "data" and name == "done":
            clip = json.loads(value)["clip"]
            told.clips[clip["index"]] = clip
            return True
    return False


def watch(server: Server, told: Told, _: random.Random) -> None:
    """A watcher who keeps every byte, of one film after the other."""
    path = f"/sessions/{told.name}/stream?from=0"
    with suppress(*_NETWORK):
        while True:
            resets = told.resets
            with server.sent("GET", path) as answer:
                if answer.status != http.HTTPStatus.OK:
                    time.sleep(_LOOK_S)
                    continue
                film_id, seen = answer.headers["Warmtalk-Film"], bytearray()
                if told.is_resetting or told.resets != resets:
                    told.fading.add(film_id)
                told.watched.append((film_id, seen))
                while piece := answer.read1(1 << 16):
                    seen += piece


def verify(told: Told, server: Server) -> None:
    """Hold a session after a restart against what was told before; raises Lost."""
    if told.is_resetting and not told.film.exists():
        told.end_reset()
    film_id = film_id_at(told.film)
    if film_id is not None and film_id in told.removed:
        raise Lost("a film is back whose reset was answered")
    data = told.film.read_bytes() if film_id else b""
    for watched_id, seen in told.watched:
        if watched_id == film_id and not data.startswith(seen):
            raise Lost(f"{len(seen)} bytes that were watched are not those of the film")
        if watched_id != film_id and watched_id not in told.removed | told.fading:
            raise Lost(f"a film of which {len(seen)} bytes were watched is gone")
    if film_id is None:
        if told.clips or told.fragments:
            raise Lost("a film is gone of which something was acknowledged")
        return
    found = server.ask("GET", f"/sessions/{told.name}")
    verify_transcript(told, found, len(data))
    verify_decodes(told.film, found)
    told.watched = [(film_id, bytearray(data))]
    told.is_resetting = False


def film_id_at(path: Path) -> str | None:
    """Which film lies there, if any."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return read_init_segment(fd).film_id
    finally:
        os.close(fd)


def verify_transcript(told: Told, found: dict[str, Any], size: int) -> None:
    """Every clip as it was acknowledged, and every fragment within the film."""
    clips = {clip["index"]: clip for clip in found["clips"]}
    for index, clip in told.clips.items():
        if clips.get(index) != clip:
            raise Lost(f"clip {index} was acknowledged as {clip}, and is {clips.get(index)}")
    for fragment in told.fragments:
        end = fragment["first_frame"] + fragment["frames"]
        if fragment["bytes"] > size or end > found["frames"] or fragment["clip"] not in clips:
            raise Lost(f"the acknowledged {fragment} is not in the film")


def verify_decodes(film: Path, found: dict[str, Any]) -> None:
    """Every picture and sample, by time stamps and by counting; no complaint, no skew."""
    if faults := check_film(film).faults:
        raise Lost(f"{film} is not sound: {faults}")
    if not found["frames"]:
        return  # killed before anything was said: an opening, which no decoder takes for a film
    ticks, starts = time_stamps(film)
    if ticks != [TICKS_PER_FRAME * index for index in range(found["frames"])]:
        raise Lost(f"{len(ticks)} pictures decode of {found['frames']}, or not at their times")
    if starts != [SAMPLES_PER_PACKET * index for index in range(len(starts))]:
        raise Lost("the sound has a gap")
    pictures, samples = counted(film)
    lag = len(ticks) * SAMPLE_RATE_HZ // check_film(film).spec.fps - samples
    if pictures != len(ticks) or samples != SAMPLES_PER_PACKET * len(starts):
        raise Lost(f"by counting there are {pictures} pictures and {samples} samples")
    if ticks and not 0 <= lag < _MOST_LAG:
        raise Lost(f"the sound ends {lag} samples before the pictures")


def time_stamps(film: Path) -> tuple[list[int | None], list[int | None]]:
    """Of every picture and every piece of sound, decoded by PyAV."""
    with av.open(str(film)) as container:
        ticks = [frame.pts for frame in container.decode(video=0)]
    with av.open(str(film)) as container:
        starts = [frame.pts for frame in container.decode(audio=0)]
    return ticks, starts


def counted(film: Path) -> tuple[int, int]:
    """(pictures, samples) as the ffmpeg program decodes them, one after the other."""
    video = ("-map", "0:v", "-fps_mode", "passthrough", "-vf", "scale=16:16", "-pix_fmt", "gray")
    return (
        len(decoded(film, *video, "-f", "rawvideo")) // 256,
        len(decoded(film, "-map", "0:a", "-f", "s16le")) // 2,
    )


def decoded(film: Path, *options: str) -> bytes:
    """What the ffmpeg program makes of a film; raises Lost where it complains."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-i", str(film), *options, "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.stderr or done.returncode:
        raise Lost(f"ffmpeg complains of {film}: {done.stderr.decode()}")
    return done.stdout
