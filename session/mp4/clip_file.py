"""One clip as a file of its own, in the layout of films, to be joined to others."""

import os
from collections.abc import Sequence
from pathlib import Path

from session.alignment import packet_count
from session.audio_encoder import PACKETS_AGAIN, AudioEncoder
from session.disk import write_all
from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME, FilmSpec
from session.fragmented.boxes import build_fragment
from session.fragmented.init_segment import build_init_segment
from session.fragmented.writer import Pictures, Samples
from session.video_encoder import VideoEncoder


class ClipFile:
    """A file that is not durable and that nobody watches. One thread at a time."""

    def __init__(self, path: Path, spec: FilmSpec, before: Samples | None = None) -> None:
        """`before`, (1, n) whole packets, is what the film sounds like that the clip is joined to:
        its last packets are made again, and are the first of this file."""
        self.path = path
        self.packets_again = 0 if before is None else PACKETS_AGAIN
        """Packets of sound that take the place of the film's last."""
        self.sizes: list[int] = []
        """Of the coded pictures, bytes."""
        self.samples = 0
        """Of sound, in whole packets."""
        self._fragments = 0
        self._pictures = VideoEncoder(spec)
        self._sound = AudioEncoder(lead_in=0, before=before)
        self._spec = spec
        self._fd: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._end = 0
        try:
            self._write(build_init_segment(spec))
        except BaseException:
            self.close()
            raise

    @property
    def frames(self) -> int:
        """Pictures so far."""
        return len(self.sizes)

    def write(self, pictures: Pictures, samples: Samples | None) -> None:
        """Add pictures, the first a key picture, and their sound; None where it has none at all."""
        sound = [] if samples is None else self._sound.encode(samples)
        self._append(self._pictures.encode(pictures), sound)

    def end(self, *, with_sound: bool = True) -> None:
        """Complete the file: its last packets are followed by silence."""
        if with_sound:
            packets = self.packets_again + packet_count(self.frames, self._spec.fps)
            self._append([], self._sound.end(packets - self.samples // SAMPLES_PER_PACKET))
        self.close()

    def close(self) -> None:
        """Let go of the file as it is; once is enough."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, pictures: Sequence[bytes], sound: Sequence[bytes]) -> None:
        self._fragments += 1
        starts = (self.frames * TICKS_PER_FRAME, self.samples)
        self._write(build_fragment(self._fragments, pictures=pictures, sound=sound, starts=starts))
        self.sizes += map(len, pictures)
        self.samples += len(sound) * SAMPLES_PER_PACKET

    def _write(self, data: bytes) -> None:
        assert self._fd is not None
        write_all(self._fd, data, self._end)
        self._end += len(data)
