"""Orientation of photos by EXIF and XMP, however the metadata are written or damaged."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.warm.media.pictures import BLUE, GREEN, RED, WHITE, colours_of, four_colours
from warm.media.photo import Photo, read_photo

UPRIGHT = [[*RED], [*GREEN], [*BLUE], [*WHITE]]
TAG = 0x112
Entry = tuple[int, int, int, bytes]
"""(tag, type, count, four bytes of value or offset)."""
APP1 = b"\xff\xe1"
XMP = b"http://ns.adobe.com/xap/1.0/\0"


def exif(entries: list[Entry], order: str = "<", count: int | None = None) -> bytes:
    """Return an EXIF block with these entries in its first directory."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    directory = struct.pack(order + "H", len(entries) if count is None else count)
    for tag, kind, length, value in entries:
        directory += struct.pack(order + "HHI", tag, kind, length) + value
    return b"Exif\0\0" + head + directory + bytes(4)


def turned(value: int, order: str = "<") -> Entry:
    return TAG, 3, 1, struct.pack(order + "HH", value, 0)


def stored(value: int) -> Image.Image:
    """Return the picture as a camera stores it that marks it with this orientation."""
    image = Image.fromarray(four_colours())
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 1: None}[value]
    return image if undo is None else image.transpose(undo)


def encoded(image: Image.Image, kind: str = "jpeg") -> bytes:
    data = io.BytesIO()
    options = {"quality": 95, "subsampling": 0} if kind == "jpeg" else {}
    image.save(data, kind, **options)
    return data.getvalue()


def with_segments(jpeg: bytes, *bodies: bytes) -> bytes:
    """Insert APP1 segments after the start of a JPEG."""
    segments = [APP1 + struct.pack(">H", len(body) + 2) + body for body in bodies]
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def with_chunk(png: bytes, name: bytes, body: bytes, *, is_valid: bool = True) -> bytes:
    """Insert a chunk after the header of a PNG."""
    checksum = zlib.crc32(name + body) ^ (0 if is_valid else 1)
    return png[:33] + struct.pack(">I", len(body)) + name + body + checksum.to_bytes(4) + png[33:]


def read(path: Path, data: bytes) -> Photo:
    path.write_bytes(data)
    return read_photo(path, max_side=1280)


def is_upright(photo: Photo) -> bool:
    return photo.picture.shape == (48, 64, 3) and colours_of(photo.picture) == UPRIGHT


