"""Phonemes of a recording of any length whose text is known, found in windows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from tts.alignment.align import CannotAlign, TooQuiet, check, compare, highest_cost
from tts.alignment.cepstra import FRAME_HZ
from tts.alignment.match import Match
from tts.alignment.timing import phonemes_at
from tts.speech import Phoneme, Samples, Speech

WINDOW_S = 45.0
"""Sound that is compared at once."""
REFERENCE_S = 100.0
"""Speech of the reference voice that it is compared with, if that much is available."""
MARGIN_S = 5.0
"""End of a window that is left to the next one, as its sentences may continue there."""
PAUSE_DISTANCE = 4.0
"""Cost of sounds that are not in the text, such as a jingle, a cough or applause: a little more
than that of a poor match."""

MIN_UNKNOWN_S = 0.6
"""Duration from which sounds that are not in the text are more than a breath or a cough."""
PAUSE_S = 0.3
"""Silence kept with the last sentence of a window."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a recording, in seconds from its beginning."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class RecordingTimes:
    """Phonemes of a recording, from its beginning to where it stops following its text."""

    phonemes: tuple[Phoneme, ...]
    """In order, without gaps, from 0 to `end_s`."""
    unknown: tuple[Span, ...]
    """Sounds before `end_s` that are not in the text; their `phonemes` are not to be used."""
    problem: str | None
    """Why there are no phonemes after `end_s`: a predicate, such as "does not match the text"."""

    @property
    def end_s(self) -> float:
        """End of the last phoneme."""
        return self.phonemes[-1].end_s if self.phonemes else 0.0

    def is_known(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each of (n,) times whether the phonemes describe the sound there."""
        known = np.asarray(times_s < self.end_s)
        for span in self.unknown:
            known &= (times_s < span.start_s) | (times_s >= span.end_s)
        return known

    def between(self, start_s: float, end_s: float) -> tuple[Phoneme, ...]:
        """Return the phonemes of an excerpt, in seconds from its start."""
        inside = [
            replace(
                p,
                start_s=max(p.start_s, start_s) - start_s,
                end_s=min(p.end_s, end_s) - start_s,
            )
            for p in self.phonemes
            if p.end_s > start_s and p.start_s < end_s
        ]
        last_s = inside[-1].end_s if inside else 0.0
        if last_s < end_s - start_s:
            inside.append(Phoneme("", last_s, end_s - start_s))
        return tuple(inside)


def align_recording(
    sound: Iterator[Samples], rate_hz: int, sentences: Iterator[Speech]
) -> RecordingTimes:
    """Find the phonemes of a recording, which arrives in pieces of any length.

    `sentences` are those of its text in a reference voice; each is taken when it is needed. Takes
    about 40 ms per second of sound, and memory for one window of both.
    """
    window, text = _Window(sound, rate_hz), _Text(sentences)
    phonemes, unknown = list[Phoneme](), list[Span]()
    while window.fill() and text.fill():
        try:
            found = _first_sentences(window, text)
        except TooQuiet:
            found = _Found((Phoneme("", 0.0, len(window.samples) / rate_hz),), (), 0)
        except CannotAlign as error:
            return RecordingTimes(_joined(phonemes), tuple(unknown), str(error))
        start_s = window.advance(found.phonemes[-1].end_s)
        phonemes += [
            replace(p, start_s=start_s + p.start_s, end_s=start_s + p.end_s) for p in found.phonemes
        ]
        unknown += [Span(start_s + p.start_s, start_s + p.end_s) for p in found.unknown]
        text.drop(found.sentences)
    return RecordingTimes(_joined(phonemes), tuple(unknown), _problem(window, text))


@dataclass(frozen=True, slots=True)
class _Found:
    phonemes: tuple[Phoneme, ...]
    unknown: tuple[Span, ...]
    sentences: int


def _problem(window: "_Window", text: "_Text") -> str | None:
    if text.fill():
        return "ends before the text does"
    return "goes on after the text" if window.fill() else None


def _first_sentences(window: "_Window", text: "_Text") -> _Found:
    """Return the phonemes of the sentences that end in the window."""
    speech = Speech("", window.samples, window.rate_hz, None)
    reference = _in_sequence(text.waiting)
    assert reference.phonemes is not None
    match = compare(speech, reference, pause_distance=PAUSE_DISTANCE, may_end_early=True)
    check(match)
    limit_s = speech.duration_s - (0.0 if window.is_last else MARGIN_S)
    count, cut_s = _complete_sentences(match, text.waiting, limit_s)
    if window.is_last and text.is_last and count == len(text.waiting):
        cut_s = speech.duration_s
    last = sum(len(each.phonemes or ()) for each in text.waiting[:count])
    phonemes = phonemes_at(_until(match, cut_s), reference.phonemes[:last], cut_s)
    unknown = [Span(p.start_s, p.end_s) for p in phonemes if _sounds(p, match)]
    unknown += _other_sentences(match, text.waiting[:count])
    return _Found(phonemes, tuple(sorted(unknown, key=lambda span: span.start_s)), count)


def _sounds(phoneme: Phoneme, match: Match) -> bool:
    """Return True for a pause that is full of sound."""
    frames = slice(round(phoneme.start_s * FRAME_HZ), round(phoneme.end_s * FRAME_HZ))
    sounding_s = np.count_nonzero(~match.silent[frames]) / FRAME_HZ
    return not phoneme.symbol and bool(sounding_s > MIN_UNKNOWN_S)


def _other_sentences(match: Match, sentences: Sequence[Speech]) -> Iterator[Span]:
    """Yield the spans in which the speech says something other than the sentence of the text."""
    spans_s = np.transpose(_sounding_spans(sentences))
    for start_s, end_s in match.times_in_speech(spans_s).tolist():
        inside = slice(
            *np.searchsorted(match.speech_frames, [start_s * FRAME_HZ, end_s * FRAME_HZ])
        )
        costs = match.relative_costs[inside]
        costs = costs[~np.isnan(costs)]
        if len(costs) and costs.mean() > highest_cost(len(costs)):
            yield Span(start_s, end_s)


def _complete_sentences(
    match: Match, sentences: Sequence[Speech], limit_s: float
) -> tuple[int, float]:
    """Return how many sentences end before `limit_s`, and a time in the pause after the last."""
    starts_s, ends_s = _sounding_spans(sentences)
    places_s = match.times_in_speech(ends_s)
    reached_s = (match.reference_frames[-1] + 2) / FRAME_HZ
    count = int(np.count_nonzero((places_s <= limit_s) & (ends_s <= reached_s)))
    if count == 0:
        raise CannotAlign("does not match the text")
    next_s = match.times_in_speech(starts_s)[count] if count < len(sentences) else np.inf
    end_s = float(places_s[count - 1])
    middle_s = end_s + min(float(next_s) - end_s, 2 * PAUSE_S) / 2
    return count, round(min(middle_s, len(match.silent) / FRAME_HZ) * FRAME_HZ) / FRAME_HZ


def _sounding_spans(
    sentences: Sequence[Speech],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the sound of each sentence starts and ends in all of them together."""
    before_s = np.cumsum([0.0, *(each.duration_s for each in sentences[:-1])])
    sounds = [[p for p in each.phonemes or () if p.symbol] for each in sentences]
    starts_s = before_s + [each[0].start_s for each in sounds]
    return starts_s, before_s + [each[-1].end_s for each in sounds]


def _until(match: Match, time_s: float) -> Match:
    """Return the part of a match before a time in the speech."""
    end = round(time_s * FRAME_HZ)
    kept = match.speech_frames < end
    return replace(
        match,
        speech_frames=match.speech_frames[kept],
        reference_frames=match.reference_frames[kept],
        silent=match.silent[:end],
    )


def _in_sequence(sentences: Sequence[Speech]) -> Speech:
    """Join sentences, at the sample rate of the first."""
    rate_hz = sentences[0].sample_rate_hz
    sentences = [_at_rate(each, rate_hz) for each in sentences]
    phonemes, start = list[Phoneme](), 0
    for each in sentences:
        start_s = start / rate_hz
        phonemes += [
            replace(p, start_s=start_s + p.start_s, end_s=start_s + p.end_s)
            for p in each.phonemes or ()
        ]
        start += len(each.samples)
    samples = np.concatenate([each.samples for each in sentences])
    return Speech("", samples, rate_hz, tuple(phonemes))


def _at_rate(speech: Speech, rate_hz: int) -> Speech:
    if speech.sample_rate_hz == rate_hz:
        return speech
    common = math.gcd(rate_hz, speech.sample_rate_hz)
    up, down = rate_hz // common, speech.sample_rate_hz // common
    samples = scipy.signal.resample_poly(speech.samples, up, down)
    return replace(speech, samples=samples.astype(np.float32), sample_rate_hz=rate_hz)


def _joined(phonemes: Sequence[Phoneme]) -> tuple[Phoneme, ...]:
    """Close the gaps of less than a sample between windows, and join their pauses."""
    joined = list[Phoneme]()
    for each in phonemes:
        if joined and not joined[-1].symbol and not each.symbol:
            joined[-1] = replace(joined[-1], end_s=each.end_s)
        else:
            joined.append(replace(each, start_s=joined[-1].end_s if joined else 0.0))
    return tuple(joined)


class _Window:
    """The part of the sound that is compared next."""

    def __init__(self, sound: Iterator[Samples], rate_hz: int) -> None:
        self._sound, self.rate_hz = sound, rate_hz
        self.samples: Samples = np.zeros(0, np.float32)
        self.is_last = False
        self._start = 0

    def fill(self) -> bool:
        """Read up to WINDOW_S of sound; return False at the end of the recording."""
        pieces, size = [self.samples], len(self.samples)
        while not self.is_last and size < WINDOW_S * self.rate_hz:
            piece = next(self._sound, None)
            self.is_last = piece is None
            if piece is not None:
                pieces.append(piece)
                size += len(piece)
        self.samples = np.concatenate(pieces)
        return size > 0

    def advance(self, time_s: float) -> float:
        """Drop the sound before a time in the window; return the former start, in seconds."""
        start_s, size = self._start / self.rate_hz, round(time_s * self.rate_hz)
        self.samples = self.samples[size:]
        self._start += size
        return start_s


class _Text:
    """The sentences of the text that are compared next, in a reference voice."""

    def __init__(self, sentences: Iterator[Speech]) -> None:
        self._sentences = sentences
        self.waiting: list[Speech] = []
        self.is_last = False

    def fill(self) -> bool:
        """Take sentences up to REFERENCE_S; return False at the end of the text."""
        while not self.is_last and sum(each.duration_s for each in self.waiting) < REFERENCE_S:
            sentence = next(self._sentences, None)
            self.is_last = sentence is None
            if sentence is not None:
                self.waiting.append(sentence.completed())
        return bool(self.waiting)

    def drop(self, count: int) -> None:
        """Forget the first sentences."""
        del self.waiting[:count]
