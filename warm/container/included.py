"""Parts of an image for a first start without a network: face models and the demo avatar."""

import json
import secrets
from dataclasses import replace
from pathlib import Path

from warm.avatars.manifest import MANIFEST
from warm.avatars.recipe import preparation_digest
from warm.avatars.store import AvatarError, AvatarStore
from warm.container.errors import ContainerError
from warm.engine_factory import engine_recipe
from warm.installation import shipped
from warm.prepare.demo import DEMO_ID
from warm.prepare.run import find_up_to_date
from warm.settings import Settings


def included() -> Path:
    """The folder in the image; a checkout has none."""
    return shipped("included")


def included_face_models() -> Path | None:
    """The folder of the face models in the image, if there is one."""
    folder = included() / "models" / "face"
    return folder if folder.is_dir() else None


def provide_demo(settings: Settings, portrait: Path, name: str) -> dict[str, str]:
    """Link the demo avatar of the image to the storage unless that has a current one.

    Return settings that make the server prepare it, if the one of the image does not match these
    settings. An avatar `demo` of another picture is never replaced. `name`: the variable of the
    storage and its value. Raises ContainerError if the link cannot be made.
    """
    if settings.avatar_id != DEMO_ID or settings.preparation or settings.video_path:
        return {}
    store, of_image = AvatarStore(settings.results_dir), AvatarStore(included())
    if is_of_another_picture(store, portrait):
        return {}
    recipe = replace(settings.preparation_settings, recipe=engine_recipe(settings))
    digest = preparation_digest(portrait, recipe)
    if digest_in(of_image) == digest:  # files of an image need no check, which would read them all
        link_demo(of_image.folder(DEMO_ID), store, name)
        return {}
    if find_up_to_date(store, DEMO_ID, digest):
        return {}
    remove_broken_link(store.folder(DEMO_ID))
    return {"preparation": "true", "video_path": str(portrait)}


def digest_in(store: AvatarStore) -> str | None:
    """The digest of a store's demo avatar, whose files are not read; None without a usable one."""
    try:
        manifest = store.manifest(DEMO_ID)
    except AvatarError:
        return None
    return manifest.base_digest or manifest.digest


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


def link_demo(folder: Path, store: AvatarStore, name: str) -> None:
    """Put a link to the avatar of the image into a store; raises ContainerError.

    A copy would take half a gigabyte and seconds, and would be outdated after an update.
    """
    target = store.folder(DEMO_ID)
    if target.is_symlink() and target.readlink() == folder:
        return
    try:
        store.root.mkdir(exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            store.delete(DEMO_ID)
        new = store.root / f".link-{secrets.token_hex(8)}"
        new.symlink_to(folder)
        new.replace(target)
    except OSError as error:
        raise ContainerError(
            f"{name}: the demo avatar cannot be placed in it ({error.strerror}); make room, or"
            " mount a larger volume"
        ) from None


def remove_broken_link(path: Path) -> None:
    """Remove a link to an avatar that this image does not have."""
    if path.is_symlink() and not path.exists():
        path.unlink()
