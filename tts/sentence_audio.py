"""Sound of one sentence between fixed silences, at the fixed level, whatever voice made it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tts.loudness import normalize_loudness
from tts.pauses import CLAUSE_PAUSE_S, LEAD_S, SENTENCE_PAUSE_S
from tts.speech import Phoneme

_WINDOW_S = 0.005
_LOUD_WINDOWS = 10
"""The level of a sentence is that of its tenth loudest window, so that a click does not count."""
_QUIET_DB = -40.0
"""Windows this much below the level of the sentence are silence."""
_SILENCE_DBFS = -60.0
"""A sentence below this level has no sound."""
_FADE_S = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class SentenceAudio:
    """A sentence between its silences."""

    samples: NDArray[np.float32]
    shift_s: float
    """Offset that turns a time in the original sound into a time in `samples`."""
    duration_s: float

    def placed(self, phonemes: Sequence[Phoneme]) -> tuple[Phoneme, ...]:
        """Return the phonemes of the original sound, over all of `samples`.

        Both ends are pauses, as long as the silence there.
        """
        inside = [
            replace(each, start_s=max(start_s, 0.0), end_s=min(end_s, self.duration_s))
            for each in phonemes
            if (start_s := each.start_s + self.shift_s) < self.duration_s
            and (end_s := each.end_s + self.shift_s) > 0
        ]
        if not inside:
            return (Phoneme("", 0.0, self.duration_s),)
        return tuple(_with_ends(inside, self.duration_s))


def _with_ends(phonemes: Sequence[Phoneme], duration_s: float) -> Iterator[Phoneme]:
    """Yield phonemes from 0 to `duration_s`; pauses fill the ends."""
    if phonemes[0].symbol and phonemes[0].start_s > 0:
        yield Phoneme("", 0.0, phonemes[0].start_s)
    for index, each in enumerate(phonemes):
        start_s = 0.0 if index == 0 and not each.symbol else each.start_s
        is_last = index == len(phonemes) - 1
        end_s = duration_s if is_last and not each.symbol else each.end_s
        yield replace(each, start_s=start_s, end_s=end_s)
    if phonemes[-1].symbol and phonemes[-1].end_s < duration_s:
        yield Phoneme("", phonemes[-1].end_s, duration_s)


def sentence_audio(
    raw: NDArray[np.float32], sample_rate_hz: int, *, is_end: bool, speed: float
) -> SentenceAudio | None:
    """Trim (n,) samples to their sound, with the usual silences; None if there is no sound.

    `is_end`: False for a piece whose sentence continues.
    """
    centred = raw - raw.mean(dtype=np.float64).astype(np.float32) if len(raw) else raw
    span = sounding_span(centred, sample_rate_hz)
    if span is None:
        return None
    pause_s = (SENTENCE_PAUSE_S if is_end else CLAUSE_PAUSE_S) / speed
    start = span[0] - round(LEAD_S * sample_rate_hz)
    end = span[1] + round(pause_s * sample_rate_hz)
    samples = _faded_excerpt(centred, start, end, round(_FADE_S * sample_rate_hz))
    return SentenceAudio(
        normalize_loudness(samples, sample_rate_hz),
        -start / sample_rate_hz,
        len(samples) / sample_rate_hz,
    )


def sounding_span(samples: NDArray[np.float32], sample_rate_hz: int) -> tuple[int, int] | None:
    """Return the first sounding sample and the one after the last; None for silence.

    Softer sound next to them, such as the beginning of an /f/, stays in the silences around them.
    """
    window = max(1, round(_WINDOW_S * sample_rate_hz))
    count = len(samples) // window
    power = np.square(samples[: count * window], dtype=np.float32).reshape(count, window)
    levels = power.mean(axis=1)
    if not count:
        return None
    rank = min(_LOUD_WINDOWS, count)
    level = float(np.partition(levels, -rank)[-rank])
    if level < 10 ** (_SILENCE_DBFS / 10):
        return None
    loud = np.flatnonzero(levels > level * 10 ** (_QUIET_DB / 10))
    return int(loud[0]) * window, (int(loud[-1]) + 1) * window


def _faded_excerpt(
    samples: NDArray[np.float32], start: int, end: int, fade: int
) -> NDArray[np.float32]:
    """Return samples[start:end], with zeros outside of the array and soft edges."""
    inside = samples[max(start, 0) : max(end, 0)].copy()
    ramp = np.linspace(0.0, 1.0, min(fade, len(inside) // 2), dtype=np.float32)
    inside[: len(ramp)] *= ramp
    inside[len(inside) - len(ramp) :] *= ramp[::-1]
    before = max(-start, 0)
    return np.pad(inside, (before, max(0, end - start - before - len(inside))))
