"""Preparation as a whole: instant when nothing changed, all or nothing otherwise."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationSettings, preparation_digest
from warm.avatars.store import AvatarError, AvatarStore
from warm.engines.base import Engine
from warm.engines.factory import make_engine
from warm.media.sniff import sniff
from warm.prepare.errors import explained
from warm.prepare.progress import Progress, silent

FACE_MODELS = Path(__file__).resolve().parents[2] / "models" / "face"


def prepare(  # noqa: PLR0913  what is prepared, as what, how, and where it goes
    source: Path,
    *,
    avatar_id: str,
    store: AvatarStore,
    settings: PreparationSettings | None = None,
    force: bool = False,
    models: Path = FACE_MODELS,
    engine: Callable[[], Engine] | None = None,
    progress: Progress = silent,
) -> Avatar:
    """The avatar `avatar_id` made of a photo or video; the one on disk where it is up to date.

    A changed source or setting replaces the avatar in one step; whoever has the old one open keeps
    it. `engine` makes the engine of the settings; left out, it is made with its defaults.
    On any error nothing is left behind and the old avatar stays. Raises MediaError for a bad
    source, PreparationError for a face, a length or a disk that does not do, BadAvatarId.
    """
    settings = settings or PreparationSettings()
    store.folder(avatar_id)
    sniff(source)
    digest = preparation_digest(source, settings)
    if not force and (ready := up_to_date(store, avatar_id, digest)):
        return ready
    from warm.prepare.build import Job, build_avatar  # noqa: PLC0415  slow, and often not needed

    with explained(store.root), store.building(avatar_id) as folder:
        job = Job(source, folder, settings, models, progress)
        build, notes = build_avatar(job, engine() if engine else default_engine(settings.engine))
        facts = {"source": str(source), "settings": asdict(settings)}
        store.write_manifest(build, avatar_id=avatar_id, digest=digest, notes=notes, metadata=facts)
    return store.open(avatar_id)


def default_engine(name: str) -> Engine:
    """The engine of that name as the settings have it where they say nothing else."""
    from warm.settings import Settings  # noqa: PLC0415  which imports this package

    return make_engine(Settings.model_validate({"engine": name}))


def up_to_date(store: AvatarStore, avatar_id: str, digest: str) -> Avatar | None:
    """The avatar as it lies there, if it is whole and made of just this."""
    try:
        avatar = store.open(avatar_id)
    except AvatarError:
        return None
    return avatar if avatar.digest == digest else None
