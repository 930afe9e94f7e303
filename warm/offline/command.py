"""`python -m warm render`: films of sound files or texts, one or a list of them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from warm.settings import Settings, read_settings

if TYPE_CHECKING:
    from warm.offline.task import RenderTask

OF_SETTINGS = {
    "engine": "--engine",
    "models": "--models-dir",
    "results": "--results-dir",
    "max_audio_s": "--max-audio-s",
    "config": "--config",
}
"""Flags of this command that are settings of the server, by their names there."""
OF_ONE_FILM = ("avatar", "out", "bbox_shift", "voice", "language", "speed")
"""Flags that say nothing beside --tasks, whose file has fields for them."""


def add_render(command: argparse.ArgumentParser) -> None:
    """`render`."""
    command.set_defaults(run=run_render, refuse=command.error)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--audio", type=Path, metavar="FILE", help="the sound, or a video with it")
    what.add_argument("--text", help="what a voice says instead")
    what.add_argument("--tasks", type=Path, metavar="FILE", help="YAML file of many films")
    command.add_argument("--avatar", metavar="ID|FILE", help="an avatar, or a photo or video")
    command.add_argument("--out", type=Path, metavar="FILE.mp4", help="the film")
    command.add_argument("--bbox-shift", type=int, metavar="N", help="of a photo or video")
    command.add_argument("--voice", help="of --text")
    command.add_argument("--language", help="of --text")
    command.add_argument("--speed", type=float, help="of --text")
    command.add_argument("--force", action="store_true", help="make again what is done")
    command.add_argument("--engine", help="viseme or musetalk; else as the settings say")
    command.add_argument("--models", metavar="DIR", help="where the models lie")
    command.add_argument("--results", metavar="DIR", help="where avatars are written")
    command.add_argument("--max-audio-s", metavar="S", help="longest sound file")
    command.add_argument("--config", metavar="FILE", help="YAML file of settings")


def run_render(arguments: argparse.Namespace) -> int:
    """Check everything, then make what is not made; 1 when a film was not made.

    Raises OfflineError, BadSettings and WeightsError.
    """
    check_flags(arguments)
    settings = settings_of(arguments)
    tasks = tasks_of(arguments)
    from warm.offline.runner import work  # noqa: PLC0415  slow, and other commands need none of it

    return work(tasks, settings, force=arguments.force)


def check_flags(arguments: argparse.Namespace) -> None:
    """Leave with a usage message when flags do not go together."""
    given = [name for name in OF_ONE_FILM if getattr(arguments, name) is not None]
    if arguments.tasks is not None and given:
        arguments.refuse(f"--{given[0].replace('_', '-')} does not go with --tasks")
    if arguments.tasks is None and not {"avatar", "out"} <= set(given):
        arguments.refuse("--avatar and --out are needed with --audio and --text")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The server's settings with what the command line says; raises BadSettings."""
    argv = []
    for name, flag in OF_SETTINGS.items():
        if (value := getattr(arguments, name)) is not None:
            argv += [flag, str(value)]
    return read_settings(argv)


def tasks_of(arguments: argparse.Namespace) -> "list[RenderTask]":
    """What to make; raises BadTask and BadTaskFile."""
    from warm.offline.task import RenderTask, read_tasks  # noqa: PLC0415  only what the command needs

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
        )
    ]
