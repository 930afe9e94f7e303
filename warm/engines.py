"""The lip engines by name. Only the chosen one is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warm.engine import Engine

if TYPE_CHECKING:  # the settings of a preparation are checked against ENGINES
    from warm.settings import Settings

ENGINES = {"viseme": 5}
"""Every engine, with the version of what its `prepare` writes: a higher one makes avatars anew."""


def make_engine(settings: Settings) -> Engine:
    """The engine that the settings name, not yet loaded."""
    if settings.engine == "viseme":
        from warm.viseme.engine import VisemeEngine  # noqa: PLC0415  only what the engine needs

        return VisemeEngine(settings.models_dir / "face")
    allowed = ", ".join(map(repr, ENGINES))
    raise ValueError(f"engine is {settings.engine!r}; allowed are {allowed}.")