BROKEN = {
    "a negative number in an unsigned tag": [(0x100, 8, 1, struct.pack("<i", -5)), turned(6)],
    "an offset behind the end": [(0x10F, 2, 5000, struct.pack("<I", 1 << 30)), turned(6)],
    "text that is not ASCII": [(0x10F, 2, 4, b"\xff\xfe\x80\x00"), turned(6)],
    "an unknown type": [(0x110, 99, 1, bytes(4)), turned(6)],
    "a division by zero": [(0x11A, 5, 1, struct.pack("<I", 8)), turned(6)],
    "a huge count": [(0x131, 7, 0xFFFFFFFF, bytes(4)), turned(6)],
    "a directory that contains itself": [turned(6), (0x8769, 4, 1, struct.pack("<I", 8))],
    "a GPS directory that is a text": [turned(6), (0x8825, 2, 4, b"abc\0")],
    "orientation as a byte": [(TAG, 1, 1, b"\6\0\0\0")],
    "orientation as a long": [(TAG, 4, 1, struct.pack("<I", 6))],
    "orientation as a text": [(TAG, 2, 2, b"6\0\0\0")],
    "orientation of unknown type": [(TAG, 77, 1, struct.pack("<HH", 6, 0))],
    "orientation as two numbers": [(TAG, 3, 2, struct.pack("<HH", 6, 6))],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_photo_with_broken_exif_is_still_turned_upright(name: str, tmp_path: Path) -> None:
    block = exif(BROKEN[name])
    jpeg = with_segments(encoded(stored(6)), block)
    assert is_upright(read(tmp_path / "photo.jpg", jpeg))
    png = with_chunk(encoded(stored(6), "png"), b"eXIf", block.removeprefix(b"Exif\0\0"))
    assert is_upright(read(tmp_path / "photo.png", png))


def test_exif_that_is_cut_off_after_the_orientation_is_read(tmp_path: Path) -> None:
    block = exif([turned(6), (0x10F, 2, 99, bytes(4))], count=40)[:-8]
    assert is_upright(read(tmp_path / "a.jpg", with_segments(encoded(stored(6)), block)))
    junk = b"Exif\0\0\0\0" + exif([turned(3, ">")], ">").removeprefix(b"Exif\0\0")
    assert is_upright(read(tmp_path / "b.jpg", with_segments(encoded(stored(3)), junk)))


def test_the_first_readable_exif_block_of_several_counts(tmp_path: Path) -> None:
    blocks = [b"Exif\0\0 nothing", exif([turned(6)]), exif([turned(3)])]
    assert is_upright(read(tmp_path / "photo.jpg", with_segments(encoded(stored(6)), *blocks)))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored_and_noted(
    value: int, tmp_path: Path
) -> None:
    jpeg = with_segments(encoded(stored(1)), exif([turned(value)]))
    photo = read(tmp_path / "photo.jpg", jpeg)
    assert is_upright(photo)
    assert f"orientation is {value}; only 1 to 8 exist" in photo.notes[0]


def test_the_orientation_of_xmp_counts_only_if_exif_has_none(tmp_path: Path) -> None:
    packet = XMP + b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    alone = read(tmp_path / "a.jpg", with_segments(encoded(stored(6)), packet))
    assert is_upright(alone) and not alone.notes
    element = XMP + b"<tiff:Orientation>6</tiff:Orientation>"
    both = read(tmp_path / "b.jpg", with_segments(encoded(stored(3)), element, exif([turned(3)])))
    assert is_upright(both)
    assert "contradict each other: orientation 3 and 6" in both.notes[0]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_the_orientation_is_read_from_texts_of_a_png(is_compressed: bool, tmp_path: Path) -> None:
    packet = b"<tiff:Orientation>6</tiff:Orientation>"
    body = b"XML:com.adobe.xmp\0" + bytes([is_compressed, 0]) + b"\0\0"
    body += zlib.compress(packet) if is_compressed else packet
    png = with_chunk(encoded(stored(6), "png"), b"iTXt", body)
    assert is_upright(read(tmp_path / "xmp.png", png))
    block = exif([turned(6)])
    profile = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
    text = b"\0" + zlib.compress(profile) if is_compressed else profile
    name = b"zTXt" if is_compressed else b"tEXt"
    png = with_chunk(encoded(stored(6), "png"), name, b"Raw profile type exif\0" + text)
    assert is_upright(read(tmp_path / "profile.png", png))


def test_the_orientation_is_read_although_the_checksum_of_its_chunk_is_wrong(
    tmp_path: Path,
) -> None:
    block = exif([turned(6)]).removeprefix(b"Exif\0\0")
    png = with_chunk(encoded(stored(6), "png"), b"eXIf", block, is_valid=False)
    assert is_upright(read(tmp_path / "photo.png", png))


def test_webp_and_tiff_are_turned_upright_by_broken_exif_too(tmp_path: Path) -> None:
    block = exif(BROKEN["a negative number in an unsigned tag"])
    data = io.BytesIO()
    stored(6).save(data, "webp", lossless=True, exif=block)
    assert is_upright(read(tmp_path / "photo.webp", data.getvalue()))
    directory = Image.Exif()
    directory[TAG], directory[0x10F] = 6, "maker"
    data = io.BytesIO()
    stored(6).save(data, "tiff", exif=directory)
    tiff = data.getvalue().replace(struct.pack("<HH", 0x10F, 2), struct.pack("<HH", 0x10F, 99))
    assert is_upright(read(tmp_path / "photo.tiff", tiff))


def random_entry(rng: random.Random) -> Entry:
    tag = rng.choice(
        [0x100, 0x10F, 0x11A, 0x132, 0x8769, 0x8825, 0x9286, 0xA005, rng.getrandbits(16)]
    )
    count = rng.choice([0, 1, 2, 5, 1000, rng.getrandbits(32)])
    return tag, rng.choice([*range(14), rng.getrandbits(16)]), count, rng.randbytes(4)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda block: with_segments(encoded(stored(6)), block),
        lambda block: with_chunk(encoded(stored(6), "png"), b"eXIf", block[6:]),
    ],
)
def test_a_photo_is_upright_with_any_other_exif_tags(
    wrapped: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    rng = random.Random(0)
    for _ in range(250):
        order = rng.choice("<>")
        entries = [random_entry(rng) for _ in range(rng.randrange(12))]
        entries = [each for each in entries if each[0] != TAG]
        entries.insert(rng.randrange(len(entries) + 1), turned(6, order))
        assert is_upright(read(tmp_path / "photo", wrapped(exif(entries, order))))


def test_random_bytes_as_exif_never_prevent_a_photo_from_being_read(tmp_path: Path) -> None:
    rng = random.Random(1)
    for k in range(250):
        block = bytearray(exif([random_entry(rng) for _ in range(8)] + [turned(6)]))
        for _ in range(rng.randrange(1, 20)):
            block[rng.randrange(len(block))] = rng.randrange(256)
        jpeg = with_segments(encoded(stored(6)), bytes(block[: rng.randrange(len(block))]))
        photo = read(tmp_path / "photo.jpg", jpeg)
        assert np.prod(photo.picture.shape) == 48 * 64 * 3, k
