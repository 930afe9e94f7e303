"""`python -m bench gpu`: the neural engine at full size on a GPU, with random weights.

Takes under 8 minutes, 4 GB of disk for a while, no network. The table is printed as it comes, and
written after every row, so nothing is lost where it is cut off.
"""

import argparse
import json
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import torch

from bench.figure import Figure
from bench.neural.gpu_rig import Rig
from bench.neural.gpu_rows import ON_REQUEST, ROWS, Fact, Found, Measured, Row, free
from warm.engines.lifecycle import clear_tracebacks
from warm.engines.musetalk.cuda_errors import is_cuda_error, is_unrecoverable

MINUTES = 8.0
REPORT = "gpu.json"
KNOWN = {row[0]: row for row in (*ROWS, *ON_REQUEST)}
HEADING = f"{'figure':60} {'measured':>10} {'goal':>20}"


class OutOfTime(RuntimeError):
    """A row took longer than what was left."""


class Stopped(BaseException):
    """Somebody stopped the program; what was measured by then is written."""


def main(argv: Sequence[str]) -> int:
    """Measure and print; 1 when a row failed or was left out, 2 when nothing can be measured."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    if complaint := unusable(arguments.device, tiny=arguments.tiny):
        print(complaint, file=sys.stderr)
        return 2
    rows = chosen(arguments.rows)
    report = Report(arguments.results / REPORT, machine=machine_of(arguments.device))
    arguments.results.mkdir(parents=True, exist_ok=True)
    print(HEADING, flush=True)
    with TemporaryDirectory(prefix="warmtalk-gpu-", dir=arguments.folder) as folder, stoppable():
        rig = Rig(Path(folder), device=arguments.device, tiny=arguments.tiny)
        try:
            measure_all(rig, report, rows, ends_s=time.monotonic() + 60 * arguments.minutes)
        except (Stopped, KeyboardInterrupt):
            report.failed["the rest"] = "stopped"
            report.write()
    print(f"\n{summary(report)}\n{report.path}")
    for name, failure in report.failed.items():
        print(f"FAILED: {name}: {failure}", file=sys.stderr)
    return int(bool(report.failed))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    known = argparse.ArgumentParser(prog="python -m bench gpu", description=__doc__)
    known.add_argument("--device", default="cuda", metavar="NAME", help="cuda, cuda:N, or cpu")
    known.add_argument("--tiny", action="store_true", help="tiny networks: a trial of the command")
    known.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help="stop by then")
    known.add_argument(
        "--rows", nargs="+", metavar="NAME", choices=list(KNOWN), help=", ".join(KNOWN)
    )
    known.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    known.add_argument("--folder", type=Path, metavar="DIR", help="where 4 GB are free; else /tmp")
    return known


def chosen(names: Sequence[str] | None) -> Sequence[Row]:
    """The rows of these names, in the order of their worth."""
    return ROWS if names is None else [row for name, row in KNOWN.items() if name in names]


def unusable(device: str, *, tiny: bool) -> str | None:
    """Why nothing can be measured on this device."""
    if device == "cpu":
        return None if tiny else "On a CPU this takes hours. Try the command by adding --tiny."
    if not torch.cuda.is_available():
        return (
            f"PyTorch {torch.__version__} sees no GPU here. Run this where there is one; without, "
            "python -m bench gpu --device cpu --tiny tries the command itself."
        )
    return None


def machine_of(device: str) -> dict[str, Any]:
    """What the figures were measured on."""
    from bench.__main__ import machine  # noqa: PLC0415  which imports this module by name

    found = {**machine(), "torch": torch.__version__, "device": device}
    if device != "cpu":
        found["gpu"] = torch.cuda.get_device_name(device)
        found["cuda"] = torch.version.cuda
    return found


@dataclass(slots=True, eq=False)
class Report:
    """What has been found, on the screen and on disk."""

    path: Path
    machine: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each row took."""
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, found: Found) -> None:
        """Print a line and keep it."""
        print(line(found), flush=True)
        if isinstance(found, Figure):
            self.figures.append(found)
        else:
            self.facts.append(found)

    def write(self) -> None:
        """The whole report, or none."""
        content = {
            "machine": self.machine,
            "figures": [asdict(each) for each in self.figures],
            "facts": [asdict(each) for each in self.facts],
            "failed": self.failed,
            "seconds": self.seconds,
            "notes": self.notes,
        }
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        temporary.replace(self.path)


def summary(report: Report) -> str:
    """How many goals are reached, and which are not."""
    missed = [each for each in report.figures if not each.reached]
    told = f"{len(report.figures) - len(missed)} of {len(report.figures)} goals reached"
    return "; ".join([told, *(f"missed: {each.name} ({each.value:.4g})" for each in missed)])


def line(found: Found) -> str:
    """One line of the table; `!` marks a goal that is not reached."""
    if isinstance(found, Fact):
        return f"{found.name:60} {found.value:>10.4g} {found.unit}"
    goal = f"{'>=' if found.better == 'higher' else '<='} {found.goal:g} {found.unit}"
    mark = " " if found.reached else "!"
    return f"{found.name:60} {found.value:>10.4g}{mark}{goal:>20}"


def measure_all(rig: Rig, report: Report, rows: Sequence[Row], *, ends_s: float) -> None:
    """Row after row; one that fails is noted, and the others go on until the time is up, or the
    device is lost."""
    try:
        begun_s = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(0.01, ends_s - begun_s))
        rig.build()
        report.seconds["making models and avatar"] = round(time.monotonic() - begun_s, 1)
    except Exception as error:  # noqa: BLE001 - the top of a row
        report.failed["making models and avatar"] = told(error)
        report.write()
        return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    measured = Measured(rig)
    for name, row, expected_s in rows:
        left_s = ends_s - time.monotonic()
        if not rig.tiny and left_s < expected_s:
            report.failed[name] = f"left out: {left_s:.0f} s were left, it takes {expected_s:.0f}"
        elif not run_row(name, row, measured, report, left_s):
            report.failed["the rest"] = "the device is lost to this process; run them by --rows"
            report.write()
            return
        report.notes.update(measured.notes)
        report.write()


def run_row(name: str, row: Any, measured: Measured, report: Report, left_s: float) -> bool:
    """Whatever goes wrong in a row ends that row alone; False where the device is lost by it."""
    lasts = False
    begun_s = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, max(0.01, left_s))
    try:
        for found in row(measured):
            report.add(found)
    except Exception as error:  # noqa: BLE001 - the top of a row
        report.failed[name] = told(error)
        clear_tracebacks(error)
        lasts = getattr(error, "needs_new_process", False) or (
            isinstance(error, RuntimeError) and is_cuda_error(error) and is_unrecoverable(error)
        )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        report.seconds[name] = round(time.monotonic() - begun_s, 1)
    if not lasts:
        free()
    return not lasts


def told(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the alarm of the clock into OutOfTime, and a wish to stop into Stopped."""
    before = {
        signal.SIGALRM: signal.signal(signal.SIGALRM, out_of_time),
        signal.SIGTERM: signal.signal(signal.SIGTERM, stopped),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def out_of_time(_number: int, _frame: FrameType | None) -> None:
    """The clock's alarm."""
    raise OutOfTime("no time was left; --minutes gives more")


def stopped(_number: int, _frame: FrameType | None) -> None:
    """The wish of somebody else."""
    raise Stopped
