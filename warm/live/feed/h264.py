"""H.264 encoder of a feed: constrained baseline, one access unit a picture, forced key frames."""

import math
from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from session.video_encoder import to_frame

CODEC = "libx264"
PRESET = "superfast"
CRF = 23
"""Constant quality, below the bit rate that the buffer model allows."""
DEFAULT_BPS = 2_500_000
MIN_BPS, MAX_BPS = 100_000, 20_000_000
BUFFER_S = 0.5
"""Length of the decoder's buffer: how far a key frame may exceed the bit rate."""
LEVEL = "3.1"
MACROBLOCK = 16
MAX_MACROBLOCKS, MAX_MACROBLOCKS_PER_S = 3600, 108_000
"""Limits of level 3.1, ITU-T H.264 table A-1."""
PARAMS = {
    "annexb": 1,
    "repeat-headers": 1,
    "keyint": "infinite",
    "scenecut": 0,
    "bframes": 0,
    "ref": 1,
    "rc-lookahead": 0,
    "sync-lookahead": 0,
    "mbtree": 0,
    "force-cfr": 1,
    "aud": 0,
    "colormatrix": "smpte170m",
    "colorprim": "bt709",
    "transfer": "bt709",
    "range": "tv",
}
_SMPTE170M, _BT709, _TV_RANGE = 6, 1, 1


class LiveVideoEncoder:
    """x264 encoder whose pictures may change their size. One thread at a time."""

    def __init__(self, fps: int, bps: int = DEFAULT_BPS) -> None:
        self._fps, self._bps = fps, bps
        self._context: VideoCodecContext | None = None
        self._size = (0, 0)
        self._next_pts = 0

    @property
    def bps(self) -> int:
        """Highest bit rate, bits per second."""
        return self._bps

    def set_bitrate(self, bps: int) -> None:
        """Change the highest bit rate, within `MIN_BPS` and `MAX_BPS`; a key frame follows."""
        bps = min(MAX_BPS, max(MIN_BPS, bps))
        if bps != self._bps:
            self._bps, self._context = bps, None

    def encode(self, picture: NDArray[np.uint8], *, is_key: bool) -> tuple[bytes, bool]:
        """Return the access unit of a (h, w, 3) BGR picture, and True if it is a key frame."""
        height, width = picture.shape[:2]
        if (width, height) != self._size:
            self._size, self._context = (width, height), None
        is_first = self._context is None
        context = self._context = self._context or self._open()
        if (context.width, context.height) != (width + width % 2, height + height % 2):
            shrunk = cv2.resize(
                picture, (context.width, context.height), None, 0, 0, cv2.INTER_AREA
            )
            picture = np.asarray(shrunk, np.uint8)
        frame = to_frame(picture)
        frame.pts, frame.time_base = self._next_pts, Fraction(1, self._fps)
        self._next_pts += 1
        frame.pict_type = PictureType.I if is_key or is_first else PictureType.NONE
        packets = list(context.encode(frame))
        if len(packets) != 1:
            raise RuntimeError(f"x264 returned {len(packets)} packets for one picture.")
        return bytes(packets[0]), bool(packets[0].is_keyframe)

    def _open(self) -> VideoCodecContext:
        context = av.CodecContext.create(CODEC, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = coded_size(*self._size, self._fps)
        context.pix_fmt = "yuv420p"
        context.time_base, context.framerate = Fraction(1, self._fps), Fraction(self._fps)
        context.thread_count = 1
        context.colorspace, context.color_range = _SMPTE170M, _TV_RANGE
        context.color_primaries, context.color_trc = _BT709, _BT709
        kbps = self._bps // 1000
        rate = {"vbv-maxrate": kbps, "vbv-bufsize": int(BUFFER_S * kbps)}
        context.options = {
            "preset": PRESET,
            "tune": "zerolatency",
            "profile": "baseline",
            "level": LEVEL,
            "forced-idr": "1",
            "crf": str(CRF),
            "x264-params": ":".join(f"{key}={value}" for key, value in (PARAMS | rate).items()),
        }
        context.open()
        return context


def coded_size(width: int, height: int, fps: int) -> tuple[int, int]:
    """Return the even (width, height) of encoded pictures: that of the source, if level 3.1 allows.

    Larger pictures are scaled down.
    """
    most = min(MAX_MACROBLOCKS, MAX_MACROBLOCKS_PER_S // fps)
    size = width + width % 2, height + height % 2
    scale = min(1.0, math.sqrt(most * MACROBLOCK**2 / (size[0] * size[1])))
    while _macroblocks(*size) > most:
        size = int(width * scale) // 2 * 2, int(height * scale) // 2 * 2
        scale *= 0.99
    return size


def _macroblocks(width: int, height: int) -> int:
    return -(-width // MACROBLOCK) * -(-height // MACROBLOCK)
