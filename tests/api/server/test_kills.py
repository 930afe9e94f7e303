"""The real server, killed repeatedly during clips: nothing acknowledged is lost."""

from pathlib import Path

import av
import numpy as np

from bench.films.kills import Kills
from tests.tiny_face import MOUTH, PATCH

TINY_SERVER = Path(__file__).parents[1] / "tiny_server.py"
RUNS = 6
PER_FRAME = 1920


def test_kill_9_at_chosen_and_random_moments_loses_nothing_acknowledged(tmp_path: Path) -> None:
    kills = Kills(
        tmp_path, lambda results, port: [str(TINY_SERVER), str(results), str(port)], seed=4
    )
    assert kills.run(RUNS) == []
    assert kills.acknowledged > 0
    films = [told.film for told in kills.told.values() if told.film.exists()]
    for film in films:
        assert lag_frames(film) == 0


def lag_frames(film: Path) -> int:
    """Delay of the picture after the sound, in frames: the brightness of the tiny mouth is the
    loudness of its frame."""
    x, y = MOUTH
    with av.open(str(film)) as container:
        seen = np.array(
            [
                frame.to_ndarray(format="gray")[y : y + PATCH, x : x + PATCH].mean()
                for frame in container.decode(video=0)
            ]
        )
    with av.open(str(film)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    heard = np.pad(np.abs(heard), (0, max(0, len(seen) * PER_FRAME - len(heard))))
    loud = heard[: len(seen) * PER_FRAME].reshape(-1, PER_FRAME).max(axis=1)
    lags = range(-3, 4)
    return max(lags, key=lambda lag: np.corrcoef(np.roll(seen, -lag), loud)[0, 1])
