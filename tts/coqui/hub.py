"""Models of coqui's list in the process of a model: found on this machine, never downloaded.

`python -m tts.coqui download` downloads them.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

TERMS_VARIABLE = "COQUI_TOS_AGREED"
"""States for coqui-tts that the terms of models are accepted; otherwise it asks on the terminal."""


class ModelMissing(RuntimeError):
    """A model is not on this machine, or may not be used; the message says what to do."""


def model_manager(*, accepts_terms: bool) -> Any:
    """Return coqui's manager of models, which asks no questions; its stdin is not a terminal."""
    if accepts_terms:
        os.environ[TERMS_VARIABLE] = "1"
    manager_class = import_module("TTS.utils.manage").ModelManager
    manager_class.ask_tos = staticmethod(_refuse)
    return manager_class(progress_bar=False)


def local_model(hub_name: str, *, accepts_terms: bool) -> tuple[Path, Path | None, str | None]:
    """Return checkpoint, configuration and vocoder of a model; raises ModelMissing."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    manager = model_manager(accepts_terms=accepts_terms)
    entry = listed_entry(manager, hub_name)
    if "repo_id" not in entry and not _folder(manager, hub_name).is_dir():
        raise _missing(hub_name)
    try:
        checkpoint, config, _ = manager.download_model(hub_name)
    except ModelMissing:
        raise
    except Exception as error:
        raise _missing(hub_name) from error
    return Path(checkpoint), Path(config) if config else None, entry.get("default_vocoder")


def listed_entry(manager: Any, hub_name: str) -> dict[str, Any]:
    """Return the entry of a model in the list; raises ModelMissing."""
    kind, language, dataset, model = hub_name.split("/")
    if dataset == "fairseq":
        return {}
    try:
        entry: dict[str, Any] = manager.models_dict[kind][language][dataset][model]
    except KeyError:
        raise ModelMissing(
            f"coqui's list of models has no {hub_name}; `tts --list_models` shows it"
        ) from None
    return entry


def _folder(manager: Any, hub_name: str) -> Path:
    return Path(manager.output_prefix) / hub_name.replace("/", "--")


def _missing(hub_name: str) -> ModelMissing:
    return ModelMissing(
        f"the model {hub_name} is not on this machine; run python -m tts.coqui download {hub_name}"
    )


def _refuse(*_: object) -> bool:
    raise ModelMissing(
        "its terms must be accepted: read https://tts-hub.github.io/cpml, and state "
        "`accepts_terms: true`, or `--accept-terms` for the download"
    )
