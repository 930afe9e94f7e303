"""Pieces of speech in a recording: silence is cut out, and long speech is cut at its pauses."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stt.recogniser import RATE_HZ, Samples
from stt.voice_activity import FRAME, VoiceDetector

BEGIN, CONTINUE = 0.5, 0.35
"""Probability of a voice in a frame with which speech begins, and below which it may end."""
FEWEST_FRAMES = 4
"""Frames (0.13 s) with a probability of `BEGIN` without which there is no speech: a click or the
beginning of a tone is none, and the shortest words have more."""
END_FRAMES = 10
"""Frames (0.32 s) without a voice after which speech has ended."""
MARGIN_FRAMES = 6
"""Frames (0.19 s) before and after speech that are kept: quiet consonants, and breath. The rest of
a pause is left out, also within a piece."""
ENOUGH_S = 10.0
"""A piece of this length ends at the next pause."""
LONGEST_S = 18.0
"""A piece of this length is cut at its quietest frame even within speech."""
SEARCHED_FRAMES, LEFT_FRAMES = 190, 16
"""That frame is one of the last 190 (6 s), but not of the last 16 (0.5 s)."""
SHORTEST_S = 3.0
"""A piece of this length, followed by long speech without a pause, ends before that."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of speech to be recognised in one step, and its place in the recording."""

    samples: Samples
    start_s: float
    end_s: float


@dataclass(slots=True)
class _Region:
    """Speech between two pauses, in frames of the recording."""

    start: int
    end: int
    first: int
    """The first frame of its sound, with the margin."""
    last: int = 0
    """The last frame of its sound, plus one; set when it has ended."""
    voiced: int = 0
    """Frames with a probability of `BEGIN`."""


@dataclass(slots=True)
class PieceCutter:
    """Cuts one recording, as it arrives, into pieces of speech."""

    detector: VoiceDetector
    speech_frames: int = 0
    """Frames of speech so far."""
    samples: int = 0
    """Samples of the recording so far."""
    _probabilities: list[float] = field(default_factory=list)
    _sound: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    _first: int = 0
    """The frame that `_probabilities` and `_sound` begin with; earlier ones are not needed."""
    _next: int = 0
    """The next frame to be examined."""
    _open: _Region | None = None
    """Speech that has not ended; its end is the last frame with a voice, plus one."""
    _regions: list[_Region] = field(default_factory=list)
    """Speech of the piece that is being collected."""

    def add(self, samples: Samples) -> Iterator[Piece]:
        """Yield the pieces that are complete."""
        self.samples += len(samples)
        self._sound = np.concatenate([self._sound, samples])
        self._probabilities += self.detector.add(samples).tolist()
        yield from self._examine()
        self._forget()

    def finish(self) -> Iterator[Piece]:
        """Yield the last pieces; the end of the recording counts as a pause."""
        silence = np.zeros((END_FRAMES + 1) * FRAME, np.float32)
        yield from self.add(silence)
        self.samples -= len(silence)
        if self._regions:
            yield self._piece()

    def _examine(self) -> Iterator[Piece]:
        """Follow the probabilities of new frames."""
        while self._next < self._first + len(self._probabilities):
            probability = self._probabilities[self._next - self._first]
            if self._open is None and probability >= BEGIN:
                first = max(self._next - MARGIN_FRAMES, 0)
                self._open = _Region(self._next, self._next, first)
            self._next += 1
            if self._open is not None:
                self._open.voiced += probability >= BEGIN
                if probability >= CONTINUE:
                    self._open.end = self._next
                yield from self._after_frame(self._open)

    def _after_frame(self, region: _Region) -> Iterator[Piece]:
        """End the speech or the piece if it is due."""
        if self._next - region.end >= END_FRAMES:
            self._end_speech(region, region.end + MARGIN_FRAMES)
            self._open = None
            if self._collected_s() >= ENOUGH_S:
                yield self._piece()
        elif self._collected_s() + seconds(self._next - region.start) >= LONGEST_S:
            if self._collected_s() < SHORTEST_S:
                self._open = self._cut(region)
            yield self._piece()

    def _cut(self, region: _Region) -> _Region:
        """Cut speech at its quietest frame, and return what follows it."""
        start = max(region.start, self._next - SEARCHED_FRAMES) - self._first
        searched = self._probabilities[start : self._next - LEFT_FRAMES - self._first]
        at = self._first + start + int(np.argmin(searched))
        later = self._probabilities[at - self._first : self._next - self._first]
        voiced = sum(each >= BEGIN for each in later)
        rest = _Region(at, max(at, region.end), at, voiced=voiced)
        region.end = at
        self._end_speech(region, at)
        return rest

    def _end_speech(self, region: _Region, last: int) -> None:
        """Add speech to the piece; what was too short for a word is dropped."""
        if region.voiced >= FEWEST_FRAMES:
            region.last = last
            self.speech_frames += region.end - region.start
            self._regions.append(region)

    def _collected_s(self) -> float:
        return seconds(sum(each.end - each.start for each in self._regions))

    def _piece(self) -> Piece:
        """Return what was collected."""
        regions, self._regions = self._regions, []
        at, parts = 0, list[Samples]()
        for each in regions:
            at = max(at, each.first)  # two margins may meet
            parts.append(self._sound_of(at, each.last))
            at = each.last
        sound = np.concatenate(parts)
        return Piece(sound, seconds(regions[0].start), seconds(regions[-1].end))

    def _sound_of(self, start: int, end: int) -> Samples:
        return self._sound[(start - self._first) * FRAME : (end - self._first) * FRAME]

    def _forget(self) -> None:
        """Drop the frames that no piece needs any more."""
        kept = [each.first for each in (*self._regions, self._open) if each is not None]
        count = min([*kept, self._next - MARGIN_FRAMES]) - self._first
        if count > 0:
            self._probabilities = self._probabilities[count:]
            self._sound = self._sound[count * FRAME :].copy()
            self._first += count


def seconds(frames: int) -> float:
    """Return the duration of a number of frames."""
    return frames * FRAME / RATE_HZ


def as_samples(data: object) -> Samples:
    """Return bytes of float32 as finite samples within ±1."""
    samples: NDArray[np.float32] = np.frombuffer(data, np.float32)  # type: ignore[call-overload]
    return np.clip(np.nan_to_num(samples), -1.0, 1.0)
