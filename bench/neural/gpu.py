"""`python -m bench gpu`: the neural engine at full size on a GPU, with random weights.

Takes under 8 minutes and 4 GB of temporary disk space; needs no network. The table is printed row
by row, and the report is written after every row, so that nothing is lost if the run is stopped.
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
from bench.neural.gpu_results import Fact, Found, Row, RowContext, release_memory
from bench.neural.gpu_rig import Rig
from bench.neural.gpu_rows import ON_REQUEST, ROWS
from warm.engines.lifecycle import clear_tracebacks
from warm.engines.musetalk.cuda_errors import is_cuda_error, is_unrecoverable

MINUTES = 8.0
REPORT = "gpu.json"
KNOWN = {row[0]: row for row in (*ROWS, *ON_REQUEST)}
HEADING = f"{'figure':60} {'measured':>10} {'goal':>20}"


class OutOfTime(RuntimeError):
    """A row took longer than the remaining time."""


class Stopped(BaseException):
    """The program was stopped by a signal; the report so far is written."""


def main(argv: Sequence[str]) -> int:
    """Measure and print; 1 if a row failed or was skipped, 2 if nothing can be measured."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    if problem := device_problem(arguments.device, tiny=arguments.tiny):
        print(problem, file=sys.stderr)
        return 2
    rows = select_rows(arguments.rows)
    report = Report(arguments.results / REPORT, machine=machine_facts(arguments.device))
    arguments.results.mkdir(parents=True, exist_ok=True)
    print(HEADING, flush=True)
    with (
        TemporaryDirectory(prefix="warmtalk-gpu-", dir=arguments.folder) as folder,
        handle_signals(),
    ):
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
    """Parser of the command line."""
    command = argparse.ArgumentParser(prog="python -m bench gpu", description=__doc__)
    command.add_argument("--device", default="cuda", metavar="NAME", help="cuda, cuda:N, or cpu")
    command.add_argument("--tiny", action="store_true", help="tiny networks, to try the command")
    command.add_argument("--minutes", type=float, default=MINUTES, metavar="N", help="time limit")
    command.add_argument(
        "--rows", nargs="+", metavar="NAME", choices=list(KNOWN), help=", ".join(KNOWN)
    )
    command.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    command.add_argument(
        "--folder", type=Path, metavar="DIR", help="a folder with 4 GB of free space; default /tmp"
    )
    return command


def select_rows(names: Sequence[str] | None) -> Sequence[Row]:
    """The rows of these names, the most important first."""
    return ROWS if names is None else [row for name, row in KNOWN.items() if name in names]


def device_problem(device: str, *, tiny: bool) -> str | None:
    """Reason why nothing can be measured on this device, or None."""
    if device == "cpu":
        return None if tiny else "On a CPU this takes hours. Add --tiny to try the command."
    if not torch.cuda.is_available():
        return (
            f"PyTorch {torch.__version__} sees no GPU here. Run this on a machine with one. To try "
            "the command on a CPU: python -m bench gpu --device cpu --tiny"
        )
    return None


def machine_facts(device: str) -> dict[str, Any]:
    """Machine, libraries and device of the measurement."""
    from bench.__main__ import machine  # noqa: PLC0415  it imports this module by name

    found = {**machine(), "torch": torch.__version__, "device": device}
    if device != "cpu":
        found["gpu"] = torch.cuda.get_device_name(device)
        found["cuda"] = torch.version.cuda
    return found


@dataclass(slots=True, eq=False)
class Report:
    """Results, printed and written to disk."""

    path: Path
    machine: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """Duration of each row."""
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, found: Found) -> None:
        """Print a result and add it."""
        print(table_line(found), flush=True)
        if isinstance(found, Figure):
            self.figures.append(found)
        else:
            self.facts.append(found)

    def write(self) -> None:
        """Write the report atomically."""
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
    """Number of reached goals, and the names of missed ones."""
    missed = [each for each in report.figures if not each.reached]
    reached = f"{len(report.figures) - len(missed)} of {len(report.figures)} goals reached"
    return "; ".join([reached, *(f"missed: {each.name} ({each.value:.4g})" for each in missed)])


def table_line(found: Found) -> str:
    """Format one line of the table; `!` marks a missed goal."""
    if isinstance(found, Fact):
        return f"{found.name:60} {found.value:>10.4g} {found.unit}"
    goal = f"{'>=' if found.better == 'higher' else '<='} {found.goal:g} {found.unit}"
    mark = " " if found.reached else "!"
    return f"{found.name:60} {found.value:>10.4g}{mark}{goal:>20}"


def measure_all(rig: Rig, report: Report, rows: Sequence[Row], *, ends_s: float) -> None:
    """Measure all rows; a failed row is reported, and the others continue.

    Ends when the time is up, or when the device is lost.
    """
    try:
        begun_s = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(0.01, ends_s - begun_s))
        rig.build()
        report.seconds["making models and avatar"] = round(time.monotonic() - begun_s, 1)
    except Exception as error:  # noqa: BLE001 - the top of a row
        report.failed["making models and avatar"] = one_line(error)
        report.write()
        return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    context = RowContext(rig)
    for name, row, expected_s in rows:
        left_s = ends_s - time.monotonic()
        if not rig.tiny and left_s < expected_s:
            report.failed[name] = (
                f"skipped: {left_s:.0f} s are left, and it takes {expected_s:.0f} s"
            )
        elif not run_row(name, row, context, report, left_s):
            report.failed["the rest"] = (
                "the device is lost to this process; run the others with --rows"
            )
            report.write()
            return
        report.notes.update(context.notes)
        report.write()


def run_row(name: str, row: Any, context: RowContext, report: Report, left_s: float) -> bool:
    """Measure one row; an error ends only this row. Returns False if the device is lost."""
    is_lost = False
    begun_s = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, max(0.01, left_s))
    try:
        for found in row(context):
            report.add(found)
    except Exception as error:  # noqa: BLE001 - the top of a row
        report.failed[name] = one_line(error)
        clear_tracebacks(error)
        is_lost = getattr(error, "needs_new_process", False) or (
            isinstance(error, RuntimeError) and is_cuda_error(error) and is_unrecoverable(error)
        )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        report.seconds[name] = round(time.monotonic() - begun_s, 1)
    if not is_lost:
        release_memory()
    return not is_lost


def one_line(error: Exception) -> str:
    """Format an error in one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def handle_signals() -> Iterator[None]:
    """Turn SIGALRM into OutOfTime, and SIGTERM into Stopped."""
    before = {
        signal.SIGALRM: signal.signal(signal.SIGALRM, raise_out_of_time),
        signal.SIGTERM: signal.signal(signal.SIGTERM, raise_stopped),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_out_of_time(_number: int, _frame: FrameType | None) -> None:
    """Handle SIGALRM."""
    raise OutOfTime("no time was left; increase it with --minutes")


def raise_stopped(_number: int, _frame: FrameType | None) -> None:
    """Handle SIGTERM."""
    raise Stopped
