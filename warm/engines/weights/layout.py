"""Location of the weights: the official folders, or common places of other layouts.

Files found in other places are used there, with a note; nothing is moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warm.engines.weights.errors import WeightsDamaged, WeightsMissing
from warm.engines.weights.file_headers import check_structure
from warm.engines.weights.manifest import (
    ENGINE_MODELS,
    MODELS,
    PARSER,
    TINY,
    UNET,
    VAE,
    WHISPER,
    Model,
    ModelFile,
)
from warm.installation import own_command

NESTED_FOLDERS = ("", "models", "MuseTalk", "musetalk", "MuseTalk/models", "musetalk/models")
"""Folders in `models_dir` that may contain the official ones: a clone of the hub repository, a
clone of the program, a copied folder."""
CACHE_FOLDERS = ("", "hub", "huggingface/hub", ".cache/huggingface/hub")
"""Folders in `models_dir` that may be a cache of the hub: `models--ORG--NAME/snapshots/COMMIT`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLayout:
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
    """A note for each model in an unusual place."""

    @property
    def unet_config(self) -> Path:
        """The UNet's JSON."""
        return self.unet / UNET.configs[0].name


def find_weights(models_dir: Path) -> WeightsLayout:
    """Find the neural engine's weights under `models_dir`, and check that none is truncated.

    Takes milliseconds. Raises WeightsMissing or WeightsDamaged, which name file and command.
    """
    places = {model.name: find_model(models_dir, model) for model in ENGINE_MODELS}
    if absent := [
        model for model in ENGINE_MODELS if not model.is_optional and not places[model.name]
    ]:
        raise WeightsMissing("\n".join(describe_missing(models_dir, model) for model in absent))
    found = {name: place for name, place in places.items() if place is not None}
    weights = {
        model.name: check_model(models_dir, model, found[model.name])
        for model in ENGINE_MODELS
        if model.name in found
    }
    return WeightsLayout(
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


def find_model(models_dir: Path, model: Model) -> Path | None:
    """Return the first folder with all files of a model; the official folder is tried first."""
    return next(
        (folder for folder in candidate_folders(models_dir, model) if is_complete(folder, model)),
        None,
    )


def candidate_folders(models_dir: Path, model: Model) -> Iterator[Path]:
    """Every folder that may hold a model, whether it exists or not, the most likely first."""
    for nested in NESTED_FOLDERS:
        for name in (model.folder, *model.other_folders):
            yield models_dir / nested / name
    for cache in CACHE_FOLDERS:
        cached = models_dir / cache / f"models--{model.repo.replace('/', '--')}" / "snapshots"
        for snapshot in sorted(cached.glob("*"), key=lambda path: path.name != model.revision):
            yield snapshot / model.repo_folder


def is_complete(folder: Path, model: Model) -> bool:
    """Return True if a folder has all required files of a model; broken links count."""
    return all(name_exists(folder / file.name) for file in model.configs) and any(
        name_exists(folder / file.name) for file in model.weights
    )


def name_exists(path: Path) -> bool:
    """Return True if a name exists, as a file or as a link, which may be broken."""
    return path.is_file() or path.is_symlink()


def find_weights_file(folder: Path, model: Model) -> ModelFile | None:
    """Return the file from which tensors are read."""
    return next((file for file in model.weights if name_exists(folder / file.name)), None)


def check_model(models_dir: Path, model: Model, folder: Path) -> Path:
    """Return the weights in a complete folder; raises WeightsDamaged for any damaged file."""
    weights = find_weights_file(folder, model)
    assert weights is not None, folder
    for file in (*model.configs, weights):
        try:
            check_structure(folder / file.name)
        except WeightsDamaged as error:
            raise WeightsDamaged(f"{error} {download_command(models_dir, model)}") from error
    return folder / weights.name


def describe_missing(models_dir: Path, model: Model) -> str:
    """Name the missing files of a model, and the command that downloads them."""
    folder = best_partial_folder(models_dir, model)
    missing = [file.name for file in model.configs if not name_exists(folder / file.name)]
    if find_weights_file(folder, model) is None:
        missing.append(" or ".join(file.name for file in model.weights if file.is_on_hub))
    return f"{folder} lacks {', '.join(missing)}. {download_command(models_dir, model)}"


def best_partial_folder(models_dir: Path, model: Model) -> Path:
    """Return the folder with the most files of an incomplete model; by default the official one."""
    names = [file.name for file in (*model.configs, *model.weights)]
    return max(
        candidate_folders(models_dir, model),
        key=lambda folder: sum(name_exists(folder / name) for name in names),
    )


def download_command(models_dir: Path, model: Model) -> str:
    """Return advice with the command that downloads missing or damaged files of a model."""
    flags = [model.flag] if model.flag else []
    return f"Download it: {own_command('models', 'download', '--models', models_dir, *flags)}"


def unusual_places(models_dir: Path) -> Iterator[str]:
    """Return a note for every model that is not in its official folder."""
    for model in MODELS:
        place = find_model(models_dir, model)
        if place is not None and place != models_dir / model.folder:
            yield f"{model.name}: found in {place}, not in {models_dir / model.folder}; used there."
