"""Given sound: a recording that is spoken in place of a text."""

import math
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from threading import Lock

import numpy as np

from isolation.item import Item
from isolation.process import RequestCancelled
from isolation.standby import Standby
from session.film import SAMPLE_RATE_HZ
from tts.speech import Samples
from warm.media.levelling import (
    CausalGain,
    LevelMeter,
    SoundDetector,
    amplified,
    limited_gain_db,
)
from warm.media.recording_errors import RecordingSilent, RecordingTooLong
from warm.render.pcm_stream import PcmStream
from warm.render.sound_source import FileSource, SoundSource, StreamSource

KEPT_SILENCE = 2 * SAMPLE_RATE_HZ
"""Samples before the first sound that are kept; those before them are replaced by zeros."""
MEASURED_FIRST = 3 * SAMPLE_RATE_HZ
"""Samples, of those that have arrived already, that set the first gain."""
PIECE = SAMPLE_RATE_HZ
"""Longest piece that `pieces` yields."""
LEAD_IN = SAMPLE_RATE_HZ // 25
"""Samples of silence before the first sound of raw sound that are kept; a live viewer would wait
for more."""


class GivenSound:
    """A recording in a file, or one whose bytes are still arriving. One thread at a time.

    `begin` waits for its first sound; `pieces` then yields all of it, at the loudness of the
    voices. The gain of a file is measured on all of it, that of a stream on what has arrived.
    """

    def __init__(
        self,
        source: SoundSource,
        *,
        text: str = "",
        longest_s: float = math.inf,
        lead_in: int | None = None,
    ) -> None:
        """`longest_s`: a longer recording is refused (max_session_s); `lead_in`: samples of silence
        before its first sound that are kept, None: all of them."""
        self.text = text
        """Its words; empty if they are not known."""
        self.remarks: tuple[str, ...] = ()
        """Remarks of the decoder; complete after the last piece."""
        self.announced_s: float | None = None
        """Duration, if it is known; set by `begin`."""
        self.skipped = 0
        """Samples of silence at its beginning that are left out; set by `begin`."""
        self._source, self._longest_s, self._lead_in = source, longest_s, lead_in
        self._error: Exception | None = None
        """The error that ended a stream."""
        self._is_cancelled = False
        self._first: Samples | None = None
        """The first piece, until it is taken."""
        self._rest: Generator[Samples, None, None] | None = None
        """The pieces after it; None before `begin`."""
        self._turn = Lock()
        """Held by the thread that waits for the next piece."""

    @classmethod
    def from_file(cls, path: Path, *, text: str = "", longest_s: float = math.inf) -> "GivenSound":
        """Return the recording of a file, which must exist until its job has ended."""
        return cls(FileSource(path), text=text, longest_s=longest_s)

    @classmethod
    def from_stream(
        cls,
        chunks: Iterable[bytes],
        *,
        decoders: Standby,
        folder: Path,
        stall_s: float,
        text: str = "",
        longest_s: float = math.inf,
    ) -> "GivenSound":
        """Return a recording whose bytes arrive while it is spoken.

        The iterator waits for the client, and may raise; the sound until then is kept. `folder`
        is for a recording that can be decoded only when all of it has arrived; `stall_s`: longest
        pause of the client.
        """
        source = StreamSource(chunks, decoders=decoders, folder=folder, stall_s=stall_s)
        return cls(source, text=text, longest_s=longest_s)

    @classmethod
    def from_pcm(
        cls, stream: PcmStream, *, text: str = "", longest_s: float = math.inf
    ) -> "GivenSound":
        """Return raw sound that arrives while it is spoken, without the silence before it."""
        return cls(stream, text=text, longest_s=longest_s, lead_in=LEAD_IN)

    def begin(self) -> None:
        """Wait for the first sound that is not silence.

        Raises MediaError for a recording that cannot be spoken. Later calls do nothing.
        """
        with self._turn:
            if self._rest is not None:
                return
            rest = self._whole() if self._source.is_file else self._arriving()
            self._first = next(rest)
            self._rest = rest

    def pieces(self) -> Iterator[Samples]:
        """Yield 48 kHz samples within ±1 from the first one on. To be iterated once.

        Raises MediaError where the recording breaks off, and RequestCancelled after `cancel`.
        """
        self.begin()
        while (piece := self._next()) is not None:
            yield piece

    def cancel(self) -> None:
        """End the decoder. Any thread."""
        self._is_cancelled = True
        self._source.close()

    def close(self) -> None:
        """End the decoder, and wait for its end. Any thread.

        Its process would otherwise wait for a collection of garbage: this object and the reading
        refer to each other.
        """
        self.cancel()
        with self._turn:
            self._first = None
            if self._rest is not None:
                self._rest.close()

    def _next(self) -> Samples | None:
        """Wait for the next piece; None after the last."""
        with self._turn:
            if self._is_cancelled:
                raise RequestCancelled("the recording is no longer needed")
            assert self._rest is not None
            piece, self._first = self._first, None
            return next(self._rest, None) if piece is None else piece

    def _items(self) -> Iterator[Item]:
        """Yield the items of the source, and note their facts."""
        for item in self._source.items(lambda: self._is_cancelled):
            self.remarks = tuple(item.facts.get("notes", self.remarks))
            announced_s = item.facts.get("announced_s")
            if announced_s is not None:
                self.announced_s = float(announced_s)
                self._check_length(self.announced_s)
            if item.array is not None and len(item.array):
                yield item

    def _samples(self) -> Iterator[Samples]:
        for item in self._items():
            assert item.array is not None
            yield np.clip(item.array, -8.0, 8.0)  # floats may be anything

    def _whole(self) -> Generator[Samples, None, None]:
        """Measure a file, then yield its pieces."""
        meter, detector, count = LevelMeter(), SoundDetector(), 0
        for samples in self._samples():
            count += len(samples)
            self._check_length(count / SAMPLE_RATE_HZ)
            meter.add(samples)
            detector.add(samples)
        if not detector.has_sound:
            raise silent(count)
        self.announced_s = count / SAMPLE_RATE_HZ
        gain_db = limited_gain_db(meter.level_dbfs)
        for samples in self._samples():
            yield amplified(samples, gain_db)

    def _arriving(self) -> Generator[Samples, None, None]:
        """Yield the pieces of a stream once there is sound."""
        samples, gain = self._samples_until_error(), CausalGain()
        zeros, first = self._until_sound(samples)
        while zeros:
            yield np.zeros(min(zeros, PIECE), np.float32)
            zeros -= min(zeros, PIECE)
        yield gain.apply(first)
        for each in samples:
            yield gain.apply(each)
        if self._error is not None:
            raise self._error

    def _samples_until_error(self) -> Iterator[Samples]:
        """Yield the samples; an error ends them, and is kept: those before it are spoken."""
        try:
            yield from self._samples()
        except Exception as error:  # noqa: BLE001 - raised after them
            self._error = error

    def _until_sound(self, arriving: Iterator[Samples]) -> tuple[int, Samples]:
        """Return what has arrived when there is sound: samples of silence, and those after it."""
        detector, zeros = SoundDetector(), 0
        held: Samples = np.zeros(0, np.float32)
        for samples in arriving:
            held = np.concatenate([held, samples])
            has_sound = detector.add(samples)
            if has_sound and (len(held) >= MEASURED_FIRST or not self._source.has_item):
                break
            if not has_sound and len(held) > 2 * KEPT_SILENCE:
                zeros += len(held) - KEPT_SILENCE
                held = held[-KEPT_SILENCE:]
                self._check_length(0.0 if self._lead_in is not None else zeros / SAMPLE_RATE_HZ)
        if detector.begins_at is None:
            raise self._error or silent(zeros + len(held))
        return self._without_silence(zeros, held, detector.begins_at)

    def _without_silence(self, zeros: int, held: Samples, begins_at: int) -> tuple[int, Samples]:
        """Leave out the silence at the beginning that is not kept."""
        if self._lead_in is None:
            return zeros, held
        self.skipped = max(0, begins_at - self._lead_in)
        return 0, held[max(0, self.skipped - zeros) :]

    def _check_length(self, seconds: float) -> None:
        if seconds > self._longest_s:
            raise RecordingTooLong(
                f"The recording is longer than {self._longest_s:g} s (max_session_s). Raise that "
                "setting, or send it in parts."
            )


def silent(samples: int) -> RecordingSilent:
    """Return the error of a recording without sound."""
    return RecordingSilent(
        f"The recording is silent: nothing in its {samples / SAMPLE_RATE_HZ:.1f} s is louder than "
        "-65 dB of full scale. Check the microphone, and send it again."
    )
