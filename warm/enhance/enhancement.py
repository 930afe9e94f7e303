"""Enhancement of the faces of one photo or film: checks, resumption, storing the result."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from session.disk import open_regular, sync_folder, sync_in_pieces
from session.fragmented.init_segment import read_init_segment
from session.fragmented.journal import journal_path
from session.fragmented.recovery import scan_film
from stabilizers.settings import TrackSettings
from warm.enhance.errors import InputChanged, NoFaceToEnhance, OutputRefused
from warm.enhance.film import FilmJob, Progress, enhance_film
from warm.enhance.options import EnhanceOptions
from warm.enhance.picture import SUFFIXES, PictureJob, enhance_picture, write_picture
from warm.enhance.restorer import FaceRestorer
from warm.enhance.upscalers import Upscaler, make_upscaler
from warm.enhance.work_folder import WorkFolder, disk_errors, open_work_folder
from warm.media.sniff import MediaError, sniff

FILM_SUFFIX = ".mp4"
CHUNK_BYTES = 1 << 20
SHARPEN_NOTE = (
    "sharpen is not a restoration: it adds no detail that the source does not have. "
    "--method gfpgan restores faces."
)
GROWING_NOTE = (
    "The film has grown since the enhancement began; the result ends where it ended then."
)


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Ignore the progress."""


