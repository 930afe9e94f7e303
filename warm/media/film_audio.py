"""Speech as the sound of a film: 48 kHz, padded to whole video frames."""

import av
import numpy as np

from session.film import SAMPLE_RATE_HZ, FilmSpec
from tts.speech import Samples, Speech


class FilmAudio:
    """The sound of one sentence in its film, which fills up as pieces of the speech arrive.

    Every way of cutting a sentence into pieces gives the same samples. One thread calls `add`; any
    thread may read the samples before `arrived`, which do not change any more.
    """

    def __init__(self, speech_samples: int, rate_hz: int, spec: FilmSpec) -> None:
        """`speech_samples`: samples of the whole sentence at `rate_hz`."""
        self.frames = film_frames(speech_samples, rate_hz, spec)
        """Video frames of the whole sentence."""
        self.samples: Samples = np.zeros(self.frames * spec.samples_per_frame, np.float32)
        """(frames * samples per frame,) -1…1, 48 kHz; silence pads the last frame."""
        self.arrived = 0
        """Samples that are final: all of them once the sentence is complete."""
        self._missing = speech_samples
        self._resampler: Resampler | None = Resampler(rate_hz)
        """None once nothing more can be added. It has threads, which must not wait for a garbage
        collection."""
        if not speech_samples:
            self._end()

    @property
    def is_complete(self) -> bool:
        """True if all of the speech has arrived."""
        return self.arrived == len(self.samples)

    def known(self) -> Samples:
        """(arrived,) the samples that are final."""
        return self.samples[: self.arrived]

    def add(self, piece: Samples) -> None:
        """Append a piece of the speech, which is not longer than the rest of the sentence."""
        if len(piece) == 0:
            return
        assert self._resampler is not None
        self._missing -= len(piece)
        self._append(self._resampler.add(piece))
        if not self._missing:
            self._append(self._resampler.finish())
            self._end()

    def release(self) -> None:
        """End the threads of the resampler; nothing can be added any more."""
        self._resampler = None

    def _append(self, audio: Samples) -> None:
        free = self.samples[self.arrived :]
        fitting = audio[: len(free)]  # the resampler may round its last sample up
        np.clip(fitting, -1.0, 1.0, out=free[: len(fitting)])
        self.arrived += len(fitting)

    def _end(self) -> None:
        self.arrived = len(self.samples)
        self.release()


def film_frames(speech_samples: int, rate_hz: int, spec: FilmSpec) -> int:
    """Number of video frames that speech takes, including a partial one."""
    return -(-speech_samples * spec.fps // rate_hz)


def film_audio(speech: Speech, spec: FilmSpec) -> Samples:
    """(frames * spec.samples_per_frame,) float32, -1…1, 48 kHz, of a complete sentence.

    The speech begins at the first sample; silence pads its last video frame.
    """
    audio = FilmAudio(len(speech.samples), speech.sample_rate_hz, spec)
    audio.add(speech.samples)
    return audio.samples


class Resampler:
    """Resamples one sound that arrives in pieces, without delay between input and output times."""

    def __init__(self, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> None:
        self._rate_hz = rate_hz
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=to_hz)

    def add(self, samples: Samples) -> Samples:
        """The output that no later input can change, without what was returned before."""
        packed = np.ascontiguousarray(samples[np.newaxis])
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="mono")
        frame.sample_rate = self._rate_hz
        return joined(self._resampler.resample(frame))

    def finish(self) -> Samples:
        """The rest of the output, after the last piece."""
        return joined(self._resampler.resample(None))


def resample(samples: Samples, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> Samples:
    """(n,) mono at `rate_hz` to (n * to_hz / rate_hz,) at `to_hz`, without delay."""
    resampler = Resampler(rate_hz, to_hz)
    return np.concatenate([resampler.add(samples), resampler.finish()])


def joined(frames: list[av.AudioFrame]) -> Samples:
    """The samples of mono frames, one after another."""
    chunks = [frame.to_ndarray()[0] for frame in frames if frame.samples]
    return np.concatenate([np.zeros(0, np.float32), *chunks])
