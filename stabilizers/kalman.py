"""Constant-velocity Kalman filter, and the Rauch-Tung-Striebel smoother of a whole clip."""

from typing import Any

import numpy as np
from filterpy.kalman import KalmanFilter
from numpy.typing import NDArray

from stabilizers.settings import KalmanConstants


class Kalman:
    """The causal filter of (k,) values with a common covariance. Not thread-safe.

    The state is value and velocity. The process noise is raised in a sudden move, so that the
    filter follows (R. Labbe, "Kalman and Bayesian filters in Python", adaptive filtering).
    """

    def __init__(self, fps: float, constants: KalmanConstants) -> None:
        self._constants = constants
        step = 1 / fps
        model = KalmanFilter(dim_x=2, dim_z=1)
        model.F = np.array([[1, step], [0, 1]])
        model.H = np.array([[1.0, 0.0]])
        model.R = np.array([[constants.noise**2]])
        gain = np.array([[step**2 / 2], [step]])
        model.Q = gain @ gain.T * constants.acceleration**2
        self._model: Any = model
        self._started = False
        self.process_noise: NDArray[np.float64] = model.Q
        """(2, 2) process noise of the last prediction."""

    @property
    def state(self) -> NDArray[np.float64]:
        """(2, k) values, and velocities per second, after the last measurement."""
        return np.asarray(self._model.x)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(2, 2) covariance of every column of `state`."""
        return np.asarray(self._model.P)

    @property
    def transition(self) -> NDArray[np.float64]:
        """(2, 2) matrix from the state of one frame to the next."""
        return np.asarray(self._model.F)

    def __call__(self, measured: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the filtered (k,) values of the next frame."""
        row = np.asarray(measured, np.float64)[None]
        if self._started:
            self._predict(row)
            self._model.update(row, H=self._model.H)
        else:
            self._start(row)
        return np.array(self._model.x[0])

    def _start(self, row: NDArray[np.float64]) -> None:
        self._model.x = np.concatenate([row, np.zeros_like(row)])
        noise = self._constants.noise
        self._model.P = np.diag([noise**2, (100 * noise) ** 2])
        self._started = True

    def _predict(self, row: NDArray[np.float64]) -> None:
        model, c = self._model, self._constants
        self.process_noise = model.Q
        model.predict()
        innovation = np.mean((row - model.x[:1]) ** 2) / (model.P[0, 0] + c.noise**2)
        if innovation > c.surprise:
            self.process_noise = model.Q * c.sudden**2
            model.P = model.P + self.process_noise - model.Q


def kalman_smooth(
    values: NDArray[np.floating], fps: float, constants: KalmanConstants
) -> NDArray[np.float64]:
    """Smooth a whole clip without lag: (n, …) in, (n, …) float64 out.

    Rauch, Tung and Striebel, "Maximum likelihood estimates of linear dynamic systems", 1965.
    """
    clip = np.asarray(values, np.float64)
    kalman = Kalman(fps, constants)
    states, covariances, noises = [], [], []
    for row in clip.reshape(len(clip), -1):
        kalman(row)
        states.append(kalman.state.copy())
        covariances.append(kalman.covariance.copy())
        noises.append(kalman.process_noise)
    smoothed = KalmanFilter(dim_x=2, dim_z=1).rts_smoother(
        np.stack(states), np.stack(covariances), [kalman.transition] * len(clip), noises
    )[0]
    return np.asarray(smoothed[:, 0]).reshape(clip.shape)
