"""Audio files and texts as chunks of features and samples, computed one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, FilmSpec
from tts.alignment.recording import RecordingTimes
from tts.speech import Speech
from tts.styles import read_text
from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice, Voices
from warm.engines.base import Engine
from warm.media.audio import open_audio
from warm.media.film_audio import film_audio

WINDOW_S = 30
"""Length of a chunk of an audio file. Each is encoded together with the chunks before and after it,
so that its borders do not show. The neural engine encodes the same length at once, so chunks end
where its own windows over the whole file would."""

CHARS_PER_S = 15.0
"""Usual pace of a voice."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive frames of a film."""

    features: NDArray[np.float32]
    """One row per frame, from `Engine.encode_speech`."""
    samples: Samples
    """Audio of these frames: 48 kHz, exactly as long."""
    speech: Speech
    """The speech in them."""


def chunks_from_audio(
    path: Path, engine: Engine, spec: FilmSpec, times: RecordingTimes | None = None
) -> Iterator[Chunk]:
    """Yield the chunks of an audio file; at most three windows of it are in memory.

    `times` are those of its phonemes, if its text is known. The last frame is filled up with
    silence. Raises MediaError.
    """
    before, start = np.zeros(0, np.float32), 0
    for window, after in with_next(windows(path)):
        context = np.concatenate([before, window, after])
        rows = encode_excerpt(engine, context, start - len(before), spec, times)
        first = len(before) // spec.samples_per_frame
        count = frame_count(len(window), spec)
        samples = np.zeros(count * spec.samples_per_frame, np.float32)
        np.clip(window, -1.0, 1.0, out=samples[: len(window)])
        speech = excerpt(window, start, times)
        yield Chunk(rows[first : first + count], samples, speech)
        before, start = window, start + len(window)


def excerpt(samples: Samples, start: int, times: RecordingTimes | None) -> Speech:
    """Return a part of a recording that begins at sample `start`, with its phonemes if known."""
    start_s, end_s = start / SAMPLE_RATE_HZ, (start + len(samples)) / SAMPLE_RATE_HZ
    phonemes = None if times is None else times.between(start_s, end_s)
    is_said = phonemes is not None and any(phoneme.symbol for phoneme in phonemes)
    return Speech("", samples, SAMPLE_RATE_HZ, phonemes if is_said else None)


def encode_excerpt(
    engine: Engine, samples: Samples, start: int, spec: FilmSpec, times: RecordingTimes | None
) -> NDArray[np.float32]:
    """Return the features of an excerpt of a recording, which begins at sample `start`.

    They follow the phonemes where these are known, and the sound alone elsewhere.
    """
    frames = frame_count(len(samples), spec)
    start_s, end_s = start / SAMPLE_RATE_HZ, (start + len(samples)) / SAMPLE_RATE_HZ
    middles_s = start_s + (np.arange(frames) + 0.5) / spec.fps
    known = np.zeros(frames, bool) if times is None else times.is_known(middles_s)
    speech = Speech(text="", samples=samples, sample_rate_hz=SAMPLE_RATE_HZ, phonemes=None)
    if times is None or not known.any():
        return engine.encode_speech(speech, frames=frames, fps=spec.fps)
    said = replace(speech, phonemes=times.between(start_s, end_s))
    rows = engine.encode_speech(said, frames=frames, fps=spec.fps)
    if not known.all():
        heard = engine.encode_speech(speech, frames=frames, fps=spec.fps)
        rows = rows.copy()
        rows[~known] = heard[~known]
    return rows


def chunks_from_text(
    text: PlainText, choice: VoiceChoice, voices: Voices, engine: Engine, spec: FilmSpec
) -> Iterator[Chunk]:
    """Yield one chunk per sentence of a text."""
    for arriving in read_text(text, choice, voices):
        speech = arriving.completed()
        samples = film_audio(speech, spec)
        frames = len(samples) // spec.samples_per_frame
        rows = engine.encode_speech(speech, frames=frames, fps=spec.fps)
        yield Chunk(rows, samples, speech)


def estimated_text_frames(text: PlainText, choice: VoiceChoice, spec: FilmSpec) -> int:
    """Return about how many frames `chunks_from_text` yields, without speaking the text.

    The exact number is not known before: espeak-ng does not say a text twice in exactly the same
    time, and other voices may be slow, or may cost money.
    """
    return max(1, round(len(text.text) / CHARS_PER_S / choice.speed * spec.fps))


class CountedChunks:
    """Chunks of a film that are counted as they are taken."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self.frames = 0
        """Frames of the chunks taken so far."""
        self._chunks = chunks

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks."""
        for chunk in self._chunks:
            self.frames += len(chunk.features)
            yield chunk


def frame_count(samples: int, spec: FilmSpec) -> int:
    """Return the number of frames that 48 kHz audio takes, including a partial one."""
    return -(-samples // spec.samples_per_frame)


def windows(path: Path) -> Iterator[Samples]:
    """Yield an audio file at 48 kHz in windows of WINDOW_S; the last may be shorter."""
    size, pending, count = WINDOW_S * SAMPLE_RATE_HZ, [], 0
    with open_audio(path, rate_hz=SAMPLE_RATE_HZ) as audio:
        for block in audio.chunks():
            pending.append(block)
            count += len(block)
            if count >= size:
                joined = np.concatenate(pending)
                yield joined[:size]
                pending, count = [joined[size:]], count - size
    if count:
        yield np.concatenate(pending)


def with_next(items: Iterator[Samples]) -> Iterator[tuple[Samples, Samples]]:
    """Yield each item with its successor; the last one's is empty."""
    item = next(items, None)
    while item is not None:
        successor = next(items, None)
        yield item, successor if successor is not None else np.zeros(0, np.float32)
        item = successor
