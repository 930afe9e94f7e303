"""Sound of a raw video on the clock of its pictures, in files that any part can be read from.

Two mono files of 16-bit samples are written: 48 kHz for the clips' own sound, 16 kHz for the WAV
files. The first sample of both belongs to the beginning of the first picture.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from tts.speech import Samples
from warm.media.audio_decoder import RATES_HZ, NoAudioError, mix_to_mono
from warm.media.film_audio import Resampler
from warm.training_data.config import FPS
from warm.training_data.source_video import open_source
from warm.training_data.write_errors import write_errors_explained

CLIP_HZ, WAV_HZ = 48_000, 16_000
TOLERANCE_S = Fraction(1, 25)
"""Time stamps may differ by this much from the number of samples before them; recorders round."""
LONGEST_SILENCE_S = 24 * 3600
"""A longer gap in the time stamps is damage."""
_FULL_SCALE = 32767

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class SourceSound:
    """The two files of one source."""

    clip: Path
    wav: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Return the files in a folder."""
        return cls(folder / "sound_48k.s16", folder / "sound_16k.s16")

    @property
    def frames(self) -> int:
        """Number of whole video frames that have sound."""
        return self.clip.stat().st_size // 2 // (CLIP_HZ // FPS)

    def clip_part(self, start: int, stop: int) -> Pcm:
        """(n,) 48 kHz samples of the video frames from `start` to `stop`."""
        return read_part(self.clip, start, stop, CLIP_HZ // FPS)

    def wav_part(self, start: int, stop: int) -> Pcm:
        """(n,) 16 kHz samples of the video frames from `start` to `stop`."""
        return read_part(self.wav, start, stop, WAV_HZ // FPS)


def read_part(path: Path, start: int, stop: int, samples_per_frame: int) -> Pcm:
    """Return the samples of some frames; silence where the file ends earlier."""
    count = (stop - start) * samples_per_frame
    found = np.fromfile(path, "<i2", count, offset=2 * start * samples_per_frame)
    return np.pad(found.astype(np.int16), (0, count - len(found)))


def write_sound(
    path: Path, sound: SourceSound, *, start_s: Fraction, notes: list[str]
) -> Iterator[Fraction]:
    """Decode the main sound of a video into the two files; yield the seconds done regularly.

    `start_s`: time stamp of the first picture. Adds to `notes` for the user. Raises MediaError and
    TrainingDataError.
    """
    with ExitStack() as stack:
        container = stack.enter_context(open_source(path))
        stream, found = main_sound(container, path)
        notes += found
        stack.enter_context(write_errors_explained(sound.clip))
        files = [stack.enter_context(each.open("wb")) for each in (sound.clip, sound.wav)]
        writer, clock = SoundWriter(files[0], files[1]), SoundClock(start_s)
        for frame in decoded(container, stream):
            for samples in clock.add(frame):
                writer.write(samples)
            yield clock.at_s
        for samples in clock.finish():
            writer.write(samples)
        writer.finish()


def main_sound(container: InputContainer, path: Path) -> tuple[AudioStream, list[str]]:
    """Return the audio track that players use, and notes; raises NoAudioError."""
    decodable = [each for each in container.streams.audio if each.codec_context is not None]
    if not decodable:
        raise NoAudioError(f"{path} has no audio track that can be decoded.")
    best = container.streams.best("audio")
    stream = next((each for each in decodable if each is best), decodable[0])
    number = decodable.index(stream) + 1
    count = len(decodable)
    many = [f"The file has {count} audio tracks; number {number} is used."] if count > 1 else []
    return stream, many


def decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Yield the frames that can be decoded; a read error is the end."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            raise_if_memory(error)
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except FFmpegError as error:
            raise_if_memory(error)
            continue
        yield from (each for each in frames if each.samples and each.sample_rate in RATES_HZ)


def raise_if_memory(error: FFmpegError) -> None:
    """Raise the error if memory ran out."""
    if isinstance(error, MemoryError):
        raise error


class SoundClock:
    """Places decoded frames on the clock of the pictures, as 48 kHz mono samples without gaps.

    Frames without time stamps follow the ones before them. Gaps become silence, and sound that
    overlaps earlier sound, or comes before the first picture, is left out.
    """

    def __init__(self, start_s: Fraction) -> None:
        """`start_s`: time stamp of the first picture."""
        self._start_s = start_s
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[str, int, str] | None = None
        self._expected_s = Fraction(0)
        """Time of the next frame if there is no gap."""
        self._written = self._skipped = 0

    @property
    def at_s(self) -> Fraction:
        """Time up to which samples were added."""
        return self._expected_s

    def add(self, frame: AudioFrame) -> Iterator[Samples]:
        """Yield the samples that are final."""
        at_s = self._expected_s
        if frame.pts is not None and frame.time_base is not None:
            stamp_s = frame.pts * frame.time_base - self._start_s
            at_s = stamp_s if stamp_s - at_s < LONGEST_SILENCE_S else at_s
        form = frame.format.name, frame.sample_rate, frame.layout.name
        is_gap = abs(at_s - self._expected_s) > TOLERANCE_S
        if self._resampler is None or form != self._form or is_gap:
            yield from self.finish()
            yield from self._silence_up_to(at_s)
            self._resampler = av.AudioResampler(format="flt", rate=CLIP_HZ)
            self._form, self._expected_s = form, at_s
        self._expected_s += Fraction(frame.samples, frame.sample_rate)
        frame.pts = None  # the resampler must not fill gaps by itself
        yield from self._counted(self._resampler.resample(frame))

    def finish(self) -> Iterator[Samples]:
        """Yield the samples that the resampler still holds."""
        if self._resampler is not None:
            yield from self._counted(self._resampler.resample(None))
        self._resampler = None

    def _silence_up_to(self, at_s: Fraction) -> Iterator[Samples]:
        gap = round(at_s * CLIP_HZ) - self._written
        self._skipped = max(0, -gap)
        for start in range(0, max(0, gap), CLIP_HZ):
            silence = np.zeros(min(CLIP_HZ, gap - start), np.float32)
            self._written += len(silence)
            yield silence

    def _counted(self, frames: list[AudioFrame]) -> Iterator[Samples]:
        for frame in frames:
            samples = mix_to_mono(frame)
            used = samples[self._skipped :]
            self._skipped -= len(samples) - len(used)
            self._written += len(used)
            yield used


class SoundWriter:
    """Writes 48 kHz samples at both rates."""

    def __init__(self, clip: BinaryIO, wav: BinaryIO) -> None:
        self._clip, self._wav = clip, wav
        self._resampler = Resampler(CLIP_HZ, WAV_HZ)

    def write(self, samples: Samples) -> None:
        """Append samples."""
        if len(samples):
            finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
            self._clip.write(to_pcm(finite).tobytes())
            self._wav.write(to_pcm(self._resampler.add(finite)).tobytes())

    def finish(self) -> None:
        """Write the rest."""
        self._wav.write(to_pcm(self._resampler.finish()).tobytes())


def to_pcm(samples: Samples) -> Pcm:
    """Return samples -1…1 as little-endian 16-bit integers."""
    return np.rint(np.clip(samples, -1, 1) * _FULL_SCALE).astype("<i2")
