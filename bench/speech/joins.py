"""Joins of the voice `heart` against uncut speech: of pieces, and of clauses.

A join of pieces lies anywhere in a sentence. It is heard as a click, or as a step of pitch or
energy; each is measured at every join, and at the same place of the same sentence synthesized
whole.

Sentences of more than 160 letters are spoken clause by clause, with a pause at the join. Pitch and
energy before and after it are compared with those of the same sentence spoken as one.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, product
from pathlib import Path
from unittest.mock import patch

import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.figure import Figure
from bench.speech.joined_sentences import LONG_SENTENCES, SENTENCES
from bench.speech.sound_steps import Samples, Steps, steps_across, steps_at
from tts.heart import network as heart_network
from tts.heart.g2p import HeartG2p
from tts.heart.network import HeartNetwork
from tts.heart.synthesizer import HeartSynthesizer
from tts.heart.vocoder import SAMPLE_RATE_HZ
from tts.speech import Phoneme
from tts.text.sentences import split_sentences

_SPEEDS = (0.6, 1.0, 1.5)
_PERCENTILE = 95
_LARGEST_RATIO = 1.05
_SIDE_S = 0.3
"""Sound before and after the pause between clauses that is compared."""
_ALL_FRAMES = (1 << 20,)

Pair = tuple[Steps, Steps]
Spoken = tuple[Samples, Sequence[Phoneme]]


def measure(out: Path) -> list[Figure]:
    """Compare joins with uncut speech; a plot of both goes to `out`."""
    network, g2p = HeartNetwork(), HeartG2p()
    voice = HeartSynthesizer(network, g2p.symbols)
    pieces = [
        pair
        for sentence, speed in product(SENTENCES, _SPEEDS)
        for pair in _pairs_of_pieces(network, g2p.symbols(sentence), speed)
    ]
    clauses = [_pair_of_clauses(voice, *case) for case in product(LONG_SENTENCES, _SPEEDS)]
    _plot(pieces, out / "voice_joins.png")
    return [
        _figure("pieces: waveform", pieces, lambda steps: steps.click),
        _figure("pieces: pitch", pieces, lambda steps: steps.pitch_semitones),
        _figure("pieces: energy", pieces, lambda steps: steps.energy_db),
        _figure("clauses: pitch", clauses, lambda steps: steps.pitch_semitones),
        _figure("clauses: energy", clauses, lambda steps: steps.energy_db),
    ]


def _figure(name: str, pairs: Sequence[Pair], step_of: Callable[[Steps], float]) -> Figure:
    """Return how much larger the 95th percentile of steps is at joins than in uncut speech."""
    joined, uncut = (_finite(map(step_of, steps)) for steps in zip(*pairs, strict=True))
    ratio = np.percentile(joined, _PERCENTILE) / np.percentile(uncut, _PERCENTILE)
    label = f"joins of {name} step, p95 over that of uncut speech"
    return Figure.at_most(label, float(ratio), "x", _LARGEST_RATIO, len(joined))


def _finite(steps: Iterator[float]) -> NDArray[np.float64]:
    return np.array([step for step in steps if np.isfinite(step)])


def _pairs_of_pieces(network: HeartNetwork, symbols: str, speed: float) -> Iterator[Pair]:
    """Yield the steps at each join, and those at the same place of the uncut sentence."""
    prosody = network.prosody(symbols, speed)
    pieces = list(network.pieces(prosody))
    with patch.object(heart_network, "PIECE_FRAMES", _ALL_FRAMES):
        (uncut,) = network.pieces(prosody)
    joined = np.concatenate(pieces)
    for place in list(accumulate(map(len, pieces)))[:-1]:
        yield steps_at(joined, place), steps_at(uncut, place)


def _pair_of_clauses(voice: HeartSynthesizer, sentence: str, speed: float) -> Pair:
    """Return the steps between two clauses, and those at the same pause of the uncut sentence."""
    first, second = split_sentences(sentence)
    before = _spoken(voice, first.text, speed, is_end=False, neighbours=("", second.text))
    after = _spoken(voice, second.text, speed, neighbours=(first.text, ""))
    uncut = _spoken(voice, sentence, speed)
    sounds = len(_sounds(before))
    return (
        steps_across(_last_sound(before, sounds), _first_sound(after, 0)),
        steps_across(_last_sound(uncut, sounds), _first_sound(uncut, sounds)),
    )


def _spoken(
    voice: HeartSynthesizer,
    text: str,
    speed: float,
    *,
    is_end: bool = True,
    neighbours: tuple[str, str] = ("", ""),
) -> Spoken:
    *_, plan = voice.plan(text, speed=speed, is_end=is_end, neighbours=neighbours)
    if plan is None:
        raise ValueError(f"no speech for {text!r}")
    return np.concatenate(list(plan.pieces)), plan.phonemes


def _sounds(spoken: Spoken) -> list[Phoneme]:
    return [phoneme for phoneme in spoken[1] if phoneme.symbol]


def _last_sound(spoken: Spoken, sounds: int) -> Samples:
    """Return the sound before the end of the first `sounds` phonemes."""
    end = round(_sounds(spoken)[sounds - 1].end_s * SAMPLE_RATE_HZ)
    return spoken[0][max(end - round(_SIDE_S * SAMPLE_RATE_HZ), 0) : end]


def _first_sound(spoken: Spoken, sounds: int) -> Samples:
    """Return the sound after the start of the phoneme that follows the first `sounds`."""
    start = round(_sounds(spoken)[sounds].start_s * SAMPLE_RATE_HZ)
    return spoken[0][start : start + round(_SIDE_S * SAMPLE_RATE_HZ)]


def _plot(pairs: Sequence[Pair], path: Path) -> None:
    plot = Plot(figsize=(10, 3.5), layout="constrained")
    steps_of = {
        "waveform, over the usual step": lambda steps: steps.click,
        "pitch, semitones": lambda steps: steps.pitch_semitones,
        "energy, dB": lambda steps: steps.energy_db,
    }
    for axes, (label, step_of) in zip(plot.subplots(1, 3), steps_of.items(), strict=True):
        for steps, name in zip(zip(*pairs, strict=True), ("join", "uncut"), strict=True):
            axes.ecdf(_finite(map(step_of, steps)), label=name)
        axes.set_xlabel(f"step of {label}")
    axes.legend()
    plot.savefig(path)
