"""Decoding of a film's last packets of sound, which an encoder needs to continue from there."""

from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

from session.errors import CopyFailedError
from session.film import SAMPLES_PER_PACKET
from session.media_file import open_media

TAIL_PACKETS = 8
"""Number of packets that the encoder is fed to reach the state it would have in a running film."""


def decode_audio_tail(fd: int, packets: int) -> NDArray[np.float32]:
    """Decode the last `TAIL_PACKETS` of an open film's mono sound, as (1, n).

    `packets` is their total number. Raises CopyFailedError if they are damaged.
    """
    begin = max(0, packets - TAIL_PACKETS) * SAMPLES_PER_PACKET
    expected = packets * SAMPLES_PER_PACKET - begin
    try:
        pieces = list(_decode_from(fd, begin))
    except (av.error.FFmpegError, IndexError) as error:
        raise CopyFailedError(f"The end of the film's sound cannot be decoded: {error}.") from error
    samples = np.concatenate([np.zeros((1, 0), np.float32), *pieces], axis=1)
    if samples.shape != (1, expected):
        raise CopyFailedError(
            f"The end of the film's sound has {samples.shape[1]} samples instead of {expected}."
        )
    return samples


def _decode_from(fd: int, begin: int) -> Iterator[NDArray[np.float32]]:
    with open_media(f"/proc/self/fd/{fd}") as container:
        stream = container.streams.audio[0]
        container.seek(max(0, begin - SAMPLES_PER_PACKET), stream=stream)
        for frame in container.decode(stream):
            if frame.pts is not None and frame.pts >= begin:
                yield np.asarray(frame.to_ndarray(), np.float32)
