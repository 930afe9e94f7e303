"""The tiny avatar with pictures of a person, who can be separated from the background."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tiny_face import HEIGHT, WIDTH
from warm.avatars.avatar import Avatar, Shown
from warm.prepare.demo import demo_portrait
from warm.render.compositing import parts_of


def show_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every picture of every avatar show the demo portrait below the mouth."""
    portrait = cv2.resize(cv2.imread(str(demo_portrait())), (WIDTH, HEIGHT))

    def layers(_avatar: Avatar, one: Shown) -> dict[int, NDArray[np.uint8]]:
        return {frame: np.array(portrait, np.uint8) for frame in parts_of(one)}

    monkeypatch.setattr("warm.render.compositing.layers_of", layers)
    # Pictures are then drawn as a whole, from those layers.
    monkeypatch.setattr("warm.render.overlays.Compositor._overlaid", lambda *_: None)
