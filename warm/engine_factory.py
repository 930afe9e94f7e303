"""Creation of the lip engine that the settings name. Imports only that engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warm.avatars.recipe import ENGINES
from warm.engines.base import Engine
from warm.installation import NEURAL_PACKAGES, require_packages
from warm.settings import Settings

if TYPE_CHECKING:
    from warm.engines.musetalk.options import MuseTalkOptions


def make_engine(settings: Settings) -> Engine:
    """Create the engine, not loaded yet; raises WeightsError if its files are missing."""
    if settings.engine == "viseme":
        from warm.engines.viseme.engine import VisemeEngine  # noqa: PLC0415  only if it is chosen

        return VisemeEngine(settings.face_models_folder, mouth=settings.mouth)
    if settings.engine == "musetalk":
        require_packages(NEURAL_PACKAGES, needed_by="engine = 'musetalk'")
        from warm.engines.musetalk.engine import MuseTalkEngine  # noqa: PLC0415

        return MuseTalkEngine(musetalk_options(settings))
    allowed = ", ".join(map(repr, ENGINES))
    raise ValueError(f"engine is {settings.engine!r}; allowed are {allowed}.")


def engine_recipe(settings: Settings) -> tuple[tuple[str, str | int], ...]:
    """Return everything except `PreparationSettings` that the engine's prepared data depends on.

    Raises WeightsError if files of the engine are missing.
    """
    if settings.engine != "musetalk":
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
