"""Reader of the training data that does what the training's dataset class does.

It follows the description in docs/training-data.md: which clips are rejected, how faces are
cropped, which frames serve as references, which windows of sound belong to a frame. It is used
to check a data set before the training, and reads files by the paths in the JSON files.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av import AudioResampler, VideoFrame
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL import Image

from session.media_file import open_media
from stt.whisper.spectrogram import log_mel
from tts.speech import Samples
from warm.media.film_audio import joined
from warm.training_data.face_box import crop_box
from warm.training_data.lip_sync_mel import (
    COLUMNS_PER_SAMPLE,
    RATE_HZ,
    first_column,
    mel_of_sound,
)

IMAGE_PX = 256
FPS = 25
MIN_SAMPLES = 10
"""A clip needs this many samples' worth of frames."""
WINDOW_ROWS, ROWS_PER_FRAME = 10, 2
"""Rows of Whisper's features that belong to a frame, and from one frame to the next."""
WHISPER_ROWS, PADDING_FRAMES = 1500, 2
LONGEST_SOUND_FRAMES = 750
"""Frames from this one on get the sound of 30 s earlier."""
JAW, INNER_MOUTH, MOUTH = slice(0, 16), slice(60, 67), slice(48, 67)
NEAREST_REFERENCE = 5

Picture = NDArray[np.uint8]


class RejectedByTraining(ValueError):
    """The training would not use a clip; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """Keys of the training's configuration that decide what is read."""

    n_sample_frames: int = 16
    min_face_size: int = 200
    top_k_ratio: float = 0.51
    padding_pixel_mouth: int = 10
    margin: int = 0
    """Pixels that are added below the crop."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainingItem:
    """The data that the training reads for one sample of T frames."""

    pictures: NDArray[np.float32]
    """(T, 3, 256, 256) RGB -1…1: pixel_values_vid."""
    references: NDArray[np.float32]
    """(T, 3, 256, 256) RGB -1…1: pixel_values_ref_img."""
    masks: NDArray[np.float32]
    """(T, 3, 256, 256) 0 or 1: pixel_values_face_mask."""
    audio_feature: NDArray[np.float32]
    """(80, 3000) Whisper's input."""
    audio_offset: int
    mel: NDArray[np.float32]
    """(1, 80, 52)."""
    wav_path: Path
    reference_frames: tuple[int, ...]


def read_list(path: Path) -> list[str]:
    """Return the names in a list as the training does: first words, without the first line."""
    lines = path.read_text("utf-8").splitlines()[1:]
    return [line.split()[0] for line in lines if line.split()]


