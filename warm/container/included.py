"""What an image includes for its first start without a network: face models and the demo avatar."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from warm.avatars.manifest import MANIFEST
from warm.avatars.recipe import preparation_digest
from warm.avatars.store import AvatarStore
from warm.container.errors import ContainerError
from warm.engine_factory import engine_recipe
from warm.installation import shipped
from warm.prepare.demo import DEMO_ID
from warm.prepare.run import find_up_to_date
from warm.settings import Settings

ROOM_FACTOR = 1.1
"""Room that a copy needs, as a multiple of the size of its files."""
MB = 1_000_000


def included() -> Path:
    """The folder in the image; a checkout has none."""
    return shipped("included")


def included_face_models() -> Path | None:
    """The folder of the face models in the image, if there is one."""
    folder = included() / "models" / "face"
    return folder if folder.is_dir() else None


def provide_demo(settings: Settings, portrait: Path, name: str) -> dict[str, str]:
    """Copy the demo avatar to the storage unless it has a current one.

    Return settings that have the server prepare it, if the one of the image does not suit these
    settings. An avatar `demo` of another picture is never replaced. `name`: the variable of the
    storage and its value. Raises ContainerError if there is no room.
    """
    if settings.avatar_id != DEMO_ID or settings.preparation or settings.video_path:
        return {}
    store, of_image = AvatarStore(settings.results_dir), AvatarStore(included())
    if is_of_another_picture(store, portrait):
        return {}
    recipe = replace(settings.preparation_settings, recipe=engine_recipe(settings))
    digest = preparation_digest(portrait, recipe)
    if find_up_to_date(store, DEMO_ID, digest):
        return {}
    if find_up_to_date(of_image, DEMO_ID, digest):
        copy_demo(of_image.folder(DEMO_ID), store, name)
        return {}
    return {"preparation": "true", "video_path": str(portrait)}


def is_of_another_picture(store: AvatarStore, portrait: Path) -> bool:
    """True if the storage has an avatar `demo` that was not made from the portrait.

    The manifest may be that of an older version. One that cannot be read belongs to the user.
    """
    folder = store.folder(DEMO_ID)
    try:
        source = json.loads((folder / MANIFEST).read_bytes())["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return folder.exists()
    return Path(str(source)).name != portrait.name


def copy_demo(folder: Path, store: AvatarStore, name: str) -> None:
    """Copy an avatar to a store, complete or not at all; raises ContainerError."""
    size = sum(path.stat().st_size for path in folder.iterdir())
    try:
        store.root.mkdir(exist_ok=True)
        free = shutil.disk_usage(store.root).free
        if free < size * ROOM_FACTOR:
            raise ContainerError(
                f"{name}: the demo avatar needs {size * ROOM_FACTOR / MB:.0f} MB, and"
                f" {free / MB:.0f} MB are free. Make room, or mount a larger volume."
            )
        with store.building(DEMO_ID) as building:
            for path in folder.iterdir():
                shutil.copyfile(path, building / path.name)
    except OSError as error:
        raise ContainerError(
            f"{name}: the demo avatar cannot be copied to it ({error.strerror})"
        ) from None
