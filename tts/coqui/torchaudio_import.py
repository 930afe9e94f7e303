"""Imports torchaudio for coqui-tts even if its native parts cannot be loaded.

torchaudio's wheels are built for CUDA; next to a PyTorch without CUDA their native parts do not
load. Models use only its resampling and spectra, which are written in Python, and its reader of
files. Only the process of a model imports this.
"""

import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Any


def import_torchaudio() -> str:
    """Import torchaudio and return how: "whole" or "without its native parts".

    Its reader of files, which needs torchcodec and FFmpeg's libraries, is replaced by soundfile's
    if they are missing. Raises ImportError.
    """
    try:
        module, way = import_module("torchaudio"), "whole"
    except OSError:
        module, way = _import_without_extension(), "without its native parts"
    if not _has_torchcodec():
        module.load = load_with_soundfile  # type: ignore[attr-defined]
    return way


def _import_without_extension() -> types.ModuleType:
    """Import torchaudio as if it had been built without native parts, which it supports."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]
    extension: Any = types.ModuleType("torchaudio._extension")
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
    extension._IS_ALIGN_AVAILABLE = False
    extension.fail_if_no_align = _unavailable
    extension._check_cuda_version = lambda: None
    sys.modules[extension.__name__] = extension
    return import_module("torchaudio")


def _unavailable(function: Any) -> Any:
    """Return a function that fails, in place of one that needs the native parts."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"torchaudio.{function.__name__} needs its native parts")

    return fail


def _has_torchcodec() -> bool:
    try:
        import_module("torchcodec")
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def load_with_soundfile(path: str | Path, *_: object, **__: object) -> tuple[Any, int]:
    """Read a sound file as `torchaudio.load` does: ((channels, n) float tensor, rate)."""
    soundfile, torch = import_module("soundfile"), import_module("torch")
    samples, rate_hz = soundfile.read(str(path), dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), int(rate_hz)
