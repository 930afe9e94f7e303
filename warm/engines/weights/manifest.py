"""Manifest of the files of networks: repository, revision, size and digest of each.

Revisions, sizes and digests are those that several public projects pin independently. They have
not been compared with the hub itself. None means that no such agreement was found; then only the
structure of the file is checked.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

ModelName = Literal["unet", "vae", "whisper", "parser", "tiny", "voice", "gfpgan"]

OFFLINE_ADVICE = "copy the files from elsewhere and set models_source to their folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file of a model."""

    name: str
    """Name in the model's folder."""
    bytes: int | None = None
    sha256: str | None = None
    """Lower-case hexadecimal."""
    is_on_hub: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model: one folder of `models_dir`."""

    name: ModelName
    folder: str
    """Name in the official layout."""
    repo: str
    revision: str | None
    """A commit of the hub repository; None means its newest state."""
    repo_folder: str = ""
    """Folder in that repository, with a trailing slash."""
    release_url: str = ""
    """Address of the files, with a trailing slash, if they are not on a hub."""
    licence: str
    other_folders: tuple[str, ...] = ()
    """Other common names of the folder."""
    configs: tuple[ModelFile, ...]
    """All of them are required."""
    weights: tuple[ModelFile, ...]
    """One of them is required; the first that exists is used, the first on the hub downloaded."""
    offline_advice: str = OFFLINE_ADVICE
    """Remedy where the hub cannot be reached."""
    flag: str = ""
    """Flag of `python -m warm models download`; a model that has one is optional."""

    @property
    def is_optional(self) -> bool:
        """True if the engine works without it in the default configuration."""
        return bool(self.flag)

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """Files of a download."""
        return (*self.configs, next(each for each in self.weights if each.is_on_hub))

    def repo_path(self, file: ModelFile) -> str:
        """Path of a file in the hub repository."""
        return str(PurePosixPath(self.repo_folder, file.name))


UNET = Model(
    name="unet",
    folder="musetalkV15",
    repo="TMElyralab/MuseTalk",
    revision="2bcb936e2fddb4d86db4c62fd45b387d0c061571",
    repo_folder="musetalkV15/",
    licence="MIT for the code; the authors allow any use of the weights, including commercial use",
    other_folders=("musetalkv15", "musetalk-v15", "musetalkV15/musetalkV15"),
    configs=(
        ModelFile(
            name="musetalk.json",
            bytes=748,
            sha256="5b6923aee04d71692e0e9846c471e0a4ea07a4f686d39545e472bd4ba17e1b47",
        ),
    ),
    weights=(
        ModelFile(name="unet.safetensors", is_on_hub=False),
        ModelFile(
            name="unet.pth",
            bytes=3_400_074_924,
            sha256="7ebf6c98c181e20838e4c0054e96e944ac60d5d692cc01db42839fe11b787007",
        ),
    ),
)
VAE = Model(
    name="vae",
    folder="sd-vae",
    repo="stabilityai/sd-vae-ft-mse",
    revision="31f26fdeee1355a5c34592e401dd41e45d25a493",
    licence="MIT",
    other_folders=("sd-vae-ft-mse", "stabilityai/sd-vae-ft-mse"),
    configs=(
        ModelFile(
            name="config.json",
            bytes=547,
            sha256="92d3dfb746fca211a2c9e019e285f8597412211728dce3c5bcf4eda0f2d62e7e",
        ),
    ),
    weights=(
        ModelFile(
            name="diffusion_pytorch_model.safetensors",
            bytes=334_643_276,
            sha256="a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
        ),
        ModelFile(
            name="diffusion_pytorch_model.bin",
            bytes=334_707_217,
            sha256="1b4889b6b1d4ce7ae320a02dedaeff1780ad77d415ea0d744b476155c6377ddc",
        ),
    ),
)
WHISPER = Model(
    name="whisper",
    folder="whisper",
    repo="openai/whisper-tiny",
    revision="169d4a4341b33bc18d8881c4b69c2e104e1cc0af",
    licence="Apache-2.0",
    other_folders=("whisper-tiny", "openai/whisper-tiny"),
    configs=(
        ModelFile(
            name="config.json",
            bytes=1_983,
            sha256="ffdccec4f3211f4c63310f2b7098f309fe70f3952cedc5e4d11e43f5b2379b98",
        ),
        ModelFile(
            name="preprocessor_config.json",
            bytes=184_990,
            sha256="9b5cd03a36fbb8a627c64d98a5b5b126ead95a77720723944487311f0110b666",
        ),
    ),
    weights=(
        ModelFile(
            name="model.safetensors",
            bytes=151_061_672,
            sha256="7ebd0e69e78190ffe1438491fa05cc1f5c1aa3a4c4db3bc1723adbb551ea2395",
        ),
        ModelFile(
            name="pytorch_model.bin",
            bytes=151_095_027,
            sha256="9607f98a2b22d9e229ae43c52ecea79dcede9e0c5cfae67e8da6eda86d8aac1d",
        ),
    ),
)
PARSER = Model(
    name="parser",
    folder="face-parsing",
    repo="jonathandinu/face-parsing",
    revision=None,
    licence="read it on the hub: based on NVIDIA's SegFormer and the data set CelebAMask-HQ,"
    " both for non-commercial use",
    other_folders=("jonathandinu/face-parsing", "segformer-face-parsing"),
    configs=(ModelFile(name="config.json"), ModelFile(name="preprocessor_config.json")),
    weights=(ModelFile(name="model.safetensors"), ModelFile(name="pytorch_model.bin")),
    flag="--parser",
)
TINY = Model(
    name="tiny",
    folder="taesd",
    repo="madebyollin/taesd",
    revision=None,
    licence="MIT",
    other_folders=("madebyollin/taesd",),
    configs=(ModelFile(name="config.json"),),
    weights=(
        ModelFile(name="diffusion_pytorch_model.safetensors"),
        ModelFile(name="diffusion_pytorch_model.bin", is_on_hub=False),
    ),
    flag="--tiny",
)
GFPGAN = Model(
    name="gfpgan",
    folder="gfpgan",
    repo="TencentARC/GFPGAN",
    revision="v1.3.0",
    release_url="https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/",
    licence="none stated for the weights; the code is Apache-2.0 with parts for non-commercial use,"
    " and the authors train with FFHQ (CC BY-NC-SA 4.0) and unnamed data: commercial use is"
    " unsettled",
    other_folders=("GFPGAN", "gfpgan/weights", "facerestore_models", "pretrained_models", "."),
    configs=(),
    weights=(
        ModelFile(name="GFPGANv1.4.safetensors", is_on_hub=False),
        ModelFile(
            name="GFPGANv1.4.pth",
            bytes=348_632_874,
            sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
        ),
    ),
    flag="--enhance",
)
ENGINE_MODELS: tuple[Model, ...] = (UNET, VAE, WHISPER, PARSER, TINY)
"""Models of the neural engine."""
MODELS: tuple[Model, ...] = (*ENGINE_MODELS, GFPGAN)
