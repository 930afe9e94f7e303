"""File with one clip, in the layout of fragmented films, to be joined to others."""

import os
from collections.abc import Sequence
from pathlib import Path

from session.alignment import packet_count
from session.audio_encoder import REENCODED_PACKETS, AudioEncoder
from session.clip_input import Pictures, Samples
from session.closeable import Closeable
from session.disk import write_all
from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME, FilmSpec
from session.fragmented.boxes import build_fragment
from session.fragmented.init_segment import build_init_segment
from session.video_encoder import PRESET, Preset, VideoEncoder


class ClipFile(Closeable):
    """Temporary file that is neither durable nor watched. One thread at a time."""

    def __init__(
        self,
        path: Path,
        spec: FilmSpec,
        before: Samples | None = None,
        *,
        preset: Preset = PRESET,
    ) -> None:
        """`before`, (1, n) in whole packets, is the end of the sound that the clip is joined to:
        its last packets are encoded again and are the first packets of this file."""
        self.path = path
        self.reencoded_packets = 0 if before is None else REENCODED_PACKETS
        """Number of packets of sound that replace the film's last ones."""
        self.sizes: list[int] = []
        """Sizes of the encoded pictures in bytes."""
        self.samples = 0
        """Number of audio samples, in whole packets."""
        self._fragments = 0
        self._video_encoder = VideoEncoder(spec, preset)
        self._audio_encoder = AudioEncoder(lead_in=0, before=before)
        self._spec = spec
        self._fd: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._end = 0
        try:
            self._write_bytes(build_init_segment(spec))
        except BaseException:
            self.close()
            raise

    @property
    def frames(self) -> int:
        """Number of pictures written."""
        return len(self.sizes)

    def write(self, pictures: Pictures, samples: Samples | None) -> None:
        """Add pictures, the first as a key frame, and their sound; None for a clip without any."""
        packets = [] if samples is None else self._audio_encoder.encode(samples)
        self._append_fragment(self._video_encoder.encode(pictures), packets)

    def finish(self, *, with_sound: bool = True) -> None:
        """Write the last packets, padded with silence, and close the file."""
        if with_sound:
            packets = self.reencoded_packets + packet_count(self.frames, self._spec.fps)
            missing = packets - self.samples // SAMPLES_PER_PACKET
            self._append_fragment([], self._audio_encoder.flush(missing))
        self.close()

    def close(self) -> None:
        """Close the file as it is; calling it again has no effect."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append_fragment(self, pictures: Sequence[bytes], sound: Sequence[bytes]) -> None:
        self._fragments += 1
        starts = (self.frames * TICKS_PER_FRAME, self.samples)
        data = build_fragment(self._fragments, pictures=pictures, sound=sound, starts=starts)
        self._write_bytes(data)
        self.sizes += map(len, pictures)
        self.samples += len(sound) * SAMPLES_PER_PACKET

    def _write_bytes(self, data: bytes) -> None:
        assert self._fd is not None
        write_all(self._fd, data, self._end)
        self._end += len(data)
