"""A real server that is killed repeatedly while it speaks loses nothing that it acknowledged."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.films.kills import KillTest
from tests.tiny_face import MOUTH, PATCH

pytestmark = pytest.mark.slow

TINY_SERVER = Path(__file__).parents[1] / "tiny_server.py"
RUNS = 6
SAMPLES_PER_FRAME = 1920
MIN_FRAMES = 150
"""Six seconds at 25 fps: shorter films have too few syllables to measure a lag."""
MAX_LAG_FRAMES = 12
MIN_CORRELATION = 0.7
"""Without kills it is above 0.95; each restart costs up to 61 ms of sound."""


def test_kill_9_at_chosen_and_random_moments_loses_nothing_acknowledged(
    tmp_path: Path,
) -> None:
    kills = KillTest(
        tmp_path, lambda results, port: [str(TINY_SERVER), str(results), str(port)], seed=4
    )
    assert kills.run(RUNS) == []
    assert kills.acknowledged > 0
    for record in kills.sessions.values():
        brightness, loudness = decode(record.film)
        assert len(brightness) >= MIN_FRAMES
        correlations = lag_correlations(brightness, loudness)
        assert max(correlations, key=correlations.__getitem__) == 0
        assert correlations[0] > MIN_CORRELATION


def decode(film: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Brightness of the tiny mouth and loudness of the sound, for each frame; both (n,).

    The tiny engine draws the mouth as bright as its frame is loud.
    """
    x, y = MOUTH
    with av.open(str(film)) as container:
        brightness = np.array(
            [
                frame.to_ndarray(format="gray")[y : y + PATCH, x : x + PATCH].mean()
                for frame in container.decode(video=0)
            ]
        )
    with av.open(str(film)) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    length = len(brightness) * SAMPLES_PER_FRAME
    samples = np.pad(np.abs(samples), (0, max(0, length - len(samples))))[:length]
    return brightness, samples.reshape(-1, SAMPLES_PER_FRAME).max(axis=1).astype(np.float64)


def lag_correlations(
    brightness: NDArray[np.float64], loudness: NDArray[np.float64]
) -> dict[int, float]:
    """Correlation of pictures and sound, by the number of frames that the pictures lag behind."""
    count = len(brightness) - 2 * MAX_LAG_FRAMES
    sound = loudness[MAX_LAG_FRAMES : MAX_LAG_FRAMES + count]
    return {
        lag: float(np.corrcoef(brightness[start : start + count], sound)[0, 1])
        for start, lag in enumerate(range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1))
    }
