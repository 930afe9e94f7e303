"""Figures of one face: mouth against target, stillness at rest, detail, colour and steps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.faces.gallery.lip_detail import OUTER_LIPS, lip_detail, polygon_mask
from bench.faces.gallery.ranged_figure import RangedFigure
from bench.faces.gallery.rulers import ATTENTION, PLAIN, corners_in_face
from bench.faces.gallery.source_face import SourceFace
from bench.faces.gallery.tracked_film import TrackedFilm, high_chroma
from bench.faces.lip_measures import (
    BILABIALS,
    MeasuredSentence,
    contact_end_s,
    phonemes_of,
    pooled_gap,
    pooled_target,
    spoken_gaps,
    target_correlation,
)
from warm.avatars.avatar import Avatar
from warm.engines.viseme.shape import Shape
from warm.face.landmarks import CLOSED_GAP_IOD

REST_MARGIN_IOD = 0.015
"""A mouth is closed if its gap is at most this much wider than at the avatar's own rest."""
SAMPLED_FRAMES = 24
"""Frames of the loop whose lips are compared with the source's."""
MONOCHROME_CHROMA = 6.0
"""A source whose face has less chroma is monochrome."""
JITTER_PHOTO, JITTER_VIDEO = 1.0, 2.0
"""Largest jitter of the corners at rest, % of the IOD."""
MOVING = [Shape.OPEN, Shape.PRESS, Shape.TUCK]

Gaps = NDArray[np.float64]


def face_figures(film: TrackedFilm, source: SourceFace) -> list[RangedFigure]:
    """Return all figures; those of a mesh carry its name."""
    figures = []
    for ruler in film.landmarks:
        sentences = film.sentences(ruler)
        rest = float(np.median(resting_gaps(sentences)))
        figures += [
            *target_figures(sentences, ruler, rest),
            *gap_figures(sentences, ruler, rest),
            jitter_figure(film, ruler, JITTER_VIDEO if source.is_video else JITTER_PHOTO),
        ]
    if source.is_video:
        figures.append(leak_figure(film, source))
    return [*figures, *picture_figures(film, source), *step_figures(film)]


def target_figures(
    sentences: Sequence[MeasuredSentence], ruler: str, rest: float
) -> list[RangedFigure]:
    """Return closures, correlation with the target, and the slope against it."""
    closed = bilabials_closed(sentences, max(CLOSED_GAP_IOD, rest + REST_MARGIN_IOD))
    gaps, targets = pooled_gap(sentences), pooled_target(sentences)
    share = 100 * float(np.mean(closed)) if closed else np.nan
    slope = float(np.polyfit(targets, gaps, 1)[0])
    correlation = target_correlation(sentences)
    n = len(gaps)
    return [
        RangedFigure(
            name=f"bilabials closed, {ruler} mesh", value=share, n=len(closed), low=100, unit="%"
        ),
        gap_figure("correlation with the target", correlation, n, ruler, (0.97, 1.0)),
        gap_figure("slope measured / requested", slope, n, ruler, (0.9, 1.1)),
    ]


def bilabials_closed(sentences: Sequence[MeasuredSentence], limit_iod: float) -> list[bool]:
    """Return for each /p b m/ whether a frame shown during it has a gap below the limit."""
    return [
        bool(sentence.gap[frames].min() < limit_iod)
        for sentence, phoneme in phonemes_of(sentences)
        if BILABIALS & set(phoneme.symbol)
        and len(frames := sentence.frames_during(phoneme.start_s, contact_end_s(phoneme)))
    ]


def gap_figures(
    sentences: Sequence[MeasuredSentence], ruler: str, rest: float
) -> list[RangedFigure]:
    """Return the gap at rest, and the distribution of the gaps of speech."""
    spoken = np.concatenate([spoken_gaps(one) for one in sentences])
    median, high = (float(np.quantile(spoken, q)) for q in (0.5, 0.95))
    n = len(spoken)
    return [
        RangedFigure(name=f"gap at rest, {ruler} mesh", value=rest, n=n, unit="IOD"),
        gap_figure("gap while speaking, median", median, n, ruler, (0.08, 0.12)),
        gap_figure("gap while speaking, 95th percentile", high, n, ruler, (0.25, 0.32)),
    ]


def gap_figure(
    name: str, value: float, n: int, ruler: str, goal: tuple[float, float]
) -> RangedFigure:
    """Return a figure about gaps; the plain mesh, which under-reads wide ones, sets no goal."""
    low, high = goal if ruler == ATTENTION else (None, None)
    return RangedFigure(name=f"{name}, {ruler} mesh", value=value, n=n, low=low, high=high)


