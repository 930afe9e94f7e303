"""Phonemes with times from the durations of a model's symbols.

Models of the VITS kind have a blank before and after each symbol, as Piper's have.
"""

from collections.abc import Sequence

import numpy as np

from tts.onnx_voices.piper_config import BEGIN, END
from tts.onnx_voices.piper_symbols import PiperSymbols
from tts.onnx_voices.piper_times import phonemes_of as piper_phonemes_of
from tts.speech import Phoneme


def phonemes_of(
    symbols: Sequence[tuple[str, float]], duration_s: float
) -> tuple[Phoneme, ...] | None:
    """Return the phonemes of a sound, in order, without gaps; None if the durations do not fit.

    `symbols`: IPA characters and punctuation, "" for a blank, with their durations in seconds.
    """
    total_s = sum(seconds for _, seconds in symbols)
    if not symbols or abs(total_s - duration_s) > 0.05 + 0.01 * duration_s:
        return None
    names, durations = _with_pads(symbols)
    sentence = PiperSymbols(names, tuple(range(len(durations))), (1,) * len(names))
    return piper_phonemes_of(sentence, np.array(durations, np.float32), unit_s=1.0)


def _with_pads(symbols: Sequence[tuple[str, float]]) -> tuple[tuple[str, ...], list[float]]:
    """Return the symbols between begin and end, and the durations of symbols and pads in turn."""
    names, durations = [BEGIN], [0.0, 0.0]
    for name, seconds in symbols:
        if name:
            names.append(name)
            durations += [seconds, 0.0]
        else:
            durations[-1] += seconds
    if len(names) > 1:  # what comes before the first symbol is silence
        durations[0], durations[1] = durations[1], 0.0
    return (*names, END), [*durations, 0.0]
