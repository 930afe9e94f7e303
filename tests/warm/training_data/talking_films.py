"""Films of the demo portrait with sound, and a data set that is made of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.given_sounds import babble
from tests.warm.sample_videos import as_frame, portrait

HEIGHT = 360
RATE_HZ = 48_000
MODELS = Path(__file__).parents[3] / "models" / "face"

Picture = NDArray[np.uint8]
Samples = NDArray[np.float32]


def moving(frames: int, picture: Picture, shift: int = 0) -> Iterable[Picture]:
    """Yield a picture that moves by a few pixels, so that no frame equals another."""
    size = picture.shape[1], picture.shape[0]
    for at in range(frames):
        x, y = 3 * np.sin((at + shift) / 7), 2 * np.cos((at + shift) / 5)
        move = np.array([[1.0, 0, x], [0, 1.0, y]])
        yield np.asarray(cv2.warpAffine(picture, move, size, borderMode=1), np.uint8)


def two_shots(frames: int) -> Iterable[Picture]:
    """Yield `frames` frames of each of two shots: the second is mirrored and darker."""
    yield from moving(frames, portrait(HEIGHT))
    other = np.asarray(portrait(HEIGHT)[:, ::-1] * 0.7, np.uint8)
    yield from moving(frames, np.ascontiguousarray(other), shift=frames)


def talking_film(
    path: Path,
    pictures: Iterable[Picture],
    sounds: Iterable[Samples],
    *,
    sound_at_s: float = 0.0,
    container: str | None = None,
) -> Path:
    """Encode BGR pictures at 25 fps with tracks of 48 kHz mono samples from `sound_at_s` on."""
    with av.open(str(path), "w", format=container) as film:
        video = film.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "20"})
        tracks = [(film.add_stream("aac", rate=RATE_HZ, layout="mono"), each) for each in sounds]
        for at, picture in enumerate(pictures):
            if at == 0:
                video.height, video.width = picture.shape[:2]
                video.pix_fmt = "yuv420p"
            frame = as_frame(picture)
            frame.pts, frame.time_base = at, Fraction(1, 25)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        for track, samples in tracks:
            for start in range(0, len(samples), RATE_HZ):
                part = samples[np.newaxis, start : start + RATE_HZ]
                audio = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                audio.sample_rate, audio.time_base = RATE_HZ, Fraction(1, RATE_HZ)
                audio.pts = start + round(sound_at_s * RATE_HZ)
                film.mux(track.encode(audio))
            film.mux(track.encode(None))
    return path


@dataclass(frozen=True)
class DataSet:
    """A folder in which the training could be started."""

    root: Path
    config: Path

    @property
    def hdtf(self) -> Path:
        return self.root / "dataset" / "HDTF"

    @property
    def source(self) -> Path:
        return self.hdtf / "source"

    def outputs(self) -> dict[str, bytes]:
        """Everything that was written, by path, without locks."""
        files = (path for path in sorted(self.hdtf.rglob("*")) if path.is_file())
        return {
            path.relative_to(self.hdtf).as_posix(): path.read_bytes()
            for path in files
            if not path.is_relative_to(self.source) and path.suffix != ".lock"
        }


def empty_data_set(root: Path, **keys: object) -> DataSet:
    """Return a folder for raw videos with a configuration for small faces of a portrait."""
    data = DataSet(root, root / "preprocess.yaml")
    data.source.mkdir(parents=True)
    values = {
        "output_root": root,
        "min_face_px": 90,
        "min_sharpness": 0,
        "min_sync": -1,
        "workers": 2,
        **keys,
    }
    lines = (f"{key}: {value}\n" for key, value in values.items())
    data.config.write_text("".join(lines), "utf-8")
    return data


def voice(seconds: float, seed: int = 0) -> Samples:
    """Sound that comes and goes like speech."""
    return babble(seconds, seed=seed)
