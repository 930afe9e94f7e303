"""The network of the recogniser: dilated convolutions over mel spectra, in NumPy.

`python -m bench.recogniser.train` trains the weights, see docs/lips-from-sound.md. A value
depends on REACH points (150 ms) of sound before and after it.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.recogniser.spectra import FLOOR_DB, UNIT_DB, Spectra

WEIGHTS = Path(__file__).with_name("weights.npz")
DILATIONS = (1, 1, 2, 4, 1, 2, 4)
"""Of the layers in order; each sees three points that far apart."""
REACH = sum(DILATIONS)

Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A convolution over three points."""

    weights: Weights
    """(3 x channels, channels)"""
    bias: Weights
    """(channels,)"""

    def __call__(self, values: Weights, dilation: int) -> Weights:
        """(n - 2 x dilation, channels): the layer with its rectifier, where it sees all points."""
        count = len(values) - 2 * dilation
        seen = np.concatenate([values[k * dilation :][:count] for k in range(3)], axis=1)
        return np.asarray(np.maximum(seen @ self.weights + self.bias, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers, each added to the values it receives, except the first; then one output per class."""

    layers: tuple[Layer, ...]
    output_weights: Weights
    """(channels, classes)"""
    output_bias: Weights
    """(classes,)"""

    def __call__(self, spectra: Spectra, *, is_open: bool = False) -> NDArray[np.float32]:
        """(n, classes): logarithms of the probabilities; silence is before and after `spectra`.

        `is_open`: what follows is not known; the last point is repeated instead of silence.
        """
        values = np.pad(spectra, ((REACH, 0), (0, 0)), constant_values=FLOOR_DB / UNIT_DB)
        if is_open:
            values = np.pad(values, ((0, REACH), (0, 0)), mode="edge")
        else:
            values = np.pad(values, ((0, REACH), (0, 0)), constant_values=FLOOR_DB / UNIT_DB)
        for layer, dilation in zip(self.layers, DILATIONS, strict=True):
            result = layer(values, dilation)
            is_first = layer is self.layers[0]
            values = result if is_first else values[dilation : dilation + len(result)] + result
        scores = values @ self.output_weights + self.output_bias
        scores = scores - scores.max(axis=1, keepdims=True)
        return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)), np.float32)

    @classmethod
    def load(cls, path: Path) -> "Network":
        """Read weights."""
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name].astype(np.float32) for name in stored.files}
        layers = tuple(
            Layer(arrays[f"weights{k}"], arrays[f"bias{k}"]) for k in range(len(DILATIONS))
        )
        return cls(layers, arrays["output_weights"], arrays["output_bias"])


@functools.cache
def trained_network() -> Network:
    """Return the network with the weights of this repository."""
    return Network.load(WEIGHTS)
