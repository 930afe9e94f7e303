"""Bytes that were changed on disk are found before they are served or copied."""

import logging
import os
import shutil
from pathlib import Path

import pytest

from bench.films.damage import IntactFilm, random_bits
from session.errors import FilmDamagedError
from session.film import Cue
from session.fragmented import fragment_log
from session.fragmented.check import check_film
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter
from session.mp4.concat_film import ConcatFilm
from session.mp4.export import export_film
from tests.polling import wait_until
from tests.session.sample_films import SPEC, write

pytestmark = pytest.mark.slow


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Invert one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def make_film(path: Path, writer: type[FilmWriter] | type[ConcatFilm]) -> None:
    with writer.create(path, SPEC) as film:
        for text in ("one", "two", "three"):
            clip = film.begin(text)
            first = film.committed.frames
            cue = Cue(text=text, first_frame=first, frames=8)
            write(clip, first, 8, cues=[cue])  # type: ignore[arg-type]
            clip.finish()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    make_film(folder / "fragments.mp4", FilmWriter)
    make_film(folder / "concat.mp4", ConcatFilm)
    return folder


@pytest.fixture
def copy(films: Path, tmp_path: Path) -> Path:
    """A copy of the growing film and of its journal."""
    for path in films.glob("fragments.mp4*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "fragments.mp4"


def all_bytes(film: FilmWriter | ConcatFilm) -> bytes:
    with film.reader() as reader:
        return b"".join(reader.chunks(0, reader.size))


def test_a_damaged_fragment_is_named_and_only_it_is_refused(copy: Path) -> None:
    whole = copy.read_bytes()
    with FilmWriter.open(copy) as film:
        first, second, third = film.fragments_since(0)
        assert film.damage == ()
    flip(copy, (second.offset + second.end) // 2)
    with FilmWriter.open(copy) as film, film.reader() as reader:
        (damage,) = film.damage
        assert damage.startswith("fragment 2, 0.32 s to 0.64 s")
        with pytest.raises(FilmDamagedError, match=r"fragment 2, 0\.32 s to 0\.64 s"):
            reader.chunks(first.offset, second.offset + 1)
        kept = b"".join(reader.chunks(0, second.offset))
        kept += b"".join(reader.chunks(third.offset, third.end))
        assert kept == whole[: second.offset] + whole[third.offset :]
        write(film.begin("four"), 24, 2)
        assert film.committed.frames == 26
    assert any("fragment 2" in fault.lower() for fault in [*check_film(copy).faults])


def test_a_byte_that_is_changed_while_the_film_is_open_is_not_served(copy: Path) -> None:
    with FilmWriter.open(copy) as film:
        *_, last = film.fragments_since(0)
        fd = os.open(copy, os.O_RDWR)
        try:
            os.pwrite(fd, b"damage", last.end - 20)
        finally:
            os.close(fd)
        with pytest.raises(FilmDamagedError, match="fragment 3"):
            all_bytes(film)
        assert len(film.damage) == 1


def test_a_long_film_is_verified_in_the_background(
    copy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fragment_log, "VERIFIED_AT_ONCE_BYTES", 0)
    with FilmWriter.open(copy) as film:
        (_, second, _) = film.fragments_since(0)
    flip(copy, second.offset + 200)
    with caplog.at_level(logging.ERROR), FilmWriter.open(copy) as film:
        wait_until(lambda: film.damage, "the damage is found")
    assert "fragment 2" in caplog.text


@pytest.mark.parametrize("name", ["fragments.mp4", "concat.mp4"])
def test_no_export_has_damaged_pictures_or_sound(films: Path, tmp_path: Path, name: str) -> None:
    film, out = tmp_path / name, tmp_path / "out.mp4"
    for path in films.glob(f"{name}*"):
        shutil.copy(path, tmp_path)
    export_film(film, out)
    out.unlink()
    flip(film, film.stat().st_size // 2)
    with pytest.raises(FilmDamagedError, match="is damaged: "):
        export_film(film, out)
    assert not out.exists()


def test_a_clip_is_not_appended_to_a_damaged_ordinary_film(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "concat.mp4"
    shutil.copy(films / "concat.mp4", path)
    with ConcatFilm.open(path) as film:
        flip(path, path.stat().st_size // 2)
        with pytest.raises(FilmDamagedError, match="differ from their checksum"):
            film.begin("next")
        with pytest.raises(FilmDamagedError):
            all_bytes(film)
    with pytest.raises(FilmDamagedError):
        ConcatFilm.open(path)


@pytest.mark.parametrize("writer", [FilmWriter, ConcatFilm])
def test_every_inverted_bit_is_found_before_it_is_served(
    tmp_path: Path, writer: type[FilmWriter] | type[ConcatFilm]
) -> None:
    film = IntactFilm(tmp_path / "film", writer)
    bits = list(random_bits(list(film.film.parent.iterdir()), 60))
    assert [bit for bit in bits if not film.is_found(bit)] == []


def test_a_changed_film_id_is_not_taken_for_another_film(copy: Path, tmp_path: Path) -> None:
    with FilmWriter.open(copy) as film:
        identity = bytes.fromhex(film.film_id)
    flip(copy, copy.read_bytes().index(identity) + 3)
    before = copy.read_bytes(), journal_path(copy).read_bytes()
    with pytest.raises(FilmDamagedError, match="init segment"):
        FilmWriter.open(copy)
    with pytest.raises(FilmDamagedError, match="init segment"):
        export_film(copy, tmp_path / "out.mp4")
    assert (copy.read_bytes(), journal_path(copy).read_bytes()) == before
