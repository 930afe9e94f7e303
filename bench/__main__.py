"""`python -m bench [NAME …]`: measure, print one table, write `results/bench.json` and plots."""

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
    "heads": "bench.heads",
    "job_kills": "bench.job_kills.kills",
    "damage": "bench.films.damage",
    "stabilizers": "bench.faces.stabilizers",
    "voice": "bench.voice",
    "sound_lips": "bench.recogniser.sound_lips",
    "voice_times": "bench.speech.voice_times",
    "voice_words": "bench.speech.voice_words",
    "piper_voices": "bench.speech.piper_voices",
    "cuts": "bench.speech.cuts",
    "voice_process": "bench.voice_process",
    "voice_joins": "bench.speech.joins",
    "voice_speed": "bench.speech.speed",
    "voice_texts": "bench.voice_texts",
    "voice_alignment": "bench.speech.alignment",
    "hostile": "bench.hostile",
    "fuzz": "bench.fuzz.fuzz",
    "keys": "bench.keys",
    "intruders": "bench.intruders.intruders",
    "lips": "bench.faces.lips",
    "mouth": "bench.faces.mouth",
    "video": "bench.faces.video",
    "life": "bench.faces.life",
    "actions": "bench.faces.actions",
    "resting_lips": "bench.faces.resting_lips",
    "turned_heads": "bench.faces.turned_heads",
    "enhance": "bench.enhancement.enhance",
    "neural": "bench.neural.neural",
    "decoders": "bench.neural.decoders",
    "memory": "bench.neural.memory",
    "prepare": "bench.faces.prepare",
    "preprocess": "bench.preprocessing",
    "odd_faces": "bench.faces.odd_faces",
    "broken_media": "bench.broken_media",
    "large_photos": "bench.large_photos",
    "gfpgan": "bench.restoration.gfpgan",
    "server": "bench.server",
    "container": "bench.container.container",
    "recording": "bench.recording",
    "transcribe": "bench.hearing.transcribe",
    "rendering": "bench.rendering",
    "remote": "bench.remote",
    "heart": "bench.heart",
    "embedded_chat": "bench.embedded_chat",
    "crowd": "bench.crowd.crowd",
    "states": "bench.states.explore",
    "together": "bench.together",
    "busy": "bench.busy",
    "chat": "bench.chat.latency",
    "heard": "bench.chat.heard",
    "voice_interruption": "bench.microphone.interruption",
    "voice_answer": "bench.microphone.answer",
    "voice_echo": "bench.microphone.echo",
    "second_talk": "bench.second_talk",
    "shares": "bench.shares",
    "pace": "bench.pace",
    "eight": "bench.capacity",
    "watchers": "bench.viewers.watchers",
    "page": "bench.viewers.page",
    "live_clock": "bench.live.clock",
    "live_page": "bench.live.page",
    "live_skew": "bench.live.skew",
    "live_skew_long": "bench.live.long_skew",
    "live_socket": "bench.live.live_socket",
    "skew": "bench.viewers.skew",
    "viewers_live": "bench.live.viewers",
    "live_pcm": "bench.live.live_pcm",
    "pushes": "bench.live.pushes",
    "scale": "bench.scale.scale",
    "soak": "bench.soak",
}
"""Module of each topic; it has `measure(out: Path) -> list[Figure]`, `out` the folder of plots."""
ON_REQUEST = {
    *("container", "fuzz", "scale", "soak", "live_skew_long"),
    *("voice_times", "voice_words", "voice_texts", "piper_voices"),
}
"""Topics that take half an hour or need optional packages; they are measured only if named."""
COMMANDS = {
    "gpu": "bench.neural.gpu",
    "parity": "bench.neural.parity",
    "faces": "bench.faces.gallery.command",
    "mouth-truth": "bench.faces.truth.command",
    "lids": "bench.faces.lids.command",
}
"""Modules with a command line of their own: `python -m bench gpu --help`."""
REPORT = "bench.json"
PLOTS = "bench"
HEADING = f"{'figure':72} {'measured':>10} {'goal':>23} {'n':>6}"

Measure = Callable[[Path], list[Figure]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the named topics, or all; return 1 if one failed. Exits with 2 on a usage error."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in COMMANDS:
        return int(importlib.import_module(COMMANDS[given[0]]).main(given[1:]))
    arguments = parser().parse_args(given)
    logging.basicConfig(level=logging.ERROR)  # recoveries are part of the measurements: no warnings
    report, plots = arguments.results / REPORT, arguments.results / PLOTS
    plots.mkdir(parents=True, exist_ok=True)
    print(HEADING, flush=True)
    figures, failures = measure_all(arguments.topics or default_topics(), plots)
    write_report(figures, report)
    print(f"\n{report}, plots in {plots}")
    for topic, failure in failures.items():
        print(f"FAILED: {topic}: {failure}", file=sys.stderr)
    return int(bool(failures))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command_line = argparse.ArgumentParser(prog="python -m bench", description="Measure Warmtalk.")
    # `choices` would refuse the empty list, which means all topics.
    command_line.add_argument(
        "topics", nargs="*", metavar="NAME", type=topic, help=", ".join(TOPICS)
    )
    command_line.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    return command_line


def topic(name: str) -> str:
    """Return the name of a topic as given; raises ArgumentTypeError if it is unknown."""
    if name not in TOPICS:
        raise argparse.ArgumentTypeError(f"no such topic: {name!r}; choose from {tuple(TOPICS)}")
    return name


def default_topics() -> list[str]:
    """Return the topics that are measured if none is named."""
    return [name for name in TOPICS if name not in ON_REQUEST]


def measure_all(topics: Iterable[str], out: Path) -> tuple[list[Figure], dict[str, str]]:
    """Measure and print topic by topic; return the figures, and the error of each failed topic."""
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    for name in topics:
        try:
            measured = find_measure(name)(out)
        except Exception as error:  # noqa: BLE001 - one broken measurement must not hide the rest
            traceback.print_exc()
            failures[name] = f"{type(error).__name__}: {error}"
            continue
        for figure in measured:
            print(row(figure), flush=True)
        figures += measured
    return figures, failures


def find_measure(name: str) -> Measure:
    """Return the function that measures a topic; imports the module of this topic only."""
    measure: Measure = importlib.import_module(TOPICS[name]).measure
    return measure


def row(figure: Figure) -> str:
    """Return a figure as a line of the table; `!` marks a missed goal."""
    goal = f"{'>=' if figure.better == 'higher' else '<='} {figure.goal:g} {figure.unit}"
    mark = " " if figure.reached else "!"
    return f"{figure.name:72} {figure.value:>10.4g}{mark}{goal:>23} {figure.n:>6}"


def write_report(figures: Iterable[Figure], path: Path) -> None:
    """Write `bench.json` atomically."""
    report = {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def machine() -> dict[str, Any]:
    """Return the processor, memory and system that the figures were measured on."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def processor() -> str:
    """Return the name of the processor from /proc/cpuinfo."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
