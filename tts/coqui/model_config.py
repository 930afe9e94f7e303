"""Facts about the voices of a model from its configuration, without loading the model."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts.languages import bcp47

MAX_CONFIG_BYTES = 1 << 24
DEFAULT_RATE_HZ = 22_050
"""Rate of most models; the true one is known when the model has spoken."""


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model before it is loaded."""

    kind: str | None = None
    """Architecture, such as `vits` or `xtts`."""
    languages: tuple[str, ...] = ()
    """BCP 47 tags; empty if the configuration names none."""
    sample_rate_hz: int = DEFAULT_RATE_HZ


def read_summary(path: Path | None) -> ModelSummary:
    """Read a configuration; missing values, or an unreadable file, leave the defaults."""
    try:
        if path is None or path.stat().st_size > MAX_CONFIG_BYTES:
            return ModelSummary()
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return ModelSummary()
    if not isinstance(content, Mapping):
        return ModelSummary()
    kind = content.get("model")
    return ModelSummary(
        kind=kind if isinstance(kind, str) else None,
        languages=tuple(dict.fromkeys(_languages(content))),
        sample_rate_hz=_sample_rate_hz(content),
    )


def hub_language(hub_name: str | None) -> tuple[str, ...]:
    """Return the language in the name of a model: `tts_models/de/thorsten/vits` speaks `de`."""
    part = hub_name.split("/")[1] if hub_name else ""
    return tuple(_tags(part)) if part != "multilingual" else ()


def _languages(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tags of a configuration: of XTTS, of the phonemizer, of the training data."""
    several = content.get("languages")
    if isinstance(several, list):
        for each in several:
            yield from _tags(each)
    yield from _tags(content.get("phoneme_language"))
    datasets = content.get("datasets")
    for dataset in datasets if isinstance(datasets, list) else ():
        if isinstance(dataset, Mapping):
            yield from _tags(dataset.get("language"))


def _tags(value: object) -> Iterator[str]:
    is_tag = isinstance(value, str) and 2 <= len(value) <= 12
    if is_tag and str(value).replace("-", "").replace("_", "").isalnum() and str(value).isascii():
        yield bcp47(str(value))


def _sample_rate_hz(content: Mapping[str, Any]) -> int:
    audio = content.get("audio")
    for key in ("output_sample_rate", "sample_rate"):
        rate = audio.get(key) if isinstance(audio, Mapping) else None
        if isinstance(rate, int) and 4_000 <= rate <= 192_000:
            return rate
    return DEFAULT_RATE_HZ
