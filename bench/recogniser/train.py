"""Trains the recogniser: `python -m bench.recogniser.train FOLDER`, once bench.recogniser.corpus
has filled the folder.

It takes an hour on one processor core, and can be stopped and continued: `--seconds` limits one
run, and the folder keeps the state. At the end it writes the weights that the product loads.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy, relu

from bench.recogniser.corpus import read
from bench.recogniser.examples import Examples, examples, masked
from bench.recogniser.labels import UNKNOWN
from warm.engines.viseme.recogniser.network import DILATIONS, WEIGHTS
from warm.engines.viseme.recogniser.sound_classes import CLASSES
from warm.engines.viseme.recogniser.spectra import BANDS

CHANNELS = 128
COPIES = 2
"""Disturbed copies of the corpus."""
REPEATED = {"kokoro": 3, "flite": 2}
"""Number of times that the speech of a kind of voice is in a copy, each time disturbed differently:
there is little of it, and it resembles human speech most."""
STEPS, BATCH, LENGTH = 5800, 16, 400
LEARNING_RATE, WARM_UP_STEPS = 2e-3, 300
LABEL_SMOOTHING = 0.05
_STATE = "state.pt"


class Convolution(nn.Module):
    """Three points `dilation` apart, normalised over the batch, and a rectifier."""

    def __init__(self, inputs: int, dilation: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(
            inputs, CHANNELS, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.norm = nn.BatchNorm1d(CHANNELS)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """(batch, channels, n) to the same length."""
        return relu(self.norm(self.convolution(values)))

    def folded(self) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Return the weights and the bias of `recogniser.network.Layer`."""
        variance = cast("torch.Tensor", self.norm.running_var) + self.norm.eps
        scale = self.norm.weight / torch.sqrt(variance)
        weights = (self.convolution.weight * scale[:, None, None]).permute(2, 1, 0)
        bias = self.norm.bias - cast("torch.Tensor", self.norm.running_mean) * scale
        flat = weights.reshape(-1, CHANNELS).detach().numpy()
        return flat.astype(np.float16), bias.detach().numpy().astype(np.float16)


class TrainedNetwork(nn.Module):
    """The network of `recogniser.network`, to be trained."""

    def __init__(self) -> None:
        super().__init__()
        inputs = [BANDS] + [CHANNELS] * (len(DILATIONS) - 1)
        self.layers = nn.ModuleList(map(Convolution, inputs, DILATIONS))
        self.output = nn.Conv1d(CHANNELS, len(CLASSES), 1)

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """(batch, BANDS, n) to (batch, classes, n)."""
        values = self.layers[0](spectra)
        for layer in self.layers[1:]:
            values = values + layer(values)
        return cast("torch.Tensor", self.output(values))

    def export(self, path: Path) -> None:
        """Write the weights for the product."""
        arrays: dict[str, Any] = {}
        for number, layer in enumerate(self.layers):
            folded = cast("Convolution", layer).folded()
            arrays[f"weights{number}"], arrays[f"bias{number}"] = folded
        arrays["output_weights"] = self.output.weight.detach()[:, :, 0].T.numpy().astype(np.float16)
        assert self.output.bias is not None
        arrays["output_bias"] = self.output.bias.detach().numpy().astype(np.float16)
        np.savez(path, **arrays)


class Training:
    """A network with its optimiser, kept in a file between runs."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self._path = folder / _STATE
        self.network, self.step = TrainedNetwork(), 0
        self._optimiser = torch.optim.AdamW(self.network.parameters(), weight_decay=1e-2)
        if self._path.exists():
            state = torch.load(self._path)
            self.network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            self.step = state["step"]

    def learn(self, spectra: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        """Learn from (batch, n, BANDS) spectra and (batch, n) labels; return the loss."""
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self.step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = self.network(torch.from_numpy(spectra).transpose(1, 2))
        loss = cross_entropy(
            scores.float(),
            torch.from_numpy(labels),
            ignore_index=UNKNOWN,
            label_smoothing=LABEL_SMOOTHING,
        )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        return loss.item()

    def save(self) -> None:
        """Write the file."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
        }
        temporary = self._path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(self._path)


def learning_rate(step: int) -> float:
    """Return the rate of a step: a linear start, then half a cosine down to a hundredth."""
    cosine = 0.5 * (1 + np.cos(np.pi * min(step / STEPS, 1.0)))
    return float(LEARNING_RATE * min(1.0, (step + 1) / WARM_UP_STEPS) * max(cosine, 0.01))


def main(arguments: Sequence[str] | None = None) -> int:
    """Train until STEPS or the time limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.recogniser.train")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    given = parser.parse_args(arguments)
    end_s = time.monotonic() + given.seconds
    torch.set_num_threads(1)
    for seed in range(COPIES):
        if time.monotonic() < end_s:
            make_copy(given.folder, seed)
    if time.monotonic() >= end_s:
        return 0
    training = Training(given.folder)
    train(training, [load_copy(given.folder, seed) for seed in range(COPIES)], end_s)
    training.save()
    if training.step >= STEPS:
        training.network.eval().export(WEIGHTS)
        print(WEIGHTS)
    return 0


def train(training: Training, copies: Sequence[Examples], end_s: float) -> None:
    """Learn until STEPS or `end_s`."""
    spectra = np.concatenate([copy.spectra for copy in copies])
    labels = np.concatenate([copy.labels for copy in copies])
    losses = list[float]()
    for batch in batches(spectra, labels, seed=training.step):
        if training.step >= STEPS or time.monotonic() >= end_s:
            break
        losses.append(training.learn(*batch))
        if training.step % 100 == 0:
            print(training.step, f"{np.mean(losses[-100:]):.3f}", flush=True)


def batches(
    spectra: NDArray[np.float16], labels: NDArray[np.uint8], seed: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield endless random excerpts: (BATCH, LENGTH, BANDS) and (BATCH, LENGTH)."""
    rng = np.random.default_rng(seed)
    while True:
        starts = rng.integers(0, len(spectra) - LENGTH, BATCH)
        seen = np.stack([spectra[at : at + LENGTH] for at in starts]).astype(np.float32)
        for excerpt in seen:
            masked(excerpt, rng)
        yield seen, np.stack([labels[at : at + LENGTH] for at in starts]).astype(np.int64)


def make_copy(folder: Path, seed: int) -> None:
    """Write a disturbed copy of the corpus unless it is there."""
    path = folder / f"copy{seed}" / "examples.npz"
    if path.exists():
        return
    sounds = [
        sound
        for each in sorted(folder.glob("*.npz"))
        for sound in read(each) * REPEATED.get(each.stem, 1)
    ]
    made = examples(sounds, seed)
    path.parent.mkdir(exist_ok=True)
    np.savez(path, spectra=made.spectra, labels=made.labels)


def load_copy(folder: Path, seed: int) -> Examples:
    """Read a disturbed copy."""
    with np.load(folder / f"copy{seed}" / "examples.npz") as stored:
        return Examples(stored["spectra"], stored["labels"])


if __name__ == "__main__":
    sys.exit(main())
