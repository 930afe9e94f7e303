"""The lip engines by name. Only the chosen one is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warm.avatars.recipe import ENGINES
from warm.engines.base import Engine
from warm.installation import NEURAL_PACKAGES, require_packages

if TYPE_CHECKING:  # the settings of a preparation are checked against ENGINES
    from warm.settings import Settings


def make_engine(settings: Settings) -> Engine:
    """The engine that the settings name, not yet loaded; raises WeightsError when files lack."""
    if settings.engine == "viseme":
        from warm.engines.viseme.engine import VisemeEngine  # noqa: PLC0415  only what the engine needs

        return VisemeEngine(settings.models_dir / "face")
    if settings.engine == "musetalk":
        require_packages(NEURAL_PACKAGES, needed_by="engine = 'musetalk'")
        from warm.engines.musetalk.engine import MuseTalkEngine  # noqa: PLC0415
        from warm.engines.musetalk.options import Options  # noqa: PLC0415

        return MuseTalkEngine(Options.of(settings))
    allowed = ", ".join(map(repr, ENGINES))
    raise ValueError(f"engine is {settings.engine!r}; allowed are {allowed}.")


def engine_recipe(settings: Settings) -> tuple[tuple[str, str | int], ...]:
    """What besides `PreparationSettings` changes what the engine keeps with an avatar.

    Raises WeightsError when files of the engine lack.
    """
    if settings.engine != "musetalk":
        return ()
    from warm.engines.musetalk.options import Options  # noqa: PLC0415  only what the engine needs

    options = Options.of(settings)
    return tuple(options.recipe(options.layout()).items())
