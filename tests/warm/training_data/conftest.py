"""A data set of several raw videos, made once: two shots, copies, and files without a clip."""

import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from tests.warm.sample_videos import portrait
from tests.warm.training_data.talking_films import (
    HEIGHT,
    MODELS,
    DataSet,
    empty_data_set,
    moving,
    talking_film,
    two_shots,
    voice,
)
from warm.__main__ import main

SHOT_FRAMES = 162
FILM_S = 2 * SHOT_FRAMES / 25


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataSet]:
    if not MODELS.exists():
        pytest.skip("`make setup` downloads the face models")
    data = empty_data_set(tmp_path_factory.mktemp("training"), vfhq_root="dataset/VFHQ")
    first = data.source / "Grace Hopper.mp4 (1).MP4"
    talking_film(first, two_shots(SHOT_FRAMES), [voice(FILM_S), voice(FILM_S, 1)], container="mp4")
    shutil.copy(first, data.source / "zzz copy.mov")
    couple = np.hstack([portrait(HEIGHT)] * 2)
    talking_film(data.source / "couple.mkv", moving(14, couple), [voice(0.56)])
    talking_film(data.source / "mute.mp4", moving(5, portrait(HEIGHT)), [])
    (data.source / "empty.mp4").touch()
    assert main(["preprocess", "--config", str(data.config), "--models", str(MODELS)]) == 0
    yield data
