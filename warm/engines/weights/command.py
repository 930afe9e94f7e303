"""`python -m warm models`: download the face models; list, download and verify the weights."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from warm.engines.weights.check import FileState, states
from warm.engines.weights.download import Supply, size_words, supply
from warm.engines.weights.layout import unusual_places
from warm.engines.weights.manifest import MODELS, Model
from warm.face.download import download_face_models, missing_face_models
from warm.installation import own_command
from warm.settings import Settings, read_settings


def add_models(command: argparse.ArgumentParser) -> None:
    """`models` with its four commands."""
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
    """The settings, and the folder of the models; raises BadSettings."""
    given = [] if arguments.config is None else ["--config", str(arguments.config)]
    settings = read_settings(given)
    return settings, arguments.models or settings.models_dir


def run_face(arguments: argparse.Namespace) -> int:
    """Download the face models unless they are there; raises DownloadError."""
    _, models_dir = settings_of(arguments)
    folder = models_dir / "face"
    if missing_face_models(folder):
        download_face_models(folder)
    print(f"The face models are in {folder.absolute()}")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Show the manifest and what is there of it; 0 whatever that is."""
    _, models_dir = settings_of(arguments)
    print(f"{models_dir.absolute()} (models_dir, WARMTALK_MODELS_DIR)")
    for model in MODELS:
        print("\n".join(listed(models_dir, model)))
    tell_places(models_dir)
    return 0


def listed(models_dir: Path, model: Model) -> Iterator[str]:
    """One model: a headline, its licence, a line a file."""
    optional = f" (optional: {model.flag})" if model.is_optional else ""
    yield f"\n{model.folder}{optional}: {model.repo} at {model.revision or 'its newest state'}"
    yield f"  licence: {model.licence}"
    for state in states(models_dir, model):
        file = state.file
        digest = f"sha256 {file.sha256}" if file.sha256 else "sha256 unknown"
        yield f"  {state.state:8} {file.name:36} {size_words(file.bytes):>12}  {digest}"


def run_download(arguments: argparse.Namespace) -> int:
    """Fetch what is not there; raises WeightsError."""
    settings, models_dir = settings_of(arguments)
    asked = {"--parser": arguments.parser, "--tiny": arguments.tiny}
    wanted = [model for model in MODELS if asked.get(model.flag, True)]
    into = Supply(
        models_dir=models_dir,
        endpoint=(arguments.endpoint or settings.models_endpoint).rstrip("/"),
        source=arguments.source or settings.models_source,
        only_official=arguments.force,
    )
    supply(wanted, into)
    tell_places(models_dir)
    licences = own_command("models", "list")
    print(f"Licences: {licences}; check every byte: {again('verify', models_dir)}")
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Read everything; 1 when a file is missing, damaged or another than the official one."""
    _, models_dir = settings_of(arguments)
    found: list[FileState] = []
    for model in MODELS:
        of_model = list(states(models_dir, model, deep=True))
        if model.is_optional and all(state.state == "missing" for state in of_model):
            print(f"absent   {of_model[0].path.parent} (optional)")
            continue
        found += of_model
        print("\n".join(verdicts(of_model)))
    tell_places(models_dir)
    if broken := [state for state in found if not state.is_usable]:
        print(f"{len(broken)} to mend: {again('download', models_dir)}{flags(broken)}")
    if other := [state for state in found if state.state == "other"]:
        force = f"{again('download', models_dir)} --force{flags(other)}"
        print(f"{len(other)} not official; usable if that is meant, else: {force}")
    return int(any(state.state != "ok" for state in found))


def verdicts(found: Sequence[FileState]) -> Iterator[str]:
    """One line a file."""
    for state in found:
        known = "" if state.file.sha256 else " (its structure; no digest is known)"
        words = f": {state.words}" if state.words else known
        yield f"{state.state:8} {state.path}{words}"


def tell_places(models_dir: Path) -> None:
    """Say what lies in an unusual place."""
    for note in unusual_places(models_dir):
        print(f"Note: {note}")


def again(what: str, models_dir: Path) -> str:
    """Another command on the same folder."""
    return own_command("models", what, "--models", models_dir)


def flags(found: Sequence[FileState]) -> str:
    """What the download needs to be told where optional models are meant."""
    return "".join(f" {model.flag}" for model in MODELS if model.flag and model in models_of(found))


def models_of(found: Sequence[FileState]) -> set[Model]:
    """The models that these files belong to."""
    return {state.model for state in found}
