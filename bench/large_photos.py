"""Peak memory and CPU time of decoding photos of 108 megapixels, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure

ROOT = Path(__file__).parents[1]
PHOTOS = {
    "baseline JPEG": ("photo.jpg", {"quality": 85}),
    "progressive JPEG": ("progressive.jpg", {"quality": 85, "progressive": True}),
    "PNG": ("photo.png", {"compress_level": 1}),
}
"""File and options for Pillow, by name."""
MOST_MB, MOST_S = 700, 20
WRITE = """
import json, sys
import numpy as np
from PIL import Image
noise = np.random.default_rng(0).integers(0, 255, (150, 200, 3), np.uint8)
Image.fromarray(noise).resize((12000, 9000)).save(sys.argv[1], **json.loads(sys.argv[2]))
"""
READ = """
import re, sys, time
from pathlib import Path
from warm.media.photo import read_photo
start = time.process_time()
read_photo(Path(sys.argv[1]), max_side=1280)
took_s = time.process_time() - start
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
print(int(peak[1]) / 1000, took_s)
"""
"""VmHWM instead of ru_maxrss, which a process inherits from the one that started it."""


def measure(_: Path) -> list[Figure]:
    """Decode each photo once."""
    figures = []
    with TemporaryDirectory() as folder:
        for name, (file, options) in PHOTOS.items():
            path = Path(folder) / file
            run(WRITE, str(path), json.dumps(options))
            peak_mb, took_s = map(float, run(READ, str(path)).split())
            prefix = f"108 megapixels as {name}: "
            figures += [
                Figure.at_most(f"{prefix}peak memory", peak_mb, "MB", MOST_MB, 1),
                Figure.at_most(f"{prefix}CPU time", took_s, "s", MOST_S, 1),
            ]
    return figures


def run(code: str, *arguments: str) -> str:
    """Run Python code in a process of its own; returns its output."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout
