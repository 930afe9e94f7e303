"""Servers of other projects that receive pushes, and what they have received."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import av
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from tests.polling import wait_until
from tests.warm.live.push.live_place import WHITE

RATE_HZ = 48_000
BLOCK = 240
"""Samples over which the loudness is measured, 5 ms."""
LOUD = 0.2
SILENCE_S = 0.1
"""Shortest silence between two tones; a lost packet of sound leaves less."""


@dataclass(frozen=True)
class Received:
    """Decoded media with their times in seconds."""

    pictures: list[tuple[float, NDArray[np.uint8]]]
    """(h, w) brightness."""
    samples: list[tuple[float, NDArray[np.float32]]]

    @property
    def flashes(self) -> list[float]:
        """Times at which white pictures begin."""
        lit = [(time, picture.mean() > WHITE - 40) for time, picture in self.pictures]
        return [time for (_, before), (time, now) in pairwise(lit) if now > before]

    @property
    def tones(self) -> list[float]:
        """Times at which tones begin; where samples are missing, there is silence."""
        found, loud_s = [], -SILENCE_S
        for start, samples in self.samples:
            for index, block in enumerate(np.array_split(samples, max(1, len(samples) // BLOCK))):
                at_s = start + index * BLOCK / RATE_HZ
                if np.abs(block).max() > LOUD:
                    if at_s - loud_s >= SILENCE_S:
                        found.append(at_s)
                    loud_s = at_s
        return found


def read_media(path: Path) -> Received:
    """Decode a recorded file."""
    pictures, samples = [], []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                pictures.append(
                    (float(frame.time or 0), np.asarray(frame.to_ndarray(format="gray"), np.uint8))
                )
            elif isinstance(frame, av.AudioFrame):
                samples.append((float(frame.time or 0), frame.to_ndarray()[0]))
    return Received(pictures, samples)


def packets(path: Path, kind: str) -> list[tuple[float, bool]]:
    """Return the times of the packets of `video` or `audio`, and True for key frames."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0] if kind == "video" else file.streams.audio[0]
        return [
            (float(packet.dts * packet.time_base), packet.is_keyframe)
            for packet in file.demux(stream)
            if packet.dts is not None
        ]


@contextmanager
def ffmpeg_listener(path: Path, url: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Record what a client sends to ffmpeg, which listens at `url` for one client."""
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *options, "-i", url),
        *("-c", "copy", "-copyts", str(path)),
    ]
    with running(command) as process:
        yield process


NGINX_RTMP = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
NGINX = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 16; }}
rtmp {{ server {{
    listen 127.0.0.1:{port};
    access_log off;
    application live {{ live on; record all; record_path {folder}; record_suffix .flv; }}
}} }}
"""


@contextmanager
def nginx(folder: Path, port: int) -> Iterator[None]:
    """Record what clients send to nginx, as STREAM.flv in a folder."""
    settings = folder / "nginx.conf"
    settings.write_text(NGINX.format(module=NGINX_RTMP, folder=folder, port=port))
    with running(
        ["nginx", "-p", str(folder), "-c", str(settings), "-e", str(folder / "error.log")]
    ):
        yield


@contextmanager
def srt_live_transmit(path: Path, port: int) -> Iterator[None]:
    """Record what a client sends to the program of libsrt."""
    with (
        path.open("wb") as file,
        running(
            ["srt-live-transmit", "-q", f"srt://127.0.0.1:{port}?mode=listener", "file://con"], file
        ),
    ):
        yield


@contextmanager
def running(
    command: Sequence[str], stdout: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the block."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def wait_for_port(port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """Wait until a program of this machine listens at a port, without connecting to it."""
    name = "tcp" if kind == socket.SOCK_STREAM else "udp"
    wanted = f":{port:04X}"

    def is_open() -> bool:
        lines = Path(f"/proc/net/{name}").read_text("ascii").splitlines()[1:]
        listening = "0A" if name == "tcp" else "07"
        fields = [line.split() for line in lines]
        return any(each[1].endswith(wanted) and each[3] == listening for each in fields)

    wait_until(is_open, f"a program to listen at port {port}")


def command_lines() -> list[str]:
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\x00", b" ").decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return found


def pause(seconds: float) -> None:
    """Let the feed go on for a time: it shows its media in real time."""
    time.sleep(seconds)
