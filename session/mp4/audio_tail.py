"""How the sound of an ordinary MP4 ends: what an encoder must know to go on from there."""

import av
import numpy as np
from numpy.typing import NDArray

from session.errors import CopyFailedError
from session.film import SAMPLES_PER_PACKET
from session.media_file import open_media

PACKETS = 8
"""That the encoder is fed before the first whose outcome counts: it looks back for a few."""


def decode_audio_tail(fd: int, packets: int) -> NDArray[np.float32]:
    """(1, n) of an open film of so many packets of mono sound: the last `PACKETS` of them, decoded.

    CopyFailedError where they are damaged.
    """
    begin = max(0, packets - PACKETS) * SAMPLES_PER_PACKET
    heard: list[NDArray[np.float32]] = []
    try:
        with open_media(f"/proc/self/fd/{fd}") as container:
            stream = container.streams.audio[0]
            container.seek(max(0, begin - SAMPLES_PER_PACKET), stream=stream)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts >= begin:
                    heard.append(np.asarray(frame.to_ndarray(), np.float32))
    except (av.error.FFmpegError, IndexError) as error:
        raise CopyFailedError(f"The end of the film's sound cannot be decoded: {error}.") from error
    samples = np.concatenate([np.zeros((1, 0), np.float32), *heard], axis=1)
    if samples.shape != (1, packets * SAMPLES_PER_PACKET - begin):
        raise CopyFailedError(
            f"The end of the film's sound is {samples.shape[1]} samples instead of"
            f" {packets * SAMPLES_PER_PACKET - begin}."
        )
    return samples
