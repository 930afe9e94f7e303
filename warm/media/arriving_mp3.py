"""Decoding of an MP3 that is still arriving.

FFmpeg's demuxer reads 64 KB before it returns the first frame, which may be seconds of sound.
"""

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from warm.media.arriving_bytes import Rewound
from warm.media.mpeg_frames import MpegFrame, read_frame

TAG_HEAD_BYTES = 10
LAME_DELAY_OFFSET, LAME_BYTES = 21, 24
"""Position of the delay of the encoder in a LAME tag, and the bytes of that tag that are read."""
XING_FIELDS = ((1, 4), (2, 4), (4, 100), (8, 4))
"""Flags of a Xing header, and the bytes of the field that each announces."""
DECODER_DELAY = 529
"""Samples by which every decoder delays the sound."""
PIECE_BYTES = 1024


def tag_bytes(head: bytes) -> int:
    """Return the size of the ID3v2 tag that a file begins with; 0 without one."""
    if len(head) < TAG_HEAD_BYTES or head[:3] != b"ID3" or max(head[6:10]) > 127:
        return 0
    length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return TAG_HEAD_BYTES + length + (TAG_HEAD_BYTES if head[5] & 0x10 else 0)


def mp3_frames(source: Rewound, first: bytes) -> Iterator[AudioFrame]:
    """Yield the frames of an MP3 that begins with the bytes `first`; raises FFmpegError.

    As in FFmpeg's demuxer, the frame with the Xing header and the delay of the encoder are left
    out.
    """
    decoder = av.CodecContext.create("mp3", "r")
    frame = read_frame(first, 0)
    header_bytes, delay = (0, 0) if frame is None else encoder_delay(first, frame)
    unread = header_bytes
    while unread:
        unread -= len(source.read(unread)) or unread
    for packet in mp3_packets(decoder, source):
        for decoded in decoder.decode(packet):
            kept, delay = without_start(decoded, delay)
            if kept is not None:
                yield kept


def mp3_packets(decoder: AudioCodecContext, source: Rewound) -> Iterator[Any]:
    """Yield the packets as they arrive, and an empty one at the end."""
    while piece := source.read(PIECE_BYTES):
        yield from decoder.parse(piece)
    yield from decoder.parse(None)
    yield av.Packet()


def encoder_delay(first: bytes, frame: MpegFrame) -> tuple[int, int]:
    """Return the bytes of a frame that is only a header, and the samples to leave out after it."""
    at = 4 + frame.side_info_bytes
    if first[at : at + 4] not in (b"Xing", b"Info"):
        return 0, 0
    flags = int.from_bytes(first[at + 4 : at + 8])
    end = at + 8 + sum(size for flag, size in XING_FIELDS if flags & flag)
    tag = first[end : end + LAME_BYTES]
    if len(tag) < LAME_BYTES or tag[:4] not in (b"LAME", b"Lavf", b"Lavc"):
        return frame.length, 0
    delay = int.from_bytes(tag[LAME_DELAY_OFFSET : LAME_DELAY_OFFSET + 3]) >> 12
    return frame.length, delay + DECODER_DELAY


def without_start(frame: AudioFrame, delay: int) -> tuple[AudioFrame | None, int]:
    """Return a frame without its first `delay` samples, and those to leave out of the next."""
    if not delay:
        return frame, 0
    if frame.samples <= delay:
        return None, delay - frame.samples
    array: Any = np.ascontiguousarray(frame.to_ndarray()[:, delay:])
    kept = AudioFrame.from_ndarray(array, format=frame.format.name, layout=frame.layout.name)
    kept.sample_rate = frame.sample_rate
    return kept, 0
