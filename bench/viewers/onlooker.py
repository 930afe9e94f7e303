"""A room with a screen and a loudspeaker, and somebody in it who records both on one clock.

Nothing of the player is asked: Xvfb draws what it shows, PulseAudio plays what it sounds into a
sink whose monitor can be heard, and ffmpeg records one spot of the screen and that monitor. FFmpeg
takes what PulseAudio says about latency off the times of the sound, so that they are those at which
the sound leaves the loudspeaker.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

SCREEN = 1280, 900
PROGRAMS = {"Xvfb": "xvfb", "pulseaudio": "pulseaudio", "ffmpeg": "ffmpeg", "mpv": "mpv"}
"""What is needed, and the package of Debian that has it."""
LOOKS_HZ = 200
"""How often the spot is looked at: a flash is known to half of such an interval."""
SPOT = 16
"""Width and height of the spot, pixels."""
WHITE = 200
LOUD = 0.2
APART_S = 0.4
"""Flashes are farther apart than that, and so are clicks."""
READY_S = 20.0
LOOK_S = 0.02
SAMPLE_RATE_HZ = 48_000

Environment = Mapping[str, str]


class NothingToRecordWith(RuntimeError):
    """Programs are not installed."""

    def __init__(self, missing: list[str]) -> None:
        packages = " ".join(PROGRAMS[program] for program in missing)
        super().__init__(
            f"{', '.join(missing)} missing: what Chromium shows and sounds is recorded with"
            f" Debian's packages {packages}; install them."
        )


@contextmanager
def room(folder: Path) -> Iterator[Environment]:
    """The environment of programs that show and sound there; raises NothingToRecordWith.

    The screen and the loudspeaker are new ones, and end with the block.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise NothingToRecordWith(missing)
    with ExitStack() as things:
        display = things.enter_context(_screen())
        speaker = things.enter_context(_loudspeaker(folder))
        yield os.environ | {"DISPLAY": display, **speaker}


@contextmanager
def _screen() -> Iterator[str]:
    """The name of a new display."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-nolisten", "tcp"]
    command += ["-screen", "0", "{}x{}x24".format(*SCREEN)]
    with _running(command, pass_fds=[write]), os.fdopen(read, encoding="ascii") as told:
        os.close(write)
        if not (number := told.readline().strip()):
            raise RuntimeError("Xvfb did not start")
        yield f":{number}"


@contextmanager
def _loudspeaker(folder: Path) -> Iterator[dict[str, str]]:
    """What programs have to be told to sound there."""
    home = folder / "pulse"
    home.mkdir()
    address = home / "socket"
    places = ("PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "PULSE_COOKIE", "XDG_CONFIG_HOME")
    own = os.environ | {place: str(home / place.lower()) for place in places}
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    command += ["--realtime=no", "--high-priority=no"]
    command += ["-L", f"module-null-sink sink_name=speaker rate={SAMPLE_RATE_HZ} channels=2"]
    command += ["-L", f"module-native-protocol-unix socket={address} auth-anonymous=1"]
    with _running(command, env=own):
        _wait(lambda: _answers(address), "PulseAudio did not start")
        yield {"PULSE_SERVER": f"unix:{address}"}


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(address)) == 0


@contextmanager
def recording(environment: Environment, path: Path, at: tuple[int, int]) -> Iterator[None]:
    """Record a spot of the screen, and all sound, into a file for as long as the block lasts."""
    x, y = (place - SPOT // 2 for place in at)
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-copyts", "-thread_queue_size", "4096"]
    command += ["-f", "x11grab", "-draw_mouse", "0", "-framerate", str(LOOKS_HZ)]
    command += ["-video_size", f"{SPOT}x{SPOT}", "-grab_x", str(x), "-grab_y", str(y)]
    command += ["-i", environment["DISPLAY"], "-thread_queue_size", "4096", "-f", "pulse"]
    command += ["-sample_rate", str(SAMPLE_RATE_HZ), "-channels", "1", "-channel_layout", "mono"]
    command += ["-fragment_size", "960", "-i", "speaker.monitor", "-map", "0:v", "-map", "1:a"]
    command += ["-c:v", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough"]
    command += ["-c:a", "pcm_s16le", "-flush_packets", "1", "-f", "nut", str(path)]
    with _running(command, env=environment):
        _wait(lambda: path.exists() and path.stat().st_size > 0, "ffmpeg did not start to record")
        yield


@dataclass(frozen=True, slots=True)
class Recorded:
    """When something was seen and heard, seconds on one clock."""

    flashes_s: list[float]
    clicks_s: list[float]

    def skews_ms(self) -> list[float]:
        """How much later than its flash each click was heard.

        A player that is short of time may leave out a picture; the click there counts for nothing.
        """
        nearest = [
            min((click - flash for flash in self.flashes_s), key=abs, default=APART_S)
            for click in self.clicks_s
        ]
        return [1000 * skew for skew in nearest if abs(skew) < APART_S]


def read_recording(path: Path) -> Recorded:
    """What a recording has. A flash came in the middle between two looks."""
    recorded = Recorded([], [])
    before, looked_s = WHITE, 0.0
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            at_s = float(packet.pts * packet.time_base)
            if packet.stream.type == "audio":
                _note(recorded.clicks_s, *_clicks_s(bytes(packet), at_s))
                continue
            grey = int(np.median(np.frombuffer(bytes(packet), np.uint8)))
            if before < WHITE <= grey:
                _note(recorded.flashes_s, (looked_s + at_s) / 2)
            before, looked_s = grey, at_s
    return recorded


def _clicks_s(heard: bytes, at_s: float) -> list[float]:
    samples = np.frombuffer(heard, np.int16) / 32768
    return [at_s + int(index) / SAMPLE_RATE_HZ for index in np.flatnonzero(abs(samples) > LOUD)]


def _note(times_s: list[float], *new_s: float) -> None:
    for at_s in new_s:
        if not times_s or at_s - times_s[-1] > APART_S:
            times_s.append(at_s)


@contextmanager
def _running(command: list[str], **how: Any) -> Iterator[None]:
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def _wait(condition: Callable[[], bool], failure: str) -> None:
    deadline = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(failure)
        time.sleep(LOOK_S)