def resting_gaps(sentences: Sequence[MeasuredSentence]) -> Gaps:
    """Return the gaps of the frames at rest, IOD."""
    return np.concatenate([one.gap[at_rest(one.track)] for one in sentences])


def at_rest(track: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) True for frames whose mouth, and that of both neighbours, is at rest."""
    moving = track[:, MOVING].max(axis=1) > 0
    near = moving | np.append(moving[1:], False) | np.append(False, moving[:-1])
    return np.asarray(~near)


def jitter_figure(film: TrackedFilm, ruler: str, limit: float) -> RangedFigure:
    """Return the corners' deviation from the mean of their neighbours at rest, in % of the IOD."""
    corners = corners_in_face(film.landmarks[ruler])
    still = at_rest(film.film.track)[: len(corners)]
    inner = still[1:-1] & still[:-2] & still[2:]
    off = corners[1:-1] - (corners[:-2] + corners[2:]) / 2
    jitter = 100 * float(np.sqrt((off[inner] ** 2).sum(axis=-1).mean()))
    return RangedFigure(
        name=f"jitter of the corners at rest, {ruler} mesh",
        value=jitter,
        n=int(inner.sum()),
        high=limit,
        unit="%IOD",
    )


def leak_figure(film: TrackedFilm, source: SourceFace) -> RangedFigure:
    """Return by how much the gap at rest follows that of the source's own mouth, IOD.

    It is the change that goes along with one standard deviation of the source's gap.
    """
    still = np.flatnonzero(at_rest(film.film.track))
    own = source.gaps[[shown_frame(film.thumbnails[k], source) for k in still]]
    gaps = np.concatenate([one.gap for one in film.sentences(PLAIN)])[still]
    spread = float(own.std())
    leak = abs(float(np.cov(own, gaps)[0, 1])) / spread if spread > 0 else 0.0
    return RangedFigure(
        name="leak of the source's mouth at rest", value=leak, n=len(still), high=0.015, unit="IOD"
    )


def shown_frame(thumbnail: NDArray[np.float32], source: SourceFace) -> int:
    """Return the frame of a source that a picture of the film shows above the mouth."""
    difference = np.abs(source.thumbnails - thumbnail)
    return int(difference.reshape(len(difference), -1).mean(axis=1).argmin())


def picture_figures(film: TrackedFilm, source: SourceFace) -> list[RangedFigure]:
    """Return the detail of the resting lips, and the chroma that was painted."""
    avatar = film.film.avatar
    detail = loop_detail(avatar) / source.detail
    figures = [
        RangedFigure(
            name="detail of resting lips / source", value=detail, n=SAMPLED_FRAMES, low=0.75
        )
    ]
    own = face_chroma(source)
    if own < MONOCHROME_CHROMA and len(film.chroma):
        painted = max(0.0, float(np.median(film.chroma)) - own)
        figures.append(
            RangedFigure(
                name="chroma painted into a monochrome picture",
                value=painted,
                n=len(film.chroma),
                high=0.5,
                unit="/255",
            )
        )
    return figures


def loop_detail(avatar: Avatar) -> float:
    """Return the median detail of the lips in frames of the loop."""
    count = len(avatar.frames)
    chosen = np.unique(np.linspace(0, count - 1, SAMPLED_FRAMES).astype(int))
    return float(np.median([lip_detail(avatar.frames[i], avatar.landmarks[i]) for i in chosen]))


def face_chroma(source: SourceFace) -> float:
    """Return the 99th percentile of the chroma of the source's lips."""
    lips = polygon_mask(source.picture.shape, source.points, OUTER_LIPS)
    return high_chroma(source.picture[lips])


def step_figures(film: TrackedFilm) -> list[RangedFigure]:
    """Return the changes around the mouth from frame to frame: at rest, and the largest."""
    still = at_rest(film.film.track)[: len(film.mouth_steps)]
    calm, steps = film.mouth_steps[still], film.mouth_steps[1:]
    ratio = float(steps.max() / max(np.quantile(steps, 0.95), 1e-6))
    return [
        RangedFigure(
            name="step around the mouth at rest, 99th percentile",
            value=float(np.quantile(calm, 0.99)),
            n=len(calm),
            unit="/255",
        ),
        RangedFigure(
            name="largest step around the mouth / 95th percentile",
            value=ratio,
            n=len(steps),
            high=3,
        ),
    ]
