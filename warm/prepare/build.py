"""Makes an avatar in a folder: every step from the source to the preview."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warm.avatars.avatar import AvatarBuild
from warm.avatars.recipe import PreparationSettings
from warm.engines.base import Engine
from warm.face.finder import FaceFinder
from warm.media.sniff import sniff
from warm.prepare.arrays import allocate
from warm.prepare.idle.animate_photo import animate_photo
from warm.prepare.idle.close_video import close_mouth
from warm.prepare.idle.sway import loop_length
from warm.prepare.idle_film import write_idle_film
from warm.prepare.loop import choose_loop
from warm.prepare.preview import write_preview
from warm.prepare.progress import Progress, of_stage
from warm.prepare.region import face_boxes, mouth_mask
from warm.prepare.source import Footage, Portrait, read_footage, read_portrait


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One preparation."""

    source: Path
    folder: Path
    """Empty; the avatar's arrays and pictures are made in it."""
    settings: PreparationSettings
    models: Path
    """Folder of the face models."""
    progress: Progress


def build_avatar(job: Job, engine: Engine) -> tuple[AvatarBuild, list[str]]:
    """Make everything but the manifest; the build and notes for the person who asked."""
    finder = FaceFinder(job.models)
    if sniff(job.source).kind == "photo":
        portrait = read_portrait(job.source, finder, job.settings)
        build, notes = from_portrait(portrait, job), portrait.notes
    else:
        footage = read_footage(job.source, finder, job.settings, job.folder, job.progress)
        build, notes = from_footage(footage, job), footage.notes
    finish(build, engine, job)
    return build, notes


def from_portrait(portrait: Portrait, job: Job) -> AvatarBuild:
    """Bake the idle loop of a photo."""
    fps = job.settings.fps
    frames = allocate(job.folder / "frames.npy", (loop_length(fps), *portrait.picture.shape))
    clip = animate_photo(
        portrait.picture,
        portrait.landmarks,
        fps=fps,
        progress=of_stage(job.progress, "animating"),
        out=frames,
    )
    return AvatarBuild(job.folder, fps, frames, clip.transforms, clip.landmarks, "forward", {})


def from_footage(footage: Footage, job: Job) -> AvatarBuild:
    """Bake the frames of a video with its mouth closed; the frames as filmed are not kept."""
    frames = allocate(job.folder / "frames.npy", footage.frames.shape)
    landmarks = close_mouth(
        footage.frames,
        footage.landmarks,
        footage.transforms,
        out=frames,
        progress=of_stage(job.progress, "closing"),
    )
    (job.folder / "source.npy").unlink()
    loop = choose_loop(frames)
    return AvatarBuild(
        job.folder, job.settings.fps, frames, footage.transforms, landmarks, loop, {}
    )


def finish(build: AvatarBuild, engine: Engine, job: Job) -> None:
    """Write what every avatar has besides its frames, then let the engine add its own."""
    job.progress("finishing", 0, 2)
    folder, shift = job.folder, job.settings.bbox_shift
    np.save(folder / "transforms.npy", build.transforms)
    np.save(folder / "landmarks.npy", build.landmarks)
    build.write_array("boxes", face_boxes(build.landmarks, shift))
    build.write_array("mask", mouth_mask(build.landmarks, build.transforms, shift))
    with ThreadPoolExecutor(1) as beside:
        film = beside.submit(write_idle_film, build, folder / "idle.mp4")
        write_preview(build, folder / "preview.png")
        engine.prepare(build)
        job.progress("finishing", 1, 2)
        film.result()
    job.progress("finishing", 2, 2)
