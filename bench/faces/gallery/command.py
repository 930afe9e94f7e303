"""`python -m bench faces DIR`: avatars of any photos and videos, rendered and measured.

Every face speaks the same sentences. Its encoded film is decoded and measured by two face meshes;
`index.html` shows the figures and a contact sheet of each face.
"""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from urllib.parse import quote

import cv2

from bench.faces.gallery.corpus import NoFaces, find_sources
from bench.faces.gallery.face_figures import face_figures
from bench.faces.gallery.face_sheet import write_sheet
from bench.faces.gallery.film import make_film
from bench.faces.gallery.report import FaceResult, write_report
from bench.faces.gallery.rulers import PLAIN, open_rulers
from bench.faces.gallery.source_face import measure_source
from bench.faces.gallery.tracked_film import track_film
from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarStore
from warm.media.sniff import MediaError
from warm.prepare.run import FACE_MODELS

SECONDS = 13.0
FACE_LIMIT_S = 600.0
"""Time for one face on a busy machine; more is a failure."""


class OutOfTime(RuntimeError):
    """A face took longer than its limit."""


def main(argv: Sequence[str]) -> int:
    """Measure and print; 1 if a face failed, 2 if there is none."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.ERROR)
    cv2.setNumThreads(1)
    try:
        sources = find_sources(arguments.folder, arguments.only)
    except NoFaces as error:
        print(error, file=sys.stderr)
        return 2
    (arguments.out / "sheets").mkdir(parents=True, exist_ok=True)
    results: list[FaceResult] = []
    for source in sources:
        results.append(measure_within_limit(source, arguments.out, arguments.seconds))
        write_report(results, arguments.out)
        print_result(results[-1])
    print(f"\n{arguments.out / 'index.html'}")
    return int(any(result.status == "failed" for result in results))


def parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    command = argparse.ArgumentParser(prog="python -m bench faces", description=__doc__)
    command.add_argument("folder", type=Path, metavar="DIR", help="folder of photos and videos")
    command.add_argument(
        "--only", nargs="+", default=(), metavar="NAME", help="names without suffix, or prefixes"
    )
    command.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help="length of each film"
    )
    command.add_argument("--out", type=Path, default=Path("results/faces"), metavar="DIR")
    return command


def measure_within_limit(source: Path, out: Path, seconds: float) -> FaceResult:
    """Measure one face; errors and a timeout become its result."""
    start_s = time.monotonic()
    try:
        with time_limit(FACE_LIMIT_S):
            return measure_face(source, out, seconds, start_s)
    except (MediaError, PreparationError) as refusal:
        return FaceResult(file=source.name, status="refused", message=str(refusal))
    except Exception as error:
        logging.getLogger(__name__).error("%s failed", source, exc_info=True)
        message = f"{type(error).__name__}: {error}"
        return FaceResult(file=source.name, status="failed", message=message)


def measure_face(source: Path, out: Path, seconds: float, start_s: float) -> FaceResult:
    """Prepare, render and measure one face, and write its sheet."""
    with TemporaryDirectory(prefix="warmtalk-faces-") as folder:
        film = make_film(source, Path(folder), seconds)
        original = measure_source(source, film.avatar, FACE_MODELS)
        tracked = track_film(film, open_rulers(FACE_MODELS))
        sheet = Path("sheets") / f"{source.name}.png"
        write_sheet(film, original, tracked.landmarks[PLAIN], out / sheet)
        return FaceResult(
            file=source.name,
            status="measured",
            remarks=AvatarStore(Path(folder)).summary("face").findings(),
            figures=face_figures(tracked, original),
            sheet=quote(str(sheet)),
            seconds=round(time.monotonic() - start_s, 1),
        )


@contextmanager
def time_limit(limit_s: float) -> Iterator[None]:
    """Raise OutOfTime in the block when the limit has passed; for the main thread only."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"took longer than {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def print_result(result: FaceResult) -> None:
    """Print the figures of one face, or why it has none."""
    took = f"{result.seconds:.0f} s" if result.status == "measured" else result.message
    print(f"\n{result.file}: {result.status}, {took}", flush=True)
    for figure in result.figures:
        print(f"  {figure.row()}", flush=True)
