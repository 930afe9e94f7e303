"""Variants of espeak-ng's voices: other speakers for each of its languages."""

import re
from functools import cache
from pathlib import Path

import espeakng_loader

from tts.voice import Gender


@cache
def variants() -> dict[str, str]:
    """Return espeak's names of its variants by their lower-case names."""
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return {path.name.lower(): path.name for path in sorted(folder.iterdir())}


def variant_gender(variant: str) -> Gender:
    """Return the gender of a variant whose name has one: `f1` to `f5`, `m1` to `m8`."""
    if re.fullmatch(r"f\d", variant):
        return "female"
    return "male" if re.fullmatch(r"m\d", variant) else "unknown"
