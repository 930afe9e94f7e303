"""The optional package coqui-tts: whether it is installed, and its list of models.

Nothing here imports it: that takes seconds and hundreds of megabytes, and happens in the processes
of the models only.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "TTS"
REQUIRED = ("torch", "torchaudio", "torchcodec", "six", PACKAGE)
"""Packages that coqui-tts imports or insists on."""
INSTALL = "pip install -r requirements-coqui.txt (or 'warmtalk[coqui]')"

_FAIRSEQ_LICENCE = "CC BY-NC 4.0"
_NON_COMMERCIAL = ("cpml", "by-nc", "non-commercial")
_XTTS = "xtts"
XTTS_LICENCE = "CPML"


def missing_package() -> str | None:
    """Return the reason why no model can be loaded, and the remedy; None if all is installed."""
    missing = [name for name in REQUIRED if not _is_installed(name)]
    if not missing:
        return None
    return f"the package coqui-tts is not installed ({', '.join(missing)} missing); run {INSTALL}"


def licence_of(hub_name: str | None, model_kind: str | None) -> str | None:
    """Return the licence of a model as far as it is known, and whether it excludes commerce."""
    known = listed_model(hub_name).get("license") if hub_name else None
    if hub_name and "/fairseq/" in hub_name:
        known = _FAIRSEQ_LICENCE
    if known is None and model_kind == _XTTS:
        known = XTTS_LICENCE
    if not isinstance(known, str) or not known.strip():
        return None
    is_restricted = any(word in known.lower() for word in _NON_COMMERCIAL)
    return f"{known}, non-commercial use only" if is_restricted else known


def requires_terms(hub_name: str | None) -> bool:
    """Return True if a model of the list has terms that must be accepted."""
    return bool(hub_name and listed_model(hub_name).get("tos_required"))


def listed_model(hub_name: str) -> Mapping[str, Any]:
    """Return the entry of a model in the package's list; empty if there is none."""
    spec = find_spec(PACKAGE)
    content: Any = _read_list(tuple((spec.submodule_search_locations if spec else None) or ()))
    for part in hub_name.split("/"):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content if isinstance(content, Mapping) else {}


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@lru_cache(maxsize=1)
def _read_list(folders: tuple[str, ...]) -> Mapping[str, Any]:
    """Read the list of models in the folders of the package."""
    for folder in folders:
        try:
            content = json.loads((Path(folder) / ".models.json").read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(content, Mapping):
            return content
    return {}
