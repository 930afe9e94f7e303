"""What one frame's mouth costs: drawing it and blending it in, on one core, without encoding.

The same on the talking video is one of `bench.faces.video`'s figures.
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

from bench.figure import Figure
from stabilizers.blend import BlendMode, paste
from tts.espeak import EspeakVoices
from warm.__main__ import demo_portrait
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.engines.base import Engine, PatchRequest
from warm.engines.factory import make_engine
from warm.prepare.run import prepare
from warm.settings import Settings

TEXT = "The quick brown fox jumps over the lazy dog, while five wizards pack boxes of jam."
WARM_UP_FRAMES = 10

Times = NDArray[np.float64]


def measure(out: Path) -> list[Figure]:
    """Mouth and composite of a spoken sentence, feathered and seamless."""
    with TemporaryDirectory() as folder, one_core():
        store = AvatarStore(Path(folder))
        demo = prepare(demo_portrait(), avatar_id="demo", store=store)
        timed = {"feather": spoken(demo, "feather"), "Poisson": spoken(demo, "poisson")}
        figures = [
            figure("mouth + composite, feather", timed["feather"], 2.5),
            figure("mouth + composite, Poisson", timed["Poisson"], 6.0),
        ]
    plot(timed, out / "mouth.png")
    return figures


@contextmanager
def one_core() -> Iterator[None]:
    """OpenCV on the calling thread only."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def spoken(avatar: Avatar, mode: BlendMode) -> Times:
    """(n,) seconds that each frame of a sentence took."""
    engine = make_engine(Settings())
    engine.load()
    engine.load_avatar(avatar)
    track = shapes_of(engine, avatar.fps)
    times = [draw(engine, avatar, frame, shapes, mode) for frame, shapes in enumerate(track)]
    return np.array(times[WARM_UP_FRAMES:])


def shapes_of(engine: Engine, fps: int) -> NDArray[np.float32]:
    """(n, 7) the mouth of the sentence."""
    with closing(EspeakVoices()) as voices:
        rows = [
            engine.encode_speech(speech, frames=int(speech.duration_s * fps), fps=fps)
            for speech in voices.speak(TEXT, voices.choose())
        ]
    return np.concatenate(rows)


def draw(
    engine: Engine, avatar: Avatar, cursor: int, shapes: NDArray[np.float32], mode: BlendMode
) -> float:
    """Processor seconds for one mouth, drawn and blended into its frame."""
    index = avatar.index_at(cursor)
    picture = avatar.frames[index].copy()
    start = time.thread_time()
    (patch,) = engine.submit([PatchRequest(avatar, index, shapes)]).patches()
    paste(picture, patch.picture, patch.mask, patch.to_frame, mode=mode)
    return time.thread_time() - start


def figure(name: str, times: Times, goal_ms: float) -> Figure:
    """The median frame."""
    value = float(np.median(times)) * 1000
    return Figure(name=name, value=value, unit="ms", goal=goal_ms, better="lower", n=len(times))


def plot(timed: dict[str, Times], path: Path) -> None:
    """How long the frames of the sentence took, one curve a way of blending."""
    drawing = Plot(figsize=(9, 4))
    axes = drawing.subplots()
    for name, times in timed.items():
        axes.plot(times * 1000, label=name)
    axes.set(xlabel="frame of the sentence", ylabel="mouth + composite, ms", ylim=(0, None))
    axes.legend()
    drawing.savefig(path, dpi=110)