class TrainingClip:
    """One clip, opened as the training opens it."""

    def __init__(self, meta: Path, root: Path, options: ReaderOptions) -> None:
        """Read a JSON file; `root` is the working folder of the training.

        Raises RejectedByTraining.
        """
        self._options = options
        facts = read_facts(meta)
        self.mp4, self.wav = root / facts["mp4_path"], root / facts["wav_path"]
        self.boxes = np.array(facts["face_list"])
        self.landmarks = np.array(facts["landmark_list"])
        self.frames = int(facts["frames"])
        self._check_lists()
        self.crops = crop_box(self.boxes, self.landmarks)
        self._check_face()
        self.sound = read_sound(self.mp4)
        self.mel = mel_of_sound(self.sound)
        self.speech = read_sound(self.wav)

    def _check_lists(self) -> None:
        least = MIN_SAMPLES * self._options.n_sample_frames
        if self.frames < least:
            raise RejectedByTraining(f"it has {self.frames} frames, at least {least} are needed")
        if self.landmarks.shape != (self.frames, 68, 2):
            raise RejectedByTraining(
                f"landmark_list is {self.landmarks.shape} instead of ({self.frames}, 68, 2)"
            )
        if self.boxes.shape != (self.frames, 4):
            raise RejectedByTraining(f"face_list is {self.boxes.shape} instead of frames x 4")

    def _check_face(self) -> None:
        least = self._options.min_face_size
        width = int(self.crops[0, 2] - self.crops[0, 0])
        if width < least:
            raise RejectedByTraining(f"the first face is {width} px wide, at least {least} needed")
        sides = self.crops[:, 2:] - self.crops[:, :2]
        if (sides < 1).any():
            raise RejectedByTraining("a crop is empty")

    @property
    def last_start(self) -> int:
        """Last frame at which a sample may begin."""
        return self.frames - self._options.n_sample_frames

    def item(self, start: int, rng: np.random.Generator) -> TrainingItem:
        """Return the sample that begins at a frame; raises RejectedByTraining."""
        return self.items([start], rng)[0]

    def items(self, starts: Sequence[int], rng: np.random.Generator) -> list[TrainingItem]:
        """Return the samples that begin at some frames; decodes the clip once."""
        count = self._options.n_sample_frames
        targets = [range(start, start + count) for start in starts]
        references = [[self.reference(frame, rng) for frame in each] for each in targets]
        faces = self._faces({frame for each in (*targets, *references) for frame in each})
        return [
            TrainingItem(
                pictures=np.stack([faces[frame] for frame in shown]),
                references=np.stack([faces[frame] for frame in referred]),
                masks=np.stack([self.mouth_mask(frame) for frame in shown]),
                audio_feature=log_mel(self._segment(start))[0],
                audio_offset=start,
                mel=self.sync_mel(start),
                wav_path=self.wav,
                reference_frames=tuple(referred),
            )
            for start, shown, referred in zip(starts, targets, references, strict=True)
        ]

    def _faces(self, wanted: set[int]) -> dict[int, NDArray[np.float32]]:
        """Return the faces of some frames, (3, 256, 256) each; counts all frames."""
        faces, count = {}, 0
        for count, frame in enumerate(decoded_frames(self.mp4), start=1):
            if count - 1 in wanted:
                picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                faces[count - 1] = to_network(picture, self.crop(count - 1))
        if count != self.frames:
            raise RejectedByTraining(f"{self.mp4.name} has {count} frames, its JSON {self.frames}")
        return faces

    def crop(self, frame: int) -> NDArray[np.int_]:
        """(4,) the part of a frame that is used; slicing ends it at the picture's edge."""
        return np.asarray(self.crops[frame] + np.array([0, 0, 0, self._options.margin]))

    def reference(self, frame: int, rng: np.random.Generator) -> int:
        """Return a frame with a similar head and another mouth."""
        count = int(self._options.top_k_ratio * self.frames)
        heads = self._distances(JAW, frame)
        mouths = self._distances(INNER_MOUTH, frame)
        others = np.array([at for at in range(self.frames) if at != frame])
        similar = others[np.argsort(heads[others], kind="stable")[:count]]
        different = others[np.argsort(-mouths[others], kind="stable")[:count]]
        both = np.intersect1d(similar, different)
        chosen = int(rng.choice(both)) if len(both) else frame
        if abs(chosen - frame) >= NEAREST_REFERENCE:
            return chosen
        reach = 5 * self._options.n_sample_frames
        near = range(max(0, frame - reach), min(self.frames, frame + reach + 1))
        return int(rng.choice([at for at in near if at != frame]))

    def _distances(self, points: slice, frame: int) -> NDArray[np.float64]:
        """(frames,) mean distance of points from those of a frame, in units of the crop / 256."""
        low = self.crops[:, None, :2]
        side = np.maximum(self.crops[:, None, 2:] - low, 1)
        placed = (self.landmarks[:, points] - low) / side * IMAGE_PX
        return np.asarray(np.linalg.norm(placed - placed[frame], axis=-1).mean(axis=-1))

    def mouth_mask(self, frame: int) -> NDArray[np.float32]:
        """(3, 256, 256) 1 around the mouth, half as high as wide."""
        left, top, right, bottom = self.crop(frame).tolist()
        scale = np.array([IMAGE_PX / (right - left), IMAGE_PX / (bottom - top)])
        lips = (self.landmarks[frame, MOUTH] - [left, top]) * scale
        low, high = lips.min(axis=0), lips.max(axis=0)
        padding = self._options.padding_pixel_mouth
        x = np.clip([low[0] - padding, high[0] + padding], 0, IMAGE_PX).astype(int)
        half = (x[1] - x[0]) / 4
        middle = (low[1] + high[1]) / 2
        y = np.clip([middle - half, middle + half], 0, IMAGE_PX).astype(int)
        if x[0] >= x[1] or y[0] >= y[1]:
            raise RejectedByTraining(f"the mouth of frame {frame} has no area")
        mask = np.zeros((3, IMAGE_PX, IMAGE_PX), np.float32)
        mask[:, y[0] : y[1], x[0] : x[1]] = 1
        return mask

    def _segment(self, start: int) -> Samples:
        """Return the 30 s of sound that hold the features of a sample."""
        if start >= LONGEST_SOUND_FRAMES:
            raise RejectedByTraining(f"frame {start} would get the sound of 30 s earlier")
        last_row = ROWS_PER_FRAME * (start + self._options.n_sample_frames - 1) + WINDOW_ROWS
        if last_row > WHISPER_ROWS + 4 * PADDING_FRAMES:
            raise RejectedByTraining(f"the sound of frame {start} ends after Whisper's 30 s")
        return self.speech

    def sync_mel(self, start: int) -> NDArray[np.float32]:
        """(1, 80, 52) the spectrogram of a sample."""
        first = first_column(start)
        part = self.mel[:, first : first + COLUMNS_PER_SAMPLE]
        if part.shape[1] != COLUMNS_PER_SAMPLE:
            raise RejectedByTraining(
                f"the spectrogram of frame {start} is {part.shape[::-1]}, expected "
                f"{COLUMNS_PER_SAMPLE}"
            )
        return part[np.newaxis]


