"""Samples of voices, made on demand and kept in memory."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock, Timer

from isolation.process import RequestCancelled
from tts.samples import sample_text
from tts.speech import Speech
from tts.voice import CancellableSpeech, VoiceChoice, VoiceUnavailable
from warm.media.wav import wav_bytes

MAX_KEPT = 16
"""Number of samples that are kept, of about 250 KB each."""
WAIT_S = 10.0
"""Longest time to wait until the samples of other clients are made."""
SYNTHESIS_S = 20.0
"""Longest time to make a sample; a voice may have to be loaded first."""


class SamplesBusy(RuntimeError):
    """Samples of other clients are being made."""

    def __init__(self) -> None:
        super().__init__("samples of other voices are being made; try again soon")


class VoiceSamples:
    """Samples by voice and language. Any thread; one is made at a time."""

    def __init__(self, speak: Callable[[str, VoiceChoice], Iterator[Speech]]) -> None:
        self._speak = speak
        self._making = Lock()
        self._kept: OrderedDict[VoiceChoice, bytes] = OrderedDict()
        self._guard = Lock()
        """Guards `_kept`."""

    def of(self, choice: VoiceChoice) -> bytes:
        """Return the sample of a voice as a WAV file.

        Raises SamplesBusy and the errors of the voice; VoiceUnavailable after `SYNTHESIS_S`.
        """
        if (kept := self._find(choice)) is not None:
            return kept
        if not self._making.acquire(timeout=WAIT_S):
            raise SamplesBusy
        try:
            return self._find(choice) or self._make(choice)
        finally:
            self._making.release()

    def _find(self, choice: VoiceChoice) -> bytes | None:
        with self._guard:
            if choice in self._kept:
                self._kept.move_to_end(choice)
            return self._kept.get(choice)

    def _make(self, choice: VoiceChoice) -> bytes:
        wav = wav_in_time(self._speak(sample_text(choice.language), choice), choice.voice)
        with self._guard:
            self._kept[choice] = wav
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return wav


def wav_in_time(speeches: Iterator[Speech], voice: str) -> bytes:
    """Return the sentences as a WAV file; raises VoiceUnavailable after `SYNTHESIS_S`."""
    if not isinstance(speeches, CancellableSpeech):
        return wav_bytes(speeches)
    timer = Timer(SYNTHESIS_S, speeches.cancel)
    timer.daemon = True
    timer.start()
    try:
        return wav_bytes(speeches)
    except RequestCancelled as error:
        raise VoiceUnavailable(
            f"the voice {voice} took longer than {SYNTHESIS_S:g} s for its sample; try again later"
        ) from error
    finally:
        timer.cancel()
