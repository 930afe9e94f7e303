"""`python -m bench [NAME …]`: measures, prints one table, writes `results/bench.json` and plots."""

import argparse
import importlib
import json
import logging
import os
import platform
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.figure import Figure

TOPICS = {
    "session": "bench.films.session",
    "session_tools": "bench.films.session_tools",
    "concat": "bench.films.concat",
    "kills": "bench.films.kills",
    "stabilizers": "bench.faces.stabilizers",
    "voice": "bench.voice",
    "lips": "bench.faces.lips",
    "mouth": "bench.faces.mouth",
    "video": "bench.faces.video",
    "neural": "bench.neural.neural",
    "decoders": "bench.neural.decoders",
    "memory": "bench.neural.memory",
    "prepare": "bench.faces.prepare",
    "server": "bench.server",
    "together": "bench.together",
    "watchers": "bench.viewers.watchers",
    "page": "bench.viewers.page",
    "skew": "bench.viewers.skew",
}
"""Each topic with its module, which has `measure(out: Path) -> list[Figure]`."""
COMMANDS = {"gpu": "bench.neural.gpu", "parity": "bench.neural.parity"}
"""Modules with a command line of their own: `python -m bench gpu --help`."""
REPORT = "bench.json"
PLOTS = "bench"

Measure = Callable[[Path], list[Figure]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the named topics, or all; 1 when one of them failed, 2 for a bad command line."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in COMMANDS:
        return int(importlib.import_module(COMMANDS[given[0]]).main(given[1:]))
    arguments = parser().parse_args(given)
    logging.basicConfig(level=logging.ERROR)  # recoveries are measured here, not reported
    report, plots = arguments.results / REPORT, arguments.results / PLOTS
    plots.mkdir(parents=True, exist_ok=True)
    print(HEADING, flush=True)
    figures, failures = measure_all(arguments.topics or TOPICS, plots)
    write_report(figures, report)
    print(f"\n{report}, plots in {plots}")
    for topic, failure in failures.items():
        print(f"FAILED: {topic}: {failure}", file=sys.stderr)
    return int(bool(failures))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    known = argparse.ArgumentParser(prog="python -m bench", description="Measure Warmtalk.")
    # `choices` would refuse the empty list that means all of them.
    known.add_argument("topics", nargs="*", metavar="NAME", type=topic, help=", ".join(TOPICS))
    known.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    return known


def topic(name: str) -> str:
    """A name of the command line, if it is one of the topics."""
    if name not in TOPICS:
        raise argparse.ArgumentTypeError(f"no such topic: {name!r}; choose from {tuple(TOPICS)}")
    return name


def measure_all(topics: Iterable[str], out: Path) -> tuple[list[Figure], dict[str, str]]:
    """Measure and print topic by topic: the figures, and why which topics failed."""
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    for name in topics:
        try:
            found = find_measure(name)(out)
        except Exception as error:  # noqa: BLE001 - one broken measurement must not hide the rest
            traceback.print_exc()
            failures[name] = f"{type(error).__name__}: {error}"
            continue
        for figure in found:
            print(row(figure), flush=True)
        figures += found
    return figures, failures


def find_measure(name: str) -> Measure:
    """What measures a topic; only the topics that are asked for are imported."""
    measure: Measure = importlib.import_module(TOPICS[name]).measure
    return measure


HEADING = f"{'figure':72} {'measured':>10} {'goal':>23} {'n':>6}"


def row(figure: Figure) -> str:
    """One figure as a line of the table; `!` marks a goal that is not reached."""
    goal = f"{'>=' if figure.better == 'higher' else '<='} {figure.goal:g} {figure.unit}"
    mark = " " if figure.reached else "!"
    return f"{figure.name:72} {figure.value:>10.4g}{mark}{goal:>23} {figure.n:>6}"


def write_report(figures: Iterable[Figure], path: Path) -> None:
    """Write `bench.json`, whole or not at all."""
    report = {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def processor() -> str:
    """The processor's name, as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
