"""Times of the phonemes of `heart` against its sound, on sentences not used for tuning.

PocketSphinx aligns the sound with the phonemes without knowing their times. The lag comes from the
level of the sound alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import correlate, resample_poly

from bench.figure import Figure
from bench.speech.arpabet import phrases_of
from bench.speech.forced_alignment import SAMPLE_RATE_HZ, ForcedAligner
from bench.speech.heart_speech import HeartSpeaker
from bench.speech.time_sentences import MEASURED
from tts.phonemes import CLOSURE_S, VOICED_STOPS, VOICELESS_STOPS
from tts.speech import Phoneme, Speech
from warm.engines.viseme.ipa_targets import target_shares
from warm.engines.viseme.shape import Shape

SPEEDS = (0.5, 1.0, 2.0)
_STOPS = VOICED_STOPS | VOICELESS_STOPS
_CLOSING = frozenset("pbm")
_TOLERANCE_S = 0.020
_STEP_S = 0.005
_BAND_S = (0.025, 0.15)
"""Standard deviations of the Gaussians whose difference is the band that is correlated."""
_FLOOR_DB = 40.0
_LOUD_PERCENTILE, _SILENT_DB = 95, 38.0
"""A block this much below the loud ones is silent."""
_LARGEST_LAG_S = 0.15


@dataclass(frozen=True, slots=True)
class AlignedPhoneme:
    """A phoneme of the voice with the limits that the aligner found."""

    phoneme: Phoneme
    found_start_s: float
    found_end_s: float

    @property
    def error_s(self) -> float:
        """Stated start minus found one: positive is late."""
        return self.phoneme.start_s - self.found_start_s

    @property
    def contact_is_inside(self) -> bool:
        """True if the middle of the lips' contact is in the found phone ± _TOLERANCE_S."""
        end_s = self.phoneme.end_s
        if self.phoneme.symbol in VOICELESS_STOPS:  # the rest is breath through open lips
            end_s = min(end_s, self.phoneme.start_s + CLOSURE_S)
        middle_s = (self.phoneme.start_s + end_s) / 2
        return self.found_start_s - _TOLERANCE_S <= middle_s <= self.found_end_s + _TOLERANCE_S


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Align all sentences at normal speed, and correlate level and opening at three speeds."""
    speaker, aligner = HeartSpeaker(), ForcedAligner()
    speeches = [speaker.say(text) for text in MEASURED]
    aligned = [phoneme for speech in speeches for phoneme in align(speech, aligner)]
    errors_ms = 1000 * np.array([each.error_s for each in aligned])
    inside = [each.contact_is_inside for each in aligned if each.phoneme.symbol in _CLOSING]
    contacts = 100 * float(np.mean(inside))
    name = "voice_times: {}".format
    return [
        Figure.at_most(name("median error"), _median(abs(errors_ms)), "ms", 12, len(errors_ms)),
        Figure.at_least(name("lip contacts inside the closure"), contacts, "%", 98, len(inside)),
        _pause_figure(speeches),
        *(lag_figure([speaker.say(text, speed) for text in MEASURED], speed) for speed in SPEEDS),
    ]


def align(speech: Speech, aligner: ForcedAligner) -> Iterator[AlignedPhoneme]:
    """Yield the phonemes that the aligner found; nothing if it finds none."""
    assert speech.phonemes is not None
    words = list(phrases_of([phoneme.symbol for phoneme in speech.phonemes]))
    samples = resample_poly(speech.samples, SAMPLE_RATE_HZ, speech.sample_rate_hz)
    phones = aligner.align(
        samples.astype(np.float32), [[phone.name for phone in word] for word in words]
    )
    indices = [phone.index for word in words for phone in word]
    for index, phone in zip(indices, phones or [], strict=bool(phones)):
        yield AlignedPhoneme(speech.phonemes[index], phone.start_s, phone.end_s)


def _pause_figure(speeches: Sequence[Speech]) -> Figure:
    """Return how far stated limits of pauses are from those in the sound."""
    errors_ms = 1000 * np.array([each for speech in speeches for each in pause_errors_s(speech)])
    name = "voice_times: limits of pauses, median error against the sound"
    return Figure.at_most(name, _median(abs(errors_ms)), "ms", 12, len(errors_ms))


def pause_errors_s(speech: Speech) -> Iterator[float]:
    """Yield stated minus found limit of each pause; positive is late.

    Limits at stops are left out: their closure is silent too.
    """
    phonemes = speech.phonemes or ()
    step = round(_STEP_S * speech.sample_rate_hz)
    blocks = speech.samples[: len(speech.samples) // step * step].reshape(-1, step)
    level = 10 * np.log10((blocks.astype(np.float64) ** 2).mean(axis=1) + 1e-12)
    sounding = level > np.percentile(level, _LOUD_PERCENTILE) - _SILENT_DB
    for before, after in pairwise(phonemes):
        sound, limit_s = (after, after.start_s) if before.symbol == "" else (before, before.end_s)
        if "" in (before.symbol, after.symbol) and sound.symbol[:1] not in _STOPS:
            starts = before.symbol == ""
            middle = before if starts else after
            quiet = round((middle.start_s + middle.end_s) / 2 / _STEP_S)
            yield limit_s - _edge(sounding, min(quiet, len(sounding) - 1), 1 if starts else -1)


def _edge(sounding: NDArray[np.bool_], block: int, direction: int) -> float:
    """Return where the sound begins in one direction from a block in a pause, in seconds."""
    while 0 <= block + direction < len(sounding) and not sounding[block + direction]:
        block += direction
    return (block + (direction > 0)) * _STEP_S


def lag_figure(speeches: Sequence[Speech], speed: float) -> Figure:
    """Return the lag of all sentences of one speed."""
    lag_ms = 1000 * abs(lag_s(speeches))
    return Figure.at_most(f"voice_times: lag, speed {speed:g}", lag_ms, "ms", 3, len(speeches))


def lag_s(speeches: Sequence[Speech]) -> float:
    """Return how much the level of the sound lags behind the opening of the mouth.

    That is the peak of the sum of the correlations of all sentences.
    """
    reach = round(_LARGEST_LAG_S / _STEP_S)
    total = np.zeros(2 * reach + 1)
    for speech in speeches:
        level, opening = _level(speech), _opening(speech)
        middle = len(opening) - 1
        total += correlate(level, opening)[middle - reach : middle + reach + 1]
    peak = int(np.argmax(total[1:-1])) + 1
    before, at, after = total[peak - 1 : peak + 2]
    return float((peak - reach + (before - after) / (2 * (before - 2 * at + after))) * _STEP_S)


def _level(speech: Speech) -> NDArray[np.float64]:
    """(n,) level in dB over a floor, one value each _STEP_S."""
    step = round(_STEP_S * speech.sample_rate_hz)
    blocks = speech.samples[: len(speech.samples) // step * step].reshape(-1, step)
    power = gaussian_filter1d((blocks.astype(np.float64) ** 2).mean(axis=1), 1.0)
    level = 10 * np.log10(power + 1e-12)
    return _band(np.maximum(level - level.max() + _FLOOR_DB, 0.0))


def _opening(speech: Speech) -> NDArray[np.float64]:
    """(n,) opening of the mouth by the phonemes alone, at the same times."""
    assert speech.phonemes is not None
    step = round(_STEP_S * speech.sample_rate_hz)
    times = (np.arange(len(speech.samples) // step) + 0.5) * _STEP_S
    opening = np.zeros(len(times))
    for phoneme in speech.phonemes:
        start_s, length_s = phoneme.start_s, phoneme.end_s - phoneme.start_s
        for part in target_shares(phoneme.symbol):
            end_s = start_s + part.share * length_s
            opening[(times >= start_s) & (times < end_s)] = part.target.shape[Shape.OPEN]
            start_s = end_s
    return _band(opening)


def _band(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the changes of a curve from syllable to syllable; both its ends are at 0."""
    fast, slow = (
        gaussian_filter1d(curve, sigma_s / _STEP_S, mode="constant") for sigma_s in _BAND_S
    )
    changes: NDArray[np.float64] = fast - slow
    return changes


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values))
