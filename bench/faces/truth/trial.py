"""One video as a trial: prepared without the held-out frames, whose mouths are then drawn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.faces.truth.painted_by_numbers import PaintedByNumbers
from warm.avatars.avatar import AvatarBuild
from warm.avatars.filmed_mouth import FilmedMouth
from warm.avatars.recipe import PreparationError, PreparationSettings
from warm.engines.viseme.learned.lip_tracking import refined
from warm.engines.viseme.learned.numbers import measure_numbers
from warm.engines.viseme.learned.renderer import LearnedMouth
from warm.engines.viseme.mouth import DrawnMouth
from warm.engines.viseme.preparation import PreparedMouth, prepare_mouth
from warm.face.attention_mesh import AttentionMesh
from warm.face.finder import FaceFinder
from warm.media.sniff import MediaError, sniff
from warm.prepare.build import PreparationJob, build_from_video
from warm.prepare.progress import no_progress
from warm.prepare.run import FACE_MODELS
from warm.prepare.source import read_footage


class Renderer(Protocol):
    """Draws mouths that are given by their measured numbers."""

    def draw_numbers(self, frame: int, numbers: NDArray[np.float64]) -> DrawnMouth:
        """Draw the mouth of `numbers` (4,) (see `learned.numbers.Number`) on a closed frame."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A prepared video, renderers that have not seen the held-out frames, and the truth."""

    build: AvatarBuild
    filmed: FilmedMouth
    held_out: NDArray[np.bool_]
    """(n,) frames that were not learned from."""
    renderers: dict[str, Renderer]
    to_frame: NDArray[np.float64]
    """(n, 2, 3) reference to frame pixels."""
    numbers: NDArray[np.float64]
    """(n, 4) measured on the filmed frames."""
    reason: str = ""
    """Reason why no mouth was learned; empty if one was."""


@contextmanager
def open_trial(video: Path, hold_out: Callable[[int], NDArray[np.bool_]]) -> Iterator[Trial]:
    """Prepare a video; raises MediaError and PreparationError.

    `hold_out` returns the (n,) held-out frames of n.
    """
    if sniff(video).kind == "photo":
        raise MediaError(f"{video} is a photo. Name a video of a talking person.")
    with TemporaryDirectory(prefix="warmtalk-truth-") as folder:
        settings = PreparationSettings()
        job = PreparationJob(video, Path(folder), settings, FACE_MODELS, no_progress)
        finder = FaceFinder(FACE_MODELS)
        build = build_from_video(
            read_footage(video, finder, settings, job.folder, no_progress), job
        )
        filmed = build.filmed
        assert filmed is not None
        held_out = hold_out(len(build.frames))
        # Nothing is learned from covered frames, so held-out frames are marked as covered.
        build.filmed = replace(filmed, covered=filmed.covered | held_out)
        ruler = AttentionMesh(FACE_MODELS)
        # The plain mesh takes teeth for closed lips.
        true = replace(filmed, landmarks=refined(filmed.frames, filmed.landmarks, ruler))
        data = prepare_mouth(build, ruler, "painted").data
        renderers: dict[str, Renderer] = {"painted": PaintedByNumbers(data, build, ruler)}
        reason = ""
        try:
            renderers["learned"] = learned_mouth(prepare_mouth(build, ruler, "learned"), build)
        except PreparationError as error:
            reason = str(error)
        yield Trial(
            build=build,
            filmed=true,
            held_out=held_out,
            renderers=renderers,
            to_frame=data.to_frame,
            numbers=measure_numbers(true.landmarks, data.to_frame),
            reason=reason,
        )


def learned_mouth(prepared: PreparedMouth, build: AvatarBuild) -> LearnedMouth:
    """Return the mouth that was learned."""
    mouth = prepared.mouth(build.frames)
    assert isinstance(mouth, LearnedMouth)
    return mouth
