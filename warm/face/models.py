"""Files of the face models: names, digests and loading. Fast to import."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from warm.face.download import MEMBERS
from warm.installation import own_command

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

DETECTOR = "face_detection_short_range.tflite"
MESH = "face_landmark.tflite"
ATTENTION_MESH = "face_landmark_with_attention.tflite"
SEGMENTER = "selfie_segmentation.tflite"

SHA256 = {Path(member).name: digest for member, digest in MEMBERS.items()}


class FaceModelError(RuntimeError):
    """A face model's file is missing or is not the expected one."""


def check_models(folder: Path) -> None:
    """Raise FaceModelError unless `folder` has all face models."""
    for name in SHA256:
        read_model(folder, name)


def open_model(folder: Path, name: str) -> "Interpreter":
    """Open `folder/name` for inference on one CPU thread; raises FaceModelError.

    The interpreter is not thread-safe.
    """
    return open_interpreter(read_model(folder, name))


def read_model(folder: Path, name: str) -> bytes:
    """Read `folder/name`; raises FaceModelError unless it is the pinned file."""
    path = folder / name
    command = own_command("models", "face", "--models", folder.parent)
    advice = f"Download it: {command}"
    if not path.is_file():
        raise FaceModelError(f"The face model {path} is missing. {advice}")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256[name]:
        raise FaceModelError(
            f"The face model {path} has SHA-256 {digest}, expected {SHA256[name]}. "
            f"Delete it. {advice}"
        )
    return data


def open_interpreter(model: bytes) -> "Interpreter":
    """Open the content of a model for inference on one CPU thread."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415  slow to import

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
