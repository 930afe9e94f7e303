"""Download of missing weights: from the hub, or copied from a local folder."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from warm.engines.weights.check import FileState, file_states
from warm.engines.weights.errors import DiskFull, WeightsMissing
from warm.engines.weights.file_headers import check_structure
from warm.engines.weights.layout import find_model, find_weights_file
from warm.engines.weights.manifest import Model
from warm.installation import DOWNLOAD_PACKAGES, DOWNLOAD_REQUIREMENTS, require_packages

RESERVE_BYTES = 200_000_000
"""Free space that must remain on the disk afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOptions:
    """Target and source of a download."""

    models_dir: Path
    endpoint: str
    """A hub compatible with Hugging Face, without a trailing slash."""
    source: Path | None = None
    """A folder from which files are copied instead of the hub."""
    only_official: bool = False
    """Also replace complete files that are not the official ones."""
    report: Callable[[str], None] = print


def download(models: Sequence[Model], options: DownloadOptions) -> None:
    """Fetch every file of these models that is missing or damaged. Raises WeightsError."""
    needed = [state for model in models for state in files_to_fetch(model, options)]
    if not needed:
        options.report(f"All files are present in {options.models_dir}")
    elif options.source is None:
        fetch_from_hub(needed, options)
    else:
        needed_models = list(dict.fromkeys(state.model for state in needed))
        copy_from_folder(needed_models, options, options.source)


def files_to_fetch(model: Model, options: DownloadOptions) -> list[FileState]:
    """Files that must be fetched, each with its target path."""
    return [
        state
        for state in file_states(options.models_dir, model)
        if not state.is_usable or (options.only_official and state.state == "other")
    ]


def fetch_from_hub(needed: Sequence[FileState], options: DownloadOptions) -> None:
    """Query all files, so that no large download is wasted; then fetch them."""
    require_packages(
        DOWNLOAD_PACKAGES,
        needed_by="the download of weights",
        requirements=DOWNLOAD_REQUIREMENTS,
    )
    from warm.engines.weights.hub_download import fetch, query_file  # noqa: PLC0415  its libraries are slow to load

    remote_files = [
        (query_file(state.model, state.file, endpoint=options.endpoint), state.path)
        for state in needed
    ]
    parts = [remote_file.partial_path(path) for remote_file, path in remote_files]
    announced = sum(remote_file.bytes or 0 for remote_file, _ in remote_files)
    present = sum(part.stat().st_size for part in parts if part.exists())
    require_disk_space(options.models_dir, announced - present)
    for remote_file, path in remote_files:
        size = format_size(remote_file.bytes)
        options.report(f"{remote_file.model.repo}: {path.name} ({size}) -> {path}")
        fetch(remote_file, path, endpoint=options.endpoint)


def copy_from_folder(models: Sequence[Model], options: DownloadOptions, source: Path) -> None:
    """Link or copy whole models from a folder of any layout that `find_weights` supports."""
    places = {model: find_model(source, model) for model in models}
    if absent := [model for model, place in places.items() if place is None]:
        raise WeightsMissing(
            f"{source} (models_source) does not contain "
            + ", ".join(f"{model.folder}/ ({model.repo})" for model in absent)
            + ". Copy them there, or leave models_source empty to download them from the hub."
        )
    for model, place in places.items():
        assert place is not None
        copy_model(model, place, options)


def copy_model(model: Model, place: Path, options: DownloadOptions) -> None:
    """Copy all files of one model; each is checked first."""
    weights = find_weights_file(place, model)
    assert weights is not None, place
    for file in (*model.configs, weights):
        origin = (place / file.name).resolve()
        target = options.models_dir / model.folder / file.name
        check_structure(origin)
        if target.exists() and target.samefile(origin):
            continue
        options.report(f"{origin} -> {target} ({link_or_copy(origin, target)})")


def link_or_copy(origin: Path, target: Path) -> str:
    """Create a hard link if the file system allows it, else an atomic copy; return the method."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.new")
    try:
        try:
            os.link(origin, temporary)
            method = "linked"
        except OSError:
            require_disk_space(target.parent, origin.stat().st_size)
            shutil.copyfile(origin, temporary)
            method = "copied"
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return method


def require_disk_space(folder: Path, needed_bytes: int) -> None:
    """Raise DiskFull unless the disk of `folder` has enough free space."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if needed_bytes > 0 and free < needed_bytes + RESERVE_BYTES:
        raise DiskFull(
            f"{folder} has {format_size(free)} of free space; {format_size(needed_bytes)} are "
            f"needed, and {format_size(RESERVE_BYTES)} must remain. Free some space, or choose "
            "another folder (models_dir)."
        )


def format_size(count: int | None) -> str:
    """Format a number of bytes for display."""
    if count is None:
        return "unknown size"
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} bytes"
