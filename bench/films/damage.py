"""Detection of inverted bits in films, journals and avatars before the bytes are served."""

import logging
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.figure import Figure
from session.errors import FilmDamagedError, FilmError
from session.factory import read_cues, verify_film
from session.film import Cue, FilmSpec
from session.fragmented.writer import FilmWriter
from session.mp4.concat_film import ConcatFilm
from warm.avatars.avatar import LANDMARKS, AvatarBuild
from warm.avatars.store import AvatarDamaged, AvatarOutdated, AvatarStore

BITS = {"film": 150, "journal": 100, "concat film": 100, "avatar": 150}
SEED = 9
SPEC = FilmSpec(width=160, height=160, fps=25)
FRAMES_PER_CLIP = 10
AVATAR_FRAMES = 20

Bit = tuple[str, int, int]
"""Name of a file, byte, and bit of that byte."""
Writer = type[FilmWriter] | type[ConcatFilm]


def measure(_out: Path) -> list[Figure]:
    """Invert single bits and count those that are found; `_out` is not used."""
    logging.disable(logging.ERROR)  # every find is logged
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = dict(measure_all(Path(folder)))
    finally:
        logging.disable(logging.NOTSET)
    found["inverted"] = sum(found.values())
    wanted = BITS | {"inverted": sum(BITS.values())}
    return [
        Figure.at_least(f"{name} bits found before they are served", found[name], "", count, count)
        for name, count in wanted.items()
    ]


def measure_all(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the number of bits found of each kind."""
    fragments = IntactFilm(folder / "fragments", FilmWriter)
    concat = IntactFilm(folder / "concat", ConcatFilm)
    journal = fragments.film.with_name(f"{fragments.film.name}.journal")
    yield "film", fragments.count_found([fragments.film], BITS["film"])
    yield "journal", fragments.count_found([journal], BITS["journal"])
    yield "concat film", concat.count_found([concat.film], BITS["concat film"])
    avatar = IntactAvatar(folder / "results")
    yield "avatar", avatar.count_found(BITS["avatar"])


class IntactFilm:
    """A film, and copies of it in which bits are inverted."""

    def __init__(self, folder: Path, writer: Writer) -> None:
        folder.mkdir()
        self.film = folder / "film.mp4"
        self._writer = writer
        self._copy = folder.with_name(f"{folder.name}-copy")
        make_film(self.film, writer)
        self._served = self._serve(self.film)

    def count_found(self, files: Sequence[Path], count: int) -> int:
        """Return how many of `count` bits are found."""
        return sum(self.is_found(bit) for bit in random_bits(files, count))

    def is_found(self, bit: Bit) -> bool:
        """Return True if an inverted bit is refused, restored, or cut off with its fragment."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.film.parent, self._copy)
        invert(self._copy, bit)
        try:
            served = self._serve(self._copy / self.film.name)
        except FilmError:
            return True
        data, _, frames = self._served
        is_cut_off = served[2] < frames and data.startswith(served[0])
        return served == self._served or is_cut_off

    def _serve(self, path: Path) -> tuple[bytes, list[Cue], int]:
        """Open a film as the server does, and return everything that clients get."""
        with self._writer.open(path) as film, film.reader() as reader:
            if film.damage:
                raise FilmDamagedError(film.damage[0])
            data = b"".join(reader.chunks(0, reader.size))
            frames = film.committed.frames
        verify_film(path)
        return data, read_cues(path)[1], frames


class IntactAvatar:
    """A stored avatar, in which bits are inverted and restored."""

    def __init__(self, results: Path) -> None:
        self._store = AvatarStore(results)
        self.folder = make_avatar(self._store, "face")

    def count_found(self, count: int) -> int:
        """Return how many of `count` bits, evenly distributed over all files, are found."""
        return sum(self.is_found(bit) for bit in random_bits(list(self.folder.iterdir()), count))

    def is_found(self, bit: Bit) -> bool:
        """Return True if the avatar is refused after a bit was inverted; restores the bit."""
        invert(self.folder, bit)
        try:
            self._store.open("face")
        except (AvatarDamaged, AvatarOutdated):
            return True
        finally:
            invert(self.folder, bit)
        return False


def make_film(path: Path, writer: Writer) -> None:
    """Make a film of three clips."""
    source = np.random.default_rng(SEED)
    with writer.create(path, SPEC) as film:
        for text in ("One clip.", "Another clip.", "The last clip."):
            first = film.committed.frames
            shape = (FRAMES_PER_CLIP, SPEC.height, SPEC.width, 3)
            pictures = list(source.integers(0, 255, shape, np.uint8))
            sound = source.normal(0, 0.1, FRAMES_PER_CLIP * SPEC.samples_per_frame)
            clip = film.begin(text)
            cue = Cue(text=text, first_frame=first, frames=FRAMES_PER_CLIP)
            clip.write(pictures, sound.astype(np.float32), [cue])
            clip.finish()


def make_avatar(store: AvatarStore, avatar_id: str) -> Path:
    """Store an avatar of random pictures, large enough to be mapped; return its folder."""
    source = np.random.default_rng(SEED)
    with store.building(avatar_id) as folder:
        build = AvatarBuild(
            folder=folder,
            fps=SPEC.fps,
            frames=source.integers(0, 255, (AVATAR_FRAMES, 200, 160, 3), np.uint8),
            transforms=np.tile(np.eye(2, 3), (AVATAR_FRAMES, 1, 1)),
            landmarks=np.ones((AVATAR_FRAMES, LANDMARKS, 3), np.float32),
            loop="forward",
            extras={},
        )
        for name in ("frames", "transforms", "landmarks"):
            np.save(folder / f"{name}.npy", getattr(build, name))
        store.write_manifest(
            build, avatar_id=avatar_id, digest="0" * 64, metadata={"source": "none"}, notes=[]
        )
    return store.open(avatar_id).folder


def random_bits(files: Sequence[Path], count: int) -> Iterator[Bit]:
    """Yield random bits, evenly distributed over the files; reproducible."""
    source, ordered = random.Random(SEED), sorted(files)
    for index in range(count):
        path = ordered[index % len(ordered)]
        yield path.name, source.randrange(path.stat().st_size), source.randrange(8)


def invert(folder: Path, bit: Bit) -> None:
    """Invert one bit of a file."""
    name, byte, place = bit
    data = bytearray((folder / name).read_bytes())
    data[byte] ^= 1 << place
    (folder / name).write_bytes(data)
