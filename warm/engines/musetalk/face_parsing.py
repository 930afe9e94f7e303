"""Which pixels around a face are its lower half: read off the landmarks, or by a face parser."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from warm.engines.musetalk.checkpoint import MEND, read_tensors
from warm.engines.musetalk.crop import Box, Picture
from warm.engines.musetalk.device import Compute
from warm.engines.musetalk.errors import UnfitConfig
from warm.engines.musetalk.mask import PARSING, SOFTNESS, parsing_square
from warm.engines.musetalk.networks import CONFIG, build, ready
from warm.engines.musetalk.view import View
from warm.engines.weights.file_headers import read_json

JAW = slice(0, 17)
"""Of the 68 points: from ear to ear."""
NOSE = (29, 31, 33, 35)
"""Of the 68 points: middle of the bridge, wing, base, wing."""
CHIN_ROOM = 0.1
"""How far below the landmarks the chin may drop, in heights of the box; the ears do not."""

SKIN, NOSE_CLASS = "skin", "nose"
LIPS = ("mouth", "u_lip", "l_lip")
"""CelebAMask's names of what is between and on the lips."""
PARSER_PREPROCESSING = "preprocessor_config.json"
DILATION = 0.06
"""How far the skin is grown downwards, in sides of the parser's picture."""


def from_landmarks(view: View) -> Picture:
    """(PARSING, PARSING) 255 on the lower face by the landmarks, 0 elsewhere.

    It ends before the box does, so that the soft edge is over where the patch is.
    """
    square = parsing_square(view.box)
    zoom = PARSING / square.width
    points = (view.points - [square.left, square.top] + 0.5) * zoom - 0.5
    jaw = points[JAW].copy()
    drop = np.sin(np.linspace(0, np.pi, len(jaw))) ** 2
    jaw[:, 1] += CHIN_ROOM * view.box.height * zoom * drop
    marked = np.zeros((PARSING, PARSING), np.uint8)
    cv2.fillPoly(marked, [jaw.round().astype(np.int32)], 255)
    cv2.fillPoly(marked, [points[list(NOSE)].round().astype(np.int32)], 0)
    return marked & inner(view.box, square)


def inner(box: Box, square: Box) -> Picture:
    """(PARSING, PARSING) 255 in a box of a square, but for half a blur at its sides.

    At the bottom for a quarter: chins lie so near to it that half would leave out the drawn one.
    """
    zoom = PARSING / square.width
    rim = SOFTNESS / 2 * PARSING
    left, right = (
        (box.left - square.left) * zoom + rim,
        (box.right - square.left) * zoom - rim,
    )
    bottom = (box.bottom - square.top) * zoom - rim / 2
    kept = np.zeros((PARSING, PARSING), np.uint8)
    kept[: max(0, int(bottom)), int(np.ceil(left)) : max(0, int(right))] = 255
    return kept


class FaceParser:
    """A SegFormer that tells skin, nose and lips apart. One thread owns it."""

    def __init__(self, folder: Path, weights: Path, compute: Compute) -> None:
        """Load it; raises WeightsError."""
        config = folder / CONFIG
        made = build(
            config, lambda known: SegformerForSemanticSegmentation(SegformerConfig(**known))
        )
        self._network = ready(made, read_tensors(weights), weights, config, compute)
        self._classes = classes_of(self._network.config.id2label, config)
        known = read_json(folder / PARSER_PREPROCESSING)
        self._mean = np.array(known.get("image_mean", [0.485, 0.456, 0.406]), np.float32)
        self._deviation = np.array(known.get("image_std", [0.229, 0.224, 0.225]), np.float32)

    def lower_face(self, view: View, frame: Picture) -> Picture:
        """(PARSING, PARSING) 255 on skin and lips as in the reference's jaw mode, 0 elsewhere."""
        picture = view.sample(frame, parsing_square(view.box), PARSING, cv2.INTER_LINEAR)
        classes = self._classify(picture)
        reach = round(DILATION * PARSING)
        downwards = np.zeros((2 * reach + 1, 3), np.uint8)
        downwards[: reach + 1] = 1  # looks up, so that what is marked grows down
        skin = np.where(classes == self._classes[SKIN], 255, 0).astype(np.uint8)
        marked = np.asarray(cv2.dilate(skin, downwards))
        marked[classes == self._classes[NOSE_CLASS]] = 0
        marked[np.isin(classes, [self._classes[name] for name in LIPS])] = 255
        return np.asarray(marked, np.uint8)

    def _classify(self, picture: Picture) -> NDArray[np.int64]:
        """(h, w, 3) BGR to the (h, w) number of each pixel's class."""
        rgb = picture[..., ::-1].astype(np.float32) / 255
        normal = ((rgb - self._mean) / self._deviation).transpose(2, 0, 1)[None]
        weight = next(self._network.parameters())
        with torch.inference_mode():
            given = torch.from_numpy(normal).to(weight.device, weight.dtype)
            scores = self._network(pixel_values=given).logits.float()
            full = torch.nn.functional.interpolate(scores, picture.shape[:2], mode="bilinear")
            return np.asarray(full.argmax(dim=1)[0].cpu())


def classes_of(id2label: dict[Any, str], config: Path) -> dict[str, int]:
    """The number of each class by name; raises UnfitConfig when one that is needed is missing."""
    numbers = {name: int(number) for number, name in id2label.items()}
    if absent := sorted({SKIN, NOSE_CLASS, *LIPS} - numbers.keys()):
        raise UnfitConfig(f"{config}: id2label lacks {', '.join(absent)}. {MEND}")
    return numbers
