"""Speech with labels in files: `python -m bench.recogniser.corpus FOLDER`.

Each file has the speech of one kind of voice; existing files are kept.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.recogniser.speakers import (
    Utterance,
    espeak_speech,
    flite_speech,
    heart_speech,
    kokoro_speech,
)
from tts.speech import Phoneme
from warm.engines.viseme.recogniser.spectra import SAMPLE_RATE_HZ, resampled

ESPEAK_S, HEART_S, FLITE_S, KOKORO_S = 3000.0, 1500.0, 1500.0, 600.0
"""Seconds of speech of each kind."""
_PEAK = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSound:
    """A sentence at SAMPLE_RATE_HZ with the times of its phonemes."""

    voice: str
    samples: NDArray[np.float32]
    phonemes: tuple[Phoneme, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Create the missing files."""
    parser = argparse.ArgumentParser(prog="python -m bench.recogniser.corpus")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flite", metavar="PROGRAM", help="Flite 2.2, for three more voices")
    parser.add_argument("--voices-dir", type=Path, help="folder that contains kokoro/")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    sources = {"espeak": (espeak_speech(21), ESPEAK_S), "heart": (heart_speech(22), HEART_S)}
    if given.flite:
        sources["flite"] = flite_speech(11, given.flite), FLITE_S
    if given.voices_dir:
        sources["kokoro"] = kokoro_speech(1, given.voices_dir), KOKORO_S
    for name, (speech, seconds) in sources.items():
        path = given.folder / f"{name}.npz"
        if not path.exists():
            write(path, first_seconds(speech, seconds))
            print(path, flush=True)
    return 0


def first_seconds(speech: Iterator[Utterance], seconds: float) -> Iterator[LabelledSound]:
    """Yield sentences until they are `seconds` long."""
    while seconds > 0:
        said = next(speech)
        assert said.speech.phonemes is not None
        samples = resampled(said.speech.samples, said.speech.sample_rate_hz)
        samples = samples * np.float32(_PEAK / max(float(np.abs(samples).max()), 1e-6))
        seconds -= len(samples) / SAMPLE_RATE_HZ
        yield LabelledSound(said.voice, samples, said.speech.phonemes)


def write(path: Path, sounds: Iterator[LabelledSound]) -> None:
    """Write sentences to one file."""
    kept = list(sounds)
    phonemes = [each for sound in kept for each in sound.phonemes]
    np.savez(
        path,
        voices=np.array([sound.voice for sound in kept]),
        pcm=np.concatenate([np.rint(sound.samples * 32767).astype(np.int16) for sound in kept]),
        lengths=np.array([len(sound.samples) for sound in kept]),
        counts=np.array([len(sound.phonemes) for sound in kept]),
        symbols=np.array([each.symbol for each in phonemes]),
        times=np.array([(each.start_s, each.end_s) for each in phonemes]),
    )


def read(path: Path) -> list[LabelledSound]:
    """Read the sentences of a file."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    samples = arrays["pcm"].astype(np.float32) / 32768
    phonemes = [
        Phoneme(str(symbol), float(start), float(end))
        for symbol, (start, end) in zip(arrays["symbols"], arrays["times"], strict=True)
    ]
    bounds = pairwise(np.cumsum([0, *arrays["lengths"]]).tolist())
    spans = pairwise(np.cumsum([0, *arrays["counts"]]).tolist())
    return [
        LabelledSound(str(voice), samples[a:b], tuple(phonemes[first:last]))
        for voice, (a, b), (first, last) in zip(arrays["voices"], bounds, spans, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
