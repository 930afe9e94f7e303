"""Build of an avatar in a folder: all steps from the source to the preview."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import (
    FOOTAGE,
    GESTURES,
    IDLE_PATH,
    LID_TRANSFORMS,
    LIDS,
    AvatarBuild,
    Loop,
)
from warm.avatars.face_report import FaceReport
from warm.avatars.recipe import PreparationSettings
from warm.avatars.shown_mouth import ShownMouth
from warm.avatars.verdict import Verdict
from warm.engines.base import Engine
from warm.face.attention_mesh import AttentionMesh
from warm.face.finder import FaceFinder
from warm.face.models import check_models
from warm.media.sniff import sniff
from warm.prepare.arrays import allocate
from warm.prepare.idle.animate_photo import animate_photo, canonical_to_photo
from warm.prepare.idle.close_photo import rest_photo
from warm.prepare.idle.close_video import MouthCloser
from warm.prepare.idle.footage_motion import footage_motion
from warm.prepare.idle.motion import portrait_motion
from warm.prepare.idle_film import write_idle_film
from warm.prepare.preview import write_preview
from warm.prepare.progress import FaceObserver, Progress, no_observer, stage_progress
from warm.prepare.region import face_boxes, mouth_mask
from warm.prepare.source import SOURCE_FRAMES, Footage, Portrait, read_footage, read_portrait

SAMPLE_STRIDE = 8
"""Frames are compared at every eighth pixel in both directions."""
MAX_LOOP_JUMP = 1.5
"""A jump from the last frame to the first is invisible up to this many median frame steps."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparationJob:
    """Inputs of one preparation."""

    source: Path
    folder: Path
    """Empty folder for the avatar's arrays and pictures."""
    settings: PreparationSettings
    models: Path
    """Folder of the face models."""
    progress: Progress
    observer: FaceObserver = no_observer


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A complete avatar except for its manifest, and what the user should know about it."""

    build: AvatarBuild
    notes: list[str]
    verdict: Verdict
    face: FaceReport | None = None


def build_avatar(job: PreparationJob, engine: Engine) -> Prepared:
    """Write everything except the manifest."""
    check_models(job.models)
    finder = FaceFinder(job.models)
    source: Portrait | Footage
    if sniff(job.source).kind == "photo":
        portrait = read_portrait(job.source, finder, job.settings)
        job.observer(portrait.picture, portrait.landmarks)
        build, source = build_from_photo(portrait, job), portrait
    else:
        footage = read_footage(
            job.source, finder, job.settings, job.folder, job.progress, job.observer
        )
        build, source = build_from_video(footage, job), footage
    complete_build(build, engine, job)
    return Prepared(build, source.notes, Verdict(tuple(source.remarks)), source.face)


def build_from_photo(portrait: Portrait, job: PreparationJob) -> AvatarBuild:
    """Write the frames of a photo: the idle loop and the gestures of a speaker."""
    motion = portrait_motion(job.settings.fps)
    shape = (len(motion.poses), *portrait.picture.shape)
    to_photo = canonical_to_photo(portrait.landmarks)
    rest = rest_photo(portrait.picture, portrait.landmarks, to_photo, job.settings.teeth)
    photo = animate_photo(
        rest.picture,
        rest.landmarks,
        motion,
        eyes=portrait.eyes,
        progress=stage_progress(job.progress, "animating"),
        out=allocate(job.folder / "frames.npy", shape),
    )
    build = AvatarBuild(
        job.folder,
        job.settings.fps,
        photo.frames,
        photo.transforms,
        photo.landmarks,
        "forward",
        {},
        teeth_kept=rest.teeth_kept,
        shown=ShownMouth(portrait.picture, portrait.landmarks),
    )
    build.write_array(IDLE_PATH, motion.path)
    build.write_array(GESTURES, motion.gestures)
    build.write_array(LIDS, photo.lids)
    build.write_array(LID_TRANSFORMS, photo.lid_transforms)
    return build


def build_from_video(footage: Footage, job: PreparationJob) -> AvatarBuild:
    """Write the frames of a video with the mouth closed; the original frames stay for now."""
    frames = allocate(job.folder / "frames.npy", footage.frames.shape)
    closer = MouthCloser(footage.frames, footage.landmarks, footage.transforms, footage.covered)
    closer.write_frames(frames, stage_progress(job.progress, "closing"))
    build = AvatarBuild(
        job.folder,
        job.settings.fps,
        frames,
        footage.transforms,
        closer.closed_landmarks(footage.landmarks, footage.transforms),
        choose_loop(frames),
        {},
        filmed=closer.filmed_mouth(footage.landmarks, footage.covered),
    )
    mesh = AttentionMesh(job.models)
    motion = footage_motion(
        frames, footage.landmarks, build.fps, lambda *found: mesh.track(*found).points
    )
    build.write_array(FOOTAGE, motion)
    return build


def choose_loop(frames: NDArray[np.uint8]) -> Loop:
    """Return "forward" if the last of (n, h, w, 3) frames leads into the first, else "pingpong"."""
    samples = frames[:, ::SAMPLE_STRIDE, ::SAMPLE_STRIDE].astype(np.float32)
    steps = np.abs(np.diff(samples, axis=0)).mean(axis=(1, 2, 3))
    jump = float(np.abs(samples[0] - samples[-1]).mean())
    return "forward" if jump <= MAX_LOOP_JUMP * float(np.median(steps)) else "pingpong"


def complete_build(build: AvatarBuild, engine: Engine, job: PreparationJob) -> None:
    """Write the other arrays and the pictures of an avatar, and the data of its engine.

    Meanwhile a second thread encodes the idle film. The original frames of a video, which the
    engine may learn from, are deleted at the end.
    """
    job.progress("finishing", 0, 2)
    folder, shift = job.folder, job.settings.bbox_shift
    np.save(folder / "transforms.npy", build.transforms)
    np.save(folder / "landmarks.npy", build.landmarks)
    build.write_array("boxes", face_boxes(build.landmarks, shift))
    build.write_array("mask", mouth_mask(build.landmarks, build.transforms, shift))
    with ThreadPoolExecutor(1) as pool:
        idle_film = pool.submit(write_idle_film, build, folder / "idle.mp4")
        engine.prepare(build)
        write_preview(build, folder / "preview.png")
        job.progress("finishing", 1, 2)
        idle_film.result()
    (folder / SOURCE_FRAMES).unlink(missing_ok=True)
    job.progress("finishing", 2, 2)
