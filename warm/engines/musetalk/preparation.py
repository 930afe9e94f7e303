"""Preparation of an avatar's face: crops, latents, masks."""

import logging
import time

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import AvatarBuild
from warm.engines.musetalk.crop import Picture, network_inputs
from warm.engines.musetalk.cuda_errors import translate_cuda_errors
from warm.engines.musetalk.device import ComputeDevice, choose_device
from warm.engines.musetalk.face_cache import FaceCache, build_face_cache, patch_mask
from warm.engines.musetalk.face_parsing import FaceParser, lower_face_from_landmarks
from warm.engines.musetalk.generator import FaceEncoder
from warm.engines.musetalk.networks import load_vae
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import set_tf32
from warm.engines.musetalk.view import FaceView, face_views
from warm.engines.weights.layout import WeightsLayout

BATCH_SIZE = 4
"""Frames that are encoded together."""
LOG_INTERVAL_S = 10.0

log = logging.getLogger(__name__)


def prepare_face(build: AvatarBuild, layout: WeightsLayout, options: MuseTalkOptions) -> FaceCache:
    """Prepare everything that generating the avatar's mouth needs; always in fp32.

    Raises WeightsError, NoSuchDevice, FaceOutOfFrame, DeviceOutOfMemory, EngineLost.
    """
    compute = ComputeDevice(choose_device(options.device, "fp32").device, "fp32")
    views = face_views(build, options.placement, options.bbox_shift)
    with translate_cuda_errors():
        set_tf32(compute)
        masks = face_masks(build, views, layout, options, compute)
        latents = encode_faces(build, views, FaceEncoder(load_vae(layout, compute)))
    return build_face_cache(views, masks, latents, options.recipe(layout))


def face_masks(
    build: AvatarBuild,
    views: list[FaceView],
    layout: WeightsLayout,
    options: MuseTalkOptions,
    compute: ComputeDevice,
) -> list[Picture]:
    """Mask of every frame's patch."""
    if options.face_mask == "landmarks":
        return [patch_mask(lower_face_from_landmarks(view), view) for view in views]
    assert layout.parser is not None and layout.parser_weights is not None
    parser = FaceParser(layout.parser, layout.parser_weights, compute)
    return [
        patch_mask(parser.lower_face(view, frame), view)
        for view, frame in zip(views, build.frames, strict=True)
    ]


def encode_faces(
    build: AvatarBuild, views: list[FaceView], encoder: FaceEncoder
) -> NDArray[np.float32]:
    """(n, 8, h, w) latents of every frame; logs the progress."""
    encoded, started_s, logged_s = [], time.monotonic(), time.monotonic()
    for start in range(0, len(views), BATCH_SIZE):
        part = slice(start, start + BATCH_SIZE)
        crops = [
            view.crop(frame) for view, frame in zip(views[part], build.frames[part], strict=True)
        ]
        encoded.append(encoder.latents(np.stack([network_inputs(crop) for crop in crops])))
        now_s, done = time.monotonic(), start + len(crops)
        if now_s - logged_s > LOG_INTERVAL_S:
            logged_s, left_s = now_s, (now_s - started_s) / done * (len(views) - done)
            log.warning("encoding faces: %d of %d, about %.0f s left", done, len(views), left_s)
    return np.concatenate(encoded)
