"""AVIF photos are used upright, in their colours; HEIC photos of the same container are refused."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.warm.media.pictures import BLUE, GREEN, RED, WHITE, colours_of, four_colours
from warm.media.photo import read_photo
from warm.media.sniff import DamagedMediaError, UnknownMediaError, sniff

TURNED_LEFT = 8
"""EXIF orientation of a picture that is shown after a quarter turn to the left."""


def avif(**options: object) -> bytes:
    """Encode the four colours as AVIF."""
    buffer = BytesIO()
    Image.fromarray(four_colours()).save(buffer, "AVIF", quality=95, **options)
    return buffer.getvalue()


def test_an_avif_photo_has_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(avif())
    photo = read_photo(path, max_side=1280)
    assert colours_of(photo.picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]
    assert photo.notes == ()


def test_an_avif_photo_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = TURNED_LEFT
    path = tmp_path / "photo.avif"
    path.write_bytes(avif(exif=exif.tobytes()))
    photo = read_photo(path, max_side=1280)
    assert photo.stored_size == (48, 64)
    assert colours_of(photo.picture) == [[*GREEN], [*WHITE], [*RED], [*BLUE]]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_cut_avif_photo_is_refused(tmp_path: Path, share: float) -> None:
    data, path = avif(), tmp_path / "photo.avif"
    path.write_bytes(data[: max(24, int(share * len(data)))])
    with pytest.raises(DamagedMediaError, match="Send the file again"):
        read_photo(path, max_side=1280)


def test_the_brands_decide_between_avif_and_heic(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf")
    assert sniff(path).demuxer == "AVIF"
    path.write_bytes(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf")
    with pytest.raises(UnknownMediaError, match="HEIC of an iPhone"):
        sniff(path)
