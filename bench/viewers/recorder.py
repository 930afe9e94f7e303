"""A virtual display and loudspeaker, and a recorder of both on one clock.

The player itself is not instrumented: Xvfb shows its pictures, PulseAudio plays its sound into a
null sink, and ffmpeg records a region of the screen and the monitor of the sink. FFmpeg subtracts
the latency that PulseAudio reports, so that sound is stamped when it leaves the loudspeaker.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from bench.polling import wait_until

SCREEN = 1280, 900
PROGRAMS = {"Xvfb": "xvfb", "pulseaudio": "pulseaudio", "ffmpeg": "ffmpeg", "mpv": "mpv"}
"""Required programs and their Debian packages."""
CAPTURE_FPS = 200
"""Rate at which the region is recorded: a flash is dated to within half of this interval."""
REGION_PX = 16
"""Width and height of the recorded region."""
WHITE = 200
"""Grey level from which the region shows a flash."""
LOUD = 0.2
"""Amplitude from which a sample belongs to a click."""
MIN_DISTANCE_S = 0.4
"""Two flashes, and two clicks, are farther apart than this."""
START_TIMEOUT_S = 20.0
SAMPLE_RATE_HZ = 48_000

Environment = Mapping[str, str]


class RecordingToolsMissing(RuntimeError):
    """Programs are not installed."""

    def __init__(self, missing: list[str]) -> None:
        packages = " ".join(PROGRAMS[program] for program in missing)
        super().__init__(
            f"{', '.join(missing)} missing: the pictures and the sound of Chromium are recorded"
            f" with Debian's packages {packages}; install them."
        )


@contextmanager
def virtual_desktop(folder: Path) -> Iterator[Environment]:
    """Run a new display and loudspeaker; yield the environment of programs that use them.

    Raises RecordingToolsMissing.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise RecordingToolsMissing(missing)
    with ExitStack() as stack:
        display = stack.enter_context(_display())
        server = stack.enter_context(_loudspeaker(folder))
        yield os.environ | {"DISPLAY": display, "PULSE_SERVER": server}


@contextmanager
def _display() -> Iterator[str]:
    """Run Xvfb; yield the name of the display."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-nolisten", "tcp"]
    command += ["-screen", "0", "{}x{}x24".format(*SCREEN)]
    with _running(command, pass_fds=[write]), os.fdopen(read, encoding="ascii") as answer:
        os.close(write)
        if not (number := answer.readline().strip()):
            raise RuntimeError("Xvfb did not start")
        yield f":{number}"


@contextmanager
def _loudspeaker(folder: Path) -> Iterator[str]:
    """Run PulseAudio with a null sink; yield the address of the server."""
    home = folder / "pulse"
    home.mkdir()
    socket_path = home / "socket"
    variables = ("PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "PULSE_COOKIE", "XDG_CONFIG_HOME")
    environment = os.environ | {name: str(home / name.lower()) for name in variables}
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    command += ["--realtime=no", "--high-priority=no"]
    command += ["-L", f"module-null-sink sink_name=speaker rate={SAMPLE_RATE_HZ} channels=2"]
    command += ["-L", f"module-native-protocol-unix socket={socket_path} auth-anonymous=1"]
    with _running(command, env=environment):
        wait_until(
            lambda: _accepts(socket_path), "the start of PulseAudio", timeout_s=START_TIMEOUT_S
        )
        yield f"unix:{socket_path}"


def _accepts(socket_path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(socket_path)) == 0


@contextmanager
def recording(environment: Environment, path: Path, centre: tuple[int, int]) -> Iterator[None]:
    """Record the region around a point of the screen, and all sound, into a file."""
    x, y = (coordinate - REGION_PX // 2 for coordinate in centre)
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-copyts", "-thread_queue_size", "4096"]
    command += ["-f", "x11grab", "-draw_mouse", "0", "-framerate", str(CAPTURE_FPS)]
    command += ["-video_size", f"{REGION_PX}x{REGION_PX}", "-grab_x", str(x), "-grab_y", str(y)]
    command += ["-i", environment["DISPLAY"], "-thread_queue_size", "4096", "-f", "pulse"]
    command += ["-sample_rate", str(SAMPLE_RATE_HZ), "-channels", "1", "-channel_layout", "mono"]
    command += ["-fragment_size", "960", "-i", "speaker.monitor", "-map", "0:v", "-map", "1:a"]
    command += ["-c:v", "rawvideo", "-pix_fmt", "gray", "-fps_mode", "passthrough"]
    command += ["-c:a", "pcm_s16le", "-flush_packets", "1", "-f", "nut", str(path)]
    with _running(command, env=environment):
        wait_until(
            lambda: path.exists() and path.stat().st_size > 0,
            "the start of ffmpeg's recording",
            timeout_s=START_TIMEOUT_S,
        )
        yield


@dataclass(frozen=True, slots=True)
class Recording:
    """Times of flashes and clicks, seconds on one clock."""

    flashes_s: list[float] = field(default_factory=list)
    clicks_s: list[float] = field(default_factory=list)

    def skews_ms(self) -> list[float]:
        """Return the delay of each click after the flash nearest to it.

        A click without a flash within MIN_DISTANCE_S is left out: a player that is short of time
        may drop the picture.
        """
        nearest = [
            min((click - flash for flash in self.flashes_s), key=abs, default=MIN_DISTANCE_S)
            for click in self.clicks_s
        ]
        return [1000 * skew for skew in nearest if abs(skew) < MIN_DISTANCE_S]


def read_recording(path: Path, *, loud: float = LOUD) -> Recording:
    """Find flashes and clicks; a flash is dated to the middle between two captures.

    `loud`: amplitude from which a sample belongs to a click.
    """
    found = Recording()
    last_grey, last_s = WHITE, 0.0
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            start_s = float(packet.pts * packet.time_base)
            if packet.stream.type == "audio":
                _add_events(found.clicks_s, *_loud_times_s(bytes(packet), start_s, loud))
                continue
            grey = int(np.median(np.frombuffer(bytes(packet), np.uint8)))
            if last_grey < WHITE <= grey:
                _add_events(found.flashes_s, (last_s + start_s) / 2)
            last_grey, last_s = grey, start_s
    return found


def _loud_times_s(sound: bytes, start_s: float, loud: float) -> list[float]:
    samples = np.frombuffer(sound, np.int16) / 32768
    return [start_s + int(index) / SAMPLE_RATE_HZ for index in np.flatnonzero(abs(samples) > loud)]


def _add_events(events_s: list[float], *times_s: float) -> None:
    """Add the times that are MIN_DISTANCE_S after the last event."""
    for time_s in times_s:
        if not events_s or time_s - events_s[-1] > MIN_DISTANCE_S:
            events_s.append(time_s)


@contextmanager
def _running(command: list[str], **options: Any) -> Iterator[None]:
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    ) as process:
        try:
            yield
        finally:
            process.terminate()
