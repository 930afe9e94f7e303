"""H.264 encoder of one part of an enhanced film.

Every part begins with a key frame and refers to no other part, and all parts have the same
parameter sets, so parts that were encoded by different processes form one film.
"""

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from warm.enhance.film_reader import FilmFacts, lines_of
from warm.enhance.planes import Planes

CODEC = "libx264"
THREADS = 2
CRF = "12"
X264 = {
    "annexb": 0,  # NAL units with length prefixes, as in MP4
    "stitchable": 1,  # parameter sets do not depend on the rate control
    "bframes": 0,
    "keyint": "infinite",  # key frames only where a part begins
    "scenecut": 0,
    "rc-lookahead": 0,
    "sync-lookahead": 0,
    "mbtree": 0,
    "force-cfr": 1,
    "sliced-threads": 1,
}


def set_up(context: Any, facts: FilmFacts, size: tuple[int, int]) -> None:
    """Set the parameters of an encoder for frames of (width, height) `size`, before `open`."""
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    # x264 coarsens frames that it takes for shorter, and derives the level of H.264 from the rate.
    context.framerate, context.time_base = facts.fps, 1 / facts.fps
    context.flags |= Flags.global_header
    context.thread_count = THREADS
    context.sample_aspect_ratio = facts.aspect
    context.colorspace, context.color_range = facts.matrix, facts.range
    context.color_primaries, context.color_trc = facts.primaries, facts.transfer
    params = ":".join(f"{name}={value}" for name, value in X264.items())
    context.options = {
        "preset": "faster",
        "crf": CRF,
        "forced-idr": "1",
        "x264-params": params,
    }


def encode_part(frames: Sequence[Planes], facts: FilmFacts) -> list[bytes]:
    """Encode the frames of a part, one sample each; the first is a key frame."""
    context = av.CodecContext.create(CODEC, "w")
    assert isinstance(context, VideoCodecContext)
    set_up(context, facts, frames[0].size)
    samples = []
    for index, planes in enumerate(frames):
        frame = frame_of(planes)
        frame.pts, frame.time_base = index, 1 / facts.fps
        frame.pict_type = PictureType.I if index == 0 else PictureType.NONE
        samples += [bytes(packet) for packet in context.encode(frame)]
    samples += [bytes(packet) for packet in context.encode(None)]
    if len(samples) != len(frames):
        raise RuntimeError(f"x264 returned {len(samples)} samples for {len(frames)} frames")
    return samples


def frame_of(planes: Planes) -> av.VideoFrame:
    """Convert planes with even sides to a frame."""
    frame = av.VideoFrame(*planes.size, "yuv420p")
    for plane, values in zip(frame.planes, (planes.luma, planes.cb, planes.cr), strict=True):
        lines_of(plane)[:] = np.asarray(values)
    return frame
