"""Frames of a video in which something covers the mouth: a hand, a microphone, a cup, a mask.

Two measurements are compared with the person's own other frames: the colours of lips, chin and
cheeks relative to the upper face, so that a change of light makes no difference, and the evidence
of a face that the mesh finds. Changes that the other frames also show, such as the opening of the
mouth or a turn of the head, are modelled by principal components and do not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_propagation, median_filter

from warm.face.landmarks import inter_ocular
from warm.prepare.idle.lower_face import (
    AROUND_LOWER,
    AROUND_UPPER,
    CORNER_SKIN,
    MIDDLE_LOWER,
    MIDDLE_UPPER,
)

LIT = (6, 197, 195, 5, 50, 280, 101, 330, 118, 347)
"""Landmarks on nose and cheeks, whose median colour stands for the light."""
LIPS = (*MIDDLE_UPPER, *MIDDLE_LOWER)
SKIN = (
    *(*AROUND_UPPER, *AROUND_LOWER, *CORNER_SKIN, 216, 436, 212, 432, 206, 426),
    *(175, 199, 200, 208, 428, 32, 262, 204, 424, 210, 430, 194, 418, 201, 421),
)
SAMPLED_IOD_PX = 24.0
"""Eye distance to which a face is scaled down before its colours are sampled."""
MARGIN_IOD = 0.2
SMOOTHING_PX = 0.8
FLOOR = 12.0
"""Added to colours before their logarithm, so that noise in shadows counts less."""
LIP_CHANGE, SKIN_CHANGE = (0.25, 0.5), (0.2, 0.36)
"""Least and greatest limit of an ordinary change of the log colour of a point."""
SIGMAS, MODELLED_SIGMAS = 3.5, 4.0
"""An ordinary change in standard deviations, without and with principal components."""
COMPONENTS, MAX_COMPONENT = 3, 4.0
"""Principal components of ordinary changes, and their largest amount in standard deviations."""
COVERED_SHARE = 0.13
"""Share of changed points that indicates a cover."""
EVIDENCE_SLACK, EVIDENCE_DROP = 3.0, 7.0
"""Drop of the mesh's evidence that is ordinary, and the further drop that indicates a cover."""
SPREAD = 0.6
"""Next to a covered frame, this score is enough."""
MARGIN_FRAMES = 2
"""Frames before and after a cover that are blurred by its motion."""
MIN_REFERENCE_FRAMES = 8
ITERATIONS = 8
MIN_EVIDENCE_DIFFERENCE = 1.0
"""Covered frames may have this much more evidence than uncovered ones, but no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Appearance of the lower face in n frames."""

    colours: NDArray[np.float32]
    """(n, k, 3) log colours of LIPS and SKIN relative to the light."""
    evidence: NDArray[np.float64]
    """(n,) the mesh's evidence of a face."""

    def scores(
        self, changes: NDArray[np.float32], reference: NDArray[np.bool_], sigmas: float
    ) -> NDArray[np.float64]:
        """Return (n,) scores, above 1 for a cover, of (n, k) changes of colour."""
        low, high = np.repeat([LIP_CHANGE, SKIN_CHANGE], (len(LIPS), len(SKIN)), axis=0).T
        spread = 1.48 * np.median(changes[reference], axis=0)
        share = (changes > np.clip(sigmas * spread, low, high)).mean(axis=1)
        drop = np.median(self.evidence[reference]) - self.evidence - EVIDENCE_SLACK
        score = share / COVERED_SHARE + np.maximum(drop, 0) / EVIDENCE_DROP
        return np.asarray(median_filter(score, 3, mode="nearest"), np.float64)


