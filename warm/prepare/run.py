"""Preparation of an avatar: does nothing if it is up to date, otherwise replaces it atomically."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationSettings, preparation_digest
from warm.avatars.store import AvatarError, AvatarStore
from warm.engines.base import Engine
from warm.enhance.restorer import FaceRestorer
from warm.installation import default_face_models
from warm.media.sniff import sniff
from warm.prepare.action.source import ActionSource, check_count, check_film, missing_actions
from warm.prepare.errors import write_errors_explained
from warm.prepare.progress import FaceObserver, Progress, no_observer, no_progress

FACE_MODELS = default_face_models()


def prepare(  # noqa: PLR0913  source, destination, settings and collaborators
    source: Path | None,
    *,
    avatar_id: str,
    store: AvatarStore,
    settings: PreparationSettings | None = None,
    force: bool = False,
    actions: Sequence[ActionSource] = (),
    models: Path = FACE_MODELS,
    engine: Callable[[], Engine] | None = None,
    restorer: Callable[[], FaceRestorer] | None = None,
    progress: Progress = no_progress,
    observer: FaceObserver = no_observer,
    source_name: str = "",
) -> Avatar:
    """Prepare the avatar `avatar_id` from a photo or video; return it unchanged if up to date.

    A changed source or setting replaces the avatar in one step; readers that have the old one open
    keep it. `actions` are added; if nothing else has changed, or without a source, the avatar that
    exists keeps everything else. `engine` creates the engine that `settings` name; only the viseme
    engine has a default. `restorer` makes the restorer of `settings.enhance`; only sharpen has a
    default. `source_name` is kept as the avatar's source in place of the path.
    On any error the old avatar stays and no other file is left. Raises MediaError for an unusable
    source, PreparationError for an unsuitable face or length, or a failed write, and AvatarError
    for a bad id, or without a source if there is no avatar.
    """
    settings = settings or PreparationSettings()
    store.folder(avatar_id)
    for each in actions:
        check_film(each)
    digest = None if source is None else digest_of(source, settings)
    ready = store.open(avatar_id) if digest is None else None
    if digest is not None and not force:
        ready = find_up_to_date(store, avatar_id, digest)
    if ready is not None and not force:
        actions = missing_actions(ready, actions)
    if ready is not None and not actions:
        return ready
    check_count(avatar_id, [*(ready.actions if ready else ()), *(each.name for each in actions)])
    # The imports are slow, and not needed for an avatar that is up to date.
    from warm.prepare.rebuild import Rebuild  # noqa: PLC0415

    rebuild = Rebuild(
        avatar_id=avatar_id,
        store=store,
        settings=settings,
        models=models,
        engine=engine or partial(default_engine, settings.engine, models),
        restorer=restorer or partial(default_restorer, settings.enhance),
        progress=progress,
        observer=observer,
        actions=tuple(actions),
    )
    with write_errors_explained(store.root), store.building(avatar_id) as folder:
        if ready is not None:
            rebuild.extend(ready, folder)
        else:
            assert source is not None and digest is not None
            rebuild.from_source(source, source_name or str(source), digest, folder)
    return store.open(avatar_id)


def digest_of(source: Path, settings: PreparationSettings) -> str:
    """Return the digest of a file and settings; raises MediaError for an unusable file."""
    sniff(source)
    return preparation_digest(source, settings)


def default_engine(name: str, models: Path) -> Engine:
    """Return the viseme engine; raises ValueError for an engine that takes options of its own."""
    if name != "viseme":
        raise ValueError(f"settings.engine is {name!r}; pass `engine`, only 'viseme' has a default")
    from warm.engines.viseme.engine import VisemeEngine  # noqa: PLC0415  slow, and often not needed

    return VisemeEngine(models)


def default_restorer(method: str | None) -> FaceRestorer:
    """Return the sharpener; raises ValueError for a method that needs settings."""
    if method != "sharpen":
        raise ValueError(f"settings.enhance is {method!r}; pass `restorer`")
    from warm.enhance.sharpen import Sharpener  # noqa: PLC0415  slow, and often not needed

    return Sharpener()


def find_up_to_date(store: AvatarStore, avatar_id: str, digest: str) -> Avatar | None:
    """Return the stored avatar if it is intact and has this digest."""
    try:
        avatar = store.open(avatar_id)
    except AvatarError:
        return None
    return avatar if avatar.base_digest == digest else None
