"""Fetch of pinned wheels into a folder: with progress, resumable, by one process at a time."""

import errno
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from wheels.download import Download, size_of
from wheels.errors import (
    DiskFull,
    FetchError,
    FolderUnwritable,
    IndexUnreachable,
    WheelDamaged,
    WheelNotFound,
)
from wheels.folder_lock import exclusive_folder
from wheels.pinned_wheel import PinnedWheel, damaged_files, file_sha256, is_present
from wheels.pip_configuration import PipConfiguration, pip_configuration
from wheels.progress import FetchProgress, Step
from wheels.simple_index import Candidates
from wheels.transport import Transport, without_credentials
from wheels.unpack import unpack

RESERVE_BYTES = 100_000_000
"""Free space that must remain on the disk."""
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """Callbacks and sources of a fetch."""

    progress: Callable[[FetchProgress], None] = lambda _progress: None
    """Called with every block that arrives, by the thread that fetches."""
    is_cancelled: Callable[[], bool] = lambda: False
    configuration: Callable[[], PipConfiguration] = pip_configuration
    sleep: Callable[[float], None] = time.sleep


def missing_wheels(wheels: Sequence[PinnedWheel], folder: Path) -> list[PinnedWheel]:
    """Return the wheels that are not in the folder, or only in part; reads no large file."""
    return [wheel for wheel in wheels if not is_present(wheel, folder)]


def fetch_wheels(
    wheels: Sequence[PinnedWheel], folder: Path, options: FetchOptions | None = None
) -> None:
    """Fetch and unpack the wheels that are missing or damaged in `folder`.

    Each appears as `folder/<name>-<version>/`, complete or not at all. An interrupted download is
    continued. If another process fetches into this folder, this one waits for it. Raises
    FetchError.
    """
    options = options or FetchOptions()
    if not any(needs_fetch(wheel, folder) for wheel in wheels):
        return  # a complete folder need not be writable
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive_folder(
            folder,
            arrived=lambda: report_waiting(wheels, folder, options),
            is_cancelled=options.is_cancelled,
        ):
            needed = [wheel for wheel in wheels if needs_fetch(wheel, folder)]
            if needed:
                Fetch(needed, folder, options).run()
    except OSError as error:
        raise_for_disk(folder, error)


def report_waiting(wheels: Sequence[PinnedWheel], folder: Path, options: FetchOptions) -> int:
    """Report and return the bytes that another process has received."""
    arrived = arrived_bytes(wheels, folder)
    options.progress(
        FetchProgress(
            step="waiting",
            name=" ".join(wheel.requirement for wheel in wheels),
            done_bytes=arrived,
            total_bytes=sum(wheel.size_bytes for wheel in wheels),
        )
    )
    return arrived


def needs_fetch(wheel: PinnedWheel, folder: Path) -> bool:
    """Return True for a wheel that is absent or whose files have changed; reads all of them."""
    return not is_present(wheel, folder) or bool(damaged_files(wheel, folder))


