"""Alignment: the times of a reference's phonemes in another recording of the same text.

Both recordings are compared by dynamic time warping of their features. The reference comes from a
voice that knows the times of its phonemes. The comparison is made coarsely, with the frequencies
of the speech stretched by several factors; finely, near the best of these paths; and again after
the features of the speech have been fitted to those of the reference along the path.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.alignment.cepstra import (
    Frames,
    Spectra,
    features,
    measure_spectra,
    noise_floor,
    silent_frames,
)
from tts.alignment.coarse import COARSE_FACTOR, CoarsePath
from tts.alignment.match import Match
from tts.alignment.path import Band, Path, Target, band_around, cheapest_path
from tts.alignment.pauses import without_long_pauses
from tts.alignment.timing import phonemes_at
from tts.alignment.words import band_of_words
from tts.speech import Phoneme, Speech, WordTime

WARPS = (0.82, 0.88, 0.94, 1.0, 1.06, 1.13, 1.2)
"""Factors of the frequencies: from a much longer vocal tract than the reference's to a much shorter
one."""
BAND_RADIUS = 60
"""Frames by which the fine path may leave the coarse one."""
FITS = 2
"""Number of times that the features are fitted and compared again."""
FIT_RIDGE = 10.0
"""Weight of the features without a fit, in frames."""

SHORTEST_S = 0.1
SHORTEST_FRAMES = 8
"""Minimum duration of a recording that can be compared, and minimum number of sounding frames."""
MAX_MISSING = 0.15
"""Share of the text that may be missing at its beginning and end."""
OTHER_TEXT_COST = 0.985
"""Usual `Match.relative_cost` of two recordings of different texts."""
COST_SPREAD = 1.0
"""Divided by the square root of the number of sounding frames, it is twice the standard deviation
of that cost."""
SHORT_TEXT_COST = 0.90
"""Allowed at any length: in a very short text, the same words may cost as much as others."""


class CannotAlign(ValueError):
    """Two recordings do not match; the message is a predicate, such as "has no sound"."""


class TooQuiet(CannotAlign):
    """A recording has too little sound to be compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One of the two recordings, as it is compared: its long pauses are shortened."""

    spectra: Spectra
    highest_hz: float
    bands: Frames
    """(n, BANDS) energies of all frames."""
    silent: NDArray[np.bool_]
    """(n,) of all frames."""
    kept: NDArray[np.intp]
    """(k,) the frames that are compared."""

    @classmethod
    def create(cls, spectra: Spectra, highest_hz: float) -> "Recording":
        """Find the pauses of a recording and shorten them."""
        bands = spectra.bands(highest_hz)
        silent = silent_frames(bands)
        return cls(spectra, highest_hz, bands, silent, without_long_pauses(silent))

    def features(self, masking: Frames, warp: float = 1.0) -> Frames:
        """(k, features) of the frames that are compared, with stretched frequencies."""
        bands = self.spectra.bands(self.highest_hz, warp)
        return features(bands, self.silent, masking)[self.kept]

    @property
    def pauses(self) -> NDArray[np.bool_]:
        """(k,) True where a frame that is compared is silent."""
        return self.silent[self.kept]


def align(speech: Speech, reference: Speech, words: Sequence[WordTime] = ()) -> tuple[Phoneme, ...]:
    """Return the phonemes of the reference with their times in a complete speech.

    `words` are known times of words in the speech. Takes about 18 ms per second of speech, and
    little memory: 30 s take 30 MB. Raises CannotAlign if the two do not say the same.
    """
    assert reference.phonemes is not None
    match = compare(speech, reference, words)
    check(match)
    return phonemes_at(match, reference.phonemes, speech.duration_s)


def check(match: Match) -> None:
    """Raise CannotAlign if two recordings have too little in common."""
    if match.relative_cost > highest_cost(int(np.count_nonzero(~match.silent))):
        raise CannotAlign("does not match the text")
    if match.missing > MAX_MISSING:
        raise CannotAlign("says only a part of the text")


def highest_cost(sounding_frames: int) -> float:
    """Return the highest relative cost of recordings that count as the same text.

    In a study of 200 pairs, with and without noise, 98 of 100 recordings of the same text cost
    less, and 98 of 100 of different texts, which lasted 2 s or longer, cost more.
    """
    return max(OTHER_TEXT_COST - COST_SPREAD / math.sqrt(sounding_frames), SHORT_TEXT_COST)


def compare(
    speech: Speech,
    reference: Speech,
    words: Sequence[WordTime] = (),
    *,
    pause_distance: float = math.inf,
    may_end_early: bool = False,
) -> Match:
    """Find the frames that sound alike, in order; raises CannotAlign without enough sound.

    `pause_distance` and `may_end_early` are those of `Target`.
    """
    if any(len(each.samples) < SHORTEST_S * each.sample_rate_hz for each in (speech, reference)):
        raise TooQuiet("is too short")
    recording, model = _recordings(measure_spectra(speech), measure_spectra(reference))
    if min(np.count_nonzero(~each.silent) for each in (recording, model)) < SHORTEST_FRAMES:
        raise TooQuiet("has too little sound")
    target = Target(
        model.features(noise_floor(recording.bands)), model.pauses, pause_distance, may_end_early
    )
    band = _coarse_band(recording, model, words) if words else None
    frames, near = _best_warp(recording, noise_floor(model.bands), target, band)
    path = _fine_path(frames, target, near.path.columns, sounding=~recording.pauses)
    return Match(
        speech_frames=recording.kept,
        reference_frames=model.kept[path.columns],
        silent=recording.silent,
        missing=_missing_share(path, target),
        relative_costs=near.relative_costs(~recording.pauses),
    )


def _missing_share(path: Path, target: Target) -> float:
    """Return the share of the sounds of a target before and after the path."""
    sounding = ~target.pauses
    missing = np.count_nonzero(sounding[: int(path.columns[0])])
    if not target.may_end_early:
        missing += np.count_nonzero(sounding[int(path.columns[-1]) + 1 :])
    return float(missing / np.count_nonzero(sounding))


def _recordings(speech: Spectra, reference: Spectra) -> tuple[Recording, Recording]:
    highest = min(speech.highest_hz, reference.highest_hz)
    return Recording.create(speech, highest), Recording.create(reference, highest)


def _coarse_band(recording: Recording, model: Recording, words: Sequence[WordTime]) -> Band:
    return band_of_words(
        words,
        speech_frames=recording.kept,
        reference_sounds=~model.pauses,
        factor=COARSE_FACTOR,
    )


def _best_warp(
    recording: Recording, masking: Frames, target: Target, band: Band | None
) -> tuple[Frames, CoarsePath]:
    """Return the features with the frequencies stretched best, and their coarse path."""
    warped = [recording.features(masking, warp) for warp in WARPS]
    paths = [CoarsePath.find(frames, target, band) for frames in warped]
    best = min(range(len(WARPS)), key=lambda index: paths[index].path.mean_cost)
    return warped[best], paths[best]


def _fine_path(
    frames: Frames, target: Target, near: NDArray[np.intp], *, sounding: NDArray[np.bool_]
) -> Path:
    """Return the path near a coarse one, after the features were fitted along it."""
    band = band_around(near, COARSE_FACTOR, BAND_RADIUS, rows=len(frames), width=len(target.frames))
    path = cheapest_path(frames, target, band)
    for _ in range(FITS):
        path = cheapest_path(_fitted(frames, target.frames[path.columns], sounding), target, band)
    return path


def _fitted(frames: Frames, model: Frames, sounding: NDArray[np.bool_]) -> Frames:
    """Map features linearly to those they meet, by ridge regression towards no change."""
    extended = np.column_stack([frames, np.ones(len(frames), np.float32)])
    own, missing = extended[sounding], (model - frames)[sounding]
    ridge = FIT_RIDGE * np.eye(extended.shape[1])
    change = np.linalg.solve(own.T @ own + ridge, own.T @ missing)
    return np.asarray(frames + extended @ change, np.float32)
