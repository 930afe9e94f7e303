"""examples/custom_engine.py serves with an engine of its own."""

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from examples.custom_engine import INSIDE_BGR, EllipseEngine
from tests.examples.processes import NO_MODELS, serving_example
from tests.warm.portraits import MODELS, build_portrait, portrait
from tts.speech import Speech
from warm.avatars.store import AvatarStore
from warm.settings import Settings

pytestmark = pytest.mark.slow

RATE_HZ, FPS = 24_000, 25
needs_models = pytest.mark.skipif(not MODELS.exists(), reason=NO_MODELS)


def test_features_are_the_loudness_of_each_frame() -> None:
    silence, tone = np.zeros(RATE_HZ), 0.2 * np.sin(np.arange(RATE_HZ) / 10)
    speech = Speech("", np.concatenate([silence, tone]).astype(np.float32), RATE_HZ, None)
    features = EllipseEngine(Settings()).encode_speech(speech, frames=2 * FPS + 3, fps=FPS)
    assert features.shape == (53, 1) and features.dtype == np.float32
    assert features[:25].max() == 0 and features[50:].max() == 0  # also after the sound
    assert features[25:50].min() > 0.5 and features.max() <= 1


@needs_models
def test_the_server_draws_the_example_s_mouth_while_it_speaks(tmp_path: Path) -> None:
    results = tmp_path / "results"
    with serving_example("examples.custom_engine", results) as server:
        health = server.call("GET", "/health")[1]
        assert (health["status"], health["engine"]) == ("ok", "ellipse")
        assert server.call("POST", "/speak", {"text": "Oh, how are you?"})[0] == 200
    darkness = [dark_pixels(picture) for picture in lips(results)]
    assert max(darkness) > darkness[0] + 100  # it opens
    assert darkness[-1] == pytest.approx(darkness[0], abs=30)  # and closes at the end


def lips(results: Path) -> list[NDArray[np.uint8]]:
    """The lips of each frame of the film: (h, w, 3) BGR."""
    landmarks = AvatarStore(results).open("demo").landmarks[0]
    left, top = landmarks[[61, 13]].min(axis=0)[:2].astype(int)
    right, bottom = landmarks[[291, 14]].max(axis=0)[:2].astype(int)
    with av.open(str(results / "full_session.mp4")) as film:
        pictures = [np.asarray(frame.to_ndarray(format="bgr24")) for frame in film.decode(video=0)]
    return [picture[top - 10 : bottom + 10, left:right] for picture in pictures]


def dark_pixels(lips: NDArray[np.uint8]) -> int:
    """Number of pixels with nearly the colour of the opening between the lips."""
    difference = np.abs(lips.astype(int) - INSIDE_BGR).max(axis=2)
    return int((difference < 25).sum())


@needs_models
def test_a_closed_mouth_is_transparent_and_a_loud_one_is_wide(tmp_path: Path) -> None:
    from examples.custom_engine import draw  # noqa: PLC0415
    from tests.warm.portraits import open_build  # noqa: PLC0415
    from warm.engines.base import PatchRequest  # noqa: PLC0415

    build = build_portrait(tmp_path, portrait())
    for name in ("frames", "transforms", "landmarks"):
        build.write_array(name, getattr(build, name))
    avatar = open_build(build, "portrait")
    heights = []
    for loudness in (0.0, 0.5, 1.0):
        mask = draw(PatchRequest(avatar, 0, np.array([loudness], np.float32))).mask
        heights.append(int((mask.max(axis=1) > 127).sum()))
    assert heights[0] == 0 and 0 < heights[1] < heights[2]
