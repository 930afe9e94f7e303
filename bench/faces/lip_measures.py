"""Measures of lip sync: the mouth in the rendered pictures against the phonemes and the target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.speech import Phoneme, Speech
from warm.avatars.avatar import Avatar
from warm.engines.viseme.ipa_targets import vowel_openness
from warm.engines.viseme.phoneme_curves import mouth_curves
from warm.engines.viseme.shape import CURVE_HZ, FULL_GAP_IOD, Shape
from warm.face.landmarks import CLOSED_GAP_IOD

BILABIALS = frozenset("pbm")
LONGEST_CONTACT_S = 0.12
"""Lips may part before a long /m/ ends."""
OPEN_VOWEL = 0.8
"""Height from which a vowel counts as open: /æ a ɑ/ and diphthongs that begin there."""
WIDE_VOWELS, ROUND_VOWELS, A_VOWELS = frozenset("i"), frozenset("uʉ"), frozenset("aɑ")
SHORTEST_A_S, SHORTEST_WIDTH_S = 0.080, 0.060
"""Minimum durations; in a shorter vowel no speaker's mouth reaches the full shape."""
LAGS_S = np.arange(-0.10, 0.1001, 0.005)

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredSentence:
    """One rendered sentence and the mouth in its pictures."""

    speech: Speech
    first_frame: int
    """Frame cursor of its first frame."""
    track: NDArray[np.float32]
    """(n, 7) by Shape: the requested mouth."""
    gap: Curve
    """(n,) gap between the inner lips in the picture, IOD."""
    width: Curve
    """(n,) distance between the lip corners, IOD."""
    fps: int

    @property
    def middles_s(self) -> Curve:
        """(n,) the middle of each frame's time."""
        return (np.arange(len(self.gap)) + 0.5) / self.fps

    @property
    def target_gap(self) -> Curve:
        """(n,) the requested gap, IOD."""
        return self.track[:, Shape.OPEN] * np.float64(FULL_GAP_IOD)

    def frames_during(self, start_s: float, end_s: float) -> NDArray[np.intp]:
        """Return the frames that are on the screen at any moment of an interval."""
        first, last = int(start_s * self.fps), int(np.ceil(end_s * self.fps))
        return np.arange(first, min(last, len(self.gap)))

    def middle_frames(self, phoneme: Phoneme) -> NDArray[np.intp]:
        """Return the frames whose middle lies in the middle half of a phoneme; at least one."""
        start, length = phoneme.start_s, phoneme.end_s - phoneme.start_s
        inside = np.flatnonzero(
            (self.middles_s >= start + 0.25 * length) & (self.middles_s <= start + 0.75 * length)
        )
        nearest = min(int((start + 0.5 * length) * self.fps), len(self.gap) - 1)
        return inside if len(inside) else np.array([nearest])

    def target_at(self, times_s: Curve) -> Curve:
        """Return OPEN of the continuous target at any times of the sentence."""
        points = int(len(self.gap) * CURVE_HZ / self.fps) + 1
        opening = mouth_curves(self.speech, points=points).with_contacts()[:, Shape.OPEN]
        return np.interp(times_s, np.arange(points) / CURVE_HZ, opening)


def bilabials_closed(sentences: Sequence[MeasuredSentence]) -> list[bool]:
    """Return for each /p b m/ whether the lips are closed in a frame shown during it."""
    return [
        bool(sentence.gap[frames].min() < CLOSED_GAP_IOD)
        for sentence, phoneme in phonemes_of(sentences)
        if BILABIALS & set(phoneme.symbol)
        and len(frames := sentence.frames_during(phoneme.start_s, contact_end_s(phoneme)))
    ]


def contact_end_s(phoneme: Phoneme) -> float:
    """Return when the lips may part."""
    return min(phoneme.end_s, phoneme.start_s + LONGEST_CONTACT_S)


def open_vowels_closed(sentences: Sequence[MeasuredSentence]) -> list[bool]:
    """Return for each open vowel whether the lips are closed in a frame of its middle half.

    A vowel shorter than a frame may share its only frame with a closure; it is left out.
    """
    return [
        bool(sentence.gap[sentence.middle_frames(phoneme)].min() < CLOSED_GAP_IOD)
        for sentence, phoneme in phonemes_of(sentences)
        if vowel_openness(phoneme.symbol) >= OPEN_VOWEL and lasts(phoneme, 1 / sentence.fps)
    ]


