"""Work folder of an enhancement, from which a later run of the same command can continue.

It is next to OUT, belongs to one source and one set of options, and is removed once OUT is in
place. Every file in it is written under another name, synced and renamed, so each is complete.
"""

import contextlib
import fcntl
import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from session.disk import is_same_file, replace_file
from session.errors import is_out_of_space
from warm.enhance.errors import EnhanceBusy, EnhanceDiskFull, OutputRefused

LOCK, JOB, PROGRESS, SOURCE = "lock", "job.json", "progress.json", "source"
TRACKS = "faces.npz"
RESULT_SUFFIXES = {".npz", ".part"}
TRIES = 10
"""Attempts to lock a folder that other processes are removing."""
HEADER_DIGITS = 8
"""Hexadecimal digits of the length of a part's header."""


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """An open work folder; only one process can hold it."""

    path: Path

    @property
    def source(self) -> Path:
        """Copy of a film that is still growing."""
        return self.path / SOURCE

    def read_job(self) -> dict[str, Any] | None:
        """Return the job that the folder belongs to; None if it is new or unreadable."""
        try:
            return dict(json.loads((self.path / JOB).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_job(self, job: Mapping[str, Any]) -> None:
        """Record the job that the folder belongs to."""
        self.write(JOB, json.dumps(job).encode())

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically and durably; raises EnhanceDiskFull and OSError."""
        with disk_errors(self.path):
            replace_file(self.path / name, data)

    def write_arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write arrays to a file; raises EnhanceDiskFull and OSError."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # no array is named as an option
        self.write(name, buffer.getvalue())

    def read_arrays(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a file; None if it is missing or unreadable."""
        try:
            with (self.path / name).open("rb") as file, np.load(file, allow_pickle=False) as held:
                return {key: held[key] for key in held.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None

    def clear(self) -> None:
        """Remove everything but the lock."""
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def remove(self) -> None:
        """Remove the folder, the lock last: another process may create a folder after that."""
        with contextlib.suppress(OSError):
            self.clear()
            (self.path / LOCK).unlink()
            self.path.rmdir()

    def has_results(self) -> bool:
        """Return True if an earlier run, or this one, has found or made something."""
        return any(path.suffix in RESULT_SUFFIXES for path in self.path.iterdir())

    def write_part(self, index: int, samples: Sequence[bytes]) -> None:
        """Write the samples of a part; raises EnhanceDiskFull and OSError."""
        body = b"".join(samples)
        header = {"sizes": [len(each) for each in samples], "crc32": zlib.crc32(body)}
        text = json.dumps(header).encode()
        self.write(part_name(index), b"%08x" % len(text) + text + body)

    def read_part(self, index: int) -> list[bytes] | None:
        """Return the samples of a part; None if it is missing or damaged."""
        try:
            data = (self.path / part_name(index)).read_bytes()
            length = HEADER_DIGITS + int(data[:HEADER_DIGITS], 16)
            header, body = json.loads(data[HEADER_DIGITS:length]), data[length:]
            sizes = [int(size) for size in header["sizes"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if zlib.crc32(body) != header["crc32"] or sum(sizes) != len(body):
            return None
        ends = np.cumsum(sizes).tolist()
        return [body[end - size : end] for size, end in zip(sizes, ends, strict=True)]

    def finished_parts(self) -> int:
        """Return the number of complete parts, from the first on, whose next state is whole too."""
        count = 0
        while self.read_part(count) is not None:
            count += 1
        while count and self.read_arrays(state_name(count)) is None:
            count -= 1
        return count


def part_name(index: int) -> str:
    """Return the name of a part's file."""
    return f"{index:06}.part"


def state_name(index: int) -> str:
    """Return the name of the file with the state before a part."""
    return f"{index:06}.state.npz"


def work_path(out: Path) -> Path:
    """Return the path of the work folder of OUT."""
    return out.with_name(f".{out.name}.enhance")


@contextmanager
def open_work_folder(out: Path) -> Iterator[WorkFolder]:
    """Open or create the work folder of OUT, and hold its lock.

    Raises EnhanceBusy, EnhanceDiskFull and OutputRefused.
    """
    path = work_path(out)
    lock = locked(path, out)
    try:
        yield WorkFolder(path)
    finally:
        os.close(lock)


def locked(path: Path, out: Path) -> int:
    """Create the folder of OUT if it is missing, and lock it; return the open lock."""
    for _ in range(TRIES):
        with disk_errors(path):
            path.mkdir(exist_ok=True)
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            take(lock, out)
        except EnhanceBusy:
            os.close(lock)
            raise
        if is_same_file(lock, path / LOCK):
            return lock
        os.close(lock)  # the process that held it has just removed the folder
    raise EnhanceBusy(f"Other processes are writing {out}. Write elsewhere.")


def take(lock: int, out: Path) -> None:
    """Lock the folder of OUT; raises EnhanceBusy."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise EnhanceBusy(
            f"Another process is writing {out}. Wait until it has finished, or write elsewhere."
        ) from error


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Convert an OSError at `path` into an error that names the next step."""
    try:
        yield
    except OSError as error:
        if is_out_of_space(error):
            raise EnhanceDiskFull(
                f"The disk is full ({error.strerror}). Finished parts are kept in {path}: free "
                "some space, and run the same command again to continue."
            ) from error
        raise OutputRefused(
            f"{path} cannot be written ({error.strerror}). Choose an OUT in a folder that you may "
            "write to."
        ) from error
