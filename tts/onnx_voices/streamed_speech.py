"""Speech whose pieces arrive from a process: cut to its sounds, between fixed silences."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Message
from tts.pauses import LEAD_S
from tts.pending import PendingPieces
from tts.speech import Phoneme, Samples, Speech


def speech_between_pauses(
    text: str,
    messages: Generator[Message, None, None],
    first: Samples,
    phonemes: Sequence[Phoneme],
    *,
    sample_rate_hz: int,
    pause_s: float,
) -> Speech | None:
    """Return a sentence with LEAD_S before its first sound and `pause_s` after its last one.

    `messages` yields the pieces after `first`; `phonemes` are those of the whole sound. None if
    there is no sound among them.
    """
    sounding = [phoneme for phoneme in phonemes if phoneme.symbol]
    if not sounding:
        messages.close()
        return None
    start = round((sounding[0].start_s - LEAD_S) * sample_rate_hz)
    end = round((sounding[-1].end_s + pause_s) * sample_rate_hz)
    pieces = _window(_samples(first, messages), start, end)
    beginning = next(pieces)
    left = end - start - len(beginning)
    if left == 0:
        messages.close()
    moved = tuple(_moved(phonemes, start / sample_rate_hz, (end - start) / sample_rate_hz))
    pending = PendingPieces(pieces, left) if left else None
    return Speech(text, beginning, sample_rate_hz, moved, pending)


def _samples(first: Samples, messages: Iterator[Message]) -> Iterator[Samples]:
    yield first
    for _, payload in messages:
        yield np.frombuffer(payload, np.float32)


def _window(pieces: Iterator[Samples], start: int, end: int) -> Iterator[Samples]:
    """Yield samples `start` to `end` of joined pieces, with silence outside of them."""
    silence: NDArray[np.float32] = np.zeros(max(0, -start), np.float32)
    position, waiting = 0, silence
    for piece in pieces:
        kept = piece[max(0, start - position) : max(0, end - position)]
        position += len(piece)
        waiting = np.concatenate([waiting, kept])
        if len(kept) and position < end:
            yield waiting
            waiting = waiting[:0]
    missing = end - max(start, position)
    yield np.concatenate([waiting, np.zeros(max(0, missing), np.float32)])


def _moved(phonemes: Sequence[Phoneme], start_s: float, duration_s: float) -> Iterator[Phoneme]:
    """Move phonemes by `-start_s`; the pauses at both ends fill the sentence."""
    sounding = [index for index, phoneme in enumerate(phonemes) if phoneme.symbol]
    yield Phoneme("", 0.0, phonemes[sounding[0]].start_s - start_s)
    for phoneme in phonemes[sounding[0] : sounding[-1] + 1]:
        yield replace(phoneme, start_s=phoneme.start_s - start_s, end_s=phoneme.end_s - start_s)
    yield Phoneme("", phonemes[sounding[-1]].end_s - start_s, duration_s)
