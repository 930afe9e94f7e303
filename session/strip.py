"""One clip as a file of its own, in the layout of films, to be joined to others."""

from collections.abc import Sequence
from pathlib import Path

from session.boxes import build_fragment
from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME, FilmSpec
from session.grid import packets_of
from session.opening import build_opening
from session.picture import PictureEncoder
from session.sound import SoundEncoder
from session.writer import Pictures, Samples


class Strip:
    """A file that is not durable and that nobody watches. One thread at a time."""

    def __init__(self, path: Path, spec: FilmSpec) -> None:
        self.path = path
        self.sizes: list[int] = []
        """Of the coded pictures, bytes."""
        self._samples = 0
        self._fragments = 0
        self._pictures = PictureEncoder(spec)
        self._sound = SoundEncoder(lead_in=0)
        self._spec = spec
        self._file = path.open("xb")
        self._file.write(build_opening(spec))

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
            missing = packets_of(self.frames, self._spec.fps) - self._samples // SAMPLES_PER_PACKET
            self._append([], self._sound.end(missing))
        self._file.close()

    def close(self) -> None:
        """Let go of the file as it is."""
        self._file.close()

    def _append(self, pictures: Sequence[bytes], sound: Sequence[bytes]) -> None:
        self._fragments += 1
        starts = (self.frames * TICKS_PER_FRAME, self._samples)
        self._file.write(
            build_fragment(self._fragments, pictures=pictures, sound=sound, starts=starts)
        )
        self.sizes += map(len, pictures)
        self._samples += len(sound) * SAMPLES_PER_PACKET
