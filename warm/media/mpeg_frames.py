"""Frames of MP3 and bare AAC (ADTS): the first one, and the length that it may state."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

BITRATES_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By (1 for MPEG-1, 2 for MPEG-2 and 2.5) and layer; ISO 11172-3 and 13818-3."""
RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""By the version bits."""
CONSECUTIVE_FRAMES = 3
"""Bytes count as a frame if this many frames follow one another there."""
VBRI_OFFSET = 36
"""Position of a VBRI header in its frame."""
XING_FRAMES = 1
"""Flag of a Xing header that states the number of frames."""


@dataclass(frozen=True, slots=True)
class MpegFrame:
    """Header of a frame."""

    demuxer: Literal["mp3", "aac"]
    length: int
    """Bytes."""
    samples: int
    rate_hz: int
    side_info_bytes: int
    """Bytes between the header and the position of a Xing header."""


def read_frame(data: bytes, at: int) -> MpegFrame | None:
    """Return the frame whose header is at `at`; None if there is none."""
    head = data[at : at + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return _adts_frame(head) if head[1] & 0xF6 == 0xF0 else _mp3_frame(head)


def _adts_frame(head: bytes) -> MpegFrame | None:
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if length < 7 or head[2] >> 2 & 15 > 12:
        return None
    return MpegFrame("aac", length, 1024, 0, 0)


def _mp3_frame(head: bytes) -> MpegFrame | None:
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or not 0 < bitrate < 15 or rate == 3:
        return None
    generation, padding = 1 if version == 3 else 2, head[2] >> 1 & 1
    kbps, rate_hz = BITRATES_KBPS[generation, layer][bitrate - 1], RATES_HZ[version][rate]
    samples = {1: 384, 2: 1152, 3: 1152 if generation == 1 else 576}[layer]
    unit = 4 if layer == 1 else 1
    length = (samples // 8 // unit * kbps * 1000 // rate_hz + padding) * unit
    is_mono = head[3] >> 6 == 3
    side = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[generation, is_mono]
    return MpegFrame("mp3", length, samples, rate_hz, side)


def find_frames(data: bytes) -> tuple[int, MpegFrame] | None:
    """Return position and header of the first of several consecutive frames."""
    at = data.find(b"\xff")
    while at >= 0:
        if (frame := read_frame(data, at)) is not None and _is_followed(data, at, frame):
            return at, frame
        at = data.find(b"\xff", at + 1)
    return None


def _is_followed(data: bytes, at: int, frame: MpegFrame) -> bool:
    """Return True if frames of the same kind follow, or the data end with this frame."""
    for _ in range(CONSECUTIVE_FRAMES - 1):
        at += frame.length
        if at == len(data):
            return True
        follower = read_frame(data, at)
        if follower is None or follower.demuxer != frame.demuxer:
            return False
        frame = follower
    return True


def stated_length_s(data: bytes, at: int, frame: MpegFrame) -> Fraction | None:
    """Return the duration that the first frame of an MP3 states (Xing, Info or VBRI header).

    Up to 0.1 s of it is padding of the encoder, which decoders leave out.
    """
    if frame.demuxer != "mp3":
        return None
    xing = data[at + 4 + frame.side_info_bytes :][:12]
    if xing[:4] in (b"Xing", b"Info") and len(xing) >= 12:
        (flags, frames) = struct.unpack_from(">II", xing, 4)
        count = frames * frame.samples if flags & XING_FRAMES else 0
        return Fraction(count, frame.rate_hz) or None
    vbri = data[at + VBRI_OFFSET :][:18]
    if vbri[:4] == b"VBRI" and len(vbri) == 18:
        (frames,) = struct.unpack_from(">I", vbri, 14)
        return Fraction(frames * frame.samples, frame.rate_hz) or None
    return None
