"""Segmentation of the lower face: from the landmarks, or by a face parser."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from warm.engines.musetalk.checkpoint import ADVICE, read_tensors
from warm.engines.musetalk.crop import FaceBox, Picture
from warm.engines.musetalk.device import ComputeDevice
from warm.engines.musetalk.errors import IncompatibleConfig
from warm.engines.musetalk.mask import PARSING_PX, SOFTNESS, parsing_square
from warm.engines.musetalk.networks import CONFIG, build_network, load_network
from warm.engines.musetalk.view import FaceView
from warm.engines.weights.file_headers import read_json

JAW = slice(0, 17)
"""Landmarks of the 68 from ear to ear."""
NOSE = (29, 31, 33, 35)
"""Landmarks of the 68: middle of the bridge, wing, base, wing."""
CHIN_DROP = 0.1
"""Margin below the chin for an open mouth, relative to the height of the box; 0 at the ears."""

SKIN, NOSE_CLASS = "skin", "nose"
LIPS = ("mouth", "u_lip", "l_lip")
"""CelebAMask's classes of the lips and the mouth's interior."""
PARSER_PREPROCESSING = "preprocessor_config.json"
DILATION = 0.06
"""Downward dilation of the skin, relative to the side of the parser's picture."""


def lower_face_from_landmarks(view: FaceView) -> Picture:
    """(PARSING_PX, PARSING_PX) 255 on the lower face as the landmarks outline it, 0 elsewhere.

    It ends inside the box, so that the soft edge is complete at the border of the patch.
    """
    square = parsing_square(view.box)
    zoom = PARSING_PX / square.width
    points = (view.points - [square.left, square.top] + 0.5) * zoom - 0.5
    jaw = points[JAW].copy()
    drop = np.sin(np.linspace(0, np.pi, len(jaw))) ** 2
    jaw[:, 1] += CHIN_DROP * view.box.height * zoom * drop
    marked = np.zeros((PARSING_PX, PARSING_PX), np.uint8)
    cv2.fillPoly(marked, [jaw.round().astype(np.int32)], 255)
    cv2.fillPoly(marked, [points[list(NOSE)].round().astype(np.int32)], 0)
    return marked & box_interior(view.box, square)


def box_interior(box: FaceBox, square: FaceBox) -> Picture:
    """(PARSING_PX, PARSING_PX) 255 in a box of a square, without half a blur width at its sides.

    The bottom margin is a quarter of the blur: chins are so close to it that half a blur would cut
    off the drawn chin.
    """
    zoom = PARSING_PX / square.width
    margin = SOFTNESS / 2 * PARSING_PX
    left, right = (
        (box.left - square.left) * zoom + margin,
        (box.right - square.left) * zoom - margin,
    )
    bottom = (box.bottom - square.top) * zoom - margin / 2
    interior = np.zeros((PARSING_PX, PARSING_PX), np.uint8)
    interior[: max(0, int(bottom)), int(np.ceil(left)) : max(0, int(right))] = 255
    return interior


class FaceParser:
    """A SegFormer that segments skin, nose and lips. One thread owns it."""

    def __init__(self, folder: Path, weights: Path, compute: ComputeDevice) -> None:
        """Load the network; raises WeightsError."""
        config = folder / CONFIG
        network = build_network(
            config, lambda fields: SegformerForSemanticSegmentation(SegformerConfig(**fields))
        )
        self._network = load_network(network, read_tensors(weights), weights, config, compute)
        self._classes = class_numbers(self._network.config.id2label, config)
        preprocessing = read_json(folder / PARSER_PREPROCESSING)
        self._mean = np.array(preprocessing.get("image_mean", [0.485, 0.456, 0.406]), np.float32)
        self._std = np.array(preprocessing.get("image_std", [0.229, 0.224, 0.225]), np.float32)

    def lower_face(self, view: FaceView, frame: Picture) -> Picture:
        """(PARSING_PX, PARSING_PX) 255 on skin and lips as in the reference's jaw mode, else 0."""
        picture = view.sample(frame, parsing_square(view.box), PARSING_PX, cv2.INTER_LINEAR)
        classes = self._classify(picture)
        reach = round(DILATION * PARSING_PX)
        downwards = np.zeros((2 * reach + 1, 3), np.uint8)
        downwards[: reach + 1] = 1  # the upper half of the kernel grows the skin downwards
        skin = np.where(classes == self._classes[SKIN], 255, 0).astype(np.uint8)
        marked = np.asarray(cv2.dilate(skin, downwards))
        marked[classes == self._classes[NOSE_CLASS]] = 0
        marked[np.isin(classes, [self._classes[name] for name in LIPS])] = 255
        return np.asarray(marked, np.uint8)

    def _classify(self, picture: Picture) -> NDArray[np.int64]:
        """(h, w, 3) BGR to the (h, w) class number of each pixel."""
        rgb = picture[..., ::-1].astype(np.float32) / 255
        normalized = ((rgb - self._mean) / self._std).transpose(2, 0, 1)[None]
        weight = next(self._network.parameters())
        with torch.inference_mode():
            pixels = torch.from_numpy(normalized).to(weight.device, weight.dtype)
            scores = self._network(pixel_values=pixels).logits.float()
            full = torch.nn.functional.interpolate(scores, picture.shape[:2], mode="bilinear")
            return np.asarray(full.argmax(dim=1)[0].cpu())


def class_numbers(id2label: dict[Any, str], config: Path) -> dict[str, int]:
    """Number of each class by name; raises IncompatibleConfig if a needed class is missing."""
    numbers = {name: int(number) for number, name in id2label.items()}
    if absent := sorted({SKIN, NOSE_CLASS, *LIPS} - numbers.keys()):
        raise IncompatibleConfig(f"{config}: id2label lacks {', '.join(absent)}. {ADVICE}")
    return numbers
