"""`python -m warm models`: download the face models; list, download and verify the weights."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from warm.engines.weights.check import FileState, file_states
from warm.engines.weights.install import DownloadOptions, download, format_size
from warm.engines.weights.layout import unusual_places
from warm.engines.weights.manifest import MODELS, Model
from warm.face.download import download_face_models, missing_face_models
from warm.installation import own_command
from warm.settings import Settings, read_settings


def add_models(command: argparse.ArgumentParser) -> None:
    """Add `models` with its four commands."""
    kinds = command.add_subparsers(required=True, metavar="face|list|download|verify")
    face = kinds.add_parser("face", help="download the face models, which `prepare` needs")
    face.set_defaults(run=run_face)
    shown = kinds.add_parser("list", help="the weights: source, size, licence, state")
    shown.set_defaults(run=run_list)
    fetched = kinds.add_parser("download", help="download weights that are missing or broken")
    fetched.set_defaults(run=run_download)
    fetched.add_argument("--parser", action="store_true", help="also the optional face parser")
    fetched.add_argument("--tiny", action="store_true", help="also the optional tiny autoencoder")
    fetched.add_argument(
        "--enhance", action="store_true", help="only GFPGAN, which `enhance` needs to restore faces"
    )
    fetched.add_argument(
        "--force", action="store_true", help="also replace weights that are not official"
    )
    fetched.add_argument("--source", type=Path, metavar="DIR", help="copy them from this folder")
    fetched.add_argument("--endpoint", metavar="URL", help="a mirror of the hub")
    verified = kinds.add_parser("verify", help="read the weights and compare every byte")
    verified.set_defaults(run=run_verify)
    for each in (face, shown, fetched, verified):
        each.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
        each.add_argument("--models", type=Path, metavar="DIR", help="folder of the models")


def settings_of(arguments: argparse.Namespace) -> tuple[Settings, Path]:
    """Return the settings and the folder of the models; raises BadSettings."""
    given = [] if arguments.config is None else ["--config", str(arguments.config)]
    settings = read_settings(given)
    return settings, arguments.models or settings.models_dir


def run_face(arguments: argparse.Namespace) -> int:
    """Download the face models unless they are present; raises DownloadError."""
    _, models_dir = settings_of(arguments)
    folder = models_dir / "face"
    if missing_face_models(folder):
        download_face_models(folder)
    print(f"The face models are in {folder.absolute()}")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print the manifest and the state of every file; always returns 0."""
    _, models_dir = settings_of(arguments)
    print(f"{models_dir.absolute()} (models_dir, WARMTALK_MODELS_DIR)")
    for model in MODELS:
        print("\n".join(model_lines(models_dir, model)))
    print_unusual_places(models_dir)
    return 0


def model_lines(models_dir: Path, model: Model) -> Iterator[str]:
    """Describe one model: a headline, its licence, one line per file."""
    optional = f" (optional: {model.flag})" if model.is_optional else ""
    yield f"\n{model.folder}{optional}: {model.repo} at {model.revision or 'its latest revision'}"
    yield f"  licence: {model.licence}"
    for state in file_states(models_dir, model):
        file = state.file
        digest = f"sha256 {file.sha256}" if file.sha256 else "sha256 unknown"
        yield f"  {state.state:8} {file.name:36} {format_size(file.bytes):>12}  {digest}"


def run_download(arguments: argparse.Namespace) -> int:
    """Download missing files; raises WeightsError."""
    settings, models_dir = settings_of(arguments)
    models = requested_models(arguments)
    options = DownloadOptions(
        models_dir=models_dir,
        endpoint=(arguments.endpoint or settings.models_endpoint).rstrip("/"),
        source=arguments.source or settings.models_source,
        only_official=arguments.force,
    )
    download(models, options)
    print_unusual_places(models_dir)
    licences, verify = own_command("models", "list"), models_command("verify", models_dir)
    print(f"Licences: {licences}; check every byte: {verify}")
    return 0


def requested_models(arguments: argparse.Namespace) -> list[Model]:
    """Return the models to download: the engine's, unless only `--enhance` is given."""
    given = {"--parser": arguments.parser, "--tiny": arguments.tiny, "--enhance": arguments.enhance}
    only_enhance = arguments.enhance and not (arguments.parser or arguments.tiny)
    return [model for model in MODELS if given.get(model.flag, not only_enhance)]


def run_verify(arguments: argparse.Namespace) -> int:
    """Check every byte; returns 1 if a file is missing, damaged or not the official one."""
    _, models_dir = settings_of(arguments)
    found: list[FileState] = []
    for model in MODELS:
        of_model = list(file_states(models_dir, model, deep=True))
        if model.is_optional and all(state.state == "missing" for state in of_model):
            print(f"absent   {of_model[0].path.parent} (optional)")
            continue
        found += of_model
        print("\n".join(state_lines(of_model)))
    print_unusual_places(models_dir)
    if broken := [state for state in found if not state.is_usable]:
        command = models_command("download", models_dir)
        print(f"{len(broken)} to download: {command}{model_flags(broken)}")
    if other := [state for state in found if state.state == "other"]:
        command = models_command("download", models_dir)
        print(
            f"{len(other)} not official. Keep them if this is intended; otherwise: {command} "
            f"--force{model_flags(other)}"
        )
    return int(any(state.state != "ok" for state in found))


def state_lines(found: Sequence[FileState]) -> Iterator[str]:
    """Describe each file in one line."""
    for state in found:
        default = "" if state.file.sha256 else " (structure only; no digest is known)"
        yield f"{state.state:8} {state.path}" + (f": {state.reason}" if state.reason else default)


def print_unusual_places(models_dir: Path) -> None:
    """Print a note for each model in an unusual place."""
    for note in unusual_places(models_dir):
        print(f"Note: {note}")


def models_command(name: str, models_dir: Path) -> str:
    """Return the command line of another command on the same folder."""
    return own_command("models", name, "--models", models_dir)


def model_flags(found: Sequence[FileState]) -> str:
    """Return the flags that a download needs for the optional models of these files."""
    models = {state.model for state in found}
    return "".join(f" {model.flag}" for model in MODELS if model.flag and model in models)
