"""Films show the right colours in the right places, in every size.

These tests would miss: errors below 2 of 255 in flat colours, chroma shifted by less than a pixel,
edges inside a pair of pixels (4:2:0 mixes their colours), and players that place chroma
differently. They find chroma planes with a wrong origin or size, which stretches or shifts all
colours, and pictures that are scaled. The quantizer is finer than in normal use.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from session.factory import WriterKind, create_film
from session.film import FilmSpec
from session.mp4.concat_clips import concat_clips
from session.video_encoder import VideoEncoder
from tests.blocks import FINE, ODD_SIZES, SIZES, Picture, blocks, require_blocks
from tests.session.mp4.sample_clips import FFMPEG

pytestmark = pytest.mark.slow

Size = tuple[int, int]


@pytest.fixture(autouse=True)
def _fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("session.video_encoder.CRF", FINE)


@pytest.mark.parametrize("size", SIZES + ODD_SIZES)
@pytest.mark.parametrize("kind", ["fragments", "concat"])
def test_both_writers_keep_colours_in_their_places(
    tmp_path: Path, kind: WriterKind, size: Size
) -> None:
    path, spec = tmp_path / "film.mp4", FilmSpec(width=size[0], height=size[1], fps=25)
    film = create_film(path, spec, kind)
    clip, silence = film.begin(""), np.zeros(spec.samples_per_frame, np.float32)
    for number in range(film.alignment_frames):
        clip.write([blocks(size, number)], silence)
    clip.finish()
    film.close()
    require_blocks(path, size, list(range(film.alignment_frames)))


@pytest.mark.parametrize("size", SIZES)
def test_clips_that_are_encoded_again_keep_colours_in_their_places(
    tmp_path: Path, size: Size
) -> None:
    require_blocks(normalised(tmp_path, size, "yuv420p"), size, [0] * 3 + [1] * 3)


@pytest.mark.parametrize("size", ODD_SIZES)
def test_clips_of_odd_size_are_encoded_again_without_being_scaled(
    tmp_path: Path, size: Size
) -> None:
    require_blocks(normalised(tmp_path, size, "yuv444p"), size, [0] * 3 + [1] * 3)


@pytest.mark.parametrize("shape", [(64, 66, 3), (66, 64, 3), (64, 64, 4), (65, 65, 3), (64, 64)])
def test_a_picture_of_another_size_is_refused_and_not_scaled(shape: tuple[int, ...]) -> None:
    encoder = VideoEncoder(FilmSpec(width=64, height=64, fps=25))
    with pytest.raises(ValueError, match=r"picture is .*; this film needs \(64, 64, 3\)"):
        encoder.encode([np.zeros(shape, np.uint8)])


def normalised(folder: Path, size: Size, pix_fmt: str) -> Path:
    """Join two clips that cannot be copied into one track by encoding both again."""
    clips = [
        clip(folder / f"{number}.mp4", [blocks(size, number)] * 3, pix_fmt, "-level", level)
        for number, level in enumerate(("4.0", "4.1"))
    ]
    concat_clips(clips, folder / "out.mp4", normalises=True)
    return folder / "out.mp4"


def clip(path: Path, pictures: list[Picture], pix_fmt: str, *options: str) -> Path:
    """Encode raw pictures with ffmpeg, nearly without loss."""
    height, width = pictures[0].shape[:2]
    raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", "25")
    command = [FFMPEG, "-v", "error", "-y", *raw, "-i", "-"]
    command += ["-vf", "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp"]
    command += ["-c:v", "libx264", "-threads", "1", "-crf", "1", "-pix_fmt", pix_fmt]
    command += ["-colorspace", "smpte170m"]  # the matrix of the filter, also for HD sizes
    planes = np.concatenate(pictures).tobytes()
    subprocess.run([*command, *options, str(path)], input=planes, check=True)
    return path
