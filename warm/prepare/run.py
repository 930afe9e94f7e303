"""Preparation of an avatar: does nothing if it is up to date, otherwise replaces it atomically."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from warm.avatars.avatar import Avatar
from warm.avatars.face_report import face_report_json
from warm.avatars.mouth_report import mouth_json
from warm.avatars.recipe import PreparationSettings, preparation_digest
from warm.avatars.store import AvatarError, AvatarStore
from warm.avatars.verdict import verdict_json
from warm.engines.base import Engine
from warm.installation import default_face_models
from warm.media.sniff import sniff
from warm.prepare.errors import write_errors_explained
from warm.prepare.progress import FaceObserver, Progress, no_observer, no_progress

FACE_MODELS = default_face_models()


def prepare(  # noqa: PLR0913  source, destination, settings and collaborators
    source: Path,
    *,
    avatar_id: str,
    store: AvatarStore,
    settings: PreparationSettings | None = None,
    force: bool = False,
    models: Path = FACE_MODELS,
    engine: Callable[[], Engine] | None = None,
    progress: Progress = no_progress,
    observer: FaceObserver = no_observer,
    source_name: str = "",
) -> Avatar:
    """Prepare the avatar `avatar_id` from a photo or video; return it unchanged if up to date.

    A changed source or setting replaces the avatar in one step; readers that have the old one open
    keep it. `engine` creates the engine that `settings` name; only the viseme engine has a default.
    `source_name` is kept as the avatar's source in place of the path.
    On any error the old avatar stays and no other file is left. Raises MediaError for an unusable
    source, PreparationError for an unsuitable face, an unsuitable length or a failed write, and
    BadAvatarId.
    """
    settings = settings or PreparationSettings()
    store.folder(avatar_id)
    sniff(source)
    digest = preparation_digest(source, settings)
    if not force and (ready := find_up_to_date(store, avatar_id, digest)):
        return ready
    # The import is slow, and not needed for an avatar that is up to date.
    from warm.prepare.build import PreparationJob, build_avatar  # noqa: PLC0415

    with write_errors_explained(store.root), store.building(avatar_id) as folder:
        job = PreparationJob(source, folder, settings, models, progress, observer)
        lip_engine = engine() if engine else default_engine(settings.engine, models)
        prepared = build_avatar(job, lip_engine)
        facts = {
            "source": source_name or str(source),
            "settings": asdict(settings),
            "verdict": verdict_json(prepared.verdict),
        }
        if prepared.build.mouth is not None:
            facts["mouth"] = mouth_json(prepared.build.mouth)
        if prepared.face is not None:
            facts["face"] = face_report_json(prepared.face)
        store.write_manifest(
            prepared.build,
            avatar_id=avatar_id,
            digest=digest,
            notes=prepared.notes,
            metadata=facts,
        )
    return store.open(avatar_id)


def default_engine(name: str, models: Path) -> Engine:
    """Return the viseme engine; raises ValueError for an engine that takes options of its own."""
    if name != "viseme":
        raise ValueError(f"settings.engine is {name!r}; pass `engine`, only 'viseme' has a default")
    from warm.engines.viseme.engine import VisemeEngine  # noqa: PLC0415  slow, and often not needed

    return VisemeEngine(models)


def find_up_to_date(store: AvatarStore, avatar_id: str, digest: str) -> Avatar | None:
    """Return the stored avatar if it is intact and has this digest."""
    try:
        avatar = store.open(avatar_id)
    except AvatarError:
        return None
    return avatar if avatar.digest == digest else None
