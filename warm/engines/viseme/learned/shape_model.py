"""Shape of a learned mouth: how far every point of the face moves when the mouth opens."""

from dataclasses import dataclass

import numpy as np

from warm.engines.viseme.anatomy import LIP_LINE_POINTS, Floats, Floats32
from warm.engines.viseme.learned.data import RegressionData, ShapeData
from warm.engines.viseme.learned.eigenspace import principal_components
from warm.engines.viseme.learned.footage import Opening
from warm.engines.viseme.learned.numbers import Number
from warm.engines.viseme.learned.regression import SHAPE_KERNEL, Regression

MODES, LIMIT_SD = 10, 3.2
MIDDLE = slice(LIP_LINE_POINTS // 2 - 4, LIP_LINE_POINTS // 2 + 5)
"""Points of the lip line at which the gap is measured."""
LEVER_RIDGE = 1e-6


def learn_shape(openings: list[Opening], inputs: Floats32, numbers: Floats) -> ShapeData:
    """Learn from the openings of m frames, their scaled inputs (m, 6) and numbers (m, 4)."""
    rows = np.stack([np.concatenate([o.grid.ravel(), o.lip_line.ravel()]) for o in openings])
    space = principal_components(rows, MODES)
    regression = Regression.fit(SHAPE_KERNEL, inputs, space.coefficients, limit_sd=LIMIT_SD)
    stacked = np.concatenate([space.mean[None], space.modes])
    grid, line = np.split(stacked, [openings[0].grid.size], axis=1)
    lines = np.stack([opening.lip_line for opening in openings])
    return ShapeData(
        grid=grid.reshape(len(stacked), *openings[0].grid.shape).swapaxes(0, 1),
        lip_line=line.reshape(len(stacked), *openings[0].lip_line.shape).swapaxes(0, 1),
        regression=regression_data(regression),
        deviations=space.coefficients.std(axis=0).astype(np.float32),
        edges=fit_edges(numbers, edge_measures(lines)),
    )


def regression_data(regression: Regression) -> RegressionData:
    """Return the arrays of a regression."""
    return RegressionData(regression.centres, regression.weights, regression.limits)


def edge_measures(lines: Floats32) -> Floats:
    """(…, 2) gap and widening of moves along the lip line (…, 2, LIP_LINE_POINTS, 2)."""
    gap = (lines[..., 1, MIDDLE, 1] - lines[..., 0, MIDDLE, 1]).mean(axis=-1)
    wider = (lines[..., -1, 0] - lines[..., 0, 0]).mean(axis=-1)
    return np.stack([gap, wider], axis=-1).astype(np.float64)


def fit_edges(numbers: Floats, measures: Floats) -> Floats:
    """(4, 2) least squares from 1, gap, gap² and width to the measures (m, 2)."""
    terms = edge_terms(numbers)
    return np.asarray(np.linalg.lstsq(terms, measures, rcond=1e-6)[0], np.float64)


def edge_terms(numbers: Floats) -> Floats:
    """(…, 4) of numbers (…, 4)."""
    gap, width = numbers[..., Number.GAP], numbers[..., Number.WIDTH]
    return np.stack([np.ones_like(gap), gap, gap * gap, width], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class ShapeModel:
    """Predicts the weights of the mean opening and its modes."""

    regression: Regression
    mean: Floats
    """(2,) gap and widening of the mean opening."""
    lever: Floats
    """(k, 2) most likely change of the modes for a change of gap and widening."""
    slopes: Floats
    """(k, 2) gap and widening of each mode."""
    edges: Floats
    """(4, 2) see `fit_edges`."""

    @classmethod
    def of(cls, data: ShapeData) -> "ShapeModel":
        """Return the model of stored arrays."""
        learned = data.regression
        measures = edge_measures(data.lip_line.swapaxes(0, 1))
        slopes, variance = measures[1:], data.deviations[:, None].astype(np.float64) ** 2
        spread = slopes.T @ (variance * slopes)
        ridge = LEVER_RIDGE * max(float(np.trace(spread)), 1e-12) * np.eye(2)
        return cls(
            Regression(SHAPE_KERNEL, learned.centres, learned.weights, learned.limits),
            measures[0],
            variance * slopes @ np.linalg.inv(spread + ridge),
            slopes,
            np.asarray(data.edges),
        )

    def weights(self, inputs: Floats32, numbers: Floats) -> Floats32:
        """(1 + k,) weights for scaled inputs (6,) and numbers (4,).

        The regression smooths, so its gap and width are not quite those of the numbers. The
        difference is distributed over the modes in proportion to their usual changes.
        """
        modes = self.regression.predict(inputs)
        missing = edge_terms(numbers) @ self.edges - self.mean - modes @ self.slopes
        return np.append(np.float32(1), modes + self.lever @ missing).astype(np.float32)
