"""Enhanced films: flicker, sharpness, lips, similarity to a known original, sound, resumption.

The talking video is scaled down by two and enhanced back to its original size by `sharpen`, which
needs no weights. The result is compared with the same pictures after a plain enlargement.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from bench.avatars import TALKING_VIDEO, require_talking_video
from bench.enhancement.measures import (
    Aligned,
    Pictures,
    aligned,
    enlarged,
    head_transforms,
    landmarks_of,
    lip_agreement,
    pictures_of,
    psnr,
)
from bench.figure import Figure
from isolation.process import ROOT
from session.media_file import open_media
from warm.enhance.film import ENHANCING
from warm.enhance.work_folder import part_name, work_path
from warm.prepare.run import FACE_MODELS

FRAMES, FPS, FACTOR = 100, 25, 2
WAIT_S = 900.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Films:
    """Four versions of a film: original, scaled down, plainly enlarged, and enhanced."""

    original: Pictures
    small: Pictures
    plain: Pictures
    enhanced: Pictures


def measure(_out: Path) -> list[Figure]:
    """Measure all figures of enhanced films."""
    require_talking_video()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, whole, killed = (folder / f"{each}.mp4" for each in ("in", "whole", "killed"))
        original = pictures_of(TALKING_VIDEO, FRAMES)
        write_small(source, original)
        enhance(source, whole).wait(WAIT_S)
        small = pictures_of(source)
        films = Films(original, small, enlarged(small, FACTOR), pictures_of(whole))
        return [
            *picture_figures(films),
            sound_figure(source, whole),
            resumption_figure(source, whole, killed),
        ]


def write_small(path: Path, pictures: Pictures) -> None:
    """Write pictures at half their size, with the sound of the talking video."""
    with (
        open_media(TALKING_VIDEO) as sound,
        av.open(str(path), "w") as container,
    ):
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height = (side // FACTOR for side in pictures[0].shape[1::-1])
        video.pix_fmt, video.options = "yuv420p", {"crf": "12"}
        audio: Any = container.add_stream_from_template(sound.streams.audio[0])
        for index, picture in enumerate(pictures):
            small = cv2.resize(picture, (video.width, video.height), interpolation=cv2.INTER_AREA)
            frame = av.VideoFrame.from_ndarray(np.asarray(small, np.uint8), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for packet in sound.demux(sound.streams.audio[0]):
            if packet.dts is not None and packet.dts * audio.time_base < len(pictures) / FPS:
                packet.stream = audio
                container.mux(packet)


def enhance(source: Path, out: Path) -> "subprocess.Popen[bytes]":
    """Start the command."""
    options = ("--method", "sharpen", "--upscale", str(FACTOR))
    command = [sys.executable, "-m", "warm", "enhance", str(source), str(out), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def picture_figures(films: Films) -> list[Figure]:
    """Compare the faces of the films, aligned by the landmarks of the small one."""
    count = len(films.enhanced)
    points = landmarks_of(films.small, FACE_MODELS)
    transforms = head_transforms(films.small, points, FPS)
    small = aligned(films.small, transforms, 1)
    plain, enhanced, original = (
        aligned(each, transforms, FACTOR) for each in (films.plain, films.enhanced, films.original)
    )
    agreement, lag = lip_agreement(points, landmarks_of(films.enhanced, FACE_MODELS))
    return [
        *flicker_figures(small, plain, enhanced),
        Figure.at_least(
            "enhance: sharpness of the face, of the plainly enlarged",
            enhanced.sharpness / plain.sharpness, "", 1.15, count,
        ),
        Figure.at_least(
            "enhance: PSNR to the original, above the plainly enlarged",
            psnr(enhanced.luma, original.luma) - psnr(plain.luma, original.luma), "dB", -0.3, count,
        ),
        Figure.at_least("enhance: correlation of the lips' opening", agreement, "", 0.98, count),
        Figure.at_most("enhance: lag of the lips", abs(lag), "frames", 0, count),
    ]  # fmt: skip


def flicker_figures(small: Aligned, plain: Aligned, enhanced: Aligned) -> list[Figure]:
    """Compare the differences between neighbouring aligned frames."""
    count = len(small.luma) - 1
    return [
        Figure.at_most(
            "enhance: flicker of the face, of the source's own",
            enhanced.flicker / small.flicker, "", 1.1, count,
        ),
        Figure.at_most(
            "enhance: flicker of the face, of the plainly enlarged",
            enhanced.flicker / plain.flicker, "", 1.1, count,
        ),
    ]  # fmt: skip


def sound_figure(source: Path, enhanced: Path) -> Figure:
    """Count the decoded samples that differ."""
    one, two = samples_of(source), samples_of(enhanced)
    differing = abs(one.size - two.size)
    length = min(one.size, two.size)
    differing += int((one[:length] != two[:length]).sum())
    return Figure.at_most("enhance: samples of the sound that differ", differing, "", 0, one.size)


def samples_of(film: Path) -> NDArray[np.float32]:
    """Return all samples of a film's sound."""
    with open_media(film) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=-1).reshape(-1).astype(np.float32)


def resumption_figure(source: Path, whole: Path, out: Path) -> Figure:
    """Kill an enhancement after its first part, resume it, and count the pictures that differ."""
    process = enhance(source, out)
    deadline_s = time.monotonic() + WAIT_S
    while not (work_path(out) / part_name(0)).exists():
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"no part was written while {ENHANCING}")
        time.sleep(POLL_S)
    process.kill()
    process.wait()
    if out.exists():
        raise RuntimeError("OUT appeared before it was complete")
    enhance(source, out).wait(WAIT_S)
    one, two = packets_of(whole), packets_of(out)
    differing = abs(len(one) - len(two)) + sum(a != b for a, b in zip(one, two, strict=False))
    name = "enhance: pictures that differ after kill -9 and another run"
    return Figure.at_most(name, differing, "", 0, len(one))


def packets_of(film: Path) -> list[bytes]:
    """Return the encoded pictures of a film."""
    with open_media(film) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]
