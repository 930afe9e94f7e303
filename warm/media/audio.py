"""Sound files, decoded in a process of their own to mono at a given rate.

WAV, MP3, M4A, OGG (Vorbis, Opus, FLAC, Speex), FLAC, AAC, AIFF and others that FFmpeg reads, and
the audio of a video. Memory does not grow with the length of the file.
"""

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isolation.item import Item
from warm.media.audio_decoder import Samples, read_audio
from warm.media.isolated import decode_isolated
from warm.media.sniff import DamagedMediaError, MediaError

SILENT_PEAK = 1e-4
"""-80 dB: audio with a lower peak counts as silent."""


class AudioTooLongError(MediaError):
    """The audio is longer than allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """Properties of an audio file, known after one complete read."""

    samples: int
    """Number of samples at `rate_hz`."""
    rate_hz: int
    peak: float
    """Largest absolute sample; a film clips above 1.0."""
    stored: str
    """Codec, rate and channels of the file, in words."""
    reading_notes: tuple[str, ...] = ()
    """Remarks of the decoder."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.rate_hz

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings for the user."""
        if self.peak < SILENT_PEAK:
            return (*self.reading_notes, "The audio is silent; the mouth stays closed.")
        if self.peak > 1:
            excess_db = 20 * math.log10(self.peak)
            note = f"The audio exceeds full scale by {excess_db:.1f} dB; it clips."
            return (*self.reading_notes, note)
        return self.reading_notes


class AudioFile:
    """An open audio file. Not thread-safe; created by `open_audio`."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self.stored = ""
        """Codec, rate and channels of the file, in words; set with the first chunk."""
        self.notes: tuple[str, ...] = ()
        """Remarks on what was odd; set after the last chunk."""

    def chunks(self) -> Iterator[Samples]:
        """Yield (n,) float32 mono chunks of at most a second, to the end; raises MediaError."""
        for facts, chunk in self._items:
            self.stored = facts["stored"]
            self.notes = tuple(facts.get("notes", ()))
            if chunk is not None:
                yield chunk


@contextmanager
def open_audio(path: Path, *, rate_hz: int) -> Iterator[AudioFile]:
    """Open a file for decoding to mono at `rate_hz`.

    Raises MediaError, here or while chunks are read, for a file without audio, a file that cannot
    be decoded, and one of which much is missing. A crash of the decoder is a DecoderFailedError.
    """
    with closing(decode_isolated(read_audio, path, rate_hz=rate_hz)) as items:
        yield AudioFile(items)


def examine_audio(path: Path, *, rate_hz: int, longest_s: float) -> AudioInfo:
    """Read a file to its end and return its properties; raises MediaError for any fault."""
    count, peak = 0, 0.0
    with open_audio(path, rate_hz=rate_hz) as audio:
        for chunk in audio.chunks():
            count += len(chunk)
            peak = max(peak, float(np.abs(chunk).max(initial=0.0)))
            if count > longest_s * rate_hz:
                raise AudioTooLongError(
                    f"{path} is longer than {longest_s:g} s (max_audio_s). Raise that setting, or "
                    "split the file."
                )
    if not count:
        raise DamagedMediaError(
            f"The audio file {path} is too short: it has no sample. Send a longer one."
        )
    return AudioInfo(
        samples=count, rate_hz=rate_hz, peak=peak, stored=audio.stored, reading_notes=audio.notes
    )
