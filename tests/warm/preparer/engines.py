"""Engines that the process of a preparation creates by name."""

from typing import cast

from tests.warm.prepare.preparer import ArrayEngine
from warm.engines.base import Engine
from warm.settings import Settings


def array_engine(_settings: Settings) -> Engine:
    """Return an engine that adds arrays to an avatar, which takes no time."""
    return cast(Engine, ArrayEngine())
