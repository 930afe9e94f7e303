"""Decoding of photos to upright, opaque, 8-bit BGR pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.warm.media.pictures import BLUE, GREEN, RED, WHITE, colours_of, four_colours
from tests.warm.sample_videos import cut_off
from warm.media.photo import read_photo
from warm.media.sniff import DamagedMediaError, MediaError


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_for_every_exif_orientation(orientation: int, tmp_path: Path) -> None:
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = Image.fromarray(four_colours())
    stored = image if undo is None else image.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling=0)
    photo = read_photo(tmp_path / "photo.jpg", max_side=1280)
    assert photo.picture.shape == (48, 64, 3)
    assert colours_of(photo.picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


def test_transparent_parts_are_composited_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, :4] = (200, 100, 0, 0)
    rgba[:, 4:] = (200, 100, 0, 128)
    Image.fromarray(rgba).save(tmp_path / "photo.png")
    picture = read_photo(tmp_path / "photo.png", max_side=1280).picture
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert np.abs(picture[0, 7].astype(int) - [127, 177, 227]).max() <= 1


def test_a_palette_with_a_transparent_colour_is_composited_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 4, 8))
    image.save(tmp_path / "photo.png", transparency=0)
    picture = read_photo(tmp_path / "photo.png", max_side=1280).picture
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 7].tolist() == [255, 0, 0]


def test_sixteen_bit_greys_are_scaled_to_eight_bits(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    cv2.imwrite(str(tmp_path / "grey.png"), ramp)
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([ramp, ramp // 2, ramp // 4]))
    grey = read_photo(tmp_path / "grey.png", max_side=1280).picture[0].astype(float)
    colour = read_photo(tmp_path / "colour.png", max_side=1280).picture[0].astype(float)
    expected = np.linspace(0, 255, 64)
    assert np.abs(grey - expected[:, None]).max() <= 1
    assert np.abs(colour - np.outer(expected, [1, 0.5, 0.25])).max() <= 1.1


def test_a_grey_photo_has_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 10), 77, np.uint8)).save(tmp_path / "photo.bmp")
    picture = read_photo(tmp_path / "photo.bmp", max_side=1280).picture
    assert picture.shape == (8, 10, 3)
    assert (picture == 77).all()


def test_a_cmyk_photo_keeps_its_colours(tmp_path: Path) -> None:
    Image.fromarray(four_colours()).convert("CMYK").save(tmp_path / "photo.jpg", quality=95)
    picture = read_photo(tmp_path / "photo.jpg", max_side=1280).picture
    assert colours_of(picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


def test_odd_sides_lose_one_row_or_column(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((33, 21, 3), np.uint8)).save(tmp_path / "photo.webp")
    photo = read_photo(tmp_path / "photo.webp", max_side=1280)
    assert photo.picture.shape == (32, 20, 3)
    assert photo.stored_size == (21, 33)


def test_a_large_photo_is_scaled_down_and_reports_its_stored_size(tmp_path: Path) -> None:
    big = np.asarray(Image.fromarray(four_colours()).resize((3840, 2160), Image.Resampling.NEAREST))
    Image.fromarray(big).save(tmp_path / "photo.jpg", subsampling=0)
    photo = read_photo(tmp_path / "photo.jpg", max_side=1280)
    assert photo.picture.shape == (720, 1280, 3)
    assert photo.stored_size == (3840, 2160)
    assert colours_of(photo.picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_a_truncated_photo_is_refused(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole{suffix}")
    cut = cut_off(tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}", 0.5)
    with pytest.raises(DamagedMediaError, match="Send the file again"):
        read_photo(cut, max_side=1280)


def test_a_huge_photo_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "photo.png")
    with pytest.raises(MediaError, match=r"30000x30000 pixels.* 900 MB.*Scale it down"):
        read_photo(tmp_path / "photo.png", max_side=1280)


def test_a_tiny_picture_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 9)).save(tmp_path / "line.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    for name, size in (("line.png", "2000x9"), ("dot.png", "1x1")):
        with pytest.raises(MediaError, match=rf"{size} pixels.*at least 8 pixels"):
            read_photo(tmp_path / name, max_side=1280)


def test_a_colour_profile_is_applied_and_an_invalid_one_is_noted(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(four_colours())
    image.save(tmp_path / "good.png", icc_profile=srgb)
    image.save(tmp_path / "bad.png", icc_profile=b"no profile at all")
    image.convert("CMYK").save(tmp_path / "wrong.jpg", icc_profile=srgb, quality=95)
    good, bad, wrong = (
        read_photo(tmp_path / name, max_side=1280) for name in ("good.png", "bad.png", "wrong.jpg")
    )
    for photo in (good, bad, wrong):
        assert colours_of(photo.picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]
    assert good.notes == ()
    assert "colour profile is invalid" in bad.notes[0] and bad.notes == wrong.notes
