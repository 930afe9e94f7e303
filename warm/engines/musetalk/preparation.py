"""Makes an avatar's face at preparation: crops, latents, masks."""

import logging
import time

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import AvatarBuild
from warm.engines.musetalk.crop import Picture, network_inputs
from warm.engines.musetalk.cuda_errors import device_faults
from warm.engines.musetalk.device import Compute, choose
from warm.engines.musetalk.face_cache import Face, face_of, patch_mask
from warm.engines.musetalk.face_parsing import FaceParser, from_landmarks
from warm.engines.musetalk.generator import Encoder
from warm.engines.musetalk.networks import load_vae
from warm.engines.musetalk.options import Options
from warm.engines.musetalk.pipeline import set_exactness
from warm.engines.musetalk.view import View, views_of
from warm.engines.weights.layout import Layout

AT_ONCE = 4
"""Frames that are encoded together."""
TOLD_EVERY_S = 10.0

log = logging.getLogger(__name__)


def make_face(build: AvatarBuild, layout: Layout, options: Options) -> Face:
    """Everything that drawing the avatar's mouth needs; in fp32 whatever `precision` says.

    Raises WeightsError, NoSuchDevice, FaceOutside, DeviceFull, EngineLost.
    """
    compute = Compute(choose(options.device, "fp32").device, "fp32")
    views = views_of(build, options.placement, options.bbox_shift)
    with device_faults():
        set_exactness(compute)
        masks = face_masks(build, views, layout, options, compute)
        latents = encoded(build, views, Encoder(load_vae(layout, compute)))
    return face_of(views, masks, latents, options.recipe(layout))


def face_masks(
    build: AvatarBuild, views: list[View], layout: Layout, options: Options, compute: Compute
) -> list[Picture]:
    """The mask of every frame's patch."""
    if options.face_mask == "landmarks":
        return [patch_mask(from_landmarks(view), view) for view in views]
    assert layout.parser is not None and layout.parser_weights is not None
    parser = FaceParser(layout.parser, layout.parser_weights, compute)
    return [
        patch_mask(parser.lower_face(view, frame), view)
        for view, frame in zip(views, build.frames, strict=True)
    ]


def encoded(build: AvatarBuild, views: list[View], encoder: Encoder) -> NDArray[np.float32]:
    """(n, 8, h, w) what the network sees of every frame; tells how long it takes."""
    made, started, told = [], time.monotonic(), time.monotonic()
    for start in range(0, len(views), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        crops = [
            view.crop(frame) for view, frame in zip(views[part], build.frames[part], strict=True)
        ]
        made.append(encoder.latents(np.stack([network_inputs(crop) for crop in crops])))
        now, done = time.monotonic(), start + len(crops)
        if now - told > TOLD_EVERY_S:
            told, left_s = now, (now - started) / done * (len(views) - done)
            log.warning("encoding faces: %d of %d, about %.0f s left", done, len(views), left_s)
    return np.concatenate(made)