def read_facts(meta: Path) -> dict[str, Any]:
    """Return the content of a JSON file; raises RejectedByTraining."""
    try:
        facts = json.loads(meta.read_text("utf-8"))
        missing = {"mp4_path", "wav_path", "frames", "face_list", "landmark_list"} - set(facts)
    except (OSError, ValueError, TypeError) as error:
        raise RejectedByTraining(f"{meta.name} cannot be read: {error}") from error
    if missing:
        raise RejectedByTraining(f"{meta.name} lacks {', '.join(sorted(missing))}")
    if not facts.get("isvalid", True):
        raise RejectedByTraining(f"{meta.name} is not valid")
    return dict(facts)


def decoded_frames(path: Path) -> Iterator[VideoFrame]:
    """Yield the frames of a clip; raises RejectedByTraining."""
    try:
        with open_media(path, demuxer="mov") as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            if stream.average_rate != FPS:
                raise RejectedByTraining(f"{path.name} has {stream.average_rate} frames a second")
            yield from container.decode(stream)
    except (FFmpegError, IndexError) as error:
        raise RejectedByTraining(f"{path.name} cannot be decoded: {error}") from error


def read_sound(path: Path) -> Samples:
    """(n,) 16 kHz mono samples of a file; raises RejectedByTraining."""
    try:
        with open_media(path) as container:
            stream = container.streams.audio[0]
            resampler = AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
            frames = [each for one in container.decode(stream) for each in resampler.resample(one)]
            return joined([*frames, *resampler.resample(None)])
    except (FFmpegError, IndexError) as error:
        raise RejectedByTraining(f"{path.name} has no sound that can be read: {error}") from error


def to_network(picture: Picture, crop: NDArray[np.int_]) -> NDArray[np.float32]:
    """(3, 256, 256) RGB -1…1: a part of a (h, w, 3) RGB picture, its aspect not kept."""
    left, top, right, bottom = crop.tolist()
    part = Image.fromarray(picture[top:bottom, left:right])
    sized = np.asarray(part.resize((IMAGE_PX, IMAGE_PX), Image.Resampling.LANCZOS), np.float32)
    return np.ascontiguousarray(sized.transpose(2, 0, 1) / np.float32(127.5) - np.float32(1))
