"""Preparation of the actions of an avatar, one after another."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from warm.avatars.action import Action
from warm.avatars.avatar import AvatarBuild
from warm.avatars.recipe import PreparationSettings
from warm.engines.base import Engine
from warm.face.finder import FaceFinder
from warm.motion.performance import usual_step
from warm.prepare.action.closing import ClosedFilm, close_film
from warm.prepare.action.extension import Extension
from warm.prepare.action.job import ActionJob
from warm.prepare.action.placement import place_film
from warm.prepare.action.source import ActionSource, action_digest
from warm.prepare.action.tracked_film import track_film
from warm.prepare.idle.resting_face import turns_against
from warm.prepare.progress import FaceObserver, Progress, no_observer

SCRATCH = "scratch"
"""Folder of temporary files, in that of the avatar under construction."""
STAGE_SHARES = {"reading": (0, 50), "stabilizing": (50, 60), "closing": (60, 90)}
"""First and last percent of each stage of one action."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ActionTools:
    """What actions are prepared with."""

    engine: Engine
    models: Path
    settings: PreparationSettings
    progress: Progress
    observer: FaceObserver = no_observer


def add_actions(extension: Extension, sources: Sequence[ActionSource], tools: ActionTools) -> None:
    """Add actions to an avatar under construction; one of the same name is replaced.

    Raises MediaError and the errors of `warm.prepare.action.errors`.
    """
    finder = FaceFinder(tools.models)
    for number, source in enumerate(sources):
        progress = part_progress(tools.progress, number, len(sources))
        progress("reading", 0, 1)
        extension.remove(source.name)
        add_action(extension, source, replace(tools, progress=progress), finder)
        tools.progress("actions", 100 * (number + 1), 100 * len(sources))


def add_action(
    extension: Extension, source: ActionSource, tools: ActionTools, finder: FaceFinder
) -> None:
    """Add one action."""
    build, loop = extension.build, extension.loop
    build.base_frames = loop
    height, width = build.frames.shape[1:3]
    largest = max(tools.settings.max_side, height, width)
    with scratch_of(build) as scratch:
        job = ActionJob(
            source=source,
            build=build,
            loop=loop,
            finder=finder,
            settings=replace(tools.settings, fps=build.fps, max_side=largest),
            scratch=scratch,
            progress=tools.progress,
            observer=tools.observer,
        )
        film = track_film(job)
        closed = close_film(film, place_film(film, job), job)
        part = part_of(build, closed, loop)
        usual = usual_step(build.avatar())
        action = Action(
            name=source.name,
            start=len(build.frames),
            frames=len(closed.frames),
            digest=action_digest(source, build.fps),
            source=source.source_name or str(source.path),
            head_step=round(usual.head, 5),
            picture_step=round(usual.picture, 3),
        )
        extension.add(action, part, closed.mouth_shares, tools.engine)


def part_of(build: AvatarBuild, closed: ClosedFilm, loop: int) -> AvatarBuild:
    """Return the frames of an action as a part of an avatar."""
    base = slice(0, loop)
    turns = turns_against(
        np.asarray(build.landmarks[base]),
        np.asarray(build.transforms[base]),
        closed.landmarks,
        closed.transforms,
    )
    return AvatarBuild(
        folder=build.folder,
        fps=build.fps,
        frames=closed.frames,
        transforms=closed.transforms,
        landmarks=closed.landmarks,
        loop="pingpong",
        extras={},
        turns_deg=turns,
    )


@contextmanager
def scratch_of(build: AvatarBuild) -> Iterator[Path]:
    """Yield an empty folder, which is deleted at the end of the block."""
    folder = build.folder / SCRATCH
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def part_progress(progress: Progress, number: int, count: int) -> Callable[[str, int, int], None]:
    """Return a callback for the stages of one of several actions; reports the stage "actions"."""

    def report(stage: str, done: int, total: int) -> None:
        first, last = STAGE_SHARES[stage]
        percent = first + (last - first) * min(1.0, done / max(1, total))
        progress("actions", round(100 * number + percent), 100 * count)

    return report
