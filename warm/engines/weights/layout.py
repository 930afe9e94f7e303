"""Where the weights lie: in the official folders, or in one of the places that people end up with.

Nothing is moved. What is found elsewhere is used from there, and said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warm.engines.weights.errors import WeightsDamaged, WeightsMissing
from warm.engines.weights.file_headers import look
from warm.engines.weights.manifest import MODELS, PARSER, TINY, UNET, VAE, WHISPER, Model, ModelFile
from warm.installation import own_command

NESTED = ("", "models", "MuseTalk", "musetalk", "MuseTalk/models", "musetalk/models")
"""Folders in `models_dir` in which the official ones may lie: a clone of the hub repository, a
clone of the program, a copied folder."""
CACHES = ("", "hub", "huggingface/hub", ".cache/huggingface/hub")
"""Where in `models_dir` a cache of the hub may lie: `models--ORG--NAME/snapshots/COMMIT`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Folders of all models, and the file in each from which tensors are read."""

    unet: Path
    """With musetalk.json."""
    unet_weights: Path
    vae: Path
    """With config.json."""
    vae_weights: Path
    whisper: Path
    """With config.json and preprocessor_config.json."""
    whisper_weights: Path
    parser: Path | None
    """The SegFormer face parser, which is optional."""
    parser_weights: Path | None
    tiny: Path | None
    """The tiny autoencoder, which is optional."""
    tiny_weights: Path | None
    notes: tuple[str, ...]
    """What was found in an unusual place."""

    @property
    def unet_config(self) -> Path:
        """The UNet's JSON."""
        return self.unet / UNET.configs[0].name


def find(models_dir: Path) -> Layout:
    """The weights under `models_dir`, opened as far as to know that none is cut off.

    Takes milliseconds. Raises WeightsMissing or WeightsDamaged: they name the file and the command.
    """
    places = {model.name: place_of(models_dir, model) for model in MODELS}
    if absent := [model for model in MODELS if not model.is_optional and not places[model.name]]:
        raise WeightsMissing("\n".join(describe_missing(models_dir, model) for model in absent))
    found = {name: place for name, place in places.items() if place is not None}
    weights = {
        model.name: checked(models_dir, model, found[model.name])
        for model in MODELS
        if model.name in found
    }
    return Layout(
        unet=found[UNET.name],
        unet_weights=weights[UNET.name],
        vae=found[VAE.name],
        vae_weights=weights[VAE.name],
        whisper=found[WHISPER.name],
        whisper_weights=weights[WHISPER.name],
        parser=found.get(PARSER.name),
        parser_weights=weights.get(PARSER.name),
        tiny=found.get(TINY.name),
        tiny_weights=weights.get(TINY.name),
        notes=tuple(unusual_places(models_dir)),
    )


def place_of(models_dir: Path, model: Model) -> Path | None:
    """The first folder with all files of a model; the official one comes first."""
    return next(
        (folder for folder in folders(models_dir, model) if is_complete(folder, model)), None
    )


def folders(models_dir: Path, model: Model) -> Iterator[Path]:
    """Every folder where a model may lie, whether it exists or not, the likeliest first."""
    for nested in NESTED:
        for name in (model.folder, *model.other_folders):
            yield models_dir / nested / name
    for cache in CACHES:
        kept = models_dir / cache / f"models--{model.repo.replace('/', '--')}" / "snapshots"
        for snapshot in sorted(kept.glob("*"), key=lambda path: path.name != model.revision):
            yield snapshot / model.within


def is_complete(folder: Path, model: Model) -> bool:
    """Whether a folder holds what is needed of a model; broken links count as there."""
    return all(is_there(folder / file.name) for file in model.configs) and any(
        is_there(folder / file.name) for file in model.weights
    )


def is_there(path: Path) -> bool:
    """Whether a name is taken, by a file or by a link that leads nowhere."""
    return path.is_file() or path.is_symlink()


def weights_in(folder: Path, model: Model) -> ModelFile | None:
    """The file that tensors are read from."""
    return next((file for file in model.weights if is_there(folder / file.name)), None)


def checked(models_dir: Path, model: Model, folder: Path) -> Path:
    """The weights in a complete folder; raises WeightsDamaged when any file of it is cut off."""
    weights = weights_in(folder, model)
    assert weights is not None, folder
    for file in (*model.configs, weights):
        try:
            look(folder / file.name)
        except WeightsDamaged as error:
            raise WeightsDamaged(f"{error} {mend(models_dir, model)}") from error
    return folder / weights.name


def describe_missing(models_dir: Path, model: Model) -> str:
    """Which files of a model are nowhere, and what brings them."""
    folder = fullest(models_dir, model)
    missing = [file.name for file in model.configs if not is_there(folder / file.name)]
    if weights_in(folder, model) is None:
        missing.append(" or ".join(file.name for file in model.weights if file.is_on_hub))
    return f"{folder} lacks {', '.join(missing)}. {mend(models_dir, model)}"


def fullest(models_dir: Path, model: Model) -> Path:
    """The folder in which most of an incomplete model lies; the official one if there is none."""
    names = [file.name for file in (*model.configs, *model.weights)]
    return max(
        folders(models_dir, model),
        key=lambda folder: sum(is_there(folder / name) for name in names),
    )


def mend(models_dir: Path, model: Model) -> str:
    """The command that brings what is missing or broken of a model."""
    flags = [model.flag] if model.flag else []
    return f"Fetch it: {own_command('models', 'download', '--models', models_dir, *flags)}"


def unusual_places(models_dir: Path) -> Iterator[str]:
    """One line for every model that does not lie in its official folder."""
    for model in MODELS:
        place = place_of(models_dir, model)
        if place is not None and place != models_dir / model.folder:
            yield f"{model.name}: found in {place}, not in {models_dir / model.folder}; used there."
