"""Times of blinks: irregular in silence, at the ends of phrases in speech."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from warm.motion.prosody import Prosody

PROFILE = (0.45, 1.0, 1.0, 0.8, 0.5, 0.25, 0.1)
"""Closure of the lid at PROFILE_HZ, without the open lid before and after: it closes faster than
it opens."""
PROFILE_HZ = 25.0

INTERVAL_S = (2.0, 8.0)
"""Shortest and longest time from one blink to the next."""
MEDIAN_INTERVAL_S, INTERVAL_SPREAD = 3.8, 0.45
"""The intervals are log-normal, as in people."""
DOUBLE_SHARE, DOUBLE_PAUSE_S = 0.07, 0.16
"""Share of blinks that are followed by another one at once, and the time between the two."""

BEFORE_ANSWER_SHARE = 0.6
"""Share of answers that begin with a blink."""
PHRASE_SHARE, SENTENCE_SHARE = 0.55, 0.8
"""Share of pauses within a sentence, and of sentences, that end with a blink."""
DELAY_S = (-0.06, 0.08)
"""Earliest and latest start of a blink after the end of a phrase."""
SHORTEST_S = 1.0
"""In speech a blink begins at least this long after the previous one."""
OVERDUE_S = 6.5
"""If no phrase ends for this long, a blink is added in between."""


def blink_profile(fps: int) -> NDArray[np.float64]:
    """Return the (n,) closures 0…1 of one blink, frame by frame, without open lids."""
    closure = np.concatenate([[0.0], PROFILE, [0.0]])
    times = np.arange(1, int(np.ceil((len(closure) - 1) * fps / PROFILE_HZ)))
    closures = np.interp(times * PROFILE_HZ / fps, np.arange(len(closure)), closure)
    return np.asarray(closures[closures > 0].round(3))


def idle_lids(period: int, fps: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return (period,) frames of a blink, from 1, or 0 for none, in a loop without speech.

    No blink lies across the ends of the loop, and the interval there is as long as any other.
    """
    length = len(blink_profile(fps))
    starts = list[int]()
    for start in _idle_starts(period, fps, length, rng):
        starts.append(start)
    return lids_at(starts, period, length)


def _idle_starts(period: int, fps: int, length: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield the first frames of the blinks of a loop."""
    shortest, longest = (round(limit * fps) for limit in INTERVAL_S)
    start = first = shortest // 2 + int(rng.integers(0, max(1, shortest // 2)))
    while start + length < period - 1:
        yield start
        if rng.random() < DOUBLE_SHARE:
            second = start + length + round(DOUBLE_PAUSE_S * fps)
            if second + length < period - 1:
                yield second
        left = period + first - start
        if left <= longest:
            return
        drawn = MEDIAN_INTERVAL_S * np.exp(INTERVAL_SPREAD * rng.standard_normal())
        step = int(np.clip(round(drawn * fps), shortest, longest))
        start += min(step, left - shortest)


def lids_at(starts: Sequence[int], frames: int, length: int) -> NDArray[np.int32]:
    """Return (frames,) frames of a blink, or 0, for blinks that start at `starts`."""
    lids = np.zeros(frames, np.int32)
    for start in starts:
        positions = np.arange(max(start, 0), min(start + length, frames))
        lids[positions] = positions - start + 1
    return lids


def spoken_lids(
    idle: NDArray[np.int64],
    prosody: Prosody,
    fps: int,
    rng: np.random.Generator,
    *,
    open_since: int,
    is_first: bool,
) -> NDArray[np.int32]:
    """Return (n,) frames of a blink, or 0, for the frames of a sentence.

    idle: (n + 1,) that of the idle loop, and of the frame after the sentence. Blinks of the loop
    that cross an end of the sentence stay. `open_since`: frames since the last blink. `is_first`:
    the sentence begins an answer.
    """
    length, frames = len(blink_profile(fps)), len(idle) - 1
    lids = np.where(across_ends(idle, length), idle[:-1], 0).astype(np.int32)
    free = np.flatnonzero(lids == 0)
    if not len(free):
        return lids
    first, last = int(free[0]), int(free[-1]) + 1
    shortest = round(SHORTEST_S * fps)
    earliest = max(first, shortest - open_since) if first == 0 else first + shortest
    latest = last - length - (shortest if last < frames else 0)
    starts = list[int]()
    for start in wanted_starts(prosody, fps, rng, last - length, is_first=is_first):
        previous = starts[-1] + length if starts else -open_since
        starts += overdue(previous, start, prosody, fps, rng)
        if earliest <= start <= latest and (not starts or start >= starts[-1] + shortest):
            starts.append(start)
    drawn = lids_at([s for s in starts if earliest <= s <= latest], frames, length)
    return np.asarray(np.maximum(lids, drawn), np.int32)


def across_ends(idle: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Return (n,) True where a blink of the loop began before the sentence or goes on after it."""
    frames = len(idle) - 1
    positions = np.arange(frames)
    starts = positions - idle[:-1] + 1
    began_before = (idle[:-1] > 0) & (starts < 0)
    goes_on = (idle[:-1] > 0) & (starts + length > frames)
    return np.asarray(began_before | goes_on)


def wanted_starts(
    prosody: Prosody, fps: int, rng: np.random.Generator, latest: int, *, is_first: bool
) -> Iterator[int]:
    """Yield where blinks may start: at the beginning of an answer and at the ends of phrases."""
    if is_first and rng.random() < BEFORE_ANSWER_SHARE:
        yield int(rng.integers(0, 3))
    for index, end_s in enumerate(prosody.phrase_ends_s):
        is_last = index == len(prosody.phrase_ends_s) - 1
        start = round((end_s + rng.uniform(*DELAY_S)) * fps)
        if rng.random() < (SENTENCE_SHARE if is_last else PHRASE_SHARE):
            yield min(start, latest) if is_last else start


def overdue(
    previous: int, start: int, prosody: Prosody, fps: int, rng: np.random.Generator
) -> Iterator[int]:
    """Yield the start of a blink between two that are too far apart, away from accents."""
    if start - previous < OVERDUE_S * fps:
        return
    accents = np.array([accent.time_s for accent in prosody.accents] or [0.0]) * fps
    tries = previous + (start - previous) * rng.uniform(0.35, 0.65, 8)
    distances = np.abs(tries[:, None] - accents).min(axis=1)
    yield round(float(tries[distances.argmax()]))
