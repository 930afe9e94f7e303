"""Creation of the lip engine that the settings name. Imports only that engine."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from warm.avatars.recipe import ENGINES
from warm.engines.base import Engine
from warm.installation import NEURAL_PACKAGES, RAY_PACKAGES, require_packages
from warm.settings import Settings

if TYPE_CHECKING:
    from warm.engines.musetalk.options import MuseTalkOptions


class BadEngine(ValueError):
    """The setting `remote_engine` names an engine that cannot be imported."""


def make_engine(settings: Settings) -> Engine:
    """Create the engine, not loaded yet; raises WeightsError if its files are missing."""
    if settings.engine == "viseme":
        from warm.engines.viseme.engine import VisemeEngine  # noqa: PLC0415  only if it is chosen

        return VisemeEngine(settings.face_models_folder, mouth=settings.mouth)
    require_engine_packages(settings)
    if settings.engine == "musetalk":
        from warm.engines.musetalk.engine import MuseTalkEngine  # noqa: PLC0415

        return MuseTalkEngine(musetalk_options(settings))
    if settings.engine == "remote":
        return make_remote_engine(settings)
    allowed = ", ".join(map(repr, (*ENGINES, "remote")))
    raise ValueError(f"engine is {settings.engine!r}; allowed are {allowed}.")


def require_engine_packages(settings: Settings) -> None:
    """Raise PackageMissing if a package of the engine is not installed; imports none of them."""
    if settings.engine == "musetalk":
        require_packages(NEURAL_PACKAGES, needed_by="engine = 'musetalk'")
    if settings.engine == "remote":
        require_packages(RAY_PACKAGES, needed_by="engine = 'remote'", extra="ray")


def make_remote_engine(settings: Settings) -> Engine:
    """Create the engine that delegates its work to Ray actors; starts nothing.

    Raises BadEngine, and the errors of creating the actors' engine.
    """
    from warm.engines.remote.engine import RemoteEngine  # noqa: PLC0415  only if it is chosen
    from warm.engines.remote.options import ClusterOptions, RemoteOptions  # noqa: PLC0415

    name = settings.remote_engine
    for_actors = settings_of_actors(settings)
    make = make_engine if name in ENGINES else partial(make_own_engine, name)
    cluster = ClusterOptions(
        address=settings.ray_address,
        actors=None if settings.remote_actors == "auto" else settings.remote_actors,
        spares=int(name == "viseme")
        if settings.remote_spares == "auto"
        else settings.remote_spares,
        uses_gpu=name != "viseme" and settings.device != "cpu",
        deadline_s=settings.remote_deadline_s,
        connect_s=settings.ray_connect_s,
    )
    return RemoteEngine(RemoteOptions(make_inner=partial(make, for_actors), cluster=cluster))


def settings_of_actors(settings: Settings) -> Settings:
    """Return the settings for the engines of the actors: no secrets, absolute paths."""
    changes: dict[str, object] = {"engine": settings.lip_engine}
    for name, value in settings:
        if isinstance(value, SecretStr):
            changes[name] = None
        elif isinstance(value, Path):
            changes[name] = value.absolute()
    return settings.model_copy(update=changes)


def make_own_engine(path: str, settings: Settings) -> Engine:
    """Create a user-defined engine from its `module:name`; raises BadEngine."""
    module, _, name = path.partition(":")
    try:
        make = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadEngine(
            f"remote_engine = {path!r} cannot be imported ({error}); it must be the `module:name` "
            "of a function or class that makes an engine from the settings, in a module that this "
            "process and the actors can import (PYTHONPATH)"
        ) from error
    engine: Engine = make(settings)
    return engine


def engine_recipe(settings: Settings) -> tuple[tuple[str, str | int], ...]:
    """Return everything except `PreparationSettings` that the engine's prepared data depends on.

    Raises WeightsError if files of the engine are missing.
    """
    if settings.lip_engine != "musetalk":
        return () if settings.mouth == "auto" else (("mouth", settings.mouth),)
    options = musetalk_options(settings)
    return tuple(options.recipe(options.layout()).items())


def musetalk_options(settings: Settings) -> MuseTalkOptions:
    """Return the settings of the neural engine."""
    from warm.engines.musetalk.options import MuseTalkOptions  # noqa: PLC0415  only if it is chosen

    return MuseTalkOptions(
        models_dir=settings.models_dir,
        device=settings.device,
        precision=settings.precision,
        placement=settings.placement,
        face_mask=settings.face_mask,
        decoder=settings.decoder,
        bbox_shift=settings.bbox_shift,
        first_batch=settings.first_batch_size,
        largest_batch=settings.batch_size,
        max_vram_gb=settings.max_vram_gb,
        exact_savings=settings.exact_savings,
        cuda_graphs=settings.cuda_graphs,
        compile_networks=settings.compile_networks,
        fused_kernels=settings.fused_kernels,
        search_kernels=settings.search_kernels,
    )
