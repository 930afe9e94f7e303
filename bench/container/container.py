"""Benchmark of the image for the CPU: its size, and its start.

docker or podman builds and starts it. Where neither works, the steps of the Dockerfile are executed
in a chroot, which needs root and debootstrap.
"""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.container.chroot import (
    Rootfs,
    built_image,
    pip_arguments,
    reason_against,
    send,
    size_bytes,
)
from bench.container.dockerfile import ROOT
from bench.figure import Figure
from bench.server_process import free_port, wait_until_healthy

IMAGE = "warmtalk:bench"
TARGET = "cpu"
STARTS = 5
MAX_GB, MAX_START_S = 2.2, 8.0
GB = 1e9
ENGINES = ("docker", "podman")
STOP_S = 30.0
SendSignal = Callable[["subprocess.Popen[bytes]", signal.Signals], None]


def measure(_out: Path) -> list[Figure]:
    """Build the image, and start it with new volumes; raises RuntimeError if neither way works."""
    for engine in ENGINES:
        if works(engine):
            print(f"  image: built and started by {engine}")
            return measure_engine(engine)
    if reason := reason_against():
        raise RuntimeError(f"neither docker nor podman works here, and {reason}")
    print("  image: built and started in a chroot of Debian")
    with built_image(TARGET) as image:
        return figures(size_bytes(image.root) / GB, [chroot_start_s(image) for _ in range(STARTS)])


def figures(size_gb: float, starts_s: Sequence[float]) -> list[Figure]:
    """The two figures."""
    name = "image for the CPU: start with new volumes -> /health 200"
    return [
        Figure.at_most("image for the CPU: size", size_gb, "GB", MAX_GB, 1),
        Figure.at_most(name, statistics.median(starts_s), "s", MAX_START_S, len(starts_s)),
    ]


def works(engine: str) -> bool:
    """True if an engine builds the image and starts a container of it."""
    if shutil.which(engine) is None:
        return False
    given, _ = pip_arguments()
    arguments = [f"--build-arg={name}={value}" for name, value in given.items()]
    names = ["--network=host", "--target", TARGET, "--tag", IMAGE]
    build = [engine, "build", *names, *arguments, str(ROOT)]
    if subprocess.run(build, stdout=sys.stderr, check=False).returncode:
        return False
    started = [engine, "run", "--rm", "--entrypoint", "true", IMAGE]
    return subprocess.run(started, stdout=sys.stderr, check=False).returncode == 0


def measure_engine(engine: str) -> list[Figure]:
    """Measure the image that an engine has built."""
    inspect = [engine, "image", "inspect", "--format", "{{.Size}}", IMAGE]
    size = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout
    return figures(int(size) / GB, [engine_start_s(engine) for _ in range(STARTS)])


def engine_start_s(engine: str) -> float:
    """Seconds from the command of an engine to a healthy server, with new anonymous volumes."""
    port = free_port()
    command = [engine, "run", "--rm", "--network=host", "--env", f"PORT={port}", IMAGE]
    with healthy(command, port, dict(os.environ), subprocess.Popen.send_signal) as start_s:
        return start_s


def chroot_start_s(image: Rootfs) -> float:
    """Seconds from the start of the entry point to a healthy server, with an empty storage."""
    storage = image.root / "app" / "storage"
    for path in storage.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    port = free_port()
    command, environment = image.command(image.entry_point, more={"PORT": str(port)})
    with healthy(command, port, environment, send) as start_s:
        return start_s


@contextmanager
def healthy(
    command: Sequence[str], port: int, environment: dict[str, str], send_signal: SendSignal
) -> Iterator[float]:
    """Yield the seconds from the command to a healthy server, which the end of the block stops."""
    began_s = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield wait_until_healthy(port) - began_s
        finally:
            send_signal(process, signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                send_signal(process, signal.SIGKILL)
