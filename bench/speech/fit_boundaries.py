"""Compute the weights of `tts.heart.boundaries`: `python -m bench.speech.fit_boundaries`.

The sentences for tuning are spoken at several speeds and aligned by PocketSphinx; a ridge
regression for each class of sounds explains what is left after the fixed shift. Writes
tts/heart/boundary_weights.py.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

import tts.heart.boundary_weights
from bench.speech.arpabet import phrases_of as phones_of
from bench.speech.forced_alignment import SAMPLE_RATE_HZ, ForcedAligner
from bench.speech.time_sentences import TUNING
from tts.heart.boundaries import Contours, features, shifted_s
from tts.heart.g2p import HeartG2p
from tts.heart.network import HeartNetwork, Prosody
from tts.heart.phrases import Phrase, phrases_of
from tts.heart.segments import segments
from tts.heart.sound_classes import SoundClass, class_of
from tts.heart.symbols import IPA
from tts.heart.vocoder import SAMPLE_RATE_HZ as HEART_RATE_HZ

SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_RIDGE = 20.0
_LARGEST_MS = 50.0
"""Larger deviations, which are mistakes of the aligner, count as this."""

_ALIGNER_EARLY_MS, _ALIGNER_EARLY_AT_SPEED_1_MS = 2.5, 3.6
"""PocketSphinx places starts too early by the first, and by the second divided by the speed. The
level of the sound shows it: uncorrected, it lags behind the opening of the mouth."""
_NUMBERS_PER_LINE = 10

Rows = dict[SoundClass, list[tuple[NDArray[np.float64], float]]]


def main() -> None:
    """Fit the weights and write their module."""
    rows: Rows = {kind: [] for kind in SoundClass}
    speaker, reader, aligner = HeartNetwork(), HeartG2p(), ForcedAligner()
    for index, text in enumerate(TUNING):
        symbols = reader.symbols(text)
        for speed in (1.0, SPEEDS[index % len(SPEEDS)], SPEEDS[(index + 3) % len(SPEEDS)]):
            prosody = speaker.prosody(symbols, speed)
            sound = np.concatenate(list(speaker.pieces(prosody)))
            for kind, row, error in _rows(prosody, sound, speed, aligner):
                rows[kind].append((row, error))
    table = [_ridge(rows[kind]) for kind in SoundClass]
    Path(tts.heart.boundary_weights.__file__).write_text(_module(table), "utf-8")


def _rows(
    prosody: Prosody, sound: NDArray[np.float32], speed: float, aligner: ForcedAligner
) -> Iterator[tuple[SoundClass, NDArray[np.float64], float]]:
    """Yield class, features and scaled error in ms of each sound inside a phrase."""
    contours = Contours.of(prosody.energy, prosody.pitch_hz)
    parts = segments(prosody.symbols, prosody.durations.tolist())
    phrases = list(phrases_of(parts, contours, speed))
    for phrase, starts_s in zip(phrases, _aligned(phrases, sound, aligner), strict=False):
        table = features(phrase.sounds, contours, speed)
        shifted = shifted_s(phrase.sounds, speed)
        for index, row in enumerate(table, 1):
            if index in starts_s:
                error_ms = 1000 * (starts_s[index] - float(shifted[index]))
                error_ms += _ALIGNER_EARLY_MS + _ALIGNER_EARLY_AT_SPEED_1_MS / speed
                yield class_of(phrase.sounds[index].symbol), row, error_ms * speed**0.5


def _aligned(
    phrases: list[Phrase], sound: NDArray[np.float32], aligner: ForcedAligner
) -> Iterator[dict[int, float]]:
    """Yield for each phrase the starts of its sounds by index; nothing if they do not fit."""
    words = [phones for phrase in phrases for phones in phones_of(_ipa(phrase))]
    samples = resample_poly(sound, SAMPLE_RATE_HZ, HEART_RATE_HZ).astype(np.float32)
    aligned = aligner.align(samples, [[phone.name for phone in word] for word in words])
    if aligned is None:
        return
    found = iter(aligned)
    for word in words:
        yield {phone.index: next(found).start_s for phone in word}


def _ipa(phrase: Phrase) -> list[str]:
    return [IPA[sound.symbol] for sound in phrase.sounds]


def _ridge(rows: list[tuple[NDArray[np.float64], float]]) -> NDArray[np.float64]:
    """Return weights of the features; the last feature is constant and not penalised."""
    table = np.array([row for row, _ in rows])
    errors = np.clip([error for _, error in rows], -_LARGEST_MS, _LARGEST_MS)
    means, deviations = table.mean(axis=0), table.std(axis=0) + 1e-6
    means[-1], deviations[-1] = 0.0, 1.0
    scaled = (table - means) / deviations
    penalty = np.diag([_RIDGE] * (scaled.shape[1] - 1) + [0.0])
    weights: NDArray[np.float64] = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ errors)
    weights /= deviations
    weights[-1] -= means @ weights
    return weights


def _module(table: list[NDArray[np.float64]]) -> str:
    lines = [
        '"""Weights of the features of `tts.heart.boundaries`, in ms, one row per class of sounds.',
        "",
        "Written by `python -m bench.speech.fit_boundaries`.",
        '"""',
        "",
        "WEIGHTS = (",
    ]
    for kind, weights in zip(SoundClass, table, strict=True):
        numbers = [f"{weight:.2f}," for weight in weights]
        lines += ["    (", f"        # {kind.name.lower()}"]
        for start in range(0, len(numbers), _NUMBERS_PER_LINE):
            lines.append(f"        {' '.join(numbers[start : start + _NUMBERS_PER_LINE])}")
        lines.append("    ),")
    return "\n".join([*lines, ")  # fmt: skip", ""])


if __name__ == "__main__":
    main()