def find_covered(
    frames: NDArray[np.uint8], landmarks: NDArray[np.float32], evidence: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return (n,) True for frames in which something covers the mouth, or part of it.

    frames (n, h, w, 3) BGR, landmarks (n, 468, 3), evidence (n,) as the mesh reports it. Compares
    the frames with one another: a mouth that is covered in all of them is not found.
    """
    pairs = zip(frames, landmarks, strict=True)
    look = Look(np.stack([lower_face_colours(*pair) for pair in pairs]), evidence)
    if len(frames) < 2 * MIN_REFERENCE_FRAMES:
        return np.zeros(len(frames), np.bool_)
    covered = covered_given(look, np.ones(len(frames), np.bool_))
    if not covered.any():
        return covered
    divisions = [covered, *(covered_given(look, guess) for guess in first_references(look))]
    return max(divisions, key=lambda covered: plausibility(covered, evidence))


def lower_face_colours(
    picture: NDArray[np.uint8], points: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (k, 3) log colours of LIPS and SKIN relative to the light on the upper face."""
    iod = float(inter_ocular(points))
    low = np.maximum(points[:, :2].min(axis=0) - MARGIN_IOD * iod, 0).astype(int)
    high = np.ceil(points[:, :2].max(axis=0) + MARGIN_IOD * iod).astype(int)
    face = picture[low[1] : high[1], low[0] : high[0]]
    if face.size == 0:
        return np.zeros((len(LIPS) + len(SKIN), 3), np.float32)
    scale = SAMPLED_IOD_PX / iod
    size = [max(2, round(side * scale)) for side in face.shape[1::-1]]
    small = cv2.resize(face, size, interpolation=cv2.INTER_AREA)
    smooth = np.log(cv2.GaussianBlur(small, (0, 0), SMOOTHING_PX).astype(np.float32) + FLOOR)
    at = (points[[*LIT, *LIPS, *SKIN], :2] - low + 0.5) * (np.array(size) / face.shape[1::-1])
    at = np.asarray(at - 0.5, np.float32)
    colours = cv2.remap(
        smooth, at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )[0]
    return np.asarray(colours[len(LIT) :] - np.median(colours[: len(LIT)], axis=0), np.float32)


def first_references(look: Look) -> Iterator[NDArray[np.bool_]]:
    """Yield guesses of the uncovered frames: those with most evidence, and parts of the clip."""
    count = len(look.evidence)
    yield look.evidence >= np.percentile(look.evidence, 80)
    thirds = np.arange(count) * 3 // count
    for third in range(3):
        yield thirds == third


def covered_given(look: Look, reference: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the (n,) covered frames if those of `reference` are uncovered; refines the guess."""
    covered = ~reference
    for _ in range(ITERATIONS):
        middle = np.median(look.colours[reference], axis=0)
        changes = np.linalg.norm(look.colours - middle, axis=-1)
        covered = look.scores(changes, reference, SIGMAS) > 1
        if np.array_equal(covered, ~reference) or (~covered).sum() < MIN_REFERENCE_FRAMES:
            break
        reference = ~covered
    if not covered.any() or (~covered).sum() < MIN_REFERENCE_FRAMES:
        return covered
    return with_surroundings(look.scores(unexplained(look, ~covered), ~covered, MODELLED_SIGMAS))


def unexplained(look: Look, reference: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (n, k) changes of colour beyond those that occur between the `reference` frames."""
    flat = look.colours.reshape(len(look.colours), -1)
    offsets = flat - np.median(flat[reference], axis=0)
    _, sizes, axes = np.linalg.svd(offsets[reference], full_matrices=False)
    axes, limit = axes[:COMPONENTS], MAX_COMPONENT * sizes[:COMPONENTS] / np.sqrt(reference.sum())
    amounts = np.clip(offsets @ axes.T, -limit, limit)
    rest = (offsets - amounts @ axes).reshape(look.colours.shape)
    return np.asarray(np.linalg.norm(rest, axis=-1), np.float32)


def with_surroundings(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the covered frames of (n,) scores; next to a sure one, less is enough."""
    return np.asarray(binary_propagation(scores > 1, mask=scores > SPREAD), np.bool_)


def with_margin(covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the (n,) covered frames and those near them, which their motion may blur."""
    if not covered.any():
        return covered
    return np.asarray(binary_dilation(covered, iterations=MARGIN_FRAMES), np.bool_)


def plausibility(covered: NDArray[np.bool_], evidence: NDArray[np.float64]) -> float:
    """Return how well a division into covered and uncovered frames agrees with the evidence.

    Covers are rather short, and the mesh finds less evidence in covered frames.
    """
    if not covered.any() or covered.all():
        return 0.0 if not covered.any() else -np.inf
    loss = float(np.median(evidence[~covered]) - np.median(evidence[covered]))
    against = min(loss + MIN_EVIDENCE_DIFFERENCE, 0.0)
    return against + float(np.clip(loss, 0, 3)) - 3 * float(covered.mean())
