"""Joins between the pieces of a streamed sentence, against the same places of uncut speech.

A join is heard as a click, or as a step of pitch or loudness. Each of them is measured at every
join, and at the same place of the same sentence made in one piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from unittest.mock import patch

import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.figure import Figure
from bench.speech.joined_sentences import SENTENCES
from tts.heart import network as heart_network
from tts.heart.lean_g2p import load_g2p
from tts.heart.network import HeartNetwork, Prosody
from tts.heart.vocoder import HOP, SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

_SPEEDS = (0.6, 1.0, 1.5)
_CLICK, _AROUND = HOP // 12, HOP
"""A click lies within this many samples of a join, and stands out from this many around it."""
_WINDOW = 3 * HOP
"""Samples before and after a place whose pitch and energy are compared: 37.5 ms."""
_LOWEST_HZ, _HIGHEST_HZ = 100, 400
_PERIODIC = 0.6
"""Autocorrelation above which a window is voiced."""
_QUIET_DB = -50.0
_PERCENTILE = 95
_LARGEST_RATIO = 1.05


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of sound at one place; NaN where a quantity does not exist on both sides."""

    click: float
    """Largest difference of neighbouring samples, over their usual difference around it."""
    pitch_semitones: float
    energy_db: float


def measure(out: Path) -> list[Figure]:
    """Compare joins with uncut speech; a plot of both goes to `out`."""
    network = HeartNetwork()
    symbols_of = load_g2p(lambda _word: None)
    pairs = [
        pair
        for sentence in SENTENCES
        for speed in _SPEEDS
        for pair in _pairs(network, network.prosody(symbols_of(sentence), speed))
    ]
    joined, uncut = (
        np.array([[s.click, s.pitch_semitones, s.energy_db] for s in steps])
        for steps in zip(*pairs, strict=True)
    )
    _plot(joined, uncut, out / "voice_joins.png")
    names = ("waveform", "pitch", "energy")
    return [_figure(name, joined[:, i], uncut[:, i]) for i, name in enumerate(names)]


def _figure(name: str, joined: NDArray[np.float64], uncut: NDArray[np.float64]) -> Figure:
    both = np.isfinite(joined) & np.isfinite(uncut)
    ratio = np.percentile(joined[both], _PERCENTILE) / np.percentile(uncut[both], _PERCENTILE)
    label = f"joins of pieces: step of {name}, p95 over that of uncut speech"
    return Figure.at_most(label, float(ratio), "x", _LARGEST_RATIO, int(both.sum()))


def _pairs(network: HeartNetwork, prosody: Prosody) -> Iterator[tuple[Steps, Steps]]:
    """Yield the steps at each join, and those at the same place of the uncut sentence."""
    pieces = list(network.pieces(prosody))
    joined = np.concatenate(pieces)
    with patch.object(heart_network, "PIECE_FRAMES", (prosody.frames,)):
        (uncut,) = network.pieces(prosody)
    for place in list(accumulate(map(len, pieces)))[:-1]:
        yield steps_at(joined, place), steps_at(uncut, place)


def steps_at(samples: Samples, place: int) -> Steps:
    """Return the steps between samples[place - 1] and samples[place]."""
    before, after = samples[place - _WINDOW : place], samples[place : place + _WINDOW]
    differences = np.abs(np.diff(samples[place - _AROUND : place + _AROUND]))
    near = differences[_AROUND - _CLICK : _AROUND + _CLICK]
    usual = float(np.sqrt(np.square(differences).mean()))
    levels = [_level_db(part) for part in (before, after)]
    is_loud = min(levels) > _QUIET_DB
    semitones = abs(12 * np.log2(_pitch_hz(after) / _pitch_hz(before)))
    return Steps(
        click=float(near.max()) / max(usual, 1e-9),
        pitch_semitones=float(semitones),
        energy_db=abs(levels[1] - levels[0]) if is_loud else float("nan"),
    )


def _level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.square(samples).mean() + 1e-12))


def _pitch_hz(samples: Samples) -> float:
    """Return the pitch by autocorrelation; NaN if the samples are not periodic."""
    centred = samples - samples.mean()
    lags = np.arange(SAMPLE_RATE_HZ // _HIGHEST_HZ, SAMPLE_RATE_HZ // _LOWEST_HZ)
    correlations = np.array([_correlation(centred[:-lag], centred[lag:]) for lag in lags])
    best = int(np.argmax(correlations))
    return SAMPLE_RATE_HZ / lags[best] if correlations[best] > _PERIODIC else float("nan")


def _correlation(first: Samples, second: Samples) -> float:
    power = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    return float(first @ second) / max(power, 1e-9)


def _plot(joined: NDArray[np.float64], uncut: NDArray[np.float64], path: Path) -> None:
    plot = Plot(figsize=(10, 3.5), layout="constrained")
    labels = ("waveform, over the usual step", "pitch, semitones", "energy, dB")
    for index, (axes, label) in enumerate(zip(plot.subplots(1, 3), labels, strict=True)):
        for values, name in ((joined, "join"), (uncut, "uncut")):
            axes.ecdf(values[np.isfinite(values[:, index]), index], label=name)
        axes.set_xlabel(f"step of {label}")
    axes.legend()
    plot.savefig(path)
