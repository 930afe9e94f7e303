"""Recordings to words: decoded and recognised while they arrive."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isolation.standby import Standby
from stt.recogniser import RATE_HZ, Recogniser, Samples, Transcript
from warm.media.recording_errors import RecordingStalled, RecordingTooLong
from warm.render.sound_source import StreamSource
from warm.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The words of a recording, and how long they took. Times begin when it had arrived."""

    transcript: Transcript
    decode_s: float
    """Until all of it was decoded."""
    recognise_s: float
    """From then on until its words were known."""

    @property
    def total_s(self) -> float:
        """From the last byte to the words."""
        return self.decode_s + self.recognise_s


class Transcriber:
    """Passes recordings to a decoder process and its sound to the recogniser. Any thread."""

    def __init__(self, recogniser: Recogniser, settings: Settings, *, decoders: Standby) -> None:
        """`decoders`: processes of `warm.media.arriving_audio`."""
        self.recogniser = recogniser
        self._decoders = decoders
        self._folder: Path = settings.results_dir
        self._stall_s = settings.recording_stall_s
        self._longest_s = settings.max_utterance_s

    def hear(
        self,
        chunks: Iterable[bytes],
        *,
        language: str | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Heard:
        """Return the words of a recording whose bytes arrive.

        Raises MediaError, SpeechError, RequestCancelled, and the errors of `chunks`.
        """
        utterance = self.recogniser.listen(language, is_cancelled)
        arrival = _Arrival(chunks)
        source = StreamSource(
            arrival,
            decoders=self._decoders,
            folder=self._folder,
            stall_s=self._stall_s,
            rate_hz=RATE_HZ,
        )
        try:
            with closing(self._samples(source, is_cancelled)) as sound:
                for samples in sound:
                    utterance.add(samples)
            decoded_s = time.monotonic()
            transcript = utterance.finish()
        finally:
            utterance.close()
        return Heard(
            transcript=transcript,
            decode_s=max(0.0, decoded_s - arrival.ended_s),
            recognise_s=time.monotonic() - decoded_s,
        )

    def close(self) -> None:
        """End the recogniser."""
        self.recogniser.close()

    def _samples(
        self, source: StreamSource, is_cancelled: Callable[[], bool]
    ) -> Generator[Samples, None, None]:
        """Yield the decoded sound; raises RecordingTooLong as soon as it is known to be."""
        count = 0
        with closing(source.items(is_cancelled)) as items, own_stall_message():
            for item in items:
                count += 0 if item.array is None else len(item.array)
                self._check_length(max(item.facts.get("announced_s") or 0.0, count / RATE_HZ))
                if item.array is not None and len(item.array):
                    yield np.asarray(item.array, np.float32)

    def _check_length(self, duration_s: float) -> None:
        if duration_s > self._longest_s:
            raise RecordingTooLong(
                f"The recording is longer than {self._longest_s:g} s (max_utterance_s). Send it in "
                "parts, or raise that setting."
            )


@contextmanager
def own_stall_message() -> Iterator[None]:
    """Replace the message on a recording that stops arriving: nothing of it is used."""
    try:
        yield
    except RecordingStalled:
        raise RecordingStalled(
            "The recording arrived too slowly, or not at all, for too long (recording_stall_s). "
            "Send it again, without pauses."
        ) from None


class _Arrival:
    """The bytes of a recording, and the time of the last one."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.ended_s = time.monotonic()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        self.ended_s = time.monotonic()
