"""Photos with missing or damaged parts: used as far as possible, refused if much is missing."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.warm.media.pictures import colours_of, four_colours
from tests.warm.media.test_photo_orientation import UPRIGHT, encoded, read, with_chunk
from tests.warm.sample_videos import Picture, portrait
from warm.media.photo import Photo, read_photo
from warm.media.sniff import DamagedMediaError


def face() -> Image.Image:
    """Return the portrait, 512x600."""
    return Image.fromarray(np.ascontiguousarray(portrait()[..., ::-1]))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def difference(photo: Photo, whole: Picture) -> float:
    """Return the largest difference to the upper part of a (h, w, 3) BGR picture."""
    return float(np.abs(photo.picture.astype(int) - whole[: len(photo.picture)]).max())


@pytest.mark.parametrize("is_progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_mark_is_used_whole(
    missing: int, is_progressive: bool, tmp_path: Path
) -> None:
    data = saved(face(), "jpeg", progressive=is_progressive)
    whole = read(tmp_path / "whole.jpg", data)
    photo = read(tmp_path / "cut.jpg", data[:-missing])
    assert np.array_equal(photo.picture, whole.picture)
    assert not whole.notes and "end of the file is missing" in photo.notes[0]


@pytest.mark.parametrize("filler", [b"", b"\0" * 30_000])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_missing_end_of_a_jpeg_is_cut_off(mode: str, filler: bytes, tmp_path: Path) -> None:
    data = saved(face().convert(mode), "jpeg", quality=92)
    whole = read(tmp_path / "whole.jpg", data).picture
    photo = read(tmp_path / "cut.jpg", data[: int(len(data) * 0.96)] + filler)
    assert 540 <= len(photo.picture) < 600
    assert photo.picture.shape[1:] == (512, 3)
    assert difference(photo, whole) == 0
    assert "of the picture was cut off" in photo.notes[0]


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_photo_of_which_much_is_missing_is_refused_with_the_share(
    kind: str, tmp_path: Path
) -> None:
    data = saved(face(), kind)
    with pytest.raises(
        DamagedMediaError, match=r"about [45]\d% of the picture, or of its detail, is missing"
    ):
        read(tmp_path / "cut", data[: int(len(data) * 0.52)])


def test_a_jpeg_whose_data_end_early_before_its_end_mark_is_noted(tmp_path: Path) -> None:
    data = saved(face(), "jpeg", quality=92)
    photo = read(tmp_path / "photo.jpg", data[: int(len(data) * 0.8)] + b"\xff\xd9")
    assert photo.picture.shape == (600, 512, 3)
    assert re.search(r"lowest 2\d% of the photo is plain grey", photo.notes[0])


def test_a_progressive_jpeg_is_used_once_its_details_are_there(tmp_path: Path) -> None:
    data = saved(face(), "jpeg", progressive=True, quality=92)
    whole = read(tmp_path / "whole.jpg", data).picture
    photo = read(tmp_path / "cut.jpg", data[: int(len(data) * 0.8)])
    assert photo.picture.shape == whole.shape
    assert np.abs(photo.picture.astype(int) - whole).mean() < 3
    with pytest.raises(
        DamagedMediaError, match=r"about \d+% of the picture, or of its detail, is missing"
    ):
        read(tmp_path / "early.jpg", data[: len(data) // 3])


def test_a_turned_photo_loses_its_missing_rows_before_it_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    data = saved(face().transpose(Image.Transpose.ROTATE_90), "jpeg", exif=exif, quality=92)
    photo = read(tmp_path / "cut.jpg", data[: int(len(data) * 0.97)])
    assert photo.picture.shape[0] == 600 and 470 <= photo.picture.shape[1] < 512
    assert photo.picture.std(axis=(0, 2)).min() > 5  # no grey column is left
    assert photo.stored_size[1] == 600


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("missing", [12, 14, 25])
def test_a_png_without_its_end_is_used_whole(missing: int, mode: str, tmp_path: Path) -> None:
    grey = np.asarray(face().resize((128, 150)).convert("L"))
    image = (
        Image.fromarray(grey.astype(np.uint16) * 257)
        if mode == "I;16"
        else face().resize((128, 150)).convert(mode)
    )
    data = saved(image, "png")
    whole = read(tmp_path / "whole.png", data).picture
    photo = read(tmp_path / "cut.png", data[:-missing])
    assert difference(photo, whole) == 0
    assert len(photo.picture) >= 148
    assert "end of the file is missing or damaged" in photo.notes[0]


def test_the_damaged_end_of_a_png_is_cut_off(tmp_path: Path) -> None:
    data = bytearray(saved(face(), "png"))
    whole = read(tmp_path / "whole.png", bytes(data)).picture
    data[int(len(data) * 0.995)] ^= 0xFF
    image = PngImagePlugin.PngImageFile(io.BytesIO(bytes(data)))
    with pytest.raises(OSError, match="data stream"):
        image.load()
    photo = read(tmp_path / "damaged.png", bytes(data))
    assert 540 <= len(photo.picture) < 600
    assert difference(photo, whole) == 0


def test_texts_of_any_size_in_a_png_are_not_read(tmp_path: Path) -> None:
    workflow = PngImagePlugin.PngInfo()
    workflow.add_text("workflow", "node " * 1_000_000, zip=True)
    workflow.add_itxt("XML:com.adobe.xmp", "x" * 3_000_000, zip=True)
    workflow.add_text("plain", "y" * 3_000_000)
    data = saved(Image.fromarray(four_colours()), "png", pnginfo=workflow)
    photo = read(tmp_path / "photo.png", data)
    assert colours_of(photo.picture) == UPRIGHT and not photo.notes


@pytest.mark.parametrize("name", [b"tEXt", b"iTXt", b"gAMA", b"cHRM", b"pHYs", b"tIME", b"abCd"])
def test_a_wrong_checksum_of_a_chunk_that_is_not_needed_is_ignored(
    name: bytes, tmp_path: Path
) -> None:
    png = with_chunk(encoded(Image.fromarray(four_colours()), "png"), name, b"\1", is_valid=False)
    photo = read(tmp_path / "photo.png", png)
    assert colours_of(photo.picture) == UPRIGHT and not photo.notes


@pytest.mark.parametrize(
    "body", [b"profile\0\0" + zlib.compress(b"x" * 200)[:-9], b"profile\0\0no zlib", b"", b"\0"]
)
def test_a_broken_colour_profile_of_a_png_is_ignored_and_noted(body: bytes, tmp_path: Path) -> None:
    png = with_chunk(encoded(Image.fromarray(four_colours()), "png"), b"iCCP", body)
    photo = read(tmp_path / "photo.png", png)
    assert colours_of(photo.picture) == UPRIGHT
    assert photo.notes == ("Damaged parts of the PNG were ignored: iCCP.",)


def test_a_png_with_a_damaged_header_is_refused(tmp_path: Path) -> None:
    data = bytearray(saved(face(), "png"))
    data[20] ^= 1
    with pytest.raises(DamagedMediaError, match="checksum of its IHDR chunk is wrong"):
        read(tmp_path / "photo.png", bytes(data))


def test_data_after_the_end_of_a_photo_is_ignored(tmp_path: Path) -> None:
    for kind in ("jpeg", "png", "webp", "gif"):
        data = saved(Image.fromarray(four_colours()), kind)
        photo = read(tmp_path / "photo", data + b"appended" * 1000)
        assert photo.picture.shape == (48, 64, 3)
        assert not photo.notes


def test_a_webp_of_which_the_last_byte_is_missing_is_used(tmp_path: Path) -> None:
    data = saved(face(), "webp")
    whole = read(tmp_path / "whole.webp", data).picture
    photo = read(tmp_path / "cut.webp", data[:-1])
    assert np.abs(photo.picture.astype(int) - whole).mean() < 1
    assert "end of the file is missing" in photo.notes[0]


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_the_first_picture_of_an_animation_is_used_and_noted(kind: str, tmp_path: Path) -> None:
    first = Image.fromarray(four_colours())
    options = {"lossless": True} if kind == "webp" else {}
    data = saved(
        first, kind, save_all=True, append_images=[first.rotate(180)], duration=40, **options
    )
    photo = read(tmp_path / "photo", data)
    assert colours_of(photo.picture) == UPRIGHT
    assert "is an animation; its first picture is used" in photo.notes[0]


def test_a_transparent_gif_and_webp_are_composited_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[:, 32:] = (255, 0, 0, 255)
    for kind in ("gif", "webp"):
        picture = read(tmp_path / "photo", saved(Image.fromarray(rgba), kind)).picture
        assert picture[24, 8].tolist() == [255, 255, 255]
        assert np.abs(picture[24, 56].astype(int) - [0, 0, 255]).max() <= 6


@pytest.mark.parametrize("has_marker", [True, False])
def test_cmyk_is_inverted_only_with_the_marker_of_adobe(has_marker: bool, tmp_path: Path) -> None:
    cmyk = Image.fromarray(four_colours()).convert("CMYK")
    data = saved(cmyk, "jpeg", quality=95)
    at = data.index(b"\xff\xee")
    length = struct.unpack(">H", data[at + 2 : at + 4])[0]
    if not has_marker:  # Pillow reads such files like those with the marker, as browsers do
        data = data[:at] + data[at + 2 + length :]
    assert colours_of(read(tmp_path / "photo.jpg", data).picture) == UPRIGHT


def test_the_second_picture_of_a_stereo_photo_is_ignored(tmp_path: Path) -> None:
    first = Image.fromarray(four_colours())
    path = tmp_path / "stereo.jpg"
    first.save(path, "MPO", save_all=True, append_images=[first.rotate(180)], quality=95)
    photo = read_photo(path, max_side=1280)
    assert colours_of(photo.picture) == UPRIGHT and not photo.notes


def test_a_png_without_its_palette_is_refused(tmp_path: Path) -> None:
    data = saved(face().convert("P"), "png").replace(b"PLTE", b"tEXt")
    with pytest.raises(DamagedMediaError, match="its palette is missing"):
        read(tmp_path / "photo.png", data)
