"""Fragments are written and read back, and read by an independent parser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from hypothesis import given
from hypothesis import strategies as st

from session.fragmented.boxes import (
    AUDIO_TRACK,
    VIDEO_TRACK,
    build_fragment,
    iter_boxes,
    read_fragment,
)
from session.fragmented.writer import FilmWriter
from tests.session.sample_films import SPEC, write

SAMPLES = st.lists(st.binary(min_size=1, max_size=40), max_size=30)


@contextmanager
def on_disk(data: bytes) -> Iterator[int]:
    with TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.fileno()


@given(
    sequence=st.integers(1, 2**32 - 1),
    pictures=SAMPLES,
    sound=SAMPLES,
    starts=st.tuples(st.integers(0, 2**60), st.integers(0, 2**60)),
    before=st.binary(max_size=20),
)
def test_a_fragment_reads_back_as_it_was_built(
    sequence: int,
    pictures: list[bytes],
    sound: list[bytes],
    starts: tuple[int, int],
    before: bytes,
) -> None:
    data = build_fragment(sequence, pictures=pictures, sound=sound, starts=starts)
    with on_disk(before + data + b"rest") as fd:
        head = read_fragment(fd, len(before), len(before + data))
    assert head is not None
    assert head.end == len(before + data)
    runs = {run.track: (run.start, list(run.sizes)) for run in head.runs}
    tracks = zip((VIDEO_TRACK, AUDIO_TRACK), (pictures, sound), starts, strict=True)
    assert runs == {
        track: (start, [len(sample) for sample in samples])
        for track, samples, start in tracks
        if samples
    }


def test_a_moof_with_any_bit_flipped_does_not_read_back_as_the_original() -> None:
    built = build_fragment(7, pictures=[b"key", b"other"], sound=[b"ab"], starts=(512, 1024))
    moof_size = next(iter_boxes(built))[2]
    with on_disk(built) as fd:
        written = read_fragment(fd, 0, len(built))
    sequence_bits = range(20 * 8, 24 * 8)
    for bit in set(range((moof_size + 8) * 8)) - set(sequence_bits):
        turned = bytearray(built)
        turned[bit // 8] ^= 1 << bit % 8
        with on_disk(bytes(turned)) as fd:
            assert read_fragment(fd, 0, len(turned)) != written


def test_a_moof_of_a_long_fragment_reads_back() -> None:
    pictures = [b"x"] * 3000
    data = build_fragment(1, pictures=pictures, sound=[], starts=(0, 0))
    with on_disk(data) as fd:
        head = read_fragment(fd, 0, os.fstat(fd).st_size)
    assert head is not None
    assert len(head.runs[0].sizes) == 3000


def test_a_truncated_fragment_is_not_read() -> None:
    built = build_fragment(7, pictures=[b"key"], sound=[b"ab"], starts=(512, 1024))
    for size in range(len(built)):
        with on_disk(built[:size]) as fd:
            assert read_fragment(fd, 0, size) is None


def test_a_film_is_its_init_segment_its_identity_and_pairs_of_moof_and_mdat(
    tmp_path: Path,
) -> None:
    path = tmp_path / "film.mp4"
    with FilmWriter.create(path, SPEC) as film:
        for count in (1, 3):
            write(film.begin(""), film.committed.frames, count)
            film._clip.finish()
    data = path.read_bytes()
    boxes = list(iter_boxes(data))
    assert [kind for kind, *_ in boxes] == [b"ftyp", b"moov", b"uuid"] + [b"moof", b"mdat"] * 2
    assert boxes[-1][2] == len(data)
    assert b"edts" not in data[: film.init_bytes]
