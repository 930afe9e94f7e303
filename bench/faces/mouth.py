"""CPU time of one frame's mouth on one core: drawing and blending, without encoding.

`bench.faces.video` measures the same on the talking video.
"""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray

from bench.avatars import load_engine, prepare_demo
from bench.figure import Figure
from stabilizers.blend import BlendMode, paste
from tts.catalogue import espeak_voices
from warm.avatars.avatar import Avatar
from warm.engines.base import Engine, PatchRequest

TEXT = "The quick brown fox jumps over the lazy dog, while five wizards pack boxes of jam."
WARM_UP_FRAMES = 10

Times = NDArray[np.float64]


def measure(out: Path) -> list[Figure]:
    """Time mouth and compositing over a sentence, feathered and Poisson-blended."""
    with TemporaryDirectory() as folder, one_core():
        avatar = prepare_demo(Path(folder))
        feather, poisson = frame_times_s(avatar, "feather"), frame_times_s(avatar, "poisson")
    plot({"feather": feather, "Poisson": poisson}, out / "mouth.png")
    return [
        median_figure("mouth + composite, feather", feather, 2.5),
        median_figure("mouth + composite, Poisson", poisson, 6.0),
    ]


@contextmanager
def one_core() -> Iterator[None]:
    """Run OpenCV on the calling thread only, during the block."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def frame_times_s(avatar: Avatar, mode: BlendMode) -> Times:
    """Return (n,) CPU seconds of each frame of a sentence after the warm-up."""
    engine = load_engine(avatar)
    times_s = [
        draw_frame_s(engine, avatar, frame, weights, mode)
        for frame, weights in enumerate(mouth_track(engine, avatar.fps))
    ]
    return np.array(times_s[WARM_UP_FRAMES:])


def mouth_track(engine: Engine, fps: int) -> NDArray[np.float32]:
    """Return (n, 7) the mouth of the sentence."""
    with closing(espeak_voices()) as voices:
        tracks = [
            engine.encode_speech(speech, frames=int(speech.duration_s * fps), fps=fps)
            for speech in voices.speak(TEXT, voices.choose())
        ]
    return np.concatenate(tracks)


def draw_frame_s(
    engine: Engine, avatar: Avatar, cursor: int, weights: NDArray[np.float32], mode: BlendMode
) -> float:
    """Return the CPU seconds to draw one mouth and blend it into its frame."""
    index = avatar.index_at(cursor)
    picture = avatar.frames[index].copy()
    start = time.thread_time()
    (patch,) = engine.submit([PatchRequest(avatar, index, weights)]).patches()
    paste(picture, patch.picture, patch.mask, patch.to_frame, mode=mode)
    return time.thread_time() - start


def median_figure(name: str, times_s: Times, goal_ms: float) -> Figure:
    """Return the median frame time as a figure."""
    return Figure.at_most(name, 1000 * float(np.median(times_s)), "ms", goal_ms, len(times_s))


def plot(times_s: dict[str, Times], path: Path) -> None:
    """Plot the frame times of the sentence, one curve per blend mode."""
    sheet = Plot(figsize=(9, 4))
    axes = sheet.subplots()
    for name, times in times_s.items():
        axes.plot(times * 1000, label=name)
    axes.set(xlabel="frame of the sentence", ylabel="mouth + composite, ms", ylim=(0, None))
    axes.legend()
    sheet.savefig(path, dpi=110)
