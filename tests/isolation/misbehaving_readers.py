"""Readers with the faults that a decoder may have, for processes that may die."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from isolation.item import Item


class BadFile(ValueError):
    """An error that a reader is expected to raise."""


class VeryBadFile(BadFile):
    """A special case of it."""


def counting(path: Path, *, count: int, shape: tuple[int, ...] = (3, 2)) -> Iterator[Item]:
    for k in range(count):
        yield Item({"number": k, "path": str(path)}, np.full(shape, k, np.uint8))


def types(path: Path) -> Iterator[Item]:
    for dtype in ("u1", "i2", "<f4", "f8", "?"):
        yield Item(
            {"dtype": np.dtype(dtype).str}, np.arange(12).reshape(3, 4)[:, ::2].astype(dtype)
        )
    yield Item({}, np.zeros((0, 5), np.float32))
    yield Item({"text": "päth \udcff \0", "number": 1.5, "none": None, "list": [1, [2]]})


def segfault(path: Path) -> Iterator[Item]:
    yield Item({})
    ctypes.string_at(0)


def abort(path: Path) -> Iterator[Item]:
    os.write(1, b"text of a library")
    os.write(2, b"free(): invalid pointer")
    os.abort()
    yield Item({})


def spin(path: Path) -> Iterator[Item]:
    yield Item({})
    while True:
        pass


def stop(path: Path) -> Iterator[Item]:
    yield Item({})
    os.kill(os.getpid(), signal.SIGSTOP)


def hoard(path: Path) -> Iterator[Item]:
    yield Item({})
    hoarded = []
    while True:
        hoarded.append(np.ones(1 << 24, np.uint8))


def hoard_and_complain(path: Path) -> Iterator[Item]:
    try:
        yield from hoard(path)
    except MemoryError as error:
        raise BadFile("damaged") from error


def refuse(path: Path) -> Iterator[Item]:
    yield Item({})
    raise VeryBadFile(f"{path} is very bad")


def fail(path: Path) -> Iterator[Item]:
    yield Item({})
    raise KeyError("a fault of the reader")


def chatter(path: Path) -> Iterator[Item]:
    yield Item({})
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, bytes(range(1, 100)))
        except OSError:
            continue


def slow(path: Path, *, pause_s: float) -> Iterator[Item]:
    yield Item({"pid": os.getpid()})
    while True:
        time.sleep(pause_s)
        yield Item({})


def waiting(path: Path) -> Iterator[Item]:
    yield Item({"pid": os.getpid()})
    time.sleep(3600)


def threads(path: Path) -> Iterator[Item]:
    picture = cv2.resize(np.ones((2000, 2000, 3), np.uint8), (999, 999))
    product = np.ones((900, 900)) @ np.ones((900, 900))
    running = len(list(Path("/proc/self/task").iterdir()))
    yield Item({"opencv": cv2.getNumThreads(), "running": running, "sum": int(picture.sum())})
    yield Item({}, product[:2, :2])


def descriptors(path: Path) -> Iterator[Item]:
    names = [each.name for each in Path("/proc/self/fd").iterdir()]
    yield Item({"open": names, "cwd": str(Path.cwd())})
