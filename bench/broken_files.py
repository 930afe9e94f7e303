"""Broken media files: small whole files of common formats, and seeded damage to them."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
from PIL import Image
from PIL.PngImagePlugin import PngInfo

HEADER_BYTES = 600
"""Range in which fields of headers are changed."""
FIELD_VALUES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1.2:sample_rate=44100")
TEST_CARD = ("-f", "lavfi", "-i", "testsrc=duration=0.6:size=96x64:rate=25")
SOUNDS = {
    "a.wav": (),
    "float.wav": ("-c:a", "pcm_f32le"),
    "long.wav": ("-rf64", "always"),
    "a.w64": (),
    "a.aiff": (),
    "a.mp3": ("-c:a", "libmp3lame", "-metadata", "title=Title"),
    "opus.ogg": ("-c:a", "libopus", "-ar", "48000"),
    "vorbis.ogg": ("-c:a", "libvorbis"),
    "flac.ogg": ("-c:a", "flac"),
    "a.flac": (),
    "a.m4a": ("-c:a", "aac"),
    "a.aac": ("-c:a", "aac"),
    "a.webm": ("-c:a", "libopus", "-ar", "48000"),
    "a.mkv": ("-c:a", "ac3", "-ar", "48000"),
    "a.avi": ("-c:a", "libmp3lame"),
}
"""Options of ffmpeg for the sound files."""
VIDEOS = {
    "v.mp4": ("-c:v", "libx264", "-c:a", "aac"),
    "fragments.mp4": ("-c:v", "libx264", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    "v.mov": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "v.webm": ("-c:v", "libvpx", "-c:a", "libopus", "-ar", "48000"),
    "v.mkv": ("-c:v", "libx264", "-c:a", "libvorbis"),
    "v.avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
}
PHOTOS = ("p.jpg", "p.png", "p.webp", "p.gif", "p.tiff", "p.bmp")


def write_whole_files(folder: Path) -> list[Path]:
    """Write one whole file of each format."""
    for name, options in SOUNDS.items():
        _ffmpeg(*TONE, "-ac", "1", *options, folder / name)
    for name, options in VIDEOS.items():
        _ffmpeg(*TEST_CARD, *TONE, "-shortest", *options, folder / name)
    for name in PHOTOS:
        _write_photo(folder / name)
    return sorted(folder.iterdir())


def _ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)


def _write_photo(path: Path) -> None:
    pixels = random.Random(0).randbytes(48 * 32 * 3)
    picture = Image.frombytes("RGB", (48, 32), pixels).resize((96, 64))
    if path.suffix == ".png":
        text = PngInfo()
        text.add_text("Comment", "text " * 50, zip=True)
        picture.save(path, pnginfo=text)
        return
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    picture.save(path, exif=exif) if path.suffix in {".jpg", ".webp"} else picture.save(path)


def broken(whole: list[bytes], rng: random.Random) -> tuple[int, bytes]:
    """Return the index of a whole file and a damaged copy of it, damaged in one to three ways."""
    index = rng.randrange(len(whole))
    data = bytearray(whole[index])
    for _ in range(rng.randint(1, 3)):
        rng.choice(DAMAGES)(data, rng, whole)
    return index, bytes(data)


Damage = Callable[[bytearray, random.Random, list[bytes]], None]


def flip_bits(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Flip up to forty bits anywhere."""
    for _flip in range(rng.randint(1, 40)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_header_bits(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Flip up to eight bits near the start."""
    for _flip in range(rng.randint(1, 8)):
        if data:
            data[rng.randrange(min(len(data), HEADER_BYTES))] ^= 1 << rng.randrange(8)


def truncate(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Cut off the end."""
    del data[rng.randint(0, len(data)) :]


def splice(data: bytearray, rng: random.Random, whole: list[bytes]) -> None:
    """Replace a range by a range of another file."""
    start, end = _range(data, rng)
    other = rng.choice(whole)
    first = rng.randint(0, len(other))
    data[start:end] = other[first : first + rng.randint(0, 4000)]


def clear(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Fill a range with zeros."""
    start, end = _range(data, rng)
    data[start:end] = bytes(end - start)


def duplicate(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Repeat a range."""
    start, end = _range(data, rng)
    data[end:end] = data[start:end]


def remove(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Remove a range."""
    start, end = _range(data, rng)
    del data[start:end]


def change_field(data: bytearray, rng: random.Random, _: list[bytes]) -> None:
    """Set up to three numbers of two or four bytes in the header, or in the index at the end."""
    for _field in range(rng.randint(1, 3)):
        size, value = rng.choice((2, 4)), rng.choice(FIELD_VALUES)
        span = min(len(data), HEADER_BYTES)
        at = rng.randrange(span + 1) if rng.random() < 0.8 else len(data) - rng.randint(0, span)
        field = (value & (1 << 8 * size) - 1).to_bytes(size, "big")
        data[at : at + size] = field if rng.random() < 0.5 else field[::-1]


def _range(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(0, 3000))


DAMAGES: tuple[Damage, ...] = (
    *(flip_bits, flip_header_bits, truncate, splice, clear, duplicate, remove, change_field),
)
