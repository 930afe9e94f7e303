"""H.264 encoder of a film: closed groups of pictures, without B-frames, from a key frame on."""

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final, Literal, get_args

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from session.film import FilmSpec
from session.overlaid_picture import OverlaidPicture, Picture
from session.planes import Planes, padded_to_even

CODEC: Final = "libx264"
Preset = Literal["ultrafast", "superfast", "faster"]
"""Effort of the encoder, from the least to the most. On a moving portrait of 512x600, `ultrafast`
takes two thirds of the time of `superfast` for pictures that are a quarter larger, and `faster`
half as much again for pictures that are a quarter smaller, of about the same quality."""
PRESETS: tuple[Preset, ...] = get_args(Preset)
PRESET: Final[Preset] = "superfast"
CRF = 21
"""Constant quality. Measured on the 512x600 portrait, swaying, in fragments of 12 pictures:
41.1 dB, SSIM .976, 2.5 Mbit/s, 2.9 ms of one core per picture. `veryfast` at 19 has the same
quality and bit rate and takes 4.6 ms; `ultrafast` needs twice the bits."""
_SLICE_THREADS = min(2, os.cpu_count() or 1)
"""Slices of one picture are encoded in parallel: unlike frame threads, they add no delay."""

_X264_PARAMS = {
    "annexb": 0,  # NAL units with length prefixes, as in MP4
    "stitchable": 1,  # parameter sets do not depend on the rate control
    "ref": 1,  # this and the next three: the same parameter sets with every preset
    "weightp": 1,
    "cabac": 1,
    "8x8dct": 1,
    "bframes": 0,
    "keyint": "infinite",  # key frames only at the start of a fragment
    "scenecut": 0,
    "rc-lookahead": 0,  # this and the next two: every call returns the sample of its picture
    "sync-lookahead": 0,
    "force-cfr": 1,
    "mbtree": 0,
    "sliced-threads": 1,
    "colormatrix": "smpte170m",
    "colorprim": "bt709",
    "transfer": "bt709",
    "range": "tv",
    "chromaloc": 1,
}
_SMPTE170M = 6
_BT709 = 1
_TV_RANGE = 1


def set_up(context: VideoCodecContext, spec: FilmSpec, preset: Preset = PRESET) -> None:
    """Set the parameters of a film's video encoder, before `open`.

    Encoders of one film may differ in their preset: what they encode is decoded in the same way.
    """
    context.width, context.height = spec.coded_size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, spec.fps)
    context.framerate = Fraction(spec.fps)
    context.flags |= Flags.global_header
    context.thread_count = _SLICE_THREADS
    context.colorspace, context.color_range = _SMPTE170M, _TV_RANGE
    context.color_primaries, context.color_trc = _BT709, _BT709
    params = ":".join(f"{name}={value}" for name, value in _X264_PARAMS.items())
    context.options = {
        "preset": preset,
        "crf": str(CRF),
        "forced-idr": "1",
        "x264-params": params,
    }


def to_frame(picture: NDArray[np.uint8]) -> av.VideoFrame:
    """Convert a (h, w, 3) BGR uint8 picture to planar YUV 4:2:0, ITU-R BT.601, limited range.

    An odd side is padded to the even coded size by repeating the last row or column.

    The planes are written directly into the frame, whose lines may be longer than the picture is
    wide: PyAV's `from_ndarray` makes another copy, .2 ms at 512x600, and its `from_numpy_buffer`
    only takes heights that are multiples of 4.
    """
    picture = padded_to_even(picture)
    frame = av.VideoFrame(picture.shape[1], picture.shape[0], "yuv420p")
    Planes.of_frame(frame).convert_from(picture)
    return frame


class VideoEncoder:
    """x264 encoder; takes a millisecond to open. One thread at a time."""

    def __init__(self, spec: FilmSpec, preset: Preset = PRESET) -> None:
        context = av.CodecContext.create(CODEC, "w")
        assert isinstance(context, VideoCodecContext)
        set_up(context, spec, preset)
        context.open()
        self._context = context
        self._spec = spec
        # One frame for all pictures, because allocating one takes longer than filling it.
        self._input = av.VideoFrame(*spec.coded_size, "yuv420p")
        self._input.time_base = Fraction(1, spec.fps)
        self._next_pts = 0

    @property
    def avcc(self) -> bytes:
        """AVCDecoderConfigurationRecord of the encoded samples."""
        return bytes(self._context.extradata or b"")

    def encode(
        self, pictures: Sequence[Picture], should_stop: Callable[[], bool] = lambda: False
    ) -> list[bytes]:
        """Encode pictures, (h, w, 3) BGR uint8 of the film's size, as one MP4 sample each.

        The first sample is a key frame, and no later one refers to a picture before it.
        `should_stop` is called before every picture but the first; when it returns True, the
        remaining pictures are skipped. Raises ValueError for a picture of another size.
        """
        samples: list[bytes] = []
        for index, picture in enumerate(pictures):
            if samples and should_stop():
                break
            frame = self._frame(picture)
            frame.pict_type = PictureType.I if index == 0 else PictureType.NONE
            encoded = [bytes(packet) for packet in self._context.encode(frame)]
            if len(encoded) != 1:
                raise RuntimeError(f"x264 returned {len(encoded)} samples for one picture.")
            samples += encoded
        return samples

    def _frame(self, picture: Picture) -> av.VideoFrame:
        """The picture as the frame of this encoder, which x264 copies before it returns."""
        shape = (self._spec.height, self._spec.width, 3)
        if picture.shape != shape:  # PyAV would scale it silently
            raise ValueError(f"picture is {picture.shape}; this film needs {shape}.")
        planes = Planes.of_frame(self._input)
        if isinstance(picture, OverlaidPicture):
            picture.write_to(planes)
        else:
            planes.convert_from(padded_to_even(picture))
        self._input.pts = self._next_pts
        self._next_pts += 1
        return self._input