def widest_a(sentences: Sequence[MeasuredSentence]) -> Curve:
    """Return the widest gap in each /a ɑ/ of SHORTEST_A_S or more, IOD."""
    return np.array(
        [
            sentence.gap[sentence.frames_during(phoneme.start_s, phoneme.end_s)].max()
            for sentence, phoneme in phonemes_of(sentences)
            if phoneme.symbol[:1] in A_VOWELS and lasts(phoneme, SHORTEST_A_S)
        ]
    )


def vowel_widths(sentences: Sequence[MeasuredSentence], vowels: frozenset[str]) -> Curve:
    """Return the width of the mouth in the middle of each of these vowels, IOD."""
    return np.array(
        [
            sentence.width[sentence.middle_frames(phoneme)].mean()
            for sentence, phoneme in phonemes_of(sentences)
            if phoneme.symbol in vowels and lasts(phoneme, SHORTEST_WIDTH_S)
        ]
    )


def lasts(phoneme: Phoneme, shortest_s: float) -> bool:
    """Return True if a phoneme lasts `shortest_s` or longer."""
    return phoneme.end_s - phoneme.start_s >= shortest_s


def phonemes_of(
    sentences: Sequence[MeasuredSentence],
) -> Iterator[tuple[MeasuredSentence, Phoneme]]:
    """Yield every phoneme with its sentence."""
    for sentence in sentences:
        for phoneme in sentence.speech.phonemes or ():
            yield sentence, phoneme


def silent_gap(sentences: Sequence[MeasuredSentence]) -> Curve:
    """Return the gaps of all frames whose target, and that of both neighbours, is at rest."""
    gaps = []
    for sentence in sentences:
        moving = sentence.track[:, [Shape.OPEN, Shape.PRESS, Shape.TUCK]].max(axis=1) > 0
        near = moving | np.append(moving[1:], False) | np.append(False, moving[:-1])
        gaps.append(sentence.gap[~near])
    return np.concatenate(gaps)


def spoken_gaps(sentence: MeasuredSentence) -> Curve:
    """Return the gaps from the first sound of a sentence to its last, IOD."""
    spoken = [phoneme for phoneme in sentence.speech.phonemes or () if phoneme.symbol]
    return sentence.gap[sentence.frames_during(spoken[0].start_s, spoken[-1].end_s)]


def target_correlation(sentences: Sequence[MeasuredSentence]) -> float:
    """Return the correlation of the gaps with the requested gaps."""
    return _correlation(pooled_gap(sentences), pooled_target(sentences))


def lag_s(sentences: Sequence[MeasuredSentence]) -> float:
    """Return the delay of the gap against the continuous target; negative if the gap is early.

    It is the peak of the cross-correlation, interpolated by a parabola.
    """
    scores = np.array([_lagged_correlation(sentences, lag) for lag in LAGS_S])
    best = int(np.clip(scores.argmax(), 1, len(scores) - 2))
    before, peak, after = scores[best - 1 : best + 2]
    step = LAGS_S[1] - LAGS_S[0]
    return float(LAGS_S[best] + step * 0.5 * (before - after) / (before - 2 * peak + after))


def _lagged_correlation(sentences: Sequence[MeasuredSentence], lag: float) -> float:
    """Return the correlation of the gaps with the target of `lag` seconds earlier."""
    target = np.concatenate([one.target_at(one.middles_s - lag) for one in sentences])
    return _correlation(pooled_gap(sentences), target)


def pooled_gap(sentences: Sequence[MeasuredSentence]) -> Curve:
    """Return the gaps of all frames of all sentences."""
    return np.concatenate([one.gap for one in sentences])


def pooled_target(sentences: Sequence[MeasuredSentence]) -> Curve:
    """Return the requested gaps of all frames of all sentences, IOD."""
    return np.concatenate([one.target_gap for one in sentences])


def source_leak(avatar: Avatar, sentences: Sequence[MeasuredSentence], source_gaps: Curve) -> float:
    """Return the absolute correlation of the gaps with those of the avatar's source video."""
    source = np.concatenate(
        [
            [source_gaps[avatar.index_at(one.first_frame + k)] for k in range(len(one.gap))]
            for one in sentences
        ]
    )
    return abs(_correlation(pooled_gap(sentences), source))


def _correlation(a: Curve, b: Curve) -> float:
    return float(np.corrcoef(a, b)[0, 1])