class Fetch:
    """A fetch of several wheels, by one thread that holds the lock of the folder."""

    def __init__(self, wheels: Sequence[PinnedWheel], folder: Path, options: FetchOptions) -> None:
        self._wheels, self._folder, self._options = wheels, folder, options
        configuration = options.configuration()
        self._transport = Transport(configuration)
        self._candidates = Candidates(configuration, self._transport)
        self._total_bytes = sum(wheel.size_bytes for wheel in wheels)
        self._done_bytes = 0
        """Bytes of the wheels before the present one."""

    def run(self) -> None:
        """Fetch all wheels; raises FetchError and OSError."""
        remove_leftovers(self._folder, self._wheels)
        self._require_space()
        for wheel in self._wheels:
            part = part_path(wheel, self._folder)
            self._download(wheel, part)
            self._report("unpacking", wheel, wheel.size_bytes)
            unpack(wheel, part, self._folder)
            part.unlink()
            self._done_bytes += wheel.size_bytes

    def _download(self, wheel: PinnedWheel, part: Path) -> None:
        """Complete the file `part` from the first address that has it; raises FetchError."""
        failures: list[FetchError] = []
        self._report("downloading", wheel, size_of(part))
        for url in self._candidates.of(wheel):
            try:
                Download(
                    transport=self._transport,
                    url=url,
                    part=part,
                    size_bytes=wheel.size_bytes,
                    report=lambda done: self._report("downloading", wheel, done),
                    is_cancelled=self._options.is_cancelled,
                    sleep=self._options.sleep,
                ).run()
                require_digest(wheel, part, url)
            except (IndexUnreachable, WheelDamaged) as error:
                failures.append(error)
            else:
                return
        self._raise_failure(wheel, failures)

    def _raise_failure(self, wheel: PinnedWheel, failures: Sequence[FetchError]) -> NoReturn:
        problems = [*self._candidates.problems, *map(str, failures)]
        if problems:
            is_damaged = any(isinstance(each, WheelDamaged) for each in failures)
            raise (WheelDamaged if is_damaged else IndexUnreachable)(
                f"{wheel.requirement} cannot be downloaded: {'; '.join(problems)}. Check the "
                "network connection and pip's configuration (`pip config list`), and try again: "
                "the download continues where it stopped."
            )
        places = ", ".join(self._candidates.places) or "none (pip's option no-index)"
        raise WheelNotFound(
            f"{wheel.filename} is not in the places that pip is configured with: {places}. Add it "
            "to one of them, or set PIP_INDEX_URL to an index that mirrors PyPI."
        )

    def _report(self, step: Step, wheel: PinnedWheel, done_bytes: int) -> None:
        self._options.progress(
            FetchProgress(
                step=step,
                name=wheel.requirement,
                done_bytes=self._done_bytes + done_bytes,
                total_bytes=self._total_bytes,
            )
        )

    def _require_space(self) -> None:
        """Raise DiskFull before a download that would not fit."""
        parts = [part_path(wheel, self._folder) for wheel in self._wheels]
        needed = sum(wheel.size_bytes + wheel.unpacked_bytes for wheel in self._wheels)
        needed += RESERVE_BYTES - sum(map(size_of, parts))
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise DiskFull(
                f"{self._folder} has {free / 1e6:.0f} MB of free space; {needed / 1e6:.0f} MB are "
                "needed. Free some space, or choose another folder (models_dir)."
            )


def require_digest(wheel: PinnedWheel, part: Path, url: str) -> None:
    """Delete a download that does not have the pinned digest; raises WheelDamaged."""
    found = file_sha256(part)
    if found != wheel.sha256:
        part.unlink(missing_ok=True)
        raise WheelDamaged(
            f"{without_credentials(url)} has SHA-256 {found}, expected {wheel.sha256}; it was "
            "deleted"
        )


def part_path(wheel: PinnedWheel, folder: Path) -> Path:
    """Return the path of the incomplete download; its name depends on the expected bytes."""
    return folder / f".{wheel.stem}.{wheel.sha256[:16]}.part"


def remove_leftovers(folder: Path, wheels: Sequence[PinnedWheel]) -> None:
    """Remove incomplete downloads of other versions of these wheels."""
    for wheel in wheels:
        name = wheel.stem.partition("-")[0]
        for path in folder.glob(f".{name}-*.part"):
            if path != part_path(wheel, folder):
                path.unlink(missing_ok=True)


def arrived_bytes(wheels: Sequence[PinnedWheel], folder: Path) -> int:
    """Return the bytes of these wheels that have arrived, also in a fetch of another process.

    A wheel that is unpacked counts in full.
    """
    return sum(
        wheel.size_bytes if is_present(wheel, folder) else size_of(part_path(wheel, folder))
        for wheel in wheels
    )


def raise_for_disk(folder: Path, error: OSError) -> NoReturn:
    """Raise the error for a failure of the disk."""
    if error.errno in _DISK_FULL:
        raise DiskFull(
            f"The disk of {folder} is full ({error.strerror}). Free some space, or choose another "
            "folder (models_dir), and try again: the download continues where it stopped."
        ) from error
    raise FolderUnwritable(
        f"{folder} cannot be written ({error.strerror or error}). Correct its permissions, or "
        "choose another folder (models_dir)."
    ) from error
