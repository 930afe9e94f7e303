"""Regression from the mouth's numbers and the head's turn to the coefficients of a model."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.anatomy import Floats, Floats32

POSE_WEIGHT = 0.5
"""Weight of the head's turn against the mouth's numbers, each in standard deviations."""
MIN_POSE_SD_DEG = 3.0
"""Least standard deviation of a turn: small turns of a still head must not count as large ones."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Similarity of two inputs: a Gaussian for nearby inputs, a plane for the trend beyond."""

    width: float
    """Standard deviation of the Gaussian, scaled inputs."""
    trend: float
    """Weight of the plane."""
    noise: float
    """Variance of the noise relative to the Gaussian."""

    def between(self, a: Floats32, b: Floats32) -> Floats32:
        """(…, len(b)) of (…, d) and (k, d)."""
        square = ((a[..., None, :] - b) ** 2).sum(axis=-1)
        near = np.exp(square * np.float32(-0.5 / self.width**2))
        return np.asarray(near + self.trend * (a @ b.T) + 1, np.float32)


SHAPE_KERNEL = Kernel(width=3.0, trend=0.3, noise=0.5)
TEXTURE_KERNEL = Kernel(width=2.0, trend=0.05, noise=1.0)
NOISE_FACTORS = (0.01, 0.1, 0.4, 1.0, 4.0)
"""Noises that are tried, relative to the kernel's."""
FOLDS, BLOCK = 4, 12
"""The noise is chosen by predicting blocks of consecutive frames from all the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Centre and scale of the inputs: the four numbers, then yaw and pitch in degrees."""

    mean: Floats32
    scale: Floats32
    """(d,) factor."""

    @classmethod
    def of(cls, inputs: Floats) -> "Scaling":
        """Return the scaling of (n, d) inputs."""
        deviation = np.maximum(inputs.std(axis=0), 1e-6)
        scale = 1 / deviation
        scale[-2:] = POSE_WEIGHT / np.maximum(deviation[-2:], MIN_POSE_SD_DEG)
        return cls(inputs.mean(axis=0).astype(np.float32), scale.astype(np.float32))

    def apply(self, inputs: Floats | Floats32) -> Floats32:
        """(…, d) scaled inputs."""
        return np.asarray((inputs - self.mean) * self.scale, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Kernel ridge regression on scaled inputs."""

    kernel: Kernel
    centres: Floats32
    """(m, d) scaled inputs of the trained frames."""
    weights: Floats32
    """(m, k)."""
    limits: Floats32
    """(2, k) least and greatest coefficients."""

    @classmethod
    def fit(
        cls,
        kernel: Kernel,
        inputs: Floats32,
        coefficients: Floats,
        *,
        limit_sd: float,
        reliability: Floats | None = None,
    ) -> "Regression":
        """Fit (m, k) coefficients, limited to `limit_sd` standard deviations.

        The rows are in the order of time. `reliability` (m,): weight of each.
        """
        share = np.ones(len(inputs)) if reliability is None else reliability / reliability.mean()
        inverse = 1 / np.maximum(share, 1e-3)
        similar = kernel.between(inputs, inputs).astype(np.float64)
        noise = kernel.noise * best_factor(similar, kernel.noise * inverse, coefficients)
        kernel = replace(kernel, noise=noise)
        solved = np.linalg.solve(similar + np.diag(noise * inverse), coefficients)
        mean, spread = coefficients.mean(axis=0), limit_sd * coefficients.std(axis=0)
        limits = np.stack([mean - spread, mean + spread])
        return cls(kernel, inputs, solved.astype(np.float32), limits.astype(np.float32))

    def predict(self, inputs: Floats32) -> Floats32:
        """(…, d) to (…, k) coefficients."""
        predicted = self.kernel.between(inputs, self.centres) @ self.weights
        return np.asarray(np.clip(predicted, *self.limits), np.float32)


def best_factor(similar: Floats, noise: Floats, coefficients: Floats) -> float:
    """Return the factor of the noise (m,) that predicts left-out blocks of (m, k) best.

    `similar` (m, m): the kernel between the frames.
    """
    fold = np.arange(len(noise)) // BLOCK % FOLDS
    if fold.max() == 0:
        return 1.0
    errors = [
        sum(
            block_error(similar, factor * noise, coefficients, fold == part)
            for part in range(fold.max() + 1)
        )
        for factor in NOISE_FACTORS
    ]
    return NOISE_FACTORS[int(np.argmin(errors))]


def block_error(
    similar: Floats, noise: Floats, coefficients: Floats, left_out: NDArray[np.bool_]
) -> float:
    """Return the squared error of the left-out frames, weighted by their reliability."""
    kept = ~left_out
    system = similar[np.ix_(kept, kept)] + np.diag(noise[kept])
    solved = np.linalg.solve(system, coefficients[kept])
    error = similar[np.ix_(left_out, kept)] @ solved - coefficients[left_out]
    return float(((error**2).sum(axis=1) / noise[left_out]).sum() * noise.mean())
