"""Given sentence: a recording in a clip, whose length is not known before its end."""

import math
from collections.abc import Callable

from session.film import SAMPLE_RATE_HZ, FilmSpec
from tts.speech import Samples, Speech
from warm.media.growing_audio import GrowingAudio

AHEAD_S = 20
"""Sound that is decoded ahead of the frames."""
KEPT_S = 12
"""Sound before the frames that is kept, for the engine and for an interruption."""
FEWEST_FRAMES = 3
"""A fragment of sound that is still arriving has at least this many frames."""


class GivenSentence:
    """A recording and its sound so far. The speech thread adds pieces; any thread may read."""

    def __init__(
        self,
        text: str,
        spec: FilmSpec,
        *,
        lookahead_s: float,
        fewest_frames: Callable[[], int] = lambda: FEWEST_FRAMES,
    ) -> None:
        """`lookahead_s`: sound after a frame without which it is not drawn; `fewest_frames`: how
        many `ready_frames` waits for while sound arrives."""
        self.spec, self.lookahead_s = spec, lookahead_s
        self.audio = GrowingAudio(spec)
        """The sound of the film."""
        self.speech = Speech(text, self.audio.samples(0, 0), SAMPLE_RATE_HZ, None)
        """Its text and remarks, without the sound."""
        self.announced_s: float | None = None
        """Duration, if it is known."""
        self.broken_by: Exception | None = None
        """The error that ended it early."""
        self.remarks: tuple[str, ...] = ()
        """Remarks of the decoder; final when it is complete."""
        self._fewest_frames = fewest_frames
        self._taken = 0

    @property
    def frames(self) -> int:
        """Video frames so far; those of all of it once it is complete."""
        return self.audio.frames

    @property
    def is_complete(self) -> bool:
        """True if nothing more arrives."""
        return self.audio.is_complete

    @property
    def is_ahead(self) -> bool:
        """True if enough is decoded for now."""
        drawn = self._taken * self.spec.samples_per_frame
        return self.audio.arrived - drawn > AHEAD_S * SAMPLE_RATE_HZ

    @property
    def known_frames(self) -> int:
        """Number of frames whose sound has arrived, from the first one on."""
        if self.is_complete:
            return self.frames
        known_s = self.audio.arrived / SAMPLE_RATE_HZ - self.lookahead_s
        return max(0, math.floor(known_s * self.spec.fps))

    @property
    def ready_frames(self) -> int:
        """Number of frames that are to be drawn, from the first one on."""
        ready = self.known_frames
        if self.is_complete:
            return ready
        return ready if ready - self._taken >= self._fewest_frames() else self._taken

    def add(self, piece: Samples) -> None:
        """Append 48 kHz samples."""
        self.audio.add(piece)

    def end(self, error: Exception | None = None) -> None:
        """End the recording, because of an error if one is given."""
        self.broken_by = error
        self.audio.end(is_broken=error is not None)

    def stop_at(self, frames: int) -> None:
        """End with the first `frames`: the film has no capacity for more."""
        self.audio.cut(frames * self.spec.samples_per_frame)

    def take(self, stop: int) -> None:
        """Note that the frames before `stop` are drawn."""
        self._taken = stop
        kept = KEPT_S * SAMPLE_RATE_HZ
        self.audio.drop_before(stop * self.spec.samples_per_frame - kept)
