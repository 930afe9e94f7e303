"""`python -m warm render`: films from audio files or texts, one or a list of them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from warm.settings import Settings, read_settings

if TYPE_CHECKING:
    from warm.offline.task import RenderTask

SETTING_FLAGS = {
    "engine": "--engine",
    "models": "--models-dir",
    "results": "--results-dir",
    "max_audio_s": "--max-audio-s",
    "config": "--config",
}
"""Names of this command's arguments to the server's flags for the same settings."""
FILM_FLAGS = (
    *("audio", "text", "avatar", "out", "bbox_shift"),
    *("voice", "language", "speed", "markup"),
)
"""Flags that cannot be combined with --tasks, whose file has fields for them."""


def add_render(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `render`."""
    command.set_defaults(run=run_render, refuse=command.error)
    command.add_argument(
        "--audio", type=Path, metavar="FILE", help="audio file, or video with sound"
    )
    command.add_argument(
        "--text", help="text that a voice speaks; with --audio: what the audio says"
    )
    command.add_argument("--tasks", type=Path, metavar="FILE", help="YAML file with many films")
    command.add_argument("--avatar", metavar="ID|FILE", help="avatar, or a photo or video")
    command.add_argument("--out", type=Path, metavar="FILE.mp4", help="path of the film")
    command.add_argument(
        "--bbox-shift", type=int, metavar="N", help="face box offset of a photo or video, pixels"
    )
    command.add_argument("--voice", help="voice for --text")
    command.add_argument("--language", help="language of --text")
    command.add_argument("--speed", type=float, help="speed of --text")
    command.add_argument("--markup", help="markup of --text: auto, markdown, ssml or plain")
    command.add_argument("--force", action="store_true", help="render existing films again")
    command.add_argument("--engine", help="viseme or musetalk; default: the setting")
    command.add_argument("--models", metavar="DIR", help="folder of the models")
    command.add_argument("--results", metavar="DIR", help="folder of the avatars")
    command.add_argument("--max-audio-s", metavar="S", help="maximum length of an audio file")
    command.add_argument("--config", metavar="FILE", help="YAML file with settings")


def run_render(arguments: argparse.Namespace) -> int:
    """Check all tasks, then render what is not done; return 1 if a film failed.

    Raises OfflineError, BadSettings and WeightsError.
    """
    check_flags(arguments)
    settings = settings_of(arguments)
    tasks = tasks_of(arguments)
    from warm.offline.runner import run_tasks  # noqa: PLC0415  slow, unused by other commands

    return run_tasks(tasks, settings, force=arguments.force)


def check_flags(arguments: argparse.Namespace) -> None:
    """Exit with a usage message if flags contradict one another."""
    given = [name for name in FILM_FLAGS if getattr(arguments, name) is not None]
    if arguments.tasks is not None and given:
        arguments.refuse(f"--{given[0].replace('_', '-')} cannot be combined with --tasks")
    if arguments.tasks is None and not {"audio", "text"} & set(given):
        arguments.refuse("give --audio, --text or --tasks")
    if arguments.tasks is None and not {"avatar", "out"} <= set(given):
        arguments.refuse("--audio and --text need --avatar and --out")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the server's settings with the command line applied; raises BadSettings."""
    argv = []
    for name, flag in SETTING_FLAGS.items():
        if (value := getattr(arguments, name)) is not None:
            argv += [flag, str(value)]
    return read_settings(argv)


def tasks_of(arguments: argparse.Namespace) -> "list[RenderTask]":
    """Return the tasks to render; raises BadTask and BadTaskFile."""
    from warm.offline.task import RenderTask, read_tasks  # noqa: PLC0415  slow, unused by other commands

    if arguments.tasks is not None:
        return read_tasks(arguments.tasks)
    face = Path(arguments.avatar)
    is_file = face.is_file() or face.name != arguments.avatar or bool(face.suffix)
    return [
        RenderTask(
            audio=arguments.audio,
            text=arguments.text,
            avatar=None if is_file else arguments.avatar,
            video=face if is_file else None,
            bbox_shift=arguments.bbox_shift,
            result=arguments.out,
            voice=arguments.voice,
            language=arguments.language,
            speed=arguments.speed,
            markup=arguments.markup,
        )
    ]
