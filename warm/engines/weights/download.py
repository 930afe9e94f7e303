"""Bring what is missing: from a folder that has it, or from the hub."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from warm.engines.weights.check import FileState, states
from warm.engines.weights.errors import NoRoomForWeights, WeightsMissing
from warm.engines.weights.file_headers import look
from warm.engines.weights.layout import place_of, weights_in
from warm.engines.weights.manifest import Model
from warm.installation import DOWNLOAD_PACKAGES, require_packages

SPARE_BYTES = 200_000_000
"""What should be left on the disk afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Where weights go, and where they come from."""

    models_dir: Path
    endpoint: str
    """A hub of the Hugging Face form, without a slash at its end."""
    source: Path | None = None
    """A folder to take them from in place of the hub."""
    only_official: bool = False
    """Replace what is whole but not the official file too."""
    say: Callable[[str], None] = print


def supply(models: Sequence[Model], into: Supply) -> None:
    """Bring every file of these models that is not there and whole. Raises WeightsError."""
    needed = [state for model in models for state in lacking(model, into)]
    if not needed:
        into.say(f"Everything is there: {into.models_dir}")
    elif into.source is None:
        from_hub(needed, into)
    else:
        from_folder(list(dict.fromkeys(state.model for state in needed)), into, into.source)


def lacking(model: Model, into: Supply) -> list[FileState]:
    """The files that have to come, each with the path it shall have."""
    found = list(states(into.models_dir, model))
    return [
        state
        for state in found
        if not state.is_usable or (into.only_official and state.state == "other")
    ]


def from_hub(needed: Sequence[FileState], into: Supply) -> None:
    """Ask for everything first, so that nothing large is fetched in vain; then fetch."""
    require_packages(DOWNLOAD_PACKAGES, needed_by="the download of weights")
    from warm.engines.weights.hub import ask, fetch  # noqa: PLC0415  its libraries are slow to load

    offers = [
        (ask(state.model, state.file, endpoint=into.endpoint), state.path) for state in needed
    ]
    parts = [offer.part_of(path) for offer, path in offers]
    announced = sum(offer.bytes or 0 for offer, _ in offers)
    have = sum(part.stat().st_size for part in parts if part.exists())
    require_room(into.models_dir, announced - have)
    for offer, path in offers:
        into.say(f"{offer.model.repo}: {path.name} ({size_words(offer.bytes)}) -> {path}")
        fetch(offer, path, endpoint=into.endpoint)


def from_folder(models: Sequence[Model], into: Supply, source: Path) -> None:
    """Link or copy whole models from a folder of any layout that `find` knows."""
    places = {model: place_of(source, model) for model in models}
    if absent := [model for model, place in places.items() if place is None]:
        raise WeightsMissing(
            f"{source} (models_source) does not hold "
            + ", ".join(f"{model.folder}/ ({model.repo})" for model in absent)
            + ". Copy them there, or leave models_source empty to fetch them from the hub."
        )
    for model, place in places.items():
        assert place is not None
        bring(model, place, into)


def bring(model: Model, place: Path, into: Supply) -> None:
    """All files of one model; each is opened before it is taken."""
    weights = weights_in(place, model)
    assert weights is not None, place
    for file in (*model.configs, weights):
        origin, target = (place / file.name).resolve(), into.models_dir / model.folder / file.name
        look(origin)
        if target.exists() and target.samefile(origin):
            continue
        into.say(f"{origin} -> {target} ({link_or_copy(origin, target)})")


def link_or_copy(origin: Path, target: Path) -> str:
    """A hard link where the file system allows one, else a copy; whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.new")
    try:
        try:
            os.link(origin, temporary)
            done = "linked"
        except OSError:
            require_room(target.parent, origin.stat().st_size)
            shutil.copyfile(origin, temporary)
            done = "copied"
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return done


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raise NoRoomForWeights unless so much fits on the disk of `folder`."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if needed_bytes > 0 and free < needed_bytes + SPARE_BYTES:
        raise NoRoomForWeights(
            f"{folder} has room for {size_words(free)}; {size_words(needed_bytes)} are to come, "
            f"and {size_words(SPARE_BYTES)} should be left. Free some, or choose another folder "
            "(models_dir)."
        )


def size_words(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return "unknown size"
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} bytes"
