"""Download of a Piper voice from a hub compatible with Hugging Face.

The files arrive in a hidden folder of `voices_dir`, where an interrupted download is continued.
They are moved to `voices_dir` when all of them are there and fit together.
"""

import difflib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tts.onnx_voices.piper_files import CARD, CONFIG, MODEL, read_voice
from warm.engines.weights.digest import sha256_of
from warm.engines.weights.errors import (
    HubLacksFile,
    WeightsDamaged,
    WeightsDownloadError,
    WeightsError,
)
from warm.engines.weights.install import format_size, require_disk_space
from warm.engines.weights.manifest import Model, ModelFile
from warm.installation import DOWNLOAD_PACKAGES, DOWNLOAD_REQUIREMENTS, require_packages

if TYPE_CHECKING:
    from warm.engines.weights.hub_download import RemoteFile

REPOSITORY, REVISION = "rhasspy/piper-voices", "main"
INDEX = "voices.json"
NAME = re.compile(
    r"(?P<language>[a-z]{2,3})_(?P<region>[A-Z]{2}|\d{3})-(?P<voice>\w+)-(?P<quality>\w+)", re.ASCII
)
_NAMES_SHOWN = 5


class BadVoiceName(WeightsError):
    """A name is not that of a voice of the hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDownload:
    """Target and source of a download."""

    folder: Path
    """`voices_dir`; it is made if needed."""
    endpoint: str
    """A hub compatible with Hugging Face, without a trailing slash."""
    report: Callable[[str], None] = print


def download_voice(name: str, options: VoiceDownload) -> Path:
    """Fetch a voice such as `en_US-amy-medium` unless it is present; return its network's path.

    Raises BadVoiceName, and the errors of a download: WeightsError, PackageMissing.
    """
    model = hub_model(name, options.folder)
    target = options.folder / f"{name}{MODEL}"
    if target.exists() and read_voice(target, options.folder.resolve()).problem is None:
        options.report(f"{name} is present in {options.folder}")
        return target
    require_packages(
        DOWNLOAD_PACKAGES,
        needed_by="the download of voices",
        requirements=DOWNLOAD_REQUIREMENTS,
    )
    try:
        licence = fetch_into(options.folder, model, options)
    except OSError as error:
        raise WeightsDownloadError(
            f"{options.folder} cannot be written: {error.strerror}. Choose another folder "
            "(voices_dir)."
        ) from error
    options.report(f"{target}\nLicence: {licence}")
    return target


def fetch_into(folder: Path, model: Model, options: VoiceDownload) -> str:
    """Fetch a voice, check it and move it to its folder; return its licence. Raises OSError too."""
    name = model.folder
    staging = folder / f".{name}.download"
    staging.mkdir(parents=True, exist_ok=True)
    fetch_all(model, staging, options)
    voice = read_voice((staging / f"{name}{MODEL}").resolve(), staging.resolve())
    if voice.problem is not None:
        shutil.rmtree(staging)
        raise WeightsDamaged(f"{options.endpoint} served no usable voice: {voice.problem}")
    for file in (CARD, CONFIG, MODEL):
        move_if_there(staging, folder, name, file)
    shutil.rmtree(staging)
    return voice.card.licence


def hub_model(name: str, folder: Path) -> Model:
    """Return the files of a voice on the hub; raises BadVoiceName."""
    match = NAME.fullmatch(name)
    if match is None:
        raise BadVoiceName(
            f"voice {name[:80]!r} is not a name of the hub; such names have a language, region, "
            "name and quality: en_US-amy-medium, de_DE-thorsten-high. "
            f"All are on https://huggingface.co/{REPOSITORY}"
        )
    language = match["language"]
    return Model(
        name="voice",
        folder=name,
        repo=REPOSITORY,
        revision=REVISION,
        repo_folder=f"{language}/{language}_{match['region']}/{match['voice']}/{match['quality']}/",
        licence="see its model card",
        configs=(ModelFile(name=f"{name}{CONFIG}"), ModelFile(name=CARD)),
        weights=(ModelFile(name=f"{name}{MODEL}"),),
        offline_advice=f"copy {name}{MODEL} and {name}{CONFIG} from elsewhere into {folder}",
    )


def fetch_all(model: Model, staging: Path, options: VoiceDownload) -> None:
    """Query all files, to avoid wasting a large download, then fetch them; the card is optional."""
    from warm.engines.weights.hub_download import fetch, query_file  # noqa: PLC0415  its libraries are slow to load

    found = []
    for file in model.files:
        try:
            found.append(query_file(model, file, endpoint=options.endpoint))
        except HubLacksFile as error:
            if file.name != CARD:
                raise HubLacksFile(f"{error}{near_names(model, options, staging)}") from error
    require_disk_space(options.folder, sum(each.bytes or 0 for each in found))
    for each in found:
        target = staging / each.file.name
        if not is_complete(target, each):
            options.report(f"{REPOSITORY}: {target.name} ({format_size(each.bytes)})")
            fetch(each, target, endpoint=options.endpoint)


def is_complete(path: Path, announced: "RemoteFile") -> bool:
    """Return True for a file of an earlier attempt with the announced digest."""
    is_known = announced.sha256 is not None and path.is_file()
    return is_known and sha256_of(path) == announced.sha256


def near_names(model: Model, options: VoiceDownload, staging: Path) -> str:
    """Return a sentence with voices of similar names in the hub's list; empty if there are none."""
    from warm.engines.weights.hub_download import fetch, query_file  # noqa: PLC0415  see above

    index = Model(
        name="voice",
        folder=INDEX,
        repo=REPOSITORY,
        revision=REVISION,
        licence="",
        configs=(),
        weights=(ModelFile(name=INDEX),),
        offline_advice=model.offline_advice,
    )
    target = staging / INDEX
    try:
        fetch(
            query_file(index, index.files[0], endpoint=options.endpoint),
            target,
            endpoint=options.endpoint,
        )
        names = list(json.loads(target.read_bytes()))
    except (WeightsDownloadError, WeightsError, ValueError, TypeError):
        return ""  # the message without it is complete
    close = difflib.get_close_matches(model.folder, names, n=_NAMES_SHOWN, cutoff=0.5)
    return f" Voices of similar names: {', '.join(close)}." if close else ""


def move_if_there(staging: Path, folder: Path, name: str, file: str) -> None:
    """Move one file of a voice; the card gets the voice's name."""
    source = staging / (CARD if file == CARD else f"{name}{file}")
    if source.exists():
        source.replace(folder / (f"{name}.{CARD}" if file == CARD else source.name))