def no_check() -> None:
    """Let the work continue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhancement:
    """One enhancement."""

    source: Path
    out: Path
    options: EnhanceOptions
    models: Path
    """Folder of the face models."""
    restorer: Callable[[], FaceRestorer]
    """Makes the restorer of the method; called only if faces are restored."""
    track: TrackSettings = field(default_factory=TrackSettings)
    longest_s: float | None = None
    """Only this much of a film is read, from its start."""
    force: bool = False
    """Replace an OUT that exists."""
    resume: bool = True
    """Continue from the work folder of an earlier run."""
    progress: Progress = no_progress
    check: Callable[[], None] = no_check
    """Called often; an exception that it raises stops the work, which can be continued."""

    def run(self) -> list[str]:
        """Write OUT; return remarks for the user. Raises EnhanceError and MediaError."""
        kind = sniff(self.source).kind
        check_out(self.source, self.out, kind, force=self.force)
        upscaler = make_upscaler(self.options.background)
        restorer = None
        if self.options.faces != "none":
            restorer = self.restorer()
        notes = [SHARPEN_NOTE] if self.options.method == "sharpen" and restorer else []
        if kind == "photo":
            picture, found = enhance_picture(
                PictureJob(
                    source=self.source,
                    options=self.options,
                    models=self.models,
                    restorer=restorer,
                    upscaler=upscaler,
                )
            )
            write_picture(picture, self.out)
            return notes + found
        with open_work_folder(self.out) as work:
            try:
                found = self._enhance_film(work, restorer, upscaler)
            except (NoFaceToEnhance, MediaError) as error:
                # Another run would fail in the same way, unless the source is unreadable only now.
                if isinstance(error, NoFaceToEnhance) or not work.has_results():
                    work.remove()
                raise
            work.remove()
        return notes + found

    def _enhance_film(
        self, work: WorkFolder, restorer: FaceRestorer | None, upscaler: Upscaler
    ) -> list[str]:
        """Write OUT, a film; return remarks."""
        source, notes = self._begin(work, self._recipe(restorer))
        film, found = enhance_film(
            FilmJob(
                source=source,
                options=self.options,
                work=work,
                models=self.models,
                restorer=restorer,
                upscaler=upscaler,
                track=self.track,
                longest_s=self.longest_s,
                progress=self.progress,
                check=self.check,
            )
        )
        check_out(self.source, self.out, "video", force=self.force)  # it may have appeared by now
        place(film, self.out)
        return notes + found

    def _recipe(self, restorer: FaceRestorer | None) -> str:
        """Return the SHA-256 (hex) of everything but the source that changes the result."""
        recipe = {
            "options": self.options.digest(),
            "weights": "" if restorer is None else restorer.weights_digest,
            "track": asdict(self.track),
            "longest_s": self.longest_s,
        }
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()

    def _begin(self, work: WorkFolder, recipe: str) -> tuple[Path, list[str]]:
        """Return the file to read and remarks; clears a folder made for other input or options."""
        length = committed_bytes(self.source)
        job = work.read_job() if self.resume else None
        notes: list[str] = []
        if job is not None and self._is_same(job, length, recipe):
            notes = [GROWING_NOTE] if length is not None and job["bytes"] < length else []
        else:
            work.clear()
            if length is not None:
                copy_start(self.source, work.source, length)
            size = self.source.stat().st_size if length is None else length
            digest = digest_of_start(self.source, size)
            work.write_job({"sha256": digest, "bytes": size, "recipe": recipe})
        return (self.source if length is None else work.source), notes

    def _is_same(self, job: dict[str, object], length: int | None, recipe: str) -> bool:
        """Return True if a job has this recipe and this source, which may have grown since."""
        if job.get("recipe") != recipe:
            return False
        size, now = int(str(job["bytes"])), self.source.stat().st_size
        if size > now or (length is None and size != now):
            return False
        return digest_of_start(self.source, size) == job["sha256"]


def check_out(source: Path, out: Path, kind: str, *, force: bool) -> None:
    """Raise OutputRefused unless OUT can be written; called before any work is done."""
    suffixes = tuple(SUFFIXES) if kind == "photo" else (FILM_SUFFIX,)
    if out.suffix.lower() not in suffixes:
        name = "photo" if kind == "photo" else "film"
        raise OutputRefused(f"OUT is {out}; for a {name} it must end in {', '.join(suffixes)}.")
    if not out.parent.is_dir():
        raise OutputRefused(f"There is no folder {out.parent}. Create it, or write elsewhere.")
    if out.exists() or out.is_symlink():
        check_existing(source, out, force=force)
    if not os.access(out.parent, os.W_OK):
        raise OutputRefused(f"The folder {out.parent} is not writable. Write elsewhere.")


def check_existing(source: Path, out: Path, *, force: bool) -> None:
    """Raise OutputRefused unless the existing OUT may be replaced."""
    if out.exists() and out.samefile(source):
        raise OutputRefused(f"OUT is the source itself, {source}. Write to another file.")
    if not out.is_file():
        raise OutputRefused(f"OUT is {out}, which is not a file. Write to another path.")
    if journal_path(out).exists():
        raise OutputRefused(f"OUT is {out}, the film of a session. Write to another path.")
    if not force:
        raise OutputRefused(f"OUT exists: {out}. Use --force to replace it, or write elsewhere.")


def committed_bytes(source: Path) -> int | None:
    """Return the length of the committed part of a film that may grow; None for other films."""
    if not journal_path(source).exists():
        return None
    fd = open_regular(source)
    try:
        return scan_film(fd, source, read_init_segment(fd)).end
    finally:
        os.close(fd)


def copy_start(source: Path, target: Path, length: int) -> None:
    """Copy the first `length` bytes of a film, which never change."""
    with disk_errors(target), source.open("rb") as reading, target.open("wb") as writing:
        left = length
        while left > 0:
            piece = reading.read(min(CHUNK_BYTES, left))
            if not piece:
                raise InputChanged(f"{source} became shorter. Run the command again.")
            writing.write(piece)
            left -= len(piece)
        writing.flush()
        os.fsync(writing.fileno())


def digest_of_start(path: Path, length: int) -> str:
    """Return the SHA-256 (hex) of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while length > 0 and (piece := file.read(min(CHUNK_BYTES, length))):
            digest.update(piece)
            length -= len(piece)
    return digest.hexdigest()


def place(film: Path, out: Path) -> None:
    """Move a finished film to OUT, durably."""
    with disk_errors(out):
        sync_in_pieces(film)
        film.replace(out)
        sync_folder(out.parent)
