"""Program that cuts the person out of one film, in a process with limits and the lowest priority.

Its standard input is the film, which it reads at any position. The result goes to standard output,
or to a file in place of it.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

from isolation.limited_program import limited_command
from isolation.process import ROOT
from session.errors import CopyFailedError
from session.mp4.delivery import Area, ProgramFailed, read_report, run_to_end
from session.mp4.remux import quote_message
from warm.matting.errors import NoPerson

MEMORY_BYTES = 3 << 30
START_CPU_S, CPU_PER_S = 60, 60
"""CPU time that it may take, in seconds: a minimum, plus a share for each second of film."""
NOBODY = 3
"""Exit status for a film without a person."""
LONGEST_S = 14_400
BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from warm.matting.program import main; main()"
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is cut, and its form."""

    models: Path
    """Folder of the face models."""
    background: str | None = None
    """Colour, or path of a picture; None: transparent."""
    crop: Area | None = None
    size: tuple[int, int] | None = None
    """(width, height) after the crop; even."""

    def to_json(self) -> str:
        """Return it as an argument of the program."""
        return json.dumps(asdict(self) | {"models": str(self.models)})

    @classmethod
    def from_json(cls, text: str) -> "Cut":
        """Return the argument of the program."""
        facts: dict[str, Any] = json.loads(text)
        return cls(
            models=Path(facts["models"]),
            background=facts["background"],
            crop=facts["crop"] and Area(*facts["crop"]),
            size=facts["size"] and tuple(facts["size"]),
        )


def main() -> None:
    """Cut the film on standard input."""
    from warm.matting.background import read_background  # noqa: PLC0415  slow to import
    from warm.matting.cut_film import CutForm, cut_film  # noqa: PLC0415

    cut = Cut.from_json(sys.argv[2])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a client that is gone ends it
    form = CutForm(
        background=None if cut.background is None else read_background(cut.background),
        crop=cut.crop,
        size=cut.size,
    )
    out: str | BinaryIO = sys.argv[3] if len(sys.argv) > 3 else sys.stdout.buffer
    try:
        cut_film(sys.stdin.buffer, out, cut.models, form)
    except NoPerson as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(NOBODY)


def command_of(cut: Cut, out: Path | None = None, *, duration_s: float = LONGEST_S) -> list[str]:
    """Return the limited command that cuts a film of this length."""
    target = [] if out is None else [str(out)]
    return limited_command(
        [sys.executable, "-P", "-c", BOOT, str(ROOT), cut.to_json(), *target],
        memory_bytes=MEMORY_BYTES,
        cpu_s=START_CPU_S + round(CPU_PER_S * duration_s),
    )


def write_cut(film: Path, out: Path, cut: Cut, *, check: Callable[[], None]) -> None:
    """Cut the film in a file to another file.

    `check` is called while the program runs; its exception ends it. Raises NoPerson,
    CopyFailedError, and FilmFullError if the disk is full.
    """
    with film.open("rb") as source:
        try:
            run_to_end(command_of(cut, out), name="the cut", check=check, stdin=source)
        except ProgramFailed as error:
            raise no_person(error.message) if error.status == NOBODY else error from None


@contextmanager
def open_cut(film: IO[bytes], cut: Cut, *, duration_s: float) -> Iterator[Iterator[bytes]]:
    """Yield the bytes of a film that is cut while they are read; the end of the block ends it.

    The first piece is there when the block begins. Raises NoPerson, and CopyFailedError, also where
    the result breaks off.
    """
    with TemporaryFile() as report:
        process = subprocess.Popen(
            command_of(cut, duration_s=duration_s),
            start_new_session=True,
            stdin=film,
            stdout=subprocess.PIPE,
            stderr=report,
        )
        assert process.stdout is not None
        try:
            first = process.stdout.read(1)
            if not first:
                process.wait()
                raise failed(process.returncode, report)
            yield pieces(first, process, report)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def pieces(first: bytes, process: "subprocess.Popen[bytes]", report: IO[bytes]) -> Iterator[bytes]:
    """Yield what a program writes; raises CopyFailedError if it fails."""
    assert process.stdout is not None
    yield first
    while piece := process.stdout.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
        yield piece
    if process.wait():
        raise failed(process.returncode, report)


def failed(status: int, report: IO[bytes]) -> Exception:
    """Return the error of a program that has ended with this status."""
    message = read_report(report)
    if status == NOBODY:
        return no_person(message)
    quoted = quote_message(message)
    return CopyFailedError(f"The person could not be cut out: status {status}.{quoted}")


def no_person(message: str) -> NoPerson:
    """Return the error in what the program has reported."""
    return NoPerson(message.splitlines()[-1])
