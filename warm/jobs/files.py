"""Folders of the jobs. The folder of an attempt becomes that of the job when the job is done."""

import logging
import secrets
import shutil
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

from session.disk import make_folder, sync_folder, sync_in_pieces
from session.serial_worker import SerialWorker

FOLDER = "jobs"
PART = ".part"
"""Suffix of the folder of an attempt."""
TRASH = ".trash"
"""Suffix of a folder that is being removed."""
RESULT = "result"
"""Name of the result, without its suffix."""

log = logging.getLogger(__name__)


class Published(NamedTuple):
    """The content of the folder of a finished attempt."""

    file: str | None
    """Name of the result; None if there is none."""
    bytes: int


class JobFiles:
    """The folder `jobs` in the results folder. Any thread; raises OSError."""

    def __init__(self, results: Path) -> None:
        self.root = results / FOLDER
        self._results = results
        self._remover = SerialWorker("jobs-remove")

    def folder(self, job_id: str) -> Path:
        """Folder of a job that is done."""
        return self.root / job_id

    def part(self, job_id: str) -> Path:
        """Folder of the current attempt."""
        return self.root / f"{job_id}{PART}"

    def begin(self, job_id: str) -> Path:
        """Return an empty folder for an attempt."""
        make_folder(self.root, under=self._results)
        self.discard(job_id)
        self.part(job_id).mkdir()
        return self.part(job_id)

    def publish(self, job_id: str) -> Published:
        """Sync the folder of an attempt, and make it the job's own."""
        part = self.part(job_id)
        files = [path for path in part.rglob("*") if path.is_file()]
        published = Published(result_name(part), sum(path.stat().st_size for path in files))
        if not files:
            self._remove(part)
            return published
        for path in files:
            sync_in_pieces(path)
        for folder in {path.parent for path in files} | {part}:
            sync_folder(folder)
        part.rename(self.folder(job_id))
        sync_folder(self.root)
        return published

    def discard(self, job_id: str) -> None:
        """Remove both folders of a job, if they exist."""
        self._remove(self.part(job_id))
        self._remove(self.folder(job_id))

    def sweep(self, kept: Collection[str]) -> None:
        """Remove everything but the folders of the jobs in `kept`."""
        if not self.root.is_dir():
            return
        for path in self.root.iterdir():
            if path.name in kept:
                continue
            try:
                self._remove(path)
            except OSError:
                log.exception("not removed", extra={"path": str(path)})

    def set_aside(self, suffix: str) -> None:
        """Rename the folder of all jobs, whose rows are lost."""
        if self.root.is_dir():
            self.root.rename(self.root.with_name(self.root.name + suffix))

    def _remove(self, path: Path) -> None:
        """Rename a file or folder out of the way, and remove it on another thread."""
        trash = path
        if not path.name.endswith(TRASH):
            trash = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TRASH}")
            try:
                path.rename(trash)
            except FileNotFoundError:
                return
        self._remover.submit(partial(remove, trash))


def remove(path: Path) -> None:
    """Remove a file or a folder; a fault is logged, and the next start tries again."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError:
        log.exception("not removed", extra={"path": str(path)})


def result_name(folder: Path) -> str | None:
    """Name of the result in a folder; None without one."""
    found = (path for path in sorted(folder.glob(f"{RESULT}.*")) if path.stem == RESULT)
    return next((path.name for path in found if path.is_file()), None)
