"""Hostile pictures."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
BOMB_MB = 300
"""Size of a bomb after expansion."""


def encoded(format_name: str, side: int = 96, **options: object) -> bytes:
    """Return an ordinary picture."""
    grid = np.indices((side, side)).sum(axis=0) % 200
    file = io.BytesIO()
    picture = Image.fromarray(np.repeat(grid[..., None], 3, axis=2).astype(np.uint8))
    picture.save(file, format_name, **options)
    return file.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def zeros(megabytes: int) -> bytes:
    """Return compressed zeros."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def png_of_size(width: int, height: int, data: bytes, depth: int = 8, colours: int = 2) -> bytes:
    """Return a PNG that announces a size."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
    return PNG_HEAD + chunks


def with_chunk(png: bytes, chunk: bytes) -> bytes:
    """Insert a chunk after the header of a PNG."""
    return png[:33] + chunk + png[33:]


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield pictures that would fill the memory."""
    yield "PNG 100000x100000", png_of_size(100_000, 100_000, zeros(1))
    yield "PNG 2^31 wide", png_of_size(0x7FFFFFFF, 0x7FFFFFFF, zeros(1))
    yield "PNG without rows", png_of_size(0, 10, zeros(1))
    yield "PNG 60000x60000, 16 bits", png_of_size(60_000, 60_000, zeros(BOMB_MB), 16, 6)
    yield (
        "GIF 65535x65535",
        b"GIF89a\xff\xff\xff\xff\x80\0\0"
        + bytes(6)
        + (b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;"),
    )
    yield (
        "BMP 60000x60000",
        b"BM"
        + struct.pack("<IHHI", 1 << 20, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
        + bytes(1000),
    )
    jpeg = encoded("JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    yield "JPEG 65500x65500", jpeg[:at] + b"\xff\xdc\xff\xdc" + jpeg[at + 4 :]
    entries = [(256, 4, 1, 100_000), (257, 4, 1, 100_000), (258, 3, 1, 8), (259, 3, 1, 1),
               (262, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, 100_000), (279, 4, 1, 100)]  # fmt: skip
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    yield "TIFF 100000x100000", b"II*\0\x08\0\0\0" + struct.pack("<H", 8) + tags + bytes(200)
    yield "TIFF whose directories form a circle", b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + bytes(50)


def bombs_in_metadata() -> Iterator[tuple[str, bytes]]:
    """Yield small pictures whose metadata would expand to hundreds of megabytes."""
    png, data = encoded("PNG"), zeros(BOMB_MB)
    yield "PNG zTXt bomb", with_chunk(png, png_chunk(b"zTXt", b"k\0\0" + data))
    yield "PNG iTXt bomb", with_chunk(png, png_chunk(b"iTXt", b"k\0\1\0\0\0" + data))
    yield "PNG iCCP bomb", with_chunk(png, png_chunk(b"iCCP", b"k\0\0" + data))
    many = b"".join(png_chunk(b"tEXt", b"k\0v") for _ in range(100_000))
    yield "PNG with 100000 texts", with_chunk(png, many)


def truncated() -> Iterator[tuple[str, bytes]]:
    """Yield pictures that are cut off."""
    for name in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        data = encoded(name, side=256)
        for share in (0.02, 0.3):
            yield f"{name} cut off at {share:.0%}", data[: max(16, int(len(data) * share))]


def disguised() -> Iterator[tuple[str, bytes]]:
    """Yield files that only pretend to be pictures."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "SVG", svg
    entity = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    yield "SVG with an entity", entity + svg
    for head in (b"\xff\xd8\xff", PNG_HEAD, b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP"):
        yield f"script after {head[:4]!r}", head + b"<script>alert(1)</script>" * 10
    yield "EPS in TIFF's place", b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n"
    yield "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(100)
    yield "ELF", b"\x7fELF\x02\x01\x01" + bytes(200)
