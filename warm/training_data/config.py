"""Configuration of the preprocessing: the keys of the reference's YAML file, and further ones."""

import difflib
import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from warm.installation import shipped
from warm.training_data.errors import BadPreprocessConfig

DEFAULT_CONFIG = shipped("configs/training/preprocess.yaml")
FPS = 25
"""Frame rate of the clips. The training assumes it."""
MAX_CLIP_FRAMES = 700
"""28 s. For frames from 750 on, the training reads the wrong 30 s of sound; for the spectrogram of
its lip-sync loss it does so from frame 700 on."""
MIN_CLIP_FRAMES = 160
"""The training rejects clips of fewer frames than ten samples of 16 frames."""

Share = Annotated[float, Field(ge=0, le=1)]


class PreprocessConfig(BaseModel):
    """One run of the preprocessing. Paths are relative to `output_root`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The keys of the reference.
    video_root_raw: Path = Path("dataset/HDTF/source")
    """Folder of the raw videos, and of folders of them."""
    video_root_25fps: Path = Path("dataset/HDTF/video_root_25fps")
    """Accepted and not used: clips are made from the raw videos, encoded only once."""
    video_audio_clip_root: Path = Path("dataset/HDTF/video_audio_clip_root")
    meta_root: Path = Path("dataset/HDTF/meta")
    video_file_list: Path = Path("dataset/HDTF/video_file_list.txt")
    video_clip_file_list_train: Path = Path("dataset/HDTF/train.txt")
    video_clip_file_list_val: Path = Path("dataset/HDTF/val.txt")
    clip_len_second: Annotated[float, Field(gt=0, le=3600)] = 28
    """Longest clip; more than 28 s is read as 28 s."""
    val_list_hdtf: tuple[str, ...] = ()
    """Parts of names: a speaker with a matching clip is used for validation."""

    # Output.
    output_root: Path = Path()
    """Folder in which the training will be started."""
    absolute_paths: bool = False
    """Write absolute paths into the JSON files, instead of paths relative to `output_root`."""
    report_root: Path = Path("dataset/HDTF/preprocess")
    """Report, mapping of names, and state of the run."""
    vfhq_root: Path | None = None
    """Folder such as dataset/VFHQ that gets a copy of the JSON files and lists."""

    # Speakers and validation.
    val_share: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Share of the speakers for validation if no name matches `val_list_hdtf`."""
    speakers_file: Path | None = None
    """CSV file with the columns `file` and `speaker`."""
    speaker_pattern: str | None = None
    """Regular expression; its group `speaker`, or the first group, of a file's path is the name."""
    speaker_model: Path | None = None
    """ONNX network of face recognition (112x112 RGB to an embedding) that finds equal speakers."""
    speaker_similarity: Share = 0.5
    """Cosine of two embeddings above which two sources show the same speaker."""

    # Selection.
    max_side: Annotated[int, Field(ge=256, le=4096)] = 1920
    """Longest side of the clips in pixels; larger videos are scaled down."""
    min_face_px: Annotated[int, Field(ge=32, le=4096)] = 200
    """Least width of the crop in any frame."""
    max_other_face: Share = 0.5
    """A second face of at least this share of the speaker's size ends a clip."""
    max_yaw_deg: Annotated[float, Field(gt=0, le=90)] = 60
    """A head that is turned farther ends a clip."""
    min_sharpness: Annotated[float, Field(ge=0, le=2)] = 0.33
    """Contrast of the smallest details of the face relative to larger ones; median of a clip."""
    min_sync: Annotated[float, Field(ge=-1, le=1)] = 0.15
    """Least correlation of lips and sound in a clip of 12 s; shorter clips need more."""
    max_sync_lag_frames: Annotated[int, Field(ge=0, le=12)] = 3
    """Largest offset between lips and sound."""
    min_loudness_dbfs: Annotated[float, Field(ge=-120, le=0)] = -55
    """Least loudness of the loud moments of a clip."""

    # Encoding and processes.
    crf: Annotated[int, Field(ge=0, le=40)] = 15
    preset: Annotated[
        str, Field(pattern="^(ultra|super|very)fast$|^faster$|^fast$|^medium$|^slow$")
    ] = "superfast"
    """Preset of x264."""
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Number of processes; by default one per processor."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_pattern(self.speaker_pattern)
        for name in ("video_audio_clip_root", "meta_root"):
            folder = str(getattr(self, name))
            if ".mp4" in folder or re.search(r"\s", folder):
                raise ValueError(
                    f"{name} is {folder!r}; the training cannot read a folder whose name has a "
                    "space or .mp4. Rename the folder."
                )
        if self.clip_frames < MIN_CLIP_FRAMES:
            raise ValueError(
                f"clip_len_second is {self.clip_len_second:g}; the training rejects clips below "
                f"{MIN_CLIP_FRAMES / FPS:g} s. Allowed: {MIN_CLIP_FRAMES / FPS:g} to 28."
            )
        return self

    @property
    def clip_frames(self) -> int:
        """Greatest number of frames of a clip."""
        return min(int(Fraction(str(self.clip_len_second)) * FPS), MAX_CLIP_FRAMES)

    @property
    def processes(self) -> int:
        """Number of processes."""
        return self.workers or len(os.sched_getaffinity(0))

    def at(self, path: Path) -> Path:
        """Return the place of a configured path."""
        return self.output_root / path


def check_pattern(pattern: str | None) -> None:
    """Raise ValueError unless the pattern is None or an expression with a group."""
    if pattern is None:
        return
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"speaker_pattern is not a regular expression: {error}.") from error
    if not groups:
        raise ValueError(
            f"speaker_pattern is {pattern!r}, which has no group. Put the speaker's name in "
            "parentheses, such as '^([^_]+)_'."
        )


def read_config(path: Path) -> PreprocessConfig:
    """Read a configuration file; raises BadPreprocessConfig."""
    values = read_yaml(path)
    try:
        return PreprocessConfig(**values)
    except ValidationError as invalid:
        faults = (f"{path}: {fault_message(error)}" for error in invalid.errors())
        raise BadPreprocessConfig("\n".join(faults)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a file; raises BadPreprocessConfig."""
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise BadPreprocessConfig(
            f"The configuration {path} cannot be read ({error.strerror}). Name a YAML file with "
            "--config."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadPreprocessConfig(f"The configuration {path} is not YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise BadPreprocessConfig(
            f"The configuration {path} is not a mapping of keys to values. Compare it with "
            f"{DEFAULT_CONFIG}."
        )
    return values


def fault_message(error: ErrorDetails) -> str:
    """Return a fault of pydantic in one line: field, value, allowed range."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = difflib.get_close_matches(where, PreprocessConfig.model_fields, n=1)
        hint = f"; did you mean {known[0]}?" if known else ""
        return f"there is no key {where}{hint}"
    if not where:
        return error["msg"].removeprefix("Value error, ")
    return f"{where} is {str(error['input'])[:80]!r}: {error['msg']}."
