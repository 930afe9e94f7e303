"""Photos of more than a hundred megapixels: memory stays bounded, bombs are refused."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.warm.media.pictures import BLUE, GREEN, RED, WHITE, colours_of, four_colours
from warm.media.photo import read_photo
from warm.media.sniff import MediaError

ROOT = Path(__file__).parents[3]
WRITE = """
import sys
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
small = Image.open(sys.argv[1])
small.resize((9000, 12000), Image.Resampling.NEAREST).save(sys.argv[2], quality=80)
"""
READ = """
import re, sys
from pathlib import Path
import numpy as np
from warm.media.photo import read_photo
photo = read_photo(Path(sys.argv[1]), max_side=1280)
assert photo.stored_size == (9000, 12000), photo.stored_size
np.save(sys.argv[2], photo.picture)
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def run(code: str, *arguments: Path) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_photo_of_108_megapixels_is_decoded_in_little_memory(tmp_path: Path) -> None:
    Image.fromarray(four_colours()).save(tmp_path / "small.png")
    run(WRITE, tmp_path / "small.png", tmp_path / "big.jpg")
    # Not ru_maxrss, which a process inherits from the one that started it.
    peak_kb = int(run(READ, tmp_path / "big.jpg", tmp_path / "read.npy"))
    picture = np.load(tmp_path / "read.npy")
    assert picture.shape == (1280, 960, 3)
    assert colours_of(picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]
    assert peak_kb < 300_000


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK", "I;16"])
def test_scaling_in_strips_equals_scaling_at_once(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warm.media.picture_size.STRIP_PIXELS", 10_000)
    rng = np.random.default_rng(0)
    base = Image.fromarray(rng.integers(0, 255, (70, 60, 3), np.uint8)).resize((480, 561))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(base.convert("L")).astype(np.uint16) * 257)
    else:
        image = base.convert(mode)
    path = tmp_path / f"photo.{'tiff' if mode == 'CMYK' else 'png'}"
    image.save(path)
    photo = read_photo(path, max_side=80)
    grey = np.asarray(image.convert("L") if mode != "I;16" else base.convert("L")).astype(float)
    expected = np.asarray(Image.fromarray(grey).resize((68, 80), Image.Resampling.BOX))
    found = photo.picture.astype(float) @ [0.114, 0.587, 0.299]
    assert photo.picture.shape == (80, 68, 3)
    assert np.abs(found - expected).mean() < 2.5


def bomb(kind: str) -> bytes:
    """Return a small file that announces a picture of more than a gigabyte."""
    if kind == "png":
        header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
        parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
        chunks = [
            struct.pack(">I", len(body)) + name + body + zlib.crc32(name + body).to_bytes(4)
            for name, body in parts
        ]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    data = io.BytesIO()
    Image.fromarray(four_colours()).save(
        data, kind, **({"progressive": True} if kind == "jpeg" else {})
    )
    found = data.getvalue()
    if kind == "webp":
        return found[:26] + struct.pack("<HH", 16383, 16383) + found[30:]
    if kind == "gif":
        return found[:6] + struct.pack("<HH", 65535, 65535) + found[10:]
    if kind == "bmp":
        return found[:18] + struct.pack("<ii", 60_000, 60_000) + found[26:]
    at = found.index(b"\xff\xc2")
    return found[: at + 5] + struct.pack(">HH", 65_000, 65_000) + found[at + 9 :]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp"])
def test_a_small_file_that_announces_a_giant_picture_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(bomb(kind))
    with pytest.raises(MediaError, match=r"MB of memory; at most 800 MB are allowed. Scale it"):
        read_photo(path, max_side=1280)
